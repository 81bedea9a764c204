"""The shops behind the stand-in: their products and orders, the app's installation, and what happens in them.

Resources are kept as the bodies of their webhooks, which are replaced and never changed in place. All methods
may be called from any thread.
"""

import itertools
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from demo.peers.shopify.bulk import BulkOperation, BulkOptions
from demo.peers.shopify.costs import Bucket
from demo.peers.shopify.discount_book import Discounts
from demo.peers.shopify.faults import Faults
from demo.peers.shopify.metafield_store import Metafields
from demo.peers.shopify.tokens import TOKEN_LIFE_S, Tokens

RECENT: Final = timedelta(days=60)
"""How far back an app without ``read_all_orders`` sees orders."""
REDACT_AFTER: Final = timedelta(hours=48)
COMPLIANCE_TOPICS: Final = frozenset({"customers/data_request", "customers/redact", "shop/redact"})
_FIRST_SHOP_ID: Final = 9_007_199_254_750_001  # above 2^53, and odd
_FIRST_SUBSCRIPTION_ID: Final = 1_000_000_001

Body = Mapping[str, Any]


# The namespace in which Shopify's app Search & Discovery keeps what merchants choose.
DISCOVERY: Final = "shopify--discovery--product_recommendation"


def _copy(body: Body) -> dict[str, Any]:
    """Return a body of our own; through JSON, which is faster than a deep copy."""
    copied: dict[str, Any] = orjson.loads(orjson.dumps(body))
    return copied


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a shop; every subscription to its topic is told.

    Attributes:
        shop: where.
        topic: such as ``orders/updated``.
        body: what the webhook says.
        at: when; ``X-Shopify-Triggered-At``.
        resource: what it happened to, for people.
        number: counts the shop's events.
    """

    shop: "Shop"
    topic: str
    body: Body
    at: datetime
    resource: str
    number: int


@dataclass(slots=True)
class Subscription:
    """A webhook subscription that the app made through the API (those of its configuration need none).

    ``topic`` is the name of the API's enum, such as ``ORDERS_CREATE``.
    """

    id: int
    topic: str
    uri: str
    created_at: datetime
    updated_at: datetime
    include_fields: tuple[str, ...] = ()
    filter: str | None = None
    name: str | None = None
    failures: int = 0


Listener = Callable[[Event], None]


@dataclass(eq=False)
class Shop:
    """One shop, named by its myshopify domain.

    Attributes:
        domain: such as ``hearth.myshopify.com``.
        id: above 2^53.
        name: what people call it.
        currency: ISO 4217.
        timezone: IANA.
        url: the storefront's address, without trailing slash.
        now: the clock, timezone-aware.
        tokens: of the app.
        bucket: of the app.
        scopes: granted to the app.
        denied_fields: such as ``Order.customer``: what the app's review did not approve (null, and an error).
        bulk_options: how its bulk operations go.
        metafields: of its products and discounts.
        discounts: its automatic discounts.
        functions: the handles of the app's functions that are deployed.
    """

    domain: str
    id: int
    name: str
    currency: str
    timezone: str
    url: str
    now: Callable[[], datetime]
    tokens: Tokens = field(default_factory=Tokens)
    bucket: Bucket = field(default_factory=Bucket)
    scopes: frozenset[str] = frozenset()
    denied_fields: set[str] = field(default_factory=set)
    bulk_options: BulkOptions = field(default_factory=BulkOptions)
    installed_at: datetime | None = None
    uninstalled_at: datetime | None = None
    bulk_operations: dict[str, BulkOperation] = field(default_factory=dict)
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)
    metafields: Metafields = field(default_factory=Metafields, repr=False)
    discounts: Discounts = field(default_factory=Discounts, repr=False)
    functions: set[str] = field(default_factory=lambda: {"pannier-discounts"})
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _products: dict[int, Body] = field(default_factory=dict, repr=False)
    _orders: dict[int, Body] = field(default_factory=dict, repr=False)
    _variants: dict[int, int] = field(default_factory=dict, repr=False)
    _event_numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1), repr=False)
    _subscription_ids: "itertools.count[int]" = field(
        default_factory=lambda: itertools.count(_FIRST_SUBSCRIPTION_ID), repr=False
    )

    # -- what it holds --

    def add_product(self, body: Body) -> None:
        """Take over a product as its webhook describes it, in place of what was known of it; tell nobody."""
        kept = _copy(body)
        with self.lock:
            self._products[kept["id"]] = kept
            self._variants.update((variant["id"], kept["id"]) for variant in kept["variants"])

    def choose(self, number: int, key: str, products: Sequence[int]) -> None:
        """Let the merchant choose ``products`` to be shown beside one, as the app Search & Discovery stores it.

        ``key`` is ``complementary_products`` or ``related_products``. Nobody is told: webhooks carry no metafields.
        """
        chosen = [f"gid://shopify/Product/{product}" for product in products]
        owner, value = f"gid://shopify/Product/{number}", orjson.dumps(chosen).decode()
        self.metafields.set(owner, DISCOVERY, key, "list.product_reference", value, self.now())

    def add_order(self, body: Body) -> None:
        """Take over an order as its webhook describes it, in place of what was known of it; tell nobody."""
        kept = _copy(body)
        with self.lock:
            self._orders[kept["id"]] = kept

    def apply(self, topic: str, body: Body) -> None:
        """Take over what a webhook tells of a product or an order; other topics change nothing here."""
        resource, _, what = topic.partition("/")
        if topic == "products/delete":
            self._drop_product(body["id"])
        elif topic == "orders/delete":
            with self.lock:
                self._orders.pop(body["id"], None)
        elif resource == "products":
            self.add_product(body)
        elif resource == "orders" and what != "edited":
            self.add_order(body)

    def products(self) -> list[Body]:
        """Return all products."""
        with self.lock:
            return list(self._products.values())

    def orders(self) -> list[Body]:
        """Return all orders, of any age: the truth."""
        with self.lock:
            return list(self._orders.values())

    def visible_orders(self, scopes: frozenset[str]) -> list[Body]:
        """Return the orders that an app with these scopes sees."""
        if "read_all_orders" in scopes:
            return self.orders()
        oldest = self.now() - RECENT
        return [body for body in self.orders() if datetime.fromisoformat(body["created_at"]) >= oldest]

    def product(self, number: int | None) -> Body | None:
        """Return a product, None if there is none (any more)."""
        with self.lock:
            return self._products.get(number) if number is not None else None

    def variant(self, number: int | None) -> tuple[Body, Body] | None:
        """Return a variant with its product, None if there is none (any more)."""
        with self.lock:
            product = self.product(self._variants.get(number)) if number is not None else None
            for variant in product["variants"] if product else ():
                if variant["id"] == number:
                    assert product is not None
                    return variant, product
        return None

    # -- what happens in it --

    def emit(
        self, topic: str, body: Body, *, at: datetime | None = None, resource: str | None = None
    ) -> Event:
        """Have ``topic`` delivered to whom it may concern.

        Compliance topics and app/uninstalled are sent whether or not the app is installed, all others only
        while it is.
        """
        event = Event(
            self,
            topic,
            _copy(body),
            at or self.now(),
            resource or f"{topic.partition('/')[0]}-{body.get('id')}",
            next(self._event_numbers),
        )
        if self.installed or topic in COMPLIANCE_TOPICS or topic == "app/uninstalled":
            for listener in tuple(self.listeners):
                listener(event)
        return event

    def product_changed(self, body: Body) -> Event:
        """Take over a product and tell of it: ``products/create`` of a new one, else ``products/update``."""
        known = self.product(body["id"]) is not None
        self.add_product(body)
        return self.emit("products/update" if known else "products/create", body)

    def order_changed(self, body: Body, topic: str | None = None) -> Event:
        """Take over an order and tell of it: ``orders/create`` of a new one, else ``orders/updated``."""
        with self.lock:
            known = body["id"] in self._orders
        self.add_order(body)
        return self.emit(topic or ("orders/updated" if known else "orders/create"), body)

    def product_deleted(self, number: int) -> Event:
        """Forget a product and tell of it."""
        self._drop_product(number)
        return self.emit("products/delete", {"id": number})

    def order_deleted(self, number: int) -> Event:
        """Forget an order and tell of it."""
        with self.lock:
            self._orders.pop(number, None)
        return self.emit("orders/delete", {"id": number})

    def _drop_product(self, number: int) -> None:
        with self.lock:
            gone = self._products.pop(number, None)
            self.metafields.forget(f"gid://shopify/Product/{number}")
            for variant in gone["variants"] if gone else ():
                self._variants.pop(variant["id"], None)

    # -- the app in it --

    @property
    def installed(self) -> bool:
        """Whether the merchant has the app."""
        return self.installed_at is not None

    def install(self, scopes: Iterable[str]) -> None:
        """Grant the app ``scopes``, as the merchant does who presses Install; tells of changed scopes."""
        granted = frozenset(scopes)
        with self.lock:
            before, self.scopes = self.scopes, granted
            fresh = self.installed_at is None
            if fresh:
                self.installed_at, self.uninstalled_at = self.now(), None
        if not fresh and granted != before:
            body = {"id": self.id, "previous": sorted(before), "current": sorted(granted)}
            self.emit("app/scopes_update", {**body, "updated_at": self.now().isoformat()}, resource="app")

    def uninstall(self) -> Event:
        """Remove the app: its tokens die, its subscriptions go, and then it is told."""
        with self.lock:
            self.installed_at, self.uninstalled_at = None, self.now()
            self.scopes = frozenset()
            self.subscriptions.clear()
            self.bulk_operations.clear()
        self.tokens.revoke()
        return self.emit("app/uninstalled", self.resource(), resource="app")

    def redact(self) -> Event | None:
        """Ask for the shop's data to be erased, 48 hours after the uninstall; not if it was installed again."""
        left = self.uninstalled_at
        if left is None or self.now() < left + REDACT_AFTER:
            return None
        return self.emit("shop/redact", {"shop_id": self.id, "shop_domain": self.domain}, resource="shop")

    def resource(self) -> dict[str, Any]:
        """Return the shop as webhooks describe it."""
        return {
            "id": self.id,
            "name": self.name,
            "email": f"owner@{self.domain}",
            "domain": None,
            "myshopify_domain": None,
            "plan_name": "basic",
            "currency": self.currency,
            "iana_timezone": self.timezone,
        }

    def subscribe(
        self,
        topic: str,
        uri: str,
        *,
        include_fields: Iterable[str] = (),
        name: str | None = None,
        query: str | None = None,
    ) -> Subscription:
        """Add a subscription of the API."""
        now = self.now()
        made = Subscription(
            next(self._subscription_ids), topic, uri, now, now, tuple(include_fields), query, name
        )
        with self.lock:
            self.subscriptions[made.id] = made
        return made


class ShopifyState:
    """All shops of the stand-in, and what goes wrong with it."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        token_life_s: float = TOKEN_LIFE_S,
        faults: Faults | None = None,
    ) -> None:
        """Begin without shops.

        Args:
            now: the clock of everything here, timezone-aware.
            token_life_s: seconds that access tokens live.
            faults: the failures to come.
        """
        self.now = now
        self.token_life_s = token_life_s
        self.faults = faults or Faults()
        self._shops: dict[str, Shop] = {}
        self._lock = threading.Lock()

    def shop(
        self,
        domain: str,
        *,
        name: str | None = None,
        currency: str = "GBP",
        timezone: str = "Europe/London",
        url: str | None = None,
    ) -> Shop:
        """Return the shop of that domain, opened now if there was none; the rest is said at the opening."""
        with self._lock:
            if domain not in self._shops:
                self._shops[domain] = Shop(
                    domain,
                    _FIRST_SHOP_ID + 2 * len(self._shops),
                    name or domain.partition(".")[0].replace("-", " ").title(),
                    currency,
                    timezone,
                    (url or f"https://{domain}").rstrip("/"),
                    self.now,
                    Tokens(self.token_life_s),
                )
            return self._shops[domain]

    def find(self, domain: str) -> Shop | None:
        """Return the shop of that domain, if there is one."""
        return self._shops.get(domain)

    def shops(self) -> list[Shop]:
        """Return all shops."""
        with self._lock:
            return list(self._shops.values())
