"""What streams into the benchmark is a fresh order of the store's own products, and its quantiles are none invented."""

import orjson
import pytest

from app.commerce.changes import OrderChange
from benchmarks import streaming
from connectors.base import DeliveryContext
from connectors.registry import connector_for
from demo.shops import deliveries, load_shop


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.51, 3.0), (0.95, 4.0), (0.0, 1.0), (1.0, 4.0)])
def test_a_quantile_is_one_of_the_figures(share, value):
    assert streaming.quantile([1.0, 2.0, 3.0, 4.0], share) == value


def test_a_made_order_means_its_products_to_the_connector():
    shop = load_shop("shopify")
    template = orjson.loads(deliveries(shop, secret="s").only(["orders/create"])[0].body)
    now = shop.now

    bodies = [streaming.order_body(template, number, [3, 8, 50_001]) for number in (0, 1)]

    orders = []
    for body in bodies:
        context = DeliveryContext("orders/create", "GBP", now, now)
        (change,) = [
            c
            for c in connector_for("shopify").translate(orjson.loads(body), context).changes
            if isinstance(c, OrderChange)
        ]
        orders.append(change)
    assert orders[0].platform_id != orders[1].platform_id
    for order in orders:
        assert [line.product_platform_id for line in order.lines] == [
            str(streaming.platform_id(place)) for place in (3, 8, 50_001)
        ]
    ids = [line.platform_id for order in orders for line in order.lines]
    assert len(set(ids)) == 6
