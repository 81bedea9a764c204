"""List prices written to the stand-in: exact, in batches, and never over somebody else's change."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from app.core.money import to_major
from connectors.errors import NotFound, ReconnectNeeded, Unreachable
from connectors.prices import ListPrice, PriceWrite
from connectors.woocommerce.mapping import product as translated
from connectors.woocommerce.prices import WooCommercePrices
from tests.connectors.woocommerce.peered import Peer, peered
from tests.connectors.woocommerce.shop import product, variation

WHOLE = ("sale_price", "date_on_sale_from_gmt", "date_on_sale_to_gmt")


def priced(id_: int, regular: str, sale: str = "", **fields: Any) -> dict[str, Any]:
    """Return a product as REST shows it, on sale where it has a sale price."""
    body = product(
        id_,
        regular_price=regular,
        sale_price=sale,
        price=sale or regular,
        on_sale=bool(sale),
        date_on_sale_from_gmt=None,
        date_on_sale_to_gmt=None,
    )
    return {**body, **fields}


def part(id_: int, parent: int, regular: str, sale: str = "", **fields: Any) -> dict[str, Any]:
    """Return a variation as REST shows it."""
    prices = {
        name: priced(id_, regular, sale)[name] for name in ("regular_price", "price", "on_sale", *WHOLE)
    }
    return {**variation(id_, parent), **prices, **fields}


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    """A shop with a product, one on sale, and one with two variations, that tells of changed products."""
    with peered() as found:
        monkeypatch.setattr("woocommerce.api.time", lambda: found.clock().timestamp())
        found.state.add_product(priced(12, "19.90"))
        found.state.add_product(priced(13, "3.49", "2.99"))
        found.state.add_product(
            priced(21, "20.00", type="variable"),
            [part(22, 21, "20.00"), part(23, 21, "25.00", "22.50")],
        )
        hook = found.state.hooks.create(
            topic="product.updated", delivery_url="http://127.0.0.1:9/", secret="s", name="p"
        )
        found.state.hooks.pinged(hook, 200)
        yield found


def prices(peer: Peer, currency: str = "EUR") -> WooCommercePrices:
    return WooCommercePrices(peer.client, currency)


def to(id_: str, price: int, was: int | None = None, *, of: str | None = None, **changes: Any) -> PriceWrite:
    """Return a write to a product that costs 19.90, or to a variation ``of`` one."""
    fields = {"expected": 1990, "currency": "EUR", **changes}
    return PriceWrite(of or id_, id_, price, was, **fields)


def announced(peer: Peer) -> list[int]:
    return [pending.resource_id for pending in peer.state.hooks.take_pending()]


def outcome(peer: Peer, write: PriceWrite, currency: str = "EUR") -> tuple[str | None, str | None]:
    (found,) = prices(peer, currency).write([write])
    assert found.write is write
    return found.code, found.problem


def test_prices_are_read_as_shoppers_pay_them(peer: Peer) -> None:
    ours = prices(peer)

    assert ours.read("12") == {"12": ListPrice("12", 1990, None)}
    assert ours.read("13") == {"13": ListPrice("13", 299, 349)}
    assert ours.read("21") == {"22": ListPrice("22", 2000, None), "23": ListPrice("23", 2250, 2500)}


def test_a_product_without_a_price_has_none_to_read(peer: Peer) -> None:
    peer.state.add_product(priced(14, ""))

    assert prices(peer).read("14") == {}


@pytest.mark.parametrize("product_id", ["99", "gid/9"])
def test_a_product_that_is_gone_is_not_found(peer: Peer, product_id: str) -> None:
    with pytest.raises(NotFound):
        prices(peer).read(product_id)


@pytest.mark.parametrize(
    ("write", "fields"),
    [
        (to("12", 1791), ("17.91", "17.91", "", False)),
        (to("12", 1791, 1990), ("17.91", "19.90", "17.91", True)),
        (to("12", 2190), ("21.90", "21.90", "", False)),
        (to("12", 0), ("0.00", "0.00", "", False)),
        (to("13", 279, 349, expected=299), ("2.79", "3.49", "2.79", True)),
        (to("13", 299, expected=299), ("2.99", "2.99", "", False)),
        (to("22", 1800, of="21", expected=2000), ("18.00", "18.00", "", False)),
        (to("23", 2100, 2500, of="21", expected=2250), ("21.00", "25.00", "21.00", True)),
    ],
    ids=["lower", "on sale", "higher", "free", "sale deeper", "sale ended", "variation", "variation on sale"],
)
def test_a_price_is_written_and_the_shop_tells_of_it(
    peer: Peer, write: PriceWrite, fields: tuple[Any, ...]
) -> None:
    assert outcome(peer, write) == (None, None)

    kind = "product" if write.variant_id == write.product_id else "variation"
    row = peer.state.find(kind, int(write.variant_id))
    assert row is not None
    body = row.body
    assert tuple(body[name] for name in ("price", "regular_price", "sale_price", "on_sale")) == fields
    assert announced(peer) == [int(write.variant_id)]
    now = prices(peer).read(write.product_id)[write.variant_id]
    assert now == ListPrice(write.variant_id, write.price, write.compare_at_price)


def test_what_the_shop_tells_of_a_written_price_is_the_price(peer: Peer, delivered: Any) -> None:
    prices(peer).write([to("12", 1791, 1990)])

    body = peer.state.payload("product.updated", 12, 1)
    (change,) = translated(body, delivered("product.updated", currency="EUR")).changes
    assert (change.price, change.compare_at_price) == (1791, 1990)


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (to("12", 1700, expected=1989), "changed_meanwhile"),
        (to("21", 1700, expected=2000), "changed_meanwhile"),
        (to("99", 1700), "product_gone"),
        (to("99", 1700, of="21"), "product_gone"),
        (to("9", 1700, of="99"), "product_gone"),
        (to("gid/9", 1700), "product_gone"),
        (to("12", 1700, currency="USD"), "rejected"),
        (to("12", 1700, 1700), "rejected"),
        (to("12", -1), "rejected"),
    ],
    ids=[
        *("changed meanwhile", "has variations now", "product gone", "variation gone", "parent gone"),
        *("no id", "other currency", "nothing to compare with", "negative"),
    ],
)
def test_what_cannot_be_written_is_left_alone(peer: Peer, write: PriceWrite, code: str) -> None:
    found = outcome(peer, write)

    assert found[0] == code
    assert (found[1] or "").endswith(".")
    assert peer.writes() == []
    assert announced(peer) == []


@pytest.mark.parametrize(
    "dates",
    [
        {"date_on_sale_to_gmt": "2026-12-24T00:00:00"},
        {"date_on_sale_from_gmt": "2026-11-01T00:00:00"},
    ],
    ids=["ends", "began"],
)
def test_a_planned_sale_is_left_alone(peer: Peer, dates: dict[str, str]) -> None:
    peer.state.add_product(priced(13, "3.49", "2.99", **dates))

    code, problem = outcome(peer, to("13", 250, 349, expected=299))

    assert (code, "sale with dates" in (problem or "")) == ("rejected", True)
    assert peer.writes() == []


@pytest.mark.parametrize(("was", "code"), [(1990, "rejected"), (None, None)], ids=["sale", "no sale"])
def test_dates_that_a_sale_left_behind_would_rule_the_next_one(
    peer: Peer, was: int | None, code: str | None
) -> None:
    peer.state.add_product(priced(12, "19.90", date_on_sale_to_gmt="2026-10-01T00:00:00"))

    assert outcome(peer, to("12", 1700, was))[0] == code


def test_a_price_with_fractions_of_a_cent_is_left_alone(peer: Peer) -> None:
    peer.state.add_product(priced(14, "1.995"))

    code, problem = outcome(peer, to("14", 150, expected=200))

    assert (code, "smallest coin" in (problem or "")) == ("rejected", True)
    assert peer.writes() == []


@pytest.mark.parametrize(
    ("currency", "smallest"), [("JPY", "1"), ("EUR", "0.01"), ("KWD", "0.001")], ids=["0", "2", "3"]
)
def test_prices_are_exact_and_undone_exactly_in_every_currency(
    currency: str, smallest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(7)
    assert to_major(1, currency) == smallest
    before = {n: random.choice([random.randint(1, 99), random.randint(1, 10**9)]) for n in range(1, 231)}
    wanted = {n: (price, price + random.randint(1, 10**6) if n % 3 else None) for n, price in before.items()}
    after = {n: max(0, price + random.randint(-50, 50)) for n, price in before.items()}
    with peered(currency) as peer:
        monkeypatch.setattr("woocommerce.api.time", lambda: peer.clock().timestamp())
        for n, (price, was) in wanted.items():
            regular, sale = (price, "") if was is None else (was, to_major(price, currency))
            peer.state.add_product(priced(n, to_major(regular, currency), sale))
        ours = prices(peer, currency)
        writes = [PriceWrite(str(n), str(n), after[n], None, before[n], currency) for n in before]

        assert [found.code for found in ours.write(writes)] == [None] * len(writes)

        # 230 prices: three pages read, five batches written.
        assert [path for _, path in peer.asked()] == ["products"] * 3 + ["products/batch"] * 5
        bodies = {n: row.body for n in before if (row := peer.state.find("product", n))}
        assert {n: body["price"] for n, body in bodies.items()} == {
            n: to_major(price, currency) for n, price in after.items()
        }
        undo = [PriceWrite(str(n), str(n), before[n], wanted[n][1], after[n], currency) for n in before]
        assert [found.code for found in ours.write(undo)] == [None] * len(undo)
        bodies = {n: row.body for n in before if (row := peer.state.find("product", n))}
        assert {n: (body["regular_price"], body["sale_price"]) for n, body in bodies.items()} == {
            n: (to_major(price, currency), "")
            if was is None
            else (to_major(was, currency), to_major(price, currency))
            for n, (price, was) in wanted.items()
        }


def test_variations_go_to_their_own_product_and_answers_keep_the_order(peer: Peer) -> None:
    writes = [
        to("23", 2100, of="21", expected=2250),
        to("12", 1800),
        to("99", 5),
        to("22", 1900, of="21", expected=1),
        to("13", 289, expected=299),
    ]

    outcomes = prices(peer).write(writes)

    assert [found.write for found in outcomes] == writes
    assert [found.code for found in outcomes] == [None, None, "product_gone", "changed_meanwhile", None]
    assert peer.writes() == [("POST", "products/21/variations/batch"), ("POST", "products/batch")]
    assert sorted(announced(peer)) == [12, 13, 23]


def test_nothing_is_written_where_nothing_is_asked(peer: Peer) -> None:
    assert prices(peer).write([]) == []
    assert peer.asked() == []


def test_a_product_that_goes_between_reading_and_writing_is_told(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = peer.client.post

    def late(path: str, body: Any) -> Any:
        peer.state.delete_product(12)
        return post(path, body)

    monkeypatch.setattr(peer.client, "post", late)

    outcomes = prices(peer).write([to("12", 1800), to("13", 289, expected=299)])

    assert [found.code for found in outcomes] == ["product_gone", None]


def test_a_shop_that_makes_another_price_of_it_is_told(peer: Peer) -> None:
    peer.state.add_product(priced(14, "20.00"))
    change = peer.state.changed_product

    def rounding(product_id: int, **fields: Any) -> None:
        change(product_id, **{**fields, "price": "18", "regular_price": "18"})

    peer.state.changed_product = rounding  # type: ignore[method-assign]

    assert outcome(peer, to("14", 1750, expected=2000)) == (
        "rejected",
        "The shop made another price of it than was written.",
    )


def test_once_the_shop_is_silent_nothing_more_is_sent(peer: Peer) -> None:
    peer.state.fault("503", path_prefix="/wp-json/wc/v3/products/batch", method="POST")
    writes = [to("12", 1800), to("13", 289, expected=299), to("22", 1900, of="21", expected=2000)]

    outcomes = prices(peer).write(writes)

    assert [found.code for found in outcomes] == ["unreachable"] * 3
    assert "known when it is read" in (outcomes[0].problem or "")
    assert "not sent" in (outcomes[2].problem or "")
    assert peer.writes() == [("POST", "products/batch")]


def test_a_shop_that_cannot_be_read_is_raised_and_nothing_was_written(peer: Peer) -> None:
    peer.state.fault("html", path_prefix="/wp-json/wc/v3/products", method="GET", times=10)

    with pytest.raises(Unreachable):
        prices(peer).write([to("12", 1800)])

    assert peer.writes() == []


def test_dead_keys_need_a_reconnection(peer: Peer) -> None:
    peer.state.keys.delete(peer.key.id)

    with pytest.raises(ReconnectNeeded):
        prices(peer).write([to("12", 1800)])
