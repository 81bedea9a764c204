"""What stands behind the storefronts: told by webhooks, asked for by the platform's API, kept over a restart."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from demo.courier import Courier, ShopifyCourier, WooCommerceCourier, configured_topics
from demo.orders import Line, Order
from demo.shops import Shop
from tests.demo.front import courier_to
from tests.demo.sink import Sink

PLACED = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


@pytest.fixture
def courier(shop: Shop, sink: Sink, tmp_path: Path) -> Iterator[Courier]:
    """An empty shop's courier with a journal."""
    courier = courier_to(sink, shop, tmp_path / "journal")
    courier.start()
    yield courier
    courier.close()


def held(courier: Courier, kind: str) -> dict[int, dict[str, Any]]:
    """Return what the stand-in has, by id."""
    if isinstance(courier, WooCommerceCourier):
        rows = courier.store.truth("order" if kind == "orders" else "product")
        return {
            body["id"]: {k: v for k, v in body.items() if k not in ("_links", "related_ids")} for body in rows
        }
    assert isinstance(courier, ShopifyCourier)
    bodies = courier.peer.orders() if kind == "orders" else courier.peer.products()
    return {body["id"]: dict(body) for body in bodies}


def order_of(shop: Shop) -> Order:
    return Order(9000, PLACED, None, (Line(shop.products[3], 2),))


def test_an_order_can_be_asked_for_with_the_product_as_it_left_it(courier: Courier, shop: Shop) -> None:
    order, listing = order_of(shop), shop.listings[3]

    courier.tell(courier.voice.order_placed(order, [listing]), [listing])

    ((_, body),) = held(courier, "orders").items()
    assert [line["quantity"] for line in body["line_items"]] == [2]
    assert len(held(courier, "products")) == 1


def test_what_nobody_subscribed_to_is_entered_and_not_told(shop: Shop, sink: Sink) -> None:
    courier = courier_to(sink, shop)
    if isinstance(courier, WooCommerceCourier):
        courier.store.hooks.restore([])
    else:
        assert isinstance(courier, ShopifyCourier)
        courier.peer.uninstall()

    errands = courier.tell(courier.voice.order_placed(order_of(shop)))

    assert errands == []
    assert len(held(courier, "orders")) == 1


def test_an_answer_is_shown_with_each_delivery_that_is_refused(
    courier: Courier, shop: Shop, sink: Sink
) -> None:
    sink.statuses = [410]

    (first, *_) = courier.tell(courier.voice.order_placed(order_of(shop)))

    sink.wait_for(1)
    courier.close()
    assert first.state == "410"


def test_a_restart_keeps_what_happened_and_what_was_granted(
    courier: Courier, shop: Shop, sink: Sink, tmp_path: Path
) -> None:
    if isinstance(courier, WooCommerceCourier):
        courier.store.create_key()
    else:
        assert isinstance(courier, ShopifyCourier)
        courier.peer.tokens.issue(PLACED)
    listing = shop.listings[3]
    courier.tell(courier.voice.order_placed(order_of(shop), [listing]), [listing])
    again = courier_to(sink, shop, tmp_path / "journal")
    with (tmp_path / "journal").open("ab") as journal:
        journal.write(b'{"topic": "orders/cre')  # the last run was killed here

    again.fill()
    again.restore(courier.access())

    for kind in ("orders", "products"):
        there = held(again, kind)
        mine = held(courier, kind)
        assert {id_: there[id_] for id_ in mine} == mine
    assert len(held(again, "orders")) == len(shop.orders) + 1
    assert again.access() == courier.access()


def test_the_apps_configuration_names_what_the_storefront_tells() -> None:
    wanted = {"orders/create", "products/update", "inventory_levels/update", "carts/create", "carts/update"}
    assert wanted <= configured_topics()
