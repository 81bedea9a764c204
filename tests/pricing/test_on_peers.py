"""Approved prices and their undo, by the real connectors against the stand-ins of both platforms."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from app.commerce.store import Store
from app.core.db import db, now
from app.core.errors import Conflict
from app.pricing import changes, undo, writing
from app.pricing.models import PriceChange
from connectors.prices import ListPrice, Prices, PriceWrite
from connectors.shopify.prices import ShopifyPrices
from connectors.woocommerce.prices import WooCommercePrices
from tests.connectors.shopify.peer import market
from tests.connectors.shopify.peer import peer as shopify_peer
from tests.connectors.woocommerce.peered import peered
from tests.connectors.woocommerce.test_prices import part, priced
from tests.pricing.selling import add_rule, states

Where = tuple[str, str]  # product and variant


@dataclass
class Shop:
    """A platform with a plain variant for 19.90 and one for 22.50 that was 25.00, and a way to break its line."""

    prices: Prices
    currency: str
    plain: Where
    reduced: Where

    def stands(self, where: Where) -> tuple[int, int | None]:
        found: ListPrice = self.prices.read(where[0])[where[1]]
        return found.price, found.compare_at_price


def woocommerce() -> Iterator[Shop]:
    with peered() as peer:
        peer.state.add_product(priced(12, "19.90"))
        peer.state.add_product(
            priced(21, "20.00", type="variable"), [part(22, 21, "20.00"), part(23, 21, "25.00", "22.50")]
        )
        yield Shop(WooCommercePrices(peer.client, "EUR"), "EUR", ("12", "12"), ("21", "23"))


def shopify() -> Iterator[Shop]:
    with shopify_peer() as running:
        opened = market(*running)
        opened.stock(1, "19.90")
        opened.stock(2, "22.50", compare_at="25.00")
        yield Shop(ShopifyPrices(opened.client, "GBP"), "GBP", ("1", "10"), ("2", "20"))


@pytest.fixture(params=[woocommerce, shopify], ids=["woocommerce", "shopify"])
def shop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """The shop of the store."""
    opened: Callable[[], Iterator[Shop]] = request.param
    for found in opened():
        monkeypatch.setattr("woocommerce.api.time", lambda: 1_795_348_800.0)
        for module in (writing, undo):
            monkeypatch.setattr(module, "prices_for", lambda _store, ours=found.prices: ours)
        yield found


def approved(store: Store, shop: Shop, where: Where, old: tuple[int, int | None], new: int) -> PriceChange:
    row = PriceChange(
        store_id=store.id, product_id=where[0], variant_id=where[1], currency=shop.currency,
        old_price=old[0], new_price=new, old_compare_at_price=old[1], new_compare_at_price=old[1],
        state=changes.APPROVED, reason="Because.", signals={}, actor="merchant", decided_at=now(),
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


def test_prices_are_written_and_a_whole_rule_is_taken_back(store: Store, shop: Shop) -> None:
    add_rule(store)
    before = {where: shop.stands(where) for where in (shop.plain, shop.reduced)}
    assert before == {shop.plain: (1990, None), shop.reduced: (2250, 2500)}
    for step in (1, 2):
        made = [
            approved(store, shop, where, (price - 50 * (step - 1), was), price - 50 * step)
            for where, (price, was) in before.items()
        ]
        assert writing.write_due(store.id)
        for change in made:
            change.rule_key = "r"
        db.session.commit()
    assert (shop.stands(shop.plain), shop.stands(shop.reduced)) == ((1890, None), (2150, 2500))

    found = undo.undo_rule(store, "r", now())
    assert writing.write_due(store.id)

    assert (len(found.made), found.refused) == (2, ())
    assert {where: shop.stands(where) for where in before} == before
    assert states(store) == [*["undone"] * 4, *["live"] * 2]


def test_what_somebody_changed_in_the_shop_stays(store: Store, shop: Shop) -> None:
    change = approved(store, shop, shop.plain, (1990, None), 1900)
    assert writing.write_due(store.id)
    by_hand = PriceWrite(*shop.plain, 1850, None, 1900, shop.currency)
    assert [each.problem for each in shop.prices.write([by_hand])] == [None]

    with pytest.raises(Conflict, match="Somebody changed this price"):
        undo.undo_change(store, change.id, now())
    approved(store, shop, shop.plain, (1900, None), 1800)
    assert writing.write_due(store.id)

    assert shop.stands(shop.plain) == (1850, None)
    assert states(store) == ["live", "failed"]


def test_a_write_whose_answer_was_lost_is_found_in_the_shop(store: Store, shop: Shop) -> None:
    arrived = approved(store, shop, shop.plain, (1990, None), 1900)
    lost = approved(store, shop, shop.reduced, (2250, 2500), 2150)
    assert [
        each.problem for each in shop.prices.write([PriceWrite(*shop.plain, 1900, None, 1990, shop.currency)])
    ] == [None]
    for change in (arrived, lost):
        changes.move(change, changes.WRITING, now())
        change.written_at = now()
    db.session.commit()

    assert writing.write_due(store.id)

    assert states(store) == ["live", "live"]
    assert (shop.stands(shop.plain), shop.stands(shop.reduced)) == ((1900, None), (2150, 2500))
