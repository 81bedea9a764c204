"""From stored credentials to a platform that can be asked; one refresh for all workers."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from app.commerce.store import Store
from app.core.db import db, now
from app.platforms import sources
from connectors.errors import ReconnectNeeded, Unreachable
from connectors.shopify import oauth
from connectors.shopify.source import ShopifySource
from connectors.woocommerce.discounts import WooCommerceDiscounts
from connectors.woocommerce.source import WooCommerceSource
from tests.factories import at, connected

LASTING = oauth.Grant("lasting", frozenset({"read_orders"}))


def grant(name: str, *, expires: datetime | None = None) -> oauth.Grant:
    """Return a grant with an end."""
    return oauth.Grant(
        f"token-{name}",
        frozenset({"read_products", "read_orders"}),
        expires or now() + timedelta(hours=1),
        f"refresh-{name}",
        now() + timedelta(days=90),
    )


@pytest.fixture
def expired(shopify: Store) -> Store:
    """A Shopify store whose token has ended, with something beside it in its credentials."""
    old = grant("old", expires=now() - timedelta(minutes=1))
    shopify.credentials = {"webhook_secret": "kept", **sources.credentials_of(old)}
    shopify.connected_at = now()
    db.session.commit()
    return shopify


class Refreshing:
    """Stands in for Shopify's token endpoint: counts, and waits inside where a test says so."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.inside = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.error: BaseException | None = None

    def __call__(self, _app: oauth.App, _shop: str, old: oauth.Grant, _now: datetime) -> oauth.Grant:
        self.asked.append(old.refresh_token)
        self.inside.set()
        assert self.go_on.wait(30)
        if self.error is not None:
            raise self.error
        return grant(f"new-{len(self.asked)}")


@pytest.fixture
def refreshing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Refreshing]:
    """The token endpoint."""
    endpoint = Refreshing()
    monkeypatch.setattr(oauth, "refresh", endpoint)
    yield endpoint
    endpoint.go_on.set()


def stored_token(store: Store) -> str:
    """Return the token that is stored now."""
    db.session.rollback()
    return str(db.session.get_one(Store, store.id, populate_existing=True).credentials["access_token"])


class Worker(threading.Thread):
    """Asks for the store's token in a session of its own."""

    def __init__(self, app: Flask, store: Store, used: str | None = None) -> None:
        super().__init__()
        self.app, self.store_id, self.domain, self.used = app, store.id, store.domain, used
        self.found: str | BaseException | None = None

    def run(self) -> None:
        with self.app.app_context():
            keeper = sources.token_keeper(self.store_id, self.domain)
            try:
                self.found = keeper.renew(self.used) if self.used else keeper.token()
            except BaseException as error:
                self.found = error


def wait_for_a_lock() -> None:
    """Return when somebody waits for a lock."""
    while not db.session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
        db.session.rollback()
    db.session.rollback()


# --- credentials ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [LASTING, grant("x", expires=at(0.123456))], ids=["lasting", "expiring"])
def test_a_grant_survives_being_stored(shopify: Store, kept: oauth.Grant) -> None:
    shopify.credentials = sources.credentials_of(kept)
    db.session.commit()
    db.session.expire_all()

    assert sources.grant_of(shopify.credentials) == kept


def test_times_come_back_in_utc(shopify: Store) -> None:
    found = sources.grant_of(sources.credentials_of(grant("x", expires=at(0))))

    assert found.expires_at == at(0)
    assert found.expires_at.utcoffset() == UTC.utcoffset(None)


@pytest.mark.parametrize("credentials", [{}, {"webhook_secret": "s"}, {"access_token": ""}], ids=str)
def test_without_a_token_there_is_no_grant(credentials: dict[str, str]) -> None:
    with pytest.raises(ReconnectNeeded, match="nobody has connected it yet"):
        sources.grant_of(credentials)


# --- sources --------------------------------------------------------------------------------------------


def test_each_platform_has_its_source(expired: Store, woocommerce: Store) -> None:
    woocommerce.credentials = {**woocommerce.credentials, "consumer_key": "ck", "consumer_secret": "cs"}

    assert isinstance(sources.source_for(expired), ShopifySource)
    assert isinstance(sources.source_for(woocommerce), WooCommerceSource)


def test_a_woocommerce_store_without_a_key_has_none(woocommerce: Store) -> None:
    with pytest.raises(ReconnectNeeded, match="nobody has connected it yet"):
        sources.source_for(woocommerce)


def test_a_shopify_store_without_a_token_has_none(shopify: Store) -> None:
    with pytest.raises(ReconnectNeeded, match="nobody has connected it yet"):
        sources.source_for(shopify).facts()


def test_a_source_of_a_store_without_a_key_names_no_secret(woocommerce: Store) -> None:
    with pytest.raises(ReconnectNeeded) as failed:
        sources.source_for(woocommerce)

    assert woocommerce.credentials["webhook_secret"] not in str(failed.value)


# --- the token keeper -----------------------------------------------------------------------------------


def test_a_living_token_costs_no_refresh(shopify: Store, refreshing: Refreshing) -> None:
    shopify.credentials = sources.credentials_of(grant("fresh"))
    db.session.commit()

    assert sources.token_keeper(shopify.id, shopify.domain).token() == "token-fresh"
    assert refreshing.asked == []


def test_a_refreshed_token_is_stored_beside_what_was_there(expired: Store, refreshing: Refreshing) -> None:
    assert sources.token_keeper(expired.id, expired.domain).token() == "token-new-1"

    assert stored_token(expired) == "token-new-1"
    assert expired.credentials["webhook_secret"] == "kept"
    assert refreshing.asked == ["refresh-old"]
    raw = db.session.scalar(text("SELECT credentials::text FROM store WHERE id = :id"), {"id": expired.id})
    assert "token-new-1" not in raw
    assert b"token-new-1".hex() not in raw


@pytest.mark.parametrize("used", [None, "token-old"], ids=["early", "after a refusal"])
def test_two_workers_refresh_once(
    app: Flask, expired: Store, refreshing: Refreshing, used: str | None
) -> None:
    refreshing.go_on.clear()
    first, second = Worker(app, expired, used), Worker(app, expired, used)
    first.start()
    assert refreshing.inside.wait(30)
    second.start()
    wait_for_a_lock()
    refreshing.go_on.set()
    first.join(30)
    second.join(30)

    assert (first.found, second.found) == ("token-new-1", "token-new-1")
    assert refreshing.asked == ["refresh-old"]


def test_another_stores_refresh_is_not_waited_for(app: Flask, expired: Store, refreshing: Refreshing) -> None:
    other = connected(credentials=sources.credentials_of(grant("other", expires=at(0))))
    refreshing.go_on.clear()
    first = Worker(app, expired)
    first.start()
    assert refreshing.inside.wait(30)
    with db.engine.connect() as connection:
        found = connection.execute(
            text("SELECT id FROM store WHERE id = :id FOR UPDATE NOWAIT"), {"id": other.id}
        ).scalar()
    refreshing.go_on.set()
    first.join(30)

    assert found == other.id
    assert stored_token(other) == "token-other"
    assert stored_token(expired) == "token-new-1"


@pytest.mark.parametrize(
    "error",
    [RuntimeError("a fault"), Unreachable("No answer."), SystemExit()],
    ids=lambda e: type(e).__name__,
)
def test_a_refresh_that_dies_leaves_the_old_grant_and_no_lock(
    app: Flask, expired: Store, refreshing: Refreshing, error: BaseException
) -> None:
    refreshing.error = error
    worker = Worker(app, expired)
    worker.start()
    worker.join(30)
    assert worker.found is error
    assert stored_token(expired) == "token-old"

    refreshing.error = None
    assert sources.token_keeper(expired.id, expired.domain).token().startswith("token-new")
    assert set(refreshing.asked) == {"refresh-old"}


def test_a_crash_after_saving_within_the_lock_leaves_the_old_grant(expired: Store) -> None:
    stored = sources._StoredGrant(db.engine, expired.id)

    def save_and_die() -> None:
        with stored.locked():
            stored.save(grant("unsaved"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        save_and_die()

    assert stored.load().access_token == stored_token(expired) == "token-old"


def test_rows_of_the_store_are_written_while_its_token_is_refreshed(
    app: Flask, expired: Store, refreshing: Refreshing
) -> None:
    refreshing.go_on.clear()
    worker = Worker(app, expired)
    worker.start()
    assert refreshing.inside.wait(30)
    with db.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
        connection.execute(
            text(
                "INSERT INTO product (store_id, platform_id, status, visible, available, title, tags, gift_card)"
                " VALUES (:store, 'p', 'unknown', false, false, '', '{}', false)"
            ),
            {"store": expired.id},
        )
    assert worker.is_alive()
    refreshing.go_on.set()
    worker.join(30)

    assert worker.found == "token-new-1"


def test_a_store_that_was_disconnected_meanwhile_has_no_token(expired: Store, refreshing: Refreshing) -> None:
    expired.credentials = {"webhook_secret": "kept"}
    db.session.commit()

    with pytest.raises(ReconnectNeeded):
        sources.token_keeper(expired.id, expired.domain).token()
    assert refreshing.asked == []


# --- discounts of WooCommerce ---------------------------------------------------------------------------


def test_the_plugins_secret_is_made_once_and_kept(woocommerce: Store) -> None:
    kept = {**woocommerce.credentials, "consumer_key": "ck", "consumer_secret": "cs"}
    woocommerce.credentials = kept
    db.session.commit()

    first = sources._plugin_secret(woocommerce.id)

    assert len(first) == 32
    assert sources._plugin_secret(woocommerce.id) == first
    db.session.rollback()
    stored = db.session.get_one(Store, woocommerce.id, populate_existing=True).credentials
    assert stored == {**kept, "plugin_secret": first.hex()}


@pytest.mark.parametrize(("setting", "inexact"), [({}, False), ({"inexact_coupons": 1}, True)])
def test_coupons_stand_in_only_where_the_merchant_says_so(
    woocommerce: Store, setting: dict[str, int], inexact: bool
) -> None:
    woocommerce.credentials = {**woocommerce.credentials, "consumer_key": "ck", "consumer_secret": "cs"}
    woocommerce.settings = setting

    found = sources.discounts_for(woocommerce)

    assert isinstance(found, WooCommerceDiscounts)
    assert found._inexact is inexact
