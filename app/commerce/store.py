"""Stores: the tenants, and the keys that open them."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.core.crypto import Encrypted, key_digest, new_key
from app.core.db import Model, db, now
from app.core.held import Held

SHOPIFY: Final = "shopify"
WOOCOMMERCE: Final = "woocommerce"
_SHOPIFY_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_HOST = re.compile(r"[a-z0-9_.:-]+")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# For how long a rotated key still opens the store: pages with the old one are cached for hours.
KEY_GRACE: Final = timedelta(hours=24)

# What a merchant may set per store, with the default and the allowed range.
SETTINGS: Final[dict[str, tuple[float, float, float]]] = {
    "half_life_days": (180, 7, 3650),  # age at which an order counts half
    "basket_cap": (100, 2, 500),  # baskets with more distinct products are not learned from
    "min_orders": (3, 1, 1000),  # orders in which a pair must stand before it is shown
    "min_lift": (1.2, 1, 100),
    "min_llr": (10.83, 0, 1000),  # log-likelihood ratio; 10.83 is p = 0.001
    "explicit_consent": (1, 0, 1),  # 0: a platform's default counts where the law does not ask for a yes
    "holdout_percent": (0, 0, 50),  # visitors who never see Pannier
    "control_percent": (5, 0, 50),  # of the others, by slot: shown nothing there, to measure what it brings
    "exploration_percent": (
        5,
        0,
        50,
    ),  # personal answers in which one place is given to a product further back
    "decision_sample_percent": (
        100,
        0,
        100,
    ),  # decisions that are logged whole; errors and experiments always are
    "most_impressions": (20, 0, 1000),  # in a week, of one product to one visitor; 0: no limit
    "margin_percent": (0, 0, 100),  # of a price without tax, for products whose cost is unknown; 0: not told
    # 1: without the plugin, a WooCommerce shop grants offers by coupons, which cannot demand all components
    "inexact_coupons": (0, 0, 1),
    "price_quotes": (0, 0, 1),  # 1: prices may be signed for minutes, and the checkout is told the keys
    "quote_margin_percent": (10, 0, 95),  # what a quote leaves at least of a price without tax
    "included_tax_percent": (0, 0, 100),  # of a price without tax, what shop prices contain on top of it
}


class Store(Model):
    """One shop on one platform."""

    __tablename__ = "store"
    __table_args__ = (UniqueConstraint("platform", "domain"), UniqueConstraint("webhook_token"))

    id: Mapped[int] = mapped_column(primary_key=True)
    platform: Mapped[str]
    domain: Mapped[str]
    name: Mapped[str]
    currency: Mapped[str]
    timezone: Mapped[str]
    # The origins whose pages may use the publishable key.
    origins: Mapped[list[str]]
    # Unguessable part of the address that WooCommerce delivers to.
    webhook_token: Mapped[str | None]
    # {"webhook_secret": …, "webhook_secret_previous": …} and what opens the platform: {"consumer_key": …,
    # "consumer_secret": …, "query_auth": …} or {"access_token": …, "scopes": […], "expires_at": …, "refresh_token": …}
    # and, of the plugin that grants offers, {"plugin_secret": …}
    credentials: Mapped[Any] = mapped_column(Encrypted)
    settings: Mapped[dict[str, Any]]
    # Why the platform no longer lets us in, in one sentence; the store is not asked again until it is connected anew.
    connection_problem: Mapped[str | None]
    connection_problem_at: Mapped[datetime | None]
    # When the platform last gave us a key or token; None for a store that only delivers webhooks.
    connected_at: Mapped[datetime | None]
    installed_at: Mapped[datetime]
    uninstalled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    def setting(self, name: str) -> float:
        """Return the store's value of a setting, or its default."""
        return float(self.settings.get(name, SETTINGS[name][0]))

    @property
    def webhook_secrets(self) -> tuple[bytes, ...]:
        """Return the store's own webhook secrets, current first (WooCommerce)."""
        found = (self.credentials.get(k) for k in ("webhook_secret", "webhook_secret_previous"))
        return tuple(secret.encode() for secret in found if secret)


class StoreKey(Model):
    """An API key of a store, stored as its digest. ``kind`` is ``publishable`` or ``secret``."""

    __tablename__ = "store_key"
    __table_args__ = (Index(None, "store_id", "kind"), UniqueConstraint("digest"))

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    kind: Mapped[str]
    digest: Mapped[bytes]
    # Publishable keys are public and shown again; secret keys are shown once.
    shown: Mapped[str]
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """What a request needs to know of its store, detached from the database."""

    store_id: int
    platform: str
    domain: str
    currency: str
    origins: frozenset[str]
    kind: str
    timezone: str = "UTC"
    settings: Mapping[str, float] = field(default_factory=dict)

    def setting(self, name: str) -> float:
        """Return the store's value of a setting, or its default."""
        return float(self.settings.get(name, SETTINGS[name][0]))

    @property
    def explicit_consent(self) -> bool:
        """Whether only a person's own yes counts as consent, wherever they are."""
        return self.setting("explicit_consent") != 0


@dataclass(frozen=True, slots=True)
class NewKeys:
    """Keys as handed out: the only time the secret one is readable."""

    publishable: str
    secret: str


class StoreError(ValueError):
    """A store cannot be made or found as asked. One sentence."""


def add_store(
    platform: str,
    domain: str,
    *,
    name: str | None = None,
    currency: str = "USD",
    timezone: str = "UTC",
    origins: list[str] | None = None,
    webhook_secret: str | None = None,
    settings: dict[str, float] | None = None,
) -> tuple[Store, NewKeys]:
    """Add a store and return it with its keys.

    A WooCommerce store gets a webhook secret (made where none is given) and an unguessable webhook address.

    Raises:
        StoreError: if the domain does not fit the platform or exists already, or another value is none.
    """
    domain = normalise_domain(platform, domain)
    if db.session.scalar(select(Store.id).where(Store.platform == platform, Store.domain == domain)):
        raise StoreError(f"The {platform} store {domain} exists already.")
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise StoreError(f"{currency!r} is no ISO 4217 currency code.")
    if not is_timezone(timezone):
        raise StoreError(f"{timezone!r} is no IANA time zone such as Europe/Berlin.")
    credentials: dict[str, str] = {}
    if platform == WOOCOMMERCE:
        # WordPress decodes HTML entities in the secret: letters and digits only.
        credentials["webhook_secret"] = webhook_secret or secrets.token_hex(25)
    store = Store(
        platform=platform,
        domain=domain,
        name=name or domain,
        currency=currency,
        timezone=timezone,
        origins=[normalise_origin(o) for o in origins or default_origins(platform, domain)],
        webhook_token=secrets.token_urlsafe(24) if platform == WOOCOMMERCE else None,
        credentials=credentials,
        settings=checked_settings(settings or {}),
        installed_at=now(),
    )
    db.session.add(store)
    db.session.flush()
    return store, _hand_out_keys(store.id)


def is_timezone(name: str) -> bool:
    """Return whether ``name`` is in the IANA database."""
    try:
        return name == "UTC" or bool(ZoneInfo(name))
    except (KeyError, ValueError, OSError):
        return False


def rotate_keys(store: Store) -> NewKeys:
    """Return new keys for a store; the old ones open it for another ``KEY_GRACE``."""
    db.session.execute(
        update(StoreKey)
        .where(StoreKey.store_id == store.id, StoreKey.expires_at.is_(None))
        .values(expires_at=now() + KEY_GRACE)
    )
    return _hand_out_keys(store.id)


def _hand_out_keys(store_id: int) -> NewKeys:
    keys = NewKeys(new_key("pk"), new_key("sk"))
    for kind, key in (("publishable", keys.publishable), ("secret", keys.secret)):
        shown = key if kind == "publishable" else f"{key[:6]}…"
        db.session.add(StoreKey(store_id=store_id, kind=kind, digest=key_digest(key), shown=shown))
    db.session.flush()
    return keys


def checked_settings(settings: dict[str, float]) -> dict[str, float]:
    """Return ``settings`` if every one is known and in range.

    Raises:
        StoreError: naming the first that is not.
    """
    for name, value in settings.items():
        if name not in SETTINGS:
            raise StoreError(f"There is no setting {name!r}; known are {', '.join(SETTINGS)}.")
        _, low, high = SETTINGS[name]
        if not low <= value <= high:
            raise StoreError(f"{name} must be from {low:g} to {high:g}.")
    return settings


def normalise_domain(platform: str, domain: str) -> str:
    """Return the name under which a store of ``platform`` is kept.

    Shopify: ``example.myshopify.com``. WooCommerce: the site's address without a trailing slash.

    Raises:
        StoreError: if ``domain`` is neither.
    """
    if platform == SHOPIFY:
        lowered = domain.strip().lower()
        if not _SHOPIFY_DOMAIN.fullmatch(lowered):
            raise StoreError(f"{domain!r} is no Shopify domain such as example.myshopify.com.")
        return lowered
    if platform == WOOCOMMERCE:
        try:
            origin, path = _address(domain)
        except ValueError as error:
            raise StoreError(f"{domain!r} is no site address such as https://example.com.") from error
        return origin + path
    raise StoreError(f"There is no platform {platform!r}; known are shopify and woocommerce.")


def normalise_origin(origin: str) -> str:
    """Return ``origin`` as browsers send it.

    Raises:
        StoreError: if it is none.
    """
    try:
        found, path = _address(origin)
    except ValueError:
        found, path = "", ""
    if not found or path:
        raise StoreError(f"{origin!r} is no origin such as https://example.com.")
    return found


def _address(text: str) -> tuple[str, str]:
    """Return origin (ASCII, without a default port) and path of a web address.

    Raises:
        ValueError: if it is none, or says more than that.
    """
    parts = urlsplit(text.strip())
    host = (parts.hostname or "").encode("idna").decode()
    if parts.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(host):
        raise ValueError("no web address")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("more than an address")
    if ":" in host:
        host = f"[{host}]"
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}", parts.path.rstrip("/")


def default_origins(platform: str, domain: str) -> list[str]:
    """Return the origin that a store's pages have when nothing else is said."""
    if platform == SHOPIFY:
        return [f"https://{domain}"]
    return [_address(domain)[0]]


def find_store(reference: str) -> Store:
    """Return the store with this id or domain.

    Raises:
        StoreError: if there is none.
    """
    query = select(Store).order_by(Store.id)
    if reference.isdecimal() and len(reference) < 19:
        query = query.where(Store.id == int(reference))
    else:
        query = query.where(func.lower(Store.domain) == reference.strip().lower().rstrip("/"))
    store = db.session.scalars(query).first()
    if store is None:
        raise StoreError(f"There is no store {reference!r}; `pannier store list` shows them.")
    return store


def publishable_key(store_id: int) -> str | None:
    """Return the store's current publishable key."""
    return db.session.scalar(
        select(StoreKey.shown)
        .where(StoreKey.store_id == store_id, StoreKey.kind == "publishable", StoreKey.expires_at.is_(None))
        .order_by(StoreKey.id.desc())
    )


class AccessCache:
    """Stores by key, held in the process for a few seconds: the serving path reads it on every call."""

    def __init__(self) -> None:
        self._held: Held[str, StoreAccess | None] = Held(most=10_000)

    def get(self, key: str) -> StoreAccess | None:
        """Return the store that ``key`` opens, or None."""
        return self._held.get(key, lambda _: _load_access(key))

    @property
    def ttl_s(self) -> float:
        """For how many seconds a key is believed without asking."""
        return self._held.ttl_s

    def forget(self) -> None:
        """Forget which keys open what: a change of a store counts at once."""
        self._held.forget_all()


def _load_access(key: str) -> StoreAccess | None:
    # Columns, not the row: its credentials would be decrypted for nothing.
    row = db.session.execute(
        select(
            Store.id,
            Store.platform,
            Store.domain,
            Store.currency,
            Store.origins,
            StoreKey.kind,
            Store.timezone,
            Store.settings,
        )
        .join(StoreKey, StoreKey.store_id == Store.id)
        .where(
            StoreKey.digest == key_digest(key),
            or_(StoreKey.expires_at.is_(None), StoreKey.expires_at > now()),
            Store.uninstalled_at.is_(None),
        )
    ).first()
    if row is None:
        return None
    store_id, platform, domain, currency, origins, kind, timezone, settings = row
    return StoreAccess(store_id, platform, domain, currency, frozenset(origins), kind, timezone, settings)
