"""What a WooCommerce shop says: webhook messages and headers as WooCommerce 10.5 sends them.

Bodies hold what its REST API answers for the resource, each resource's in a module of its own; the delivery id is as
unreliable as the original: one per webhook and second.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from demo.catalogue import Listing, Product
from demo.companions import Companions
from demo.messages import Delivery, Message
from demo.orders import CartNews, Order
from demo.woocommerce_customers import customer as customer_body
from demo.woocommerce_format import encode, user_agent, webhook_headers
from demo.woocommerce_orders import OrderBodies, by_block_checkout
from demo.woocommerce_products import ProductBodies, picture_url

WEBHOOK_IDS = {
    "order.created": 1,
    "order.updated": 2,
    "order.deleted": 3,
    "order.restored": 4,
    "product.created": 5,
    "product.updated": 6,
    "product.deleted": 7,
    "product.restored": 8,
    "customer.created": 9,
    "customer.updated": 10,
    "customer.deleted": 11,
}


class WooCommerceShop:
    """Builds and signs the messages of one shop. Holds no state: the same input gives the same bytes."""

    def __init__(
        self, *, base_url: str, currency: str, secret: str, companions: Mapping[int, Companions] | None = None
    ) -> None:
        """Speak for one shop.

        Args:
            base_url: where it can be reached, without trailing slash.
            currency: ISO 4217, one of ``SYMBOLS``.
            secret: the secret of all its webhooks.
            companions: what the merchant chose to show beside products, by their numbers.
        """
        self._base_url = base_url
        self._secret = secret
        self._products = ProductBodies(base_url, currency, companions or {})
        self._orders = OrderBodies(base_url, currency)

    def sign(self, message: Message) -> Delivery:
        """Return ``message`` as the request that WooCommerce sends (but on a connection that may be kept)."""
        raw = encode(message.build())
        headers = webhook_headers(
            raw,
            agent=user_agent(),
            home=f"{self._base_url}/",
            topic=message.topic,
            webhook_id=WEBHOOK_IDS[message.topic],
            secret=self._secret,
            at=message.at,
        )
        return Delivery(headers, raw, message.topic)

    def ping(self, topic: str) -> Delivery:
        """Return the unsigned request that WooCommerce makes when a webhook for ``topic`` is created."""
        headers = {
            "User-Agent": user_agent(),
            "Accept": "*/*",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return Delivery(headers, f"webhook_id={WEBHOOK_IDS[topic]}".encode(), "ping")

    # -- what happens in the shop --

    def product_added(self, listing: Listing) -> list[Message]:
        """Return what is sent when a product enters the catalogue."""
        return [self._product_message("product.created", listing)]

    def listing_changed(self, listing: Listing) -> list[Message]:
        """Return what is sent when stock, status or visibility of a product changes."""
        return [self._product_message("product.updated", listing)]

    def customer_added(self, customer: int, at: datetime) -> list[Message]:
        """Return what is sent when somebody registers."""
        return [
            Message(
                "customer.created",
                at,
                f"customer-{customer}",
                lambda: customer_body(customer, at, self._base_url),
            )
        ]

    def order_placed(self, order: Order, listings: Sequence[Listing] = ()) -> list[Message]:
        """Return what is sent when an order is placed, ``listings`` being the products that it took stock of.

        The block checkout reports the update before the creation, both with the same body.
        """
        topics = (
            ("order.updated", "order.created")
            if by_block_checkout(order)
            else ("order.created", "order.updated")
        )
        orders = [self._order_message(topic, order, order.placed_at) for topic in topics]
        return orders + [self._product_message("product.updated", listing) for listing in listings]

    def order_history(self, order: Order, now: datetime) -> Iterator[Message]:
        """Yield what was sent about ``order`` until ``now``, in the order of the events.

        Orders of the block checkout are reported step by step, some from the opened checkout on. Of the
        others comes one message, late and already with the later state: that is how a quiet shop's task queue
        sends them. Stock reports, one for each line of each order, are left out to spare time.
        """
        finished = order.fulfilled_at if order.fulfilled_at and order.fulfilled_at <= now else None
        if by_block_checkout(order):
            if order.number % 12 == 0:
                opened = order.placed_at - timedelta(minutes=2)
                yield Message(
                    "order.updated",
                    opened,
                    f"order-{order.number}",
                    lambda: self._orders.order(order, opened),
                )
            yield from self.order_placed(order)
            if finished:
                yield self._order_message("order.updated", order, finished)
        else:
            yield self._order_message("order.created", order, finished or order.placed_at)
        for refund in order.refunds:
            if refund.at <= now:
                yield self._order_message("order.updated", order, max(refund.at, finished or refund.at))

    def cart_changed(self, _cart: CartNews, /) -> list[Message]:
        """Return nothing: WooCommerce has no cart topic."""
        return []

    def picture_url(self, product: Product) -> str:
        """Return the address of a product's picture."""
        return picture_url(self._base_url, product)

    def permalink(self, product: Product) -> str:
        """Return the address of a product's page."""
        return self._products.permalink(product)

    # -- messages --

    def _product_message(self, topic: str, listing: Listing) -> Message:
        resource = f"product-{listing.product.number}"
        return Message(topic, listing.updated_at, resource, lambda: self._products.product(listing))

    def _order_message(self, topic: str, order: Order, at: datetime) -> Message:
        return Message(topic, at, f"order-{order.number}", lambda: self._orders.order(order, at))
