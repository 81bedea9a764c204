"""The usual price: which was-prices the ledger proves, and which it refuses and why."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from app.commerce.store import Store
from app.core.db import db
from app.pricing import usual_price
from app.pricing.ledger import Period
from app.pricing.models import PricePeriod
from app.pricing.usual_price import BAR, prove, usual_before
from app.recommendations.taking_in import take_in
from tests.factories import DAY, at, new_store, product_change, variant_state

TODAY = at(400 * DAY)
WAS, NOW = 10_000, 8_000
HONEST = [(60, WAS), (5, NOW)]


def story(*spells: tuple[float, int | None], currency: str = "NZD", until: datetime = TODAY) -> list[Period]:
    """Return the periods of spells of (days, price) that end today; a price of None: not to be bought."""
    found: list[Period] = []
    start = until - timedelta(days=sum(days for days, _ in spells))
    for place, (days, price) in enumerate(spells):
        end = start + timedelta(days=days)
        if price is not None:
            open_until = None if place == len(spells) - 1 else end
            found.append(Period("p1", "v1", price, None, currency, start, open_until, "shop", None, ""))
        start = end
    return found


@pytest.mark.parametrize(
    "spells",
    [
        pytest.param(HONEST, id="sixty days, then less"),
        pytest.param([(28, WAS), (90, NOW)], id="just long enough, and just recent enough"),
        pytest.param([(60, WAS), (5, 9_000), (5, NOW)], id="in two steps"),
        pytest.param([(60, WAS), (5, 7_000), (5, NOW)], id="and up again a little"),
        pytest.param([(30, WAS), (9, NOW), (14, WAS), (1, NOW)], id="after another sale"),
        pytest.param([(40, WAS), (10, None), (5, NOW)], id="sold out just before"),
        pytest.param([(20, WAS), (30, None), (20, WAS), (5, NOW)], id="sold out in the midst"),
        pytest.param([(60, WAS), (5, NOW), (3, None), (2, NOW)], id="sold out during the sale"),
    ],
)
def test_a_price_that_was_usual_is_proved(spells: list[tuple[float, int | None]]) -> None:
    proof = prove(story(*spells), WAS, "NZD", TODAY)
    assert (proof.proven, proof.reason) == (True, "100.00 NZD was the usual price until the reduction.")


@pytest.mark.parametrize(
    ("spells", "reason"),
    [
        pytest.param([], "The product cannot be bought now.", id="nothing is known"),
        pytest.param([(60, WAS), (5, None)], "The product cannot be bought now.", id="sold out"),
        pytest.param([(60, NOW), (5, WAS)], "The price now is not lower.", id="raised"),
        pytest.param([(5, NOW)], "The ledger has no time at which 100.00 NZD was asked.", id="never asked"),
        pytest.param(
            [(27.9, WAS), (5, NOW)],
            "100.00 NZD was asked on 27.9 days of the 90 days before the reduction; 28 days are needed.",
            id="not long enough",
        ),
        pytest.param(
            [(80, NOW), (10, WAS), (5, NOW)],
            "100.00 NZD was asked on 10 days of the 90 days before the reduction; 28 days are needed.",
            id="raised for the sale",
        ),
        pytest.param(
            [(80, WAS), (10, NOW), (13, WAS), (5, NOW)],
            "Directly before the reduction 100.00 NZD was asked for 13 days; 14 days are needed.",
            id="one sale after the other",
        ),
        pytest.param(
            [(50, WAS), (20, None), (5, NOW)],
            "Directly before the reduction 100.00 NZD was asked for 8 days; 14 days are needed.",
            id="long sold out before",
        ),
        pytest.param(
            [(60, WAS), (90.1, NOW)],
            "The reduction is more than 90 days old: its price is the usual one by now.",
            id="a sale without end",
        ),
        pytest.param(
            [(60, WAS), (1, 12_000), (5, NOW)],
            "After 100.00 NZD, 120.00 NZD was asked, before the price came down.",
            id="dearer in between",
        ),
        pytest.param(
            [(60, 20_000), (5, NOW)],
            "The ledger has no time at which 100.00 NZD was asked.",
            id="made up, though it was dearer",
        ),
    ],
)
def test_a_price_that_was_not_usual_is_refused_with_the_reason(
    spells: list[tuple[float, int | None]], reason: str
) -> None:
    proof = prove(story(*spells), WAS, "NZD", TODAY)
    assert (proof.proven, proof.reason) == (False, reason)


def test_a_price_of_another_currency_proves_nothing() -> None:
    before = story((60, WAS), currency="AUD", until=TODAY - timedelta(days=5))
    before[-1] = Period(
        "p1", "v1", WAS, None, "AUD", before[-1].from_at, TODAY - timedelta(days=5), "shop", None, ""
    )
    proof = prove([*before, *story((5, NOW))], WAS, "NZD", TODAY)
    assert not proof.proven
    assert proof.reason == "The ledger has no time at which 100.00 NZD was asked."
    assert prove(story((5, NOW)), WAS, "AUD", TODAY).reason == "The price is in NZD now."


def test_a_price_once_in_another_currency_in_between_is_refused() -> None:
    honest = story((60, WAS), (10, None), (5, NOW))
    other = Period(
        "p1", "v1", 1, None, "AUD", TODAY - timedelta(days=12), TODAY - timedelta(days=8), "shop", None, ""
    )
    assert not prove([*honest, other], WAS, "NZD", TODAY).proven


def test_the_proof_tells_in_sentences_what_it_stands_on() -> None:
    proof = prove(story(*HONEST), WAS, "NZD", TODAY)
    reduced = TODAY - timedelta(days=5)
    assert proof.until == reduced + timedelta(days=90)
    assert proof.sentences() == [
        "The price is 80.00 NZD now.",
        f"Less than 100.00 NZD has been asked since {reduced:%Y-%m-%d %H:%M} UTC.",
        "In the 90 days before that, 100.00 NZD was asked on 60 days.",
        "Directly before it, 100.00 NZD was asked for 28 days with no other price between.",
        "100.00 NZD was the usual price until the reduction.",
    ]


SPELLS = st.lists(
    st.tuples(st.integers(1, 50), st.sampled_from([7_000, NOW, 9_000, WAS, None])), min_size=1, max_size=8
)


@given(SPELLS, st.randoms(use_true_random=False))
def test_a_proof_never_says_more_than_day_by_day_counting(
    spells: list[tuple[int, int | None]], random: object
) -> None:
    periods = story(*spells)
    random.shuffle(periods)  # type: ignore[attr-defined]
    proof = prove(periods, WAS, "NZD", TODAY)
    days = [price for length, price in spells for _ in range(length)]
    assert proof.proven == _by_counting(days)


def _by_counting(days: list[int | None]) -> bool:
    """Return whether the was-price is proved by looking at each day's price, oldest first."""
    if days[-1] is None or days[-1] >= WAS or WAS not in days:
        return False
    last = len(days) - 1 - days[::-1].index(WAS)
    since = [price for price in days[last + 1 :] if price is not None]
    reduced = next(place for place in range(last + 1, len(days)) if days[place] is not None)
    asked = sum(price == WAS for price in days[max(reduced - 90, 0) : reduced])
    straight = 0
    for price in reversed(days[max(reduced - 28, 0) : reduced]):
        if price not in (WAS, None):
            break
        straight += price == WAS
    return all(p < WAS for p in since) and asked >= 28 and straight >= 14 and len(days) - reduced <= 90


@pytest.mark.parametrize(
    ("spells", "price", "expected"),
    [
        pytest.param([(60, WAS)], NOW, WAS, id="the price now"),
        pytest.param([(20, WAS)], NOW, None, id="not long enough"),
        pytest.param([(60, WAS), (5, 9_000)], NOW, WAS, id="in the midst of a reduction"),
        pytest.param([(60, WAS), (30, 9_000)], NOW, 9_000, id="the reduced price has become usual"),
        pytest.param([(60, WAS)], WAS, None, id="no reduction"),
    ],
)
def test_the_usual_price_is_the_one_that_could_be_claimed(
    spells: list[tuple[float, int | None]], price: int, expected: int | None
) -> None:
    assert usual_before(story(*spells), price, "NZD", TODAY) == expected


# --- from the ledger ----------------------------------------------------------------------------------------


@pytest.fixture
def store(shared_app: Flask) -> Iterator[Store]:
    """A store of this test alone."""
    with shared_app.app_context():
        yield new_store()


def sell(store: Store, product: str, was: int | None, **variants: list[tuple[float, int | None]]) -> None:
    """Have a product whose variants went through spells of prices, and which the shop compares with ``was``."""
    prices = {name: next(p for _, p in reversed(spells) if p) for name, spells in variants.items()}
    change = product_change(
        product,
        *(variant_state(name, price=price) for name, price in prices.items()),
        price=min(prices.values()),
    )
    take_in(db.session.connection(), store.id, [change])
    connection = db.session.connection()
    connection.exec_driver_sql(
        "UPDATE product SET compare_at_price = %(was)s, currency = 'NZD'"
        " WHERE store_id = %(store)s AND platform_id = %(product)s",
        {"was": was, "store": store.id, "product": product},
    )
    connection.exec_driver_sql(
        "DELETE FROM price_period WHERE store_id = %(store)s AND product_id = %(product)s",
        {"store": store.id, "product": product},
    )
    for name, spells in variants.items():
        for p in story(*spells):
            connection.execute(
                insert(PricePeriod).values(
                    store_id=store.id,
                    product_id=product,
                    variant_id=name,
                    price=p.price,
                    compare_at_price=was,
                    currency="NZD",
                    from_at=p.from_at,
                    until_at=p.until_at,
                    source="shop",
                    reason="",
                )
            )
    db.session.commit()


def test_only_was_prices_that_are_proved_are_given(store: Store) -> None:
    sell(store, "honest", WAS, a=HONEST)
    sell(store, "raised", WAS, b=[(80, NOW), (10, WAS), (5, NOW)])
    sell(store, "silent", None, c=HONEST)
    sell(store, "two", WAS, d=HONEST, e=[(60, 12_000), (5, 9_000)])
    sell(store, "differ", WAS, f=HONEST, g=[(60, NOW)])
    asked = ["honest", "raised", "silent", "two", "differ", "unknown"]
    found = usual_price.proven(db.session.connection(), store.id, asked, TODAY)
    assert found == {"honest": WAS, "two": WAS}


def test_another_stores_ledger_proves_nothing(store: Store) -> None:
    sell(store, "honest", WAS, h=HONEST)
    other = new_store()
    assert usual_price.proven(db.session.connection(), other.id, ["honest"], TODAY) == {}


def test_a_verdict_on_each_variant_that_can_be_bought(store: Store) -> None:
    sell(store, "mug", WAS, i=HONEST, j=[(60, WAS), (5, None)], k=[(10, NOW)])
    found = usual_price.verdicts(db.session.connection(), store.id, "mug", TODAY)
    assert [(v.variant_id, v.price, v.usual, v.proof and v.proof.proven) for v in found] == [
        ("i", NOW, WAS, True),
        ("k", NOW, None, False),
    ]
    asked = usual_price.verdicts(db.session.connection(), store.id, "mug", TODAY, was=9_999)
    assert [v.proof and v.proof.was for v in asked] == [9_999, 9_999]


def test_the_figures_of_the_bar_are_those_of_the_documentation() -> None:
    assert [getattr(BAR, name) // timedelta(days=1) for name in BAR.__slots__] == [28, 90, 14, 28, 90]
