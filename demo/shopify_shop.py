"""What a Shopify shop says: webhook messages and headers in Shopify's own format (API version 2026-10).

Bodies follow the JSON Schemas of Shopify's samples; each resource's stand in a module of its own.
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from demo.catalogue import Listing, Product
from demo.messages import Delivery, Message, signature
from demo.orders import CartNews, Order
from demo.shopify_cart_news import CartBodies
from demo.shopify_customers import customer_resource
from demo.shopify_format import encode
from demo.shopify_orders import OrderBodies
from demo.shopify_products import ProductBodies, inventory_level

API_VERSION = "2026-10"


class ShopifyShop:
    """Builds and signs the messages of one shop. Holds no state: the same input gives the same bytes."""

    def __init__(self, *, domain: str, base_url: str, currency: str, vendor: str, secret: str) -> None:
        """Speak for one shop.

        Args:
            domain: the shop's myshopify.com name.
            base_url: where its storefront (and so its pictures) can be reached, without trailing slash.
            currency: ISO 4217.
            vendor: the brand named in its products.
            secret: the client secret of the receiving app.
        """
        self.domain = domain
        self._currency = currency
        self._secret = secret
        self._products = ProductBodies(base_url, vendor)
        self._orders = OrderBodies(domain, currency, vendor)
        self._carts = CartBodies(currency, vendor)

    def sign(self, message: Message) -> Delivery:
        """Return ``message`` as the request that Shopify sends."""
        raw = encode(message.build())
        moment = message.at.astimezone(UTC).isoformat()
        event = f"{self.domain}/{message.resource}/{moment}"
        headers = {
            "User-Agent": "Shopify-Captain-Hook",
            "Accept": "*/*",
            "Content-Type": "application/json",
            "X-Shopify-Topic": message.topic,
            "X-Shopify-Hmac-Sha256": signature(raw, self._secret),
            "X-Shopify-Shop-Domain": self.domain,
            "X-Shopify-API-Version": API_VERSION,
            "X-Shopify-Webhook-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{message.topic}/{event}")),
            "X-Shopify-Event-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, event)),
            "X-Shopify-Triggered-At": f"{message.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z",
        }
        return Delivery(headers, raw, message.topic)

    # -- what happens in the shop --

    def product_added(self, listing: Listing) -> list[Message]:
        """Return what is sent when a product enters the catalogue."""
        return [self._product_message("products/create", listing)]

    def listing_changed(self, listing: Listing) -> list[Message]:
        """Return what is sent when stock, status or visibility of a product changes."""
        return [
            self._inventory_message(listing),
            self._product_message("products/update", listing),
        ]

    def customer_added(self, customer: int, at: datetime) -> list[Message]:
        """Return what is sent when somebody becomes a customer."""
        key = f"customer-{customer}"
        return [
            Message("customers/create", at, key, lambda: customer_resource(key, customer, at, self._currency))
        ]

    def order_placed(self, order: Order, listings: Sequence[Listing] = ()) -> list[Message]:
        """Return what is sent when an order is placed; ``listings`` are the products it took stock of."""
        messages = [self._order_message("orders/create", order, order.placed_at)]
        for listing in listings:
            messages.append(self._inventory_message(listing))
            if listing.stock == 0:
                messages.append(self._product_message("products/update", listing))
        return messages

    def order_history(self, order: Order, now: datetime) -> Iterator[Message]:
        """Yield all that was sent about ``order`` until ``now``, in the order of the events.

        One order in four is reported once more when it leaves the house; the others are not, to spare time.
        """
        yield from self.order_placed(order)
        if order.fulfilled_at and order.fulfilled_at <= now and order.number % 4 == 1:
            yield self._order_message("orders/updated", order, order.fulfilled_at)
        for place, refund in enumerate(order.refunds):
            if refund.at <= now:
                yield self._refund_message(order, place)
                if order.cancelled_at is not None:
                    yield self._order_message("orders/cancelled", order, order.cancelled_at)
                yield self._order_message("orders/updated", order, refund.at)

    def order_at(self, order: Order, at: datetime) -> dict[str, Any]:
        """Return an order as it stood at a moment, in the shape of a webhook's body."""
        return self._orders.order(order, at)

    def cart_changed(self, cart: CartNews, /) -> list[Message]:
        """Return what is sent when a shopper's cart changes."""
        topic = "carts/create" if cart.is_new else "carts/update"
        return [Message(topic, cart.at, f"cart-{cart.token}", lambda: self._carts.cart(cart))]

    def picture_url(self, product: Product) -> str:
        """Return the address of a product's picture."""
        return self._products.picture_url(product)

    # -- messages --

    def _product_message(self, topic: str, listing: Listing) -> Message:
        resource = f"product-{listing.product.number}"
        return Message(topic, listing.updated_at, resource, lambda: self._products.product(listing))

    def _inventory_message(self, listing: Listing) -> Message:
        resource = f"inventory-{listing.product.number}"
        return Message(
            "inventory_levels/update", listing.updated_at, resource, lambda: inventory_level(listing)
        )

    def _order_message(self, topic: str, order: Order, at: datetime) -> Message:
        return Message(topic, at, f"order-{order.number}", lambda: self._orders.order(order, at))

    def _refund_message(self, order: Order, place: int) -> Message:
        at = order.refunds[place].at
        return Message(
            "refunds/create", at, f"refund-{order.number}-{place}", lambda: self._orders.refund(order, place)
        )
