"""Installing: one answer to each state, and a store that keeps what it has learned."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text

from app.commerce.store import SHOPIFY, WOOCOMMERCE, Store, StoreError, StoreKey
from app.connections import installs
from app.connections.models import InstallState
from app.core.db import db, now
from connectors.source import StoreFacts
from tests.factories import at

SITE = "https://shop.example"
FACTS = StoreFacts("Mugs", "EUR", "Europe/Berlin", ("https://shop.example", "https://www.shop.example"))
KEYS = {"consumer_key": "ck_visible", "consumer_secret": "cs_visible", "query_auth": False}


def at_once(app: Flask, *works: Callable[[], Any]) -> list[Any]:
    """Run each of ``works`` in a thread with a session of its own, all at the same moment."""
    results: list[Any] = []
    ready = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> None:
        with app.app_context():
            ready.wait(30)
            results.append(work())

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


# --- states ---------------------------------------------------------------------------------------------


def test_a_state_leads_to_its_installation(app: Flask) -> None:
    state = installs.new_state(WOOCOMMERCE, "https://Shop.Example/", f"{SITE}/wp-admin")

    found = installs.pending_state(WOOCOMMERCE, state)

    assert found is not None
    assert (found.domain, found.return_url, found.outcome) == (SITE, f"{SITE}/wp-admin", [])
    assert found.used_at is found.store_id is None
    assert abs(found.expires_at - now() - timedelta(minutes=30)) < timedelta(minutes=1)
    assert len(state) >= 43
    assert state != installs.new_state(WOOCOMMERCE, SITE, None)


def test_a_state_is_not_stored_in_clear(app: Flask) -> None:
    state = installs.new_state(SHOPIFY, "a.myshopify.com", None)

    (row,) = db.session.scalars(text("SELECT s::text FROM install_state s"))
    assert state not in row
    assert state.encode().hex() not in row


def test_a_domain_of_another_platform_gets_no_state(app: Flask) -> None:
    with pytest.raises(StoreError):
        installs.new_state(SHOPIFY, SITE, None)

    assert db.session.query(InstallState).all() == []


@pytest.mark.parametrize("find", [installs.pending_state, installs.finished_state], ids=lambda f: f.__name__)
@pytest.mark.parametrize("forged", ["", "x", "x" * 5000, "\ud800", "ä\x00"], ids=ascii)
def test_a_forged_state_is_none(app: Flask, find: Callable[..., Any], forged: str) -> None:
    installs.new_state(WOOCOMMERCE, SITE, None)

    assert find(WOOCOMMERCE, forged) is None


@pytest.mark.parametrize("find", [installs.pending_state, installs.finished_state], ids=lambda f: f.__name__)
def test_another_platforms_state_is_none(app: Flask, find: Callable[..., Any]) -> None:
    assert find(SHOPIFY, installs.new_state(WOOCOMMERCE, SITE, None)) is None


@pytest.mark.parametrize("find", [installs.pending_state, installs.finished_state], ids=lambda f: f.__name__)
def test_a_late_state_is_none(app: Flask, find: Callable[..., Any]) -> None:
    begun = now()
    with time_machine.travel(begun, tick=False):
        state = installs.new_state(WOOCOMMERCE, SITE, None)
    with time_machine.travel(begun + installs.STATE_LIFE - timedelta(seconds=1), tick=False):
        assert find(WOOCOMMERCE, state) is not None
    with time_machine.travel(begun + installs.STATE_LIFE, tick=False):
        assert find(WOOCOMMERCE, state) is None


def test_a_used_state_is_no_longer_pending_but_finished(app: Flask) -> None:
    state = installs.new_state(WOOCOMMERCE, SITE, None)
    pending = installs.pending_state(WOOCOMMERCE, state)
    assert pending is not None

    assert installs.use_up(pending) is True
    assert installs.use_up(pending) is False

    assert installs.pending_state(WOOCOMMERCE, state) is None
    assert installs.finished_state(WOOCOMMERCE, state) is pending


def test_of_two_answers_at_once_one_is_taken(app: Flask) -> None:
    state = installs.new_state(WOOCOMMERCE, SITE, None)
    both_read = threading.Barrier(2)

    def answer() -> bool:
        pending = installs.pending_state(WOOCOMMERCE, state)
        assert pending is not None
        both_read.wait(30)
        return installs.use_up(pending)

    assert sorted(at_once(app, answer, answer)) == [False, True]


# --- connecting -----------------------------------------------------------------------------------------


def test_a_new_store_is_made_of_the_platforms_facts(app: Flask) -> None:
    before = now()

    store, keys = installs.connect_store(WOOCOMMERCE, f"{SITE}/", KEYS, FACTS)
    db.session.commit()

    assert keys is not None
    assert (store.domain, store.name, store.currency, store.timezone) == (
        SITE, "Mugs", "EUR", "Europe/Berlin",
    )  # fmt: skip
    assert store.origins == ["https://shop.example", "https://www.shop.example"]
    assert {name: store.credentials[name] for name in KEYS} == KEYS
    assert len(store.webhook_secrets) == 1
    assert installs.is_connected(store)
    assert store.connected_at is not None
    assert before <= store.installed_at <= store.connected_at <= now()
    assert installs.key_for_pages(store) == keys.publishable


def test_a_store_without_origins_has_its_own(app: Flask) -> None:
    facts = StoreFacts("Mugs", "EUR", "UTC", ())

    store, _ = installs.connect_store(SHOPIFY, "mugs.myshopify.com", {"access_token": "t"}, facts)

    assert store.origins == ["https://mugs.myshopify.com"]


@pytest.mark.parametrize(
    "facts", [StoreFacts("a", "money", "UTC", ()), StoreFacts("a", "EUR", "Nowhere/At_all", ())]
)
def test_impossible_facts_make_no_store(app: Flask, facts: StoreFacts) -> None:
    with pytest.raises(StoreError):
        installs.connect_store(WOOCOMMERCE, SITE, KEYS, facts)

    db.session.rollback()
    assert db.session.query(Store).all() == []


def test_connecting_again_changes_the_keys_to_the_platform_only(woocommerce: Store) -> None:
    woocommerce.credentials = {**woocommerce.credentials, "webhook_secret_previous": "older", "stale": 1}
    woocommerce.name, woocommerce.settings = "Mine", {"min_orders": 7.0}
    woocommerce.connected_at, woocommerce.installed_at = at(5), at(0)
    woocommerce.connection_problem, woocommerce.connection_problem_at = "Dead.", at(9)
    db.session.commit()
    secrets, address = woocommerce.webhook_secrets, woocommerce.webhook_token

    store, keys = installs.connect_store(WOOCOMMERCE, woocommerce.domain, KEYS, FACTS)
    db.session.commit()

    assert (store.id, keys, store.name, store.settings) == (woocommerce.id, None, "Mine", {"min_orders": 7.0})
    assert store.credentials == {
        "webhook_secret": secrets[0].decode(), "webhook_secret_previous": "older", **KEYS,
    }  # fmt: skip
    assert (store.webhook_secrets, store.webhook_token) == (secrets, address)
    assert store.connection_problem is store.connection_problem_at is None
    assert store.installed_at == at(0)  # it never left
    assert store.connected_at > at(5)
    assert db.session.query(StoreKey).count() == 2


@pytest.mark.parametrize(
    "state",
    [{"uninstalled_at": at(3), "connected_at": at(1)}, {"connected_at": None}],
    ids=["left", "first keys"],
)
def test_a_store_that_comes_back_is_installed_now(woocommerce: Store, state: dict[str, Any]) -> None:
    for name, value in {"installed_at": at(0), **state}.items():
        setattr(woocommerce, name, value)
    db.session.commit()
    before = now()

    store, _ = installs.connect_store(WOOCOMMERCE, woocommerce.domain, KEYS, FACTS)

    assert store.installed_at >= before
    assert store.uninstalled_at is None
    assert installs.is_connected(store)


def test_two_answers_for_a_new_shop_make_one_store(app: Flask) -> None:
    def connect() -> int:
        store, _ = installs.connect_store(WOOCOMMERCE, SITE, KEYS, FACTS)
        db.session.commit()
        return store.id

    first, second = at_once(app, connect, connect)

    assert first == second
    assert db.session.query(Store).count() == 1


def test_what_opens_the_platform_is_encrypted_at_rest(app: Flask) -> None:
    store, _ = installs.connect_store(WOOCOMMERCE, SITE, KEYS, FACTS)
    secret = store.credentials["webhook_secret"]
    db.session.commit()

    (raw,) = db.session.scalars(
        text("SELECT s::text || encode(credentials::text::bytea, 'escape') FROM store s")
    )
    for hidden in ("ck_visible", "cs_visible", "consumer_key", secret):
        assert hidden not in raw
        assert hidden.encode().hex() not in raw
    db.session.expire_all()
    assert store.credentials["consumer_secret"] == "cs_visible"


def test_a_fresh_grant_makes_a_shopify_store_and_keeps_a_known_ones_facts(app: Flask) -> None:
    made = installs.keep_grant("mugs.myshopify.com", {"access_token": "one"})
    assert (made.name, made.currency, made.timezone) == ("mugs.myshopify.com", "USD", "UTC")
    installs.keep_facts(made, FACTS)
    db.session.commit()

    again = installs.keep_grant("mugs.myshopify.com", {"access_token": "two"})

    assert again is made
    assert (again.name, again.currency, again.credentials) == ("Mugs", "EUR", {"access_token": "two"})


def test_facts_are_kept_and_the_merchants_origins_stay(shopify: Store) -> None:
    shopify.origins = ["https://mine.example", "https://shop.example"]

    installs.keep_facts(shopify, FACTS)
    installs.keep_facts(shopify, FACTS)

    assert shopify.origins == ["https://mine.example", "https://shop.example", "https://www.shop.example"]
    assert (shopify.name, shopify.currency, shopify.timezone) == ("Mugs", "EUR", "Europe/Berlin")


@pytest.mark.parametrize(
    ("state", "connected"),
    [
        ({"connected_at": at(0)}, True),
        ({}, False),
        ({"connected_at": at(0), "uninstalled_at": at(1)}, False),
        ({"connected_at": at(0), "connection_problem": "Dead."}, False),
    ],
    ids=["connected", "never", "left", "problem"],
)
def test_a_store_is_connected_when_its_platform_opens(
    shopify: Store, state: dict[str, Any], connected: bool
) -> None:
    for name, value in state.items():
        setattr(shopify, name, value)

    assert installs.is_connected(shopify) is connected


def test_disconnecting_keeps_what_receives_and_what_was_learned(woocommerce: Store) -> None:
    store, _ = installs.connect_store(WOOCOMMERCE, woocommerce.domain, KEYS, FACTS)
    secrets = store.webhook_secrets

    installs.disconnect(store)

    db.session.expire_all()
    assert (store.webhook_secrets, store.connected_at) == (secrets, None)
    assert list(store.credentials) == ["webhook_secret"]


def test_known_stores_are_found_by_platform_and_domain(shopify: Store) -> None:
    assert installs.known_store(SHOPIFY, shopify.domain) is shopify
    assert installs.known_store(WOOCOMMERCE, shopify.domain) is None
    assert installs.known_store(SHOPIFY, "other.myshopify.com") is None


def test_sentences_stand_once_in_their_order() -> None:
    assert installs.sentences(["b", "a"], [], ("a", "c", "b")) == ["b", "a", "c"]
