"""A merchant connects a store: states that are good for one answer, and the store that comes of it."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select, text, update

from app.commerce.store import (
    SHOPIFY,
    WOOCOMMERCE,
    NewKeys,
    Store,
    StoreError,
    add_store,
    normalise_domain,
    publishable_key,
)
from app.connections.models import InstallState
from app.core.db import db, now
from connectors.errors import Rejected
from connectors.source import StoreFacts
from connectors.woocommerce.client import store_address

# Long enough to sign in to a shop and to read what is asked for.
STATE_LIFE: Final = timedelta(minutes=30)
_INSTALL_LOCK: Final = 6
_SECRETS: Final = ("webhook_secret", "webhook_secret_previous")


def woocommerce_domain(address: str) -> str:
    """Return the address of a WooCommerce shop, as a merchant types it, in the form that is kept.

    Raises:
        StoreError: if it is none.
    """
    typed = address.strip()
    # Browsers and Python read these differently; no proper address holds them.
    if "\\" in typed or " " in typed or not typed.isprintable():
        raise StoreError(f"{typed!r} is no site address such as https://example.com.")
    try:
        return normalise_domain(WOOCOMMERCE, store_address(typed))
    except Rejected as error:
        raise StoreError(str(error)) from error


def new_state(platform: str, domain: str, return_url: str | None) -> str:
    """Return an unguessable state for one installation of ``domain``; it is stored as its digest.

    Raises:
        StoreError: if ``domain`` is none of ``platform``.
    """
    state = secrets.token_urlsafe(32)
    db.session.add(
        InstallState(
            digest=_digest(state),
            platform=platform,
            domain=normalise_domain(platform, domain),
            return_url=return_url,
            outcome=[],
            expires_at=now() + STATE_LIFE,
        )
    )
    db.session.commit()
    return state


def pending_state(platform: str, state: str) -> InstallState | None:
    """Return the installation that ``state`` stands for, if it is under way; None for a forged, late or used one."""
    found = finished_state(platform, state)
    return found if found and found.used_at is None else None


def finished_state(platform: str, state: str) -> InstallState | None:
    """Return the installation that ``state`` stands for, under way or not; None for a forged or late one."""
    found = db.session.get(InstallState, _digest(state))
    return found if found and found.platform == platform and found.expires_at > now() else None


def use_up(state: InstallState) -> bool:
    """Say whether the state was still unused, and have it used: of two answers at once one is taken."""
    taken = db.session.connection().execute(
        update(InstallState)
        .where(InstallState.digest == state.digest, InstallState.used_at.is_(None))
        .values(used_at=now())
    )
    db.session.commit()
    return taken.rowcount == 1


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode(errors="surrogatepass")).digest()  # a forged one may be any text


def connect_store(
    platform: str, domain: str, credentials: Mapping[str, Any], facts: StoreFacts
) -> tuple[Store, NewKeys | None]:
    """Return the store with its new credentials, made where it did not exist; keys only of a new one.

    The caller has proven the credentials by a call to ``domain``. A store that comes back keeps what was learned.

    Raises:
        StoreError: if the platform's facts cannot be stored, such as a currency that is none.
    """
    domain = normalise_domain(platform, domain)
    # Of two answers for a shop that is new, one makes the store and the other finds it.
    wait_for_turn(platform, domain)
    store = db.session.scalar(
        select(Store)
        .where(Store.platform == platform, Store.domain == domain)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    keys = None
    if store is None:
        store, keys = add_store(
            platform, domain, name=facts.name, currency=facts.currency, timezone=facts.timezone,
            origins=list(facts.origins) or None,
        )  # fmt: skip
    store.credentials = {**_webhook_secrets(store), **credentials}
    if store.uninstalled_at is not None or store.connected_at is None:
        store.installed_at = now()
    store.uninstalled_at = store.connection_problem = store.connection_problem_at = None
    store.connected_at = now()
    db.session.flush()
    return store, keys


def wait_for_turn(platform: str, domain: str) -> None:
    """Have one transaction at a time connect a shop: wait for the others, and hold until this one ends."""
    db.session.execute(
        text("SELECT pg_advisory_xact_lock(:room, hashtext(:name))"),
        {"room": _INSTALL_LOCK, "name": f"{platform} {domain}"},
    )


def keep_grant(shop: str, credentials: Mapping[str, Any]) -> Store:
    """Return the Shopify store with a fresh token, before anything is known of it but its name."""
    known = known_store(SHOPIFY, shop)
    facts = StoreFacts(
        name=known.name if known else shop,
        currency=known.currency if known else "USD",
        timezone=known.timezone if known else "UTC",
        origins=(),
    )
    store, _ = connect_store(SHOPIFY, shop, credentials, facts)
    db.session.commit()
    return store


def keep_facts(store: Store, facts: StoreFacts) -> None:
    """Keep what the platform says of the store. Origins that the merchant has added stay."""
    store.name, store.currency, store.timezone = facts.name, facts.currency, facts.timezone
    store.origins = list(dict.fromkeys((*store.origins, *facts.origins)))


def known_store(platform: str, domain: str) -> Store | None:
    """Return the store of this platform and domain, None if there is none."""
    return db.session.scalar(select(Store).where(Store.platform == platform, Store.domain == domain))


def is_connected(store: Store) -> bool:
    """Return whether the platform still opens to what is kept of the store."""
    return (
        store.connected_at is not None and store.uninstalled_at is None and store.connection_problem is None
    )


def disconnect(store: Store) -> None:
    """Forget what opens the store's platform. What was learned stays."""
    store.credentials = _webhook_secrets(store)
    store.connected_at = None
    db.session.commit()


def _webhook_secrets(store: Store) -> dict[str, Any]:
    """Return what of the credentials is ours, and outlives the platform's permission."""
    return {name: store.credentials[name] for name in _SECRETS if name in store.credentials}


def key_for_pages(store: Store) -> str:
    """Return the publishable key that the shop's pages use."""
    key = publishable_key(store.id)
    assert key is not None  # every store has one from its first moment on
    return key


def sentences(*parts: Sequence[str]) -> list[str]:
    """Return the sentences of all parts once each."""
    return list(dict.fromkeys(sentence for part in parts for sentence in part))
