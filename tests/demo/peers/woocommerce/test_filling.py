"""The demo's shop in the stand-in."""

from demo.peers.woocommerce import Site, WooState, fill
from demo.shops import Shop
from tests.demo.peers.woocommerce.store import NOW, recorded


def test_demo_shop_fills_the_store(woocommerce: Shop) -> None:
    state = WooState(Site(clock=lambda: NOW))
    fill(state, woocommerce)
    assert len(state.records("product")) == len(woocommerce.products)
    assert len(state.records("order")) == len(woocommerce.orders)
    listed = {entry["id"] for order in state.truth("order") for entry in order["refunds"]}
    assert {row.id for row in state.records("refund")} == listed
    returned = next(order for order in woocommerce.orders if order.refunds and not order.cancelled_at)
    [row] = [row for row in state.records("refund") if row.parent_id == 20_000 + returned.number][:1]
    assert [-line["quantity"] for line in row.body["line_items"]] == [
        count for _, count in returned.refunds[0].pieces
    ]
    order = next(state.truth("order"))
    assert set(order) == set(recorded("0016"))
    assert set(next(state.truth("product"))) == set(recorded("0018"))
