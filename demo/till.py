"""A demo shop at work: its shelves, carts and orders, and what it tells Pannier of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from flask import current_app

from demo import shopify_format, woocommerce_coupons, woocommerce_format
from demo.carts import Cart, Carts
from demo.catalogue import CATEGORIES, Listing, Product, slug
from demo.courier import Courier, Errand, ShopifyCourier, WooCommerceCourier
from demo.money import pence
from demo.orders import Applied, CartNews, Line, Order
from demo.peers.shopify.state import Event
from demo.shelves import Shelves
from demo.shopify_discounts import Discounts
from demo.shops import Shop

ACTIONS: dict[str, dict[str, Any]] = {
    "sell-out": {"stock": 0},
    "restock": {"stock": 50},
    "hide": {"visible": False},
    "show": {"visible": True, "status": "active"},
    "draft": {"status": "draft"},
}


@dataclass
class PlacedOrder:
    """An order that was placed in this storefront, with the webhooks that it set off."""

    order: Order
    errands: list[Errand] = field(default_factory=list)


class Till:
    """Everything that one storefront knows while it runs; the application's extension ``till``."""

    def __init__(
        self,
        shop: Shop,
        *,
        pannier_url: str,
        publishable_key: str | None,
        courier: Courier,
        state: Path | None,
    ) -> None:
        """Open the shop; the arguments are those of ``create_storefront``."""
        self.shop = shop
        self.pannier_url = pannier_url.rstrip("/")
        self.publishable_key = publishable_key
        self.voice = courier.voice
        self.courier = courier
        self.shelves = Shelves(shop, state)
        self.carts = Carts()
        self.orders: dict[int, PlacedOrder] = {}
        self._discounts: Discounts | None = None
        if isinstance(courier, ShopifyCourier):
            self._discounts = Discounts(courier.peer)
            courier.peer.listeners.append(self._happened)
        if isinstance(courier, WooCommerceCourier):
            courier.store.when_priced = self._priced

    @cached_property
    def by_handle(self) -> dict[str, Product]:
        """The products by the last part of their page's address."""
        return {product.handle: product for product in self.shop.products}

    @cached_property
    def categories(self) -> dict[str, str]:
        """Names of the categories that hold products, by the last part of their page's address."""
        held = {product.category for product in self.shop.products}
        return {slug(name): name for name in CATEGORIES if name in held}

    @property
    def line_key(self) -> Callable[[Line], str]:
        """How the platform names a cart's line."""
        return shopify_format.line_key if self.shop.platform == "shopify" else woocommerce_format.line_key

    def identifier(self, product: Product) -> str:
        """Return the product's id on the platform."""
        if self.shop.platform == "shopify":
            return str(shopify_format.platform_id("Product", product.number))
        return str(woocommerce_format.product_id(product))

    def variant_identifier(self, product: Product) -> str:
        """Return the id of what goes into the cart: Shopify's variant, WooCommerce's product itself."""
        if self.shop.platform == "shopify":
            return str(shopify_format.platform_id("ProductVariant", product.number))
        return self.identifier(product)

    def find(self, identifier: str | int | None) -> Listing | None:
        """Return the listing that a cart endpoint's id means, or None. The id is a number, also as text."""
        try:
            wanted = int(str(identifier))
        except ValueError:
            return None
        number = (
            shopify_format.product_number(wanted)
            if self.shop.platform == "shopify"
            else woocommerce_format.product_number(wanted)
        )
        try:
            return None if number is None else self.shelves[number]
        except IndexError:
            return None

    def order_name(self, order: Order) -> str:
        """Return the number by which shopkeeper and shopper call an order."""
        if self.shop.platform == "shopify":
            return str(order.number)
        return str(woocommerce_format.order_id(order.number))

    def cart_changed(self, cart: Cart) -> None:
        """Tell Pannier that ``cart`` is different now, if the platform does so."""
        news = CartNews(
            cart.token, tuple(cart.lines.values()), cart.created_at, datetime.now(UTC), not cart.announced
        )
        self.courier.tell(self.voice.cart_changed(news))
        cart.announced = True

    def place_order(self, cart: Cart) -> PlacedOrder:
        """Make an order of ``cart``, take its pieces off the shelves, and tell Pannier.

        Raises:
            SoldOut: if something is not there any more.
        """
        lines = tuple(cart.lines.values())
        number, changed = self.shelves.take(lines)
        coupons = tuple(coupon.on_order(cart.lines) for coupon in self.coupons(cart))
        order = Order(number, datetime.now(UTC), None, lines, coupons=coupons)
        placed = PlacedOrder(order, self.courier.tell(self.voice.order_placed(order, changed), changed))
        self.orders[number] = placed
        self.carts.close(cart)
        return placed

    def reprice(self, number: int, price: int, was: int | None) -> Listing:
        """Have a product cost something else from now on, in pence, in carts too.

        The platform's books are brought up to it; whoever changed the price there has told Pannier of it.
        """
        listing = self.shelves.reprice(number, price, was)
        self.carts.replace(listing.product)
        self.courier.tell((), [listing])
        return listing

    def _priced(self, body: Mapping[str, Any]) -> None:
        """A price was written over REST (WooCommerce)."""
        number = woocommerce_format.product_number(int(body["id"]))
        if 0 <= number < len(self.shop.products) and body["price"]:
            price, regular = pence(body["price"]), pence(body["regular_price"])
            self.reprice(number, price, regular if body["on_sale"] else None)

    def _happened(self, event: Event) -> None:
        """Something happened at the platform (Shopify): a price may have been written over the API.

        The platform's books have it; to wait for the courier here, under their lock, would be to wait for ever.
        """
        if event.topic != "products/update":
            return
        number = shopify_format.product_number(int(event.body["variants"][0]["id"]))
        price = pence(event.body["variants"][0]["price"])
        if number is not None and self.shelves[number].product.price != price:
            was = event.body["variants"][0]["compare_at_price"]
            listing = self.shelves.reprice(number, price, None if was is None else pence(was))
            self.carts.replace(listing.product)

    def coupons(self, cart: Cart) -> tuple[Applied, ...]:
        """Return the coupons of ``cart`` (WooCommerce), or its automatic discounts (Shopify)."""
        if isinstance(self.courier, WooCommerceCourier):
            return woocommerce_coupons.in_cart(self.courier.store, cart)
        return () if self._discounts is None else self._discounts.in_cart(cart)

    def close(self) -> None:
        """Stop sending; end what was started for carts."""
        self.courier.close()
        if self._discounts is not None:
            self._discounts.close()

    def change_listing(self, number: int, action: str) -> Listing:
        """Do one of the merchant's ``ACTIONS`` to a product and tell Pannier.

        Raises:
            KeyError: if there is no such action.
        """
        listing = self.shelves.change(number, **ACTIONS[action])
        self.courier.tell(self.voice.listing_changed(listing), [listing])
        return listing


def current_till() -> Till:
    """Return the till of the storefront that handles the current request."""
    return cast(Till, current_app.extensions["till"])
