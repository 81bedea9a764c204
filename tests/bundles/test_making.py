"""New offers: by hand, as a rule, and from what is bought together."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import current_app

from app.bundles import deciding, keeping, making, wares
from app.bundles.evidence import Evidence
from app.bundles.limits import Limits
from app.bundles.making import Draft, make_proposals
from app.bundles.models import Offer
from app.bundles.wares import Kind
from app.commerce.offers import Component, Discount, DiscountKind
from app.commerce.store import Store
from app.core.db import db, now
from app.core.errors import Conflict, NotFound
from tests.bundles.conftest import again, change_product, change_variant
from tests.bundles.makers import evidence

TEN_PERCENT = Discount(DiscountKind.PERCENT, 1000)


def draft(*products: str, **changes: Any) -> Draft:
    named = products or ("a", "b")
    made = Draft("Together", tuple(Component(product) for product in named), named, TEN_PERCENT)
    return replace(made, **changes)


def told(offer: Offer) -> list[tuple[str, str]]:
    return [(event.actor, event.action) for event in reversed(keeping.events(offer.store_id, offer.key))]


@pytest.fixture
def learned(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[Evidence]:
    """What the store's orders say."""
    found = [evidence("a", "b"), evidence("a", "c", orders=20), evidence("b", "c", orders=10)]
    monkeypatch.setitem(current_app.extensions, "pannier_evidence", lambda _connection, _store: found)
    return found


def test_what_the_shop_has_is_read(store: Store) -> None:
    change_variant(store.id, "b", cost=None, stock=-3, sells_when_out=True)
    change_variant(store.id, "c", cost=None, stock=0)
    change_product(store.id, "c", cost=300)
    change_product(store.id, "d", status="archived", available=False)

    found = wares.read(db.session.connection(), store.id, {"a", "b", "c", "d", "e"})

    assert found["a"].kinds == (Kind("a-v", 1000, 400, 50, True),)
    assert found["b"].kinds == (Kind("b-v", 1000, None, None, True),)
    assert found["c"].kinds == (Kind("c-v", 1000, 300, 0, False),)
    assert (found["a"].sold, found["d"].sold, found["d"].available) == (True, False, False)
    assert "e" not in found


def test_unknown_costs_follow_from_the_stores_margin(store: Store) -> None:
    store.settings = {"margin_percent": 60}
    change_variant(store.id, "b", cost=None)

    found = wares.read(db.session.connection(), store.id, {"a", "b"}, included_tax=2500)

    assert [found[p].kinds[0].cost for p in "ab"] == [400, 320]


def test_an_offer_by_hand_waits_with_the_prices_of_its_day(store: Store) -> None:
    offer = again(making.create(store.id, "USD", draft(discounted=("b",))))

    assert (offer.state, offer.origin, offer.approved_at) == ("proposed", "manual", None)
    assert offer.prices == {"a": {"a-v": 1000}, "b": {"b-v": 1000}}
    assert offer.starts_at.microsecond == 0
    assert offer.version == 1
    assert told(offer) == [("merchant", "created")]


def test_an_offer_by_hand_may_be_approved_at_once(store: Store) -> None:
    offer = again(making.create(store.id, "USD", draft(), approve=True))

    assert (offer.state, offer.approved_by) == ("approved", "merchant")
    assert told(offer) == [("merchant", "created"), ("merchant", "approved")]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"discount": Discount(DiscountKind.PERCENT, 1600)}, "It takes 16 % off; at most 15 % may be."),
        (
            {"components": (Component("a"), Component("b", 1, ("nowhere",)))},
            "Product b is not sold in a variant that counts for this offer.",
        ),
    ],
    ids=["discount", "variant"],
)
def test_an_offer_by_hand_keeps_to_the_limits(store: Store, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Conflict) as refused:
        making.create(store.id, "USD", draft(**changes))

    assert refused.value.detail == sentence
    db.session.rollback()
    assert keeping.listed(store.id) == []


def test_a_product_that_the_store_never_had_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="This store has no product 'nowhere'"):
        making.create(store.id, "USD", draft("a", "nowhere"), beyond_limits=True)


def test_a_product_that_is_not_sold_is_in_no_offer(store: Store) -> None:
    change_product(store.id, "b", status="archived")

    with pytest.raises(Conflict, match="Product b is not sold"):
        making.create(store.id, "USD", draft(), beyond_limits=True)


def test_the_merchant_may_go_beyond_limits_and_not_beyond_what_is_possible(store: Store) -> None:
    half = Discount(DiscountKind.PERCENT, 5000)

    offer = making.create(store.id, "USD", draft(discount=half), beyond_limits=True)

    assert keeping.events(store.id, offer.key)[0].detail == {"beyond_limits": True}
    with pytest.raises(Conflict, match="is not priced in EUR"):
        making.create(store.id, "EUR", draft(discount=half), beyond_limits=True)


def test_what_unknown_costs_say_is_left_to_who_writes_the_offer(store: Store) -> None:
    change_variant(store.id, "b", cost=None)

    assert making.create(store.id, "USD", draft()).state == "proposed"


def test_proposals_wait_the_most_profitable_first(store: Store, learned: list[Evidence]) -> None:
    made = make_proposals(store)

    products = [offer.evidence["products"] for offer in made.offers]
    assert products == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert [offer.state for offer in made.offers] == ["proposed"] * 3
    assert made.left_out == {}
    first = again(made.offers[0])
    assert first.profit["expected"] > 0
    assert first.ends_at == first.starts_at + timedelta(days=90)
    assert told(first) == [("automatic", "proposed")]


def test_nothing_is_proposed_twice(store: Store, learned: list[Evidence]) -> None:
    make_proposals(store)

    again_made = make_proposals(store)

    assert (again_made.offers, again_made.left_out) == ([], {"taken": 3})


def test_automatic_approves_as_many_as_may_be_live(store: Store, learned: list[Evidence]) -> None:
    making.create(store.id, "USD", draft("c", "d"), approve=True)
    keeping.set_limits(store.id, Limits(automatic=True, most_live=2))

    made = make_proposals(store)

    assert [(offer.state, offer.approved_by) for offer in made.offers] == [
        ("approved", "automatic"), ("proposed", None), ("proposed", None),
    ]  # fmt: skip


def test_no_more_wait_than_anybody_reads(
    store: Store, learned: list[Evidence], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "MOST_WAITING", 2)

    assert len(make_proposals(store).offers) == 2
    assert make_proposals(store).offers == []


@pytest.mark.parametrize("word", [deciding.reject, deciding.end], ids=["rejected", "ended"])
def test_what_the_merchant_did_not_want_is_quiet_for_a_while(
    store: Store, learned: list[Evidence], word: Any
) -> None:
    del learned[1:]
    (offer,) = make_proposals(store).offers
    word(store.id, offer.key)

    assert make_proposals(store).left_out == {"taken": 1}

    again(offer).ended_at = now() - timedelta(days=91)
    db.session.commit()
    assert len(make_proposals(store).offers) == 1


def test_without_anybody_who_learns_nothing_is_proposed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(current_app.extensions, "pannier_evidence", raising=False)

    assert make_proposals(store).offers == []
