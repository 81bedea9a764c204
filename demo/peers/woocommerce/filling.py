"""Putting a demo shop's catalogue and books into the store."""

from demo.peers.woocommerce.state import WooState
from demo.shops import Shop
from demo.woocommerce_format import gmt


def fill(state: WooState, shop: Shop) -> None:
    """Enter the products, customers, orders and refunds of ``shop`` as they stand at ``shop.now``.

    Addresses in the bodies are those of ``shop.base_url``.
    """
    voice = shop.speaks("")
    for listing in shop.listings:
        state.add_product(voice.product_added(listing)[0].build())
    known: set[int] = set()
    for order in shop.orders:
        if order.customer is not None and order.customer not in known:
            known.add(order.customer)
            state.add_customer(voice.customer_added(order.customer, order.placed_at)[0].build())
        *_, last = voice.order_history(order, shop.now)
        body = last.build()
        state.add_order(body)
        # A cancelled order lists no refunds.
        for entry, refund in zip(body["refunds"], order.refunds_until(shop.now), strict=False):
            pieces = {body["line_items"][place]["id"]: count for place, count in refund.pieces}
            state.add_refund(body["id"], pieces, at=gmt(refund.at), refund_id=entry["id"])
