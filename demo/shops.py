"""The two demo shops, and everything they have to tell Pannier about their past."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Protocol

from demo.catalogue import (
    Listing,
    Product,
    opening_listing,
    present_listing,
    read_products,
    read_rows,
)
from demo.companions import Companions, companions
from demo.messages import Delivery, Mailbag, Message, Platform
from demo.orders import CartNews, Order, read_orders
from demo.shopify_shop import ShopifyShop
from demo.woocommerce_shop import WooCommerceShop

CURRENCY = "GBP"
SHOPIFY_DOMAIN = "pannier-demo.myshopify.com"
NAMES = {"shopify": "Hearth & Bunting", "woocommerce": "Teacup Lane"}
BASE_URLS = {"shopify": "http://127.0.0.1:8001", "woocommerce": "http://127.0.0.1:8002"}
OPENED_BEFORE_FIRST_ORDER = timedelta(days=2)


class PlatformShop(Protocol):
    """What both platforms' shops can say."""

    def sign(self, message: Message) -> Delivery:
        """Return ``message`` as the platform sends it."""
        ...

    def picture_url(self, product: Product) -> str:
        """Return the address of a product's picture."""
        ...

    def product_added(self, listing: Listing) -> list[Message]:
        """Return what is sent when a product enters the catalogue."""
        ...

    def listing_changed(self, listing: Listing) -> list[Message]:
        """Return what is sent when stock, status or visibility of a product changes."""
        ...

    def customer_added(self, customer: int, at: datetime) -> list[Message]:
        """Return what is sent when somebody becomes a customer."""
        ...

    def order_placed(self, order: Order, listings: list[Listing]) -> list[Message]:
        """Return what is sent when an order is placed; ``listings`` are the products it took stock of."""
        ...

    def order_history(self, order: Order, now: datetime) -> Iterator[Message]:
        """Yield all that was sent about an order until ``now``, in the order of the events."""
        ...

    def cart_changed(self, cart: CartNews, /) -> list[Message]:
        """Return what is sent when a shopper's cart changes."""
        ...


@dataclass(frozen=True)
class Shop:
    """One demo shop: its catalogue and its orders, the newest of which happened at ``now``.

    ``base_url`` is where the storefront stands, without trailing slash.
    """

    platform: Platform
    base_url: str
    now: datetime
    products: tuple[Product, ...]
    orders: tuple[Order, ...]

    @property
    def name(self) -> str:
        """The shop's name."""
        return NAMES[self.platform]

    @property
    def currency(self) -> str:
        """ISO 4217."""
        return CURRENCY

    @property
    def domain(self) -> str:
        """What the platform calls the shop's address: the myshopify domain, or the site's address."""
        return SHOPIFY_DOMAIN if self.platform == "shopify" else f"{self.base_url}/"

    @cached_property
    def openings(self) -> tuple[Listing, ...]:
        """How each product was first listed: before the first order, one a second."""
        start = self.orders[0].placed_at - OPENED_BEFORE_FIRST_ORDER
        return tuple(
            opening_listing(product, start + timedelta(seconds=product.number)) for product in self.products
        )

    @cached_property
    def listings(self) -> tuple[Listing, ...]:
        """Where each product stands now."""
        changed = self.now - timedelta(hours=1)
        return tuple(
            present_listing(opening, changed + timedelta(seconds=opening.product.number))
            for opening in self.openings
        )

    @cached_property
    def companions(self) -> dict[int, Companions]:
        """What the merchant chose to show beside products, by their numbers."""
        return companions(self.products)

    def speaks(self, secret: str) -> PlatformShop:
        """Return the shop's voice: builds its messages and signs them with ``secret``."""
        if self.platform == "shopify":
            return ShopifyShop(
                domain=SHOPIFY_DOMAIN,
                base_url=self.base_url,
                currency=CURRENCY,
                vendor=self.name,
                secret=secret,
            )
        return WooCommerceShop(
            base_url=self.base_url, currency=CURRENCY, secret=secret, companions=self.companions
        )


def load_shop(platform: Platform, *, base_url: str | None = None, now: datetime | None = None) -> Shop:
    """Return the demo shop of ``platform``, its history moved so that it ends at ``now``.

    Args:
        platform: ``shopify`` or ``woocommerce``.
        base_url: where its storefront is served; ``BASE_URLS`` says the default. It stands in the shop's
            messages (addresses of pictures and pages), so keep it the same from run to run.
        now: timezone-aware, default the present. Equal values give equal shops and equal deliveries.
    """
    rows = list(read_rows(platform, "orders"))
    popularity = Counter(part.split(":")[0] for row in rows for part in row["lines"].split())
    products = read_products(platform, popularity)
    moment = (now or datetime.now(UTC)).astimezone(UTC).replace(second=0, microsecond=0)
    orders = read_orders(rows, {product.code: product for product in products}, moment)
    return Shop(platform, (base_url or BASE_URLS[platform]).rstrip("/"), moment, products, orders)


def deliveries(shop: Shop, *, secret: str, orders_first: bool = False) -> Mailbag:
    """Return everything the shop ever sent, signed, in the order of the events.

    That is: every product, every registered customer, every order with its later updates, refunds and
    cancellation, and last the products that sold out or left the catalogue.

    Args:
        shop: the shop.
        secret: the app's client secret (Shopify) or the webhooks' secret (WooCommerce).
        orders_first: send the products after all orders instead of before them, as a connection in the wrong
            order would.
    """
    voice = shop.speaks(secret)
    products = [message for opening in shop.openings for message in voice.product_added(opening)]
    trade = sorted(_trade(shop, voice), key=lambda message: message.at)
    return Mailbag([*trade, *products] if orders_first else [*products, *trade], voice.sign)


def _trade(shop: Shop, voice: PlatformShop) -> Iterator[Message]:
    known: set[int] = set()
    for order in shop.orders:
        if order.customer is not None and order.customer not in known:
            known.add(order.customer)
            yield from voice.customer_added(order.customer, order.placed_at - timedelta(minutes=5))
        yield from voice.order_history(order, shop.now)
    for opening, present in zip(shop.openings, shop.listings, strict=True):
        if present != opening:
            yield from voice.listing_changed(present)
