"""From a stored connection to a platform that can be asked, and told of discounts and prices."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.commerce.store import SHOPIFY, Store
from app.core.config import Settings
from app.core.db import db, now
from connectors.discounts import Discounts
from connectors.errors import ReconnectNeeded
from connectors.prices import Prices
from connectors.shopify import oauth
from connectors.shopify.client import ShopifyClient
from connectors.shopify.discounts import ShopifyDiscounts
from connectors.shopify.prices import ShopifyPrices
from connectors.shopify.source import ShopifySource
from connectors.source import Source
from connectors.woocommerce.client import WooCommerceClient
from connectors.woocommerce.discounts import WooCommerceDiscounts
from connectors.woocommerce.prices import WooCommercePrices
from connectors.woocommerce.source import WooCommerceSource

_NEVER_CONNECTED = "The store is known, but nobody has connected it yet: install Pannier in the shop."


def source_for(store: Store) -> Source:
    """Return what answers for ``store``.

    Raises:
        ReconnectNeeded: if no key or token is stored.
    """
    settings: Settings = current_app.extensions["pannier_settings"]
    if store.platform == SHOPIFY:
        return ShopifySource(_shopify_client(store), deliveries_to=f"{settings.public_url}/webhooks/shopify")
    return WooCommerceSource(
        _woocommerce_client(store),
        f"{settings.public_url}/webhooks/woocommerce/{store.webhook_token}",
        store.credentials["webhook_secret"],
        store.domain,
    )


def discounts_for(store: Store) -> Discounts:
    """Return what grants the store's offers.

    Raises:
        ReconnectNeeded: if no key or token is stored.
    """
    if store.platform == SHOPIFY:
        return ShopifyDiscounts(_shopify_client(store), store.currency, store.timezone)
    store_id = store.id
    return WooCommerceDiscounts(
        _woocommerce_client(store),
        store.currency,
        plugin_secret=lambda: _plugin_secret(store_id),
        inexact_coupons=store.setting("inexact_coupons") != 0,
    )


def prices_for(store: Store) -> Prices:
    """Return what knows and changes the store's list prices.

    Raises:
        ReconnectNeeded: if no key or token is stored.
    """
    if store.platform == SHOPIFY:
        return ShopifyPrices(_shopify_client(store), store.currency)
    return WooCommercePrices(_woocommerce_client(store), store.currency)


def _shopify_client(store: Store) -> ShopifyClient:
    settings: Settings = current_app.extensions["pannier_settings"]
    keeper = token_keeper(store.id, store.domain)
    return ShopifyClient(store.domain, keeper, address=settings.shopify_address)


def _woocommerce_client(store: Store) -> WooCommerceClient:
    settings: Settings = current_app.extensions["pannier_settings"]
    kept = store.credentials
    if not kept.get("consumer_key"):
        raise ReconnectNeeded(_NEVER_CONNECTED)
    return WooCommerceClient(
        store.domain,
        kept["consumer_key"],
        kept["consumer_secret"],
        query_auth=bool(kept.get("query_auth")),
        allow_loopback=settings.allow_loopback_stores,
    )


def _plugin_secret(store_id: int) -> bytes:
    """Return the secret that signs the configuration of a store's plugin, made the first time and kept encrypted."""
    with Session(db.engine) as session, session.begin():
        store = session.scalars(
            select(Store).where(Store.id == store_id).with_for_update(key_share=True)
        ).one()
        if "plugin_secret" not in store.credentials:
            store.credentials = {**store.credentials, "plugin_secret": secrets.token_hex(32)}
        return bytes.fromhex(store.credentials["plugin_secret"])


def shopify_app() -> oauth.App:
    """Return the app as Shopify knows it."""
    settings: Settings = current_app.extensions["pannier_settings"]
    return oauth.App(
        settings.shopify_api_key or "", settings.shopify_api_secret or "", settings.shopify_address
    )


def token_keeper(store_id: int, shop: str) -> oauth.TokenKeeper:
    """Return the keeper of a Shopify store's token: stored encrypted, renewed by one process at a time."""
    stored = _StoredGrant(db.engine, store_id)
    app = shopify_app()
    return oauth.TokenKeeper(
        load=stored.load,
        locked=stored.locked,
        save=stored.save,
        refresh=lambda grant: oauth.refresh(app, shop, grant, now()),
    )


class _StoredGrant:
    """The grant in ``store.credentials``. The store's row is the lock; each thread holds it by itself.

    Others may go on to write rows that refer to the store.
    """

    def __init__(self, engine: Engine, store_id: int) -> None:
        self._engine = engine
        self._store_id = store_id
        self._held = threading.local()

    def load(self) -> oauth.Grant:
        """Return the grant as it is stored now."""
        with Session(self._engine) as session:
            return grant_of(
                session.scalars(select(Store.credentials).where(Store.id == self._store_id)).one()
            )

    @contextmanager
    def locked(self) -> Iterator[oauth.Grant]:
        """Hold the lock, and keep what was saved meanwhile when it is left without an error."""
        with Session(self._engine) as session, session.begin():
            store = session.scalars(
                select(Store).where(Store.id == self._store_id).with_for_update(key_share=True)
            ).one()
            self._held.store = store
            yield grant_of(store.credentials)

    def save(self, grant: oauth.Grant) -> None:
        """Store ``grant``, within the lock."""
        store: Store = self._held.store
        store.credentials = {**store.credentials, **credentials_of(grant)}


def credentials_of(grant: oauth.Grant) -> dict[str, Any]:
    """Return a grant as it is kept, encrypted, in ``store.credentials``."""
    return {
        "access_token": grant.access_token,
        "scopes": sorted(grant.scopes),
        "expires_at": grant.expires_at and grant.expires_at.isoformat(),
        "refresh_token": grant.refresh_token,
        "refresh_expires_at": grant.refresh_expires_at and grant.refresh_expires_at.isoformat(),
    }


def grant_of(credentials: dict[str, Any]) -> oauth.Grant:
    """Return the grant in ``store.credentials``.

    Raises:
        ReconnectNeeded: if there is none.
    """
    if not credentials.get("access_token"):
        raise ReconnectNeeded(_NEVER_CONNECTED)
    return oauth.Grant(
        access_token=credentials["access_token"],
        scopes=frozenset(credentials["scopes"]),
        expires_at=_moment(credentials["expires_at"]),
        refresh_token=credentials["refresh_token"],
        refresh_expires_at=_moment(credentials["refresh_expires_at"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
