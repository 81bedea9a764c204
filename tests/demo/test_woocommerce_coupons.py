"""From an offer that is published to the order that brings its discount back, in the WooCommerce-like shop."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from app.commerce.changes import OrderChange
from app.commerce.offers import Component, Discount, DiscountKind, Piece, Terms, reckon
from connectors.base import DeliveryContext
from connectors.woocommerce.client import WooCommerceClient
from connectors.woocommerce.connector import WOOCOMMERCE
from connectors.woocommerce.discounts import WooCommerceDiscounts
from demo.catalogue import Product
from demo.courier import WooCommerceCourier
from demo.peers.woocommerce import WooState, serve
from demo.shops import Shop
from tests.demo.front import Front, courier_to, opened
from tests.demo.sink import Sink

ROOT = "/wp-json/wc/store/v1/cart"


@dataclass
class Trade:
    """A storefront with Pannier's connector behind it."""

    front: Front
    store: WooState
    discounts: WooCommerceDiscounts
    inexact: WooCommerceDiscounts

    def id(self, product: Product) -> str:
        return self.front.till.identifier(product)

    def write(self, action: str, **body: Any) -> Any:
        nonce = self.front.client.get(ROOT).headers["Nonce"]
        return self.front.client.post(f"{ROOT}/{action}", json=body, headers={"Nonce": nonce})

    def put_in(self, product: Product, quantity: int = 1) -> Any:
        return self.write("add-item", id=int(self.id(product)), quantity=quantity).json

    def body(self) -> Any:
        return self.front.client.get(ROOT).json

    def order(self) -> dict[str, Any]:
        """Place an order of the cart and return its body as REST shows it."""
        assert self.front.client.post("/checkout").status_code == 302
        return self.store.show(self.store.records("order")[-1])

    def terms(self, key: str, *products: Product, **changes: Any) -> Terms:
        """Return an offer of 12.5 % on all products, unless something else is said."""
        ids = tuple(self.id(product) for product in products)
        fields: dict[str, Any] = {
            "discounted": ids,
            "discount": Discount(DiscountKind.PERCENT, 1250),
            **changes,
        }
        began = datetime.now(UTC) - timedelta(hours=1)
        return Terms(key, f"Set {key}", tuple(map(Component, ids)), currency="GBP", starts_at=began, **fields)


@pytest.fixture
def trade(woocommerce: Shop, sink: Sink) -> Iterator[Trade]:
    with opened(woocommerce, sink) as front:
        courier = front.till.courier
        assert isinstance(courier, WooCommerceCourier)
        key = courier.store.create_key()
        for product in front.listed(5):
            (added,) = courier.voice.product_added(front.till.shelves[product.number])
            courier.store.add_product(added.build())
        with serve(courier.store) as url:
            client = WooCommerceClient(url, key.consumer_key, key.consumer_secret, allow_loopback=True)
            secret: Callable[[], bytes] = lambda: b"s" * 32  # noqa: E731
            yield Trade(
                front,
                courier.store,
                WooCommerceDiscounts(client, "GBP", plugin_secret=secret),
                WooCommerceDiscounts(client, "GBP", plugin_secret=secret, inexact_coupons=True),
            )


def discounts_of(cart: Any) -> dict[str, int]:
    """Return what each coupon of a cart takes off, tax included, by code."""
    return {
        coupon["code"]: int(coupon["totals"]["total_discount"]) + int(coupon["totals"]["total_discount_tax"])
        for coupon in cart["coupons"]
    }


def off_lines(cart: Any) -> dict[str, int]:
    """Return what the discount of each line is, tax included, by the product's id."""
    found = {}
    for item in cart["items"]:
        totals = {name: int(value) for name, value in item["totals"].items() if name.startswith("line_")}
        before = totals["line_subtotal"] + totals["line_subtotal_tax"]
        found[str(item["id"])] = before - totals["line_total"] - totals["line_total_tax"]
    return found


def test_a_cart_with_all_components_gets_exactly_what_is_promised(trade: Trade) -> None:
    a, b, c = trade.front.listed(3)
    terms = trade.terms("abc", a, b, c)
    published = trade.discounts.publish([terms], {})
    known = {offer.key: offer for offer in published.live}
    assert set(known) == {"abc"}

    trade.put_in(a, 2)
    assert discounts_of(trade.put_in(b)) == {}
    cart = trade.put_in(c)

    pieces = [Piece(trade.id(p), trade.id(p), None, n, p.price) for p, n in ((a, 2), (b, 1), (c, 1))]
    (grant,) = reckon(pieces, [terms])
    assert discounts_of(cart) == {"pannier-abc": grant.amount}
    assert off_lines(cart) == {line: amount for line, _, amount in grant.lines}
    totals = {name: int(value) for name, value in cart["totals"].items() if name.startswith("total_")}
    goods = 2 * a.price + b.price + c.price
    assert totals["total_discount"] + totals["total_discount_tax"] == grant.amount
    assert totals["total_price"] == (
        goods - grant.amount + totals["total_shipping"] + totals["total_shipping_tax"]
    )
    key = next(item["key"] for item in cart["items"] if str(item["id"]) == trade.id(c))
    assert discounts_of(trade.write("remove-item", key=key).json) == {}

    trade.put_in(c)
    trade.discounts.publish([], known)
    assert discounts_of(trade.body()) == {}


def test_the_order_brings_the_discount_back_in_its_lines(trade: Trade) -> None:
    a, b = trade.front.listed(2)
    terms = trade.terms("pair", a, b, discounted=(trade.id(b),), discount=Discount(DiscountKind.AMOUNT, 37))
    trade.discounts.publish([terms], {})
    trade.put_in(a, 3)
    total = int(trade.put_in(b)["totals"]["total_price"])

    body = trade.order()

    (coupon,) = body["coupon_lines"]
    assert (coupon["code"], coupon["discount_type"], coupon["free_shipping"]) == (
        "pannier-pair",
        "fixed_cart",
        False,
    )
    assert pence(coupon["discount"]) + pence(coupon["discount_tax"]) == 37
    assert pence(body["discount_total"]) + pence(body["discount_tax"]) == 37
    assert pence(body["total"]) == total
    context = DeliveryContext("order.created", "GBP", None, datetime.now(UTC))
    redacted = WOOCOMMERCE.redact(body, lambda text: sha256(text.encode()).hexdigest())
    (change,) = WOOCOMMERCE.translate(redacted, context).changes
    assert isinstance(change, OrderChange)
    assert change.total == total
    assert [
        (line.product_platform_id, line.price, line.quantity, line.discount) for line in change.lines
    ] == [
        (trade.id(a), a.price, 3, 0),
        (trade.id(b), b.price, 1, 37),
    ]
    assert discounts_of(trade.body()) == {}


def pence(amount: str) -> int:
    return int(amount.replace(".", ""))


def test_a_coupon_of_the_fallback_is_entered_and_keeps_less_than_it_promises(trade: Trade) -> None:
    a, b = trade.front.listed(2)
    trade.store.remove_plugin()
    published = trade.inexact.publish([trade.terms("pair", a, b)], {})
    (offer,) = published.live
    trade.put_in(a)
    assert discounts_of(trade.body()) == {}

    entered = trade.write("apply-coupon", code="PANNIER-pair")

    # Half of the pair is enough for a coupon of WooCommerce: hence the limits that the offer tells.
    assert entered.status_code == 200
    assert discounts_of(entered.json) == {offer.code: (a.price * 125 + 500) // 1000}
    again = trade.write("apply-coupon", code=offer.code)
    assert (again.status_code, again.json["code"]) == (400, "woocommerce_rest_cart_coupon_error")
    assert discounts_of(trade.write("remove-coupon", code=offer.code).json) == {}
    assert trade.write("remove-coupon", code=offer.code).status_code == 409


def test_a_coupon_for_individual_use_throws_ours_out(trade: Trade) -> None:
    a, b = trade.front.listed(2)
    trade.discounts.publish([trade.terms("pair", a, b)], {})
    trade.store.add_coupon(
        {
            "id": 9_000_000,
            "code": "alone",
            "status": "publish",
            "description": "",
            "usage_limit": None,
            "discount_type": "fixed_cart",
            "amount": "1.00",
            "product_ids": [],
            "date_expires_gmt": None,
            "limit_usage_to_x_items": None,
            "individual_use": True,
        }
    )
    trade.put_in(a)
    assert set(discounts_of(trade.put_in(b))) == {"pannier-pair"}

    assert discounts_of(trade.write("apply-coupon", code="alone").json) == {"alone": 100}
    assert set(discounts_of(trade.write("remove-coupon", code="alone").json)) == {"pannier-pair"}


@pytest.mark.parametrize("code", ["", "nothing", "pannier-pair"])
def test_a_code_that_stands_for_nothing_is_refused(trade: Trade, code: str) -> None:
    a, b = trade.front.listed(2)
    trade.discounts.publish([trade.terms("pair", a, b)], {})
    trade.put_in(a)

    answer = trade.write("apply-coupon", code=code)

    assert (answer.status_code, answer.json["code"]) == (400, "woocommerce_rest_cart_coupon_error")
    assert discounts_of(trade.body()) == {}


def test_a_shop_without_coupons_gives_none(trade: Trade) -> None:
    a, b = trade.front.listed(2)
    trade.discounts.publish([trade.terms("pair", a, b)], {})
    trade.put_in(a)
    assert set(discounts_of(trade.put_in(b))) == {"pannier-pair"}

    trade.store.site.coupons_enabled = False

    assert discounts_of(trade.body()) == {}
    assert trade.write("apply-coupon", code="pannier-pair").json["message"] == "Coupons are disabled."


def test_the_basket_page_shows_the_discount(trade: Trade) -> None:
    a, b = trade.front.listed(2)
    trade.discounts.publish([trade.terms("pair", a, b)], {})
    trade.put_in(a)
    cart = trade.put_in(b)

    page = trade.front.client.get("/cart/").text

    (off,) = discounts_of(cart).values()
    assert "<dt>Set pair</dt>" in page
    assert f"−£{off // 100}.{off % 100:02d}" in page
    to_pay = int(cart["totals"]["total_price"])
    assert f"<dt>Total</dt><dd>£{to_pay // 100}.{to_pay % 100:02d}</dd>" in page


def test_what_the_plugin_knows_survives_a_restart(trade: Trade, woocommerce: Shop, sink: Sink) -> None:
    a, b = trade.front.listed(2)
    trade.discounts.publish([trade.terms("pair", a, b)], {})
    access = trade.front.till.courier.access()

    courier = courier_to(sink, woocommerce)
    assert isinstance(courier, WooCommerceCourier)
    courier.store.site.url = trade.store.site.url
    courier.restore(access)

    assert trade.store.plugin is not None
    assert courier.store.plugin is not None
    assert courier.store.plugin.status() == trade.store.plugin.status()
    assert [offer["k"] for offer in courier.store.plugin.offers()] == ["pair"]
