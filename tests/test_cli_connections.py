"""The commands that tie a store to its platform: what they print, and how they refuse."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.commerce.store import Store, add_store
from app.connections import routes
from app.connections.models import DONE, FAILED, HISTORY, LISTING, Subscriptions, Walk
from app.core.db import db, now
from app.platforms import sources
from connectors.errors import ReconnectNeeded, Unreachable
from connectors.woocommerce.probe import Probe
from demo.peers.woocommerce import WooState, serve
from tests.command import Pannier, refusal
from tests.connections.scripted import ScriptedSource
from tests.factories import shopify_order, shopify_product

KEY, KEY_SECRET = "ck_" + "a1" * 20, "cs_" + "b2" * 20
SITE = "https://shop.example"
MOMENT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


@pytest.fixture
def pannier(app: Flask, pannier: Pannier) -> Pannier:
    """Run the command on an empty database."""
    return pannier


def connected(domain: str = "mine.myshopify.com") -> Store:
    store, _ = add_store("shopify", domain)
    store.connected_at = store.installed_at = MOMENT
    store.credentials = {"access_token": "shpat_secret"}
    db.session.commit()
    return store


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> ScriptedSource:
    """The platform of every store: three products and one order."""
    found = ScriptedSource()
    found.put("products", *(shopify_product(number) for number in (1, 2, 3)))
    found.put("orders", shopify_order(1, 1, 2))
    monkeypatch.setattr(sources, "source_for", lambda _store: found)
    return found


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The stores whose backfill was begun."""
    found: list[int] = []
    monkeypatch.setattr(routes, "start_backfill", found.append)
    return found


# --- connect --------------------------------------------------------------------------------------------


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, str, str]]]:
    """Have every shop answer so to its keys; the list says what was asked."""

    def set_up(**found: Any) -> list[tuple[str, str, str]]:
        asked: list[tuple[str, str, str]] = []

        def scripted(domain: str, key: str, secret: str, **_: Any) -> Probe:
            asked.append((domain, key, secret))
            return Probe(domain, **{"name": "Tea", "currency": "EUR", "timezone": "UTC", **found})

        monkeypatch.setattr(routes, "probe", scripted)
        return asked

    return set_up


def test_keys_are_asked_for_and_the_secret_is_not_shown(pannier, shop, begun):
    asked = shop()

    result = pannier("store", "connect", "shop.example", given=f" {KEY} \n {KEY_SECRET} \n")

    (store,) = db.session.query(Store).all()
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == (
        "Connected. Its past is fetched by the workers, or now with `pannier backfill`."
    )
    assert "Consumer secret (cs_…): \n" in result.output
    assert KEY_SECRET not in result.output
    assert asked == [(SITE, KEY, KEY_SECRET)]
    assert (store.domain, store.credentials["consumer_key"]) == (SITE, KEY)
    assert begun == [store.id]


def test_keys_that_open_nothing_are_refused(pannier, shop, begun):
    shop(problems=("The keys are wrong.",))

    result = pannier("store", "connect", SITE, "--consumer-key", KEY, "--consumer-secret", KEY_SECRET)

    assert refusal(result, 1) == "The keys are wrong."
    assert (db.session.query(Store).count(), begun) == (0, [])


def test_keys_are_tried_on_a_shop_that_answers(pannier):
    woo = WooState()
    with serve(woo) as url:
        key = woo.keys.create("read")
        given = ("--consumer-key", key.consumer_key, "--consumer-secret", key.consumer_secret)
        closed = pannier("store", "connect", url, *given)
        reading = pannier("store", "connect", url, *given, PANNIER_ALLOW_LOOPBACK_STORES="true")

    assert refusal(closed, 1) == "The address must begin with https://."
    assert refusal(reading, 1) == (
        "The keys may only read, and Pannier must create webhooks: make keys with Read/Write permission."
    )


@pytest.mark.parametrize("address", ["ftp://shop.example", "https://a:b@shop.example", "", "3 4"])
def test_address_that_is_none_is_bad_use(pannier, shop, address):
    asked = shop()

    result = pannier("store", "connect", address, "--consumer-key", KEY, "--consumer-secret", KEY_SECRET)

    refusal(result, 2)
    assert asked == []


# --- disconnect -----------------------------------------------------------------------------------------


def test_disconnecting_takes_back_webhooks_and_forgets_keys(pannier, source):
    store = connected()

    result = pannier("store", "disconnect", store.domain)

    assert (result.exit_code, result.output) == (0, "Disconnected.\n")
    assert source.asked == [("remove_subscriptions",)]
    assert (store.connected_at, store.credentials) == (None, {})


def test_disconnecting_forgets_keys_of_a_shop_that_is_away(pannier, source):
    store = connected()
    source.script["remove_subscriptions"] = [Unreachable("The shop is away.")]

    result = pannier("store", "disconnect", str(store.id))

    assert (result.exit_code, result.output) == (
        0,
        "Disconnected. Its webhooks could not be removed: The shop is away.\n",
    )
    assert (store.connected_at, store.credentials) == (None, {})


def test_store_that_was_not_connected_has_nothing_to_end(pannier, source):
    add_store("shopify", "mine.myshopify.com")
    db.session.commit()

    result = pannier("store", "disconnect", "mine.myshopify.com")

    assert (result.exit_code, result.output) == (0, "It was not connected.\n")
    assert source.asked == []


# --- status ---------------------------------------------------------------------------------------------


@pytest.fixture
def troubled(app: Flask) -> Store:
    """A store with something to say everywhere."""
    store = connected()
    store.connection_problem = "The token is dead."
    values = {"store_id": store.id, "started_at": MOMENT}
    db.session.add_all(
        [
            Walk(
                kind=HISTORY, resource="products", state=DONE, done=3, total=3, finished_at=MOMENT,
                notes=["Some are hidden."], **values,
            ),
            Walk(kind=HISTORY, resource="orders", state=FAILED, done=2, notes=[], problem="Away.", **values),
            Walk(
                kind=LISTING, resource="orders", state=DONE, done=3, platform_count=3, stored_count=2,
                finished_at=MOMENT, notes=[], **values,
            ),
            Subscriptions(
                store_id=store.id, active=["a", "b"], mended=["created a"], problems=["c is off."],
                checked_at=MOMENT,
            ),
        ]
    )  # fmt: skip
    db.session.commit()
    return store


def test_status_is_told_in_words(pannier, troubled):
    result = pannier("store", "status", troubled.domain)

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "mine.myshopify.com: reconnect needed",
        "  The token is dead.",
        "  backfill of products: done, 3 of 3",
        "    Some are hidden.",
        "  backfill of orders: failed, 2",
        "    Away.",
        "  listing of orders: done, 3",
        "  orders: 3 on the platform, 2 stored",
        "  webhooks: 2 topics active",
        "    created a",
        "    c is off.",
    ]


def test_status_is_told_to_programs(pannier, troubled):
    result = pannier("store", "status", str(troubled.id), "--json")

    found = json.loads(result.output)
    assert result.exit_code == 0
    assert (found["state"], found["problem"]) == ("reconnect_needed", "The token is dead.")
    assert found["connected_at"] == "2026-11-22T08:30:00+00:00"
    assert [each["resource"] for each in found["walks"]] == ["products", "orders", "orders"]
    assert found["gaps"] == [
        {"resource": "orders", "platform": 3, "stored": 2, "checked_at": "2026-11-22T08:30:00+00:00"}
    ]
    assert "shpat_secret" not in result.output


def test_status_of_a_store_that_was_never_connected(pannier):
    add_store("shopify", "mine.myshopify.com")
    db.session.commit()

    result = pannier("store", "status", "mine.myshopify.com")

    assert (result.exit_code, result.output) == (0, "mine.myshopify.com: webhooks only\n")


# --- backfill and reconcile -----------------------------------------------------------------------------


def test_backfill_fetches_and_shows_its_progress_on_stderr(pannier, source):
    store = connected()

    result = pannier("backfill", store.domain)

    assert result.exit_code == 0
    assert result.stdout == "3 products and 1 orders are stored.\n"
    assert result.stderr.splitlines() == [
        "products (history): 3 of 3",
        "orders (history): 1 of 1",
        "Learning from it …",
    ]


def test_backfill_tells_programs_the_state(pannier, source):
    store = connected()
    source.notes = ("Older orders are not readable.",)

    result = pannier("backfill", str(store.id), "--json")

    found = json.loads(result.stdout)
    assert (found["stored"], found["state"]) == ({"products": 3, "orders": 1}, "connected")
    assert "  Older orders are not readable." in result.stderr.splitlines()


def test_complete_backfill_is_done_again_only_when_asked(pannier, source):
    store = connected()
    pannier("backfill", store.domain)
    source.asked.clear()

    pannier("backfill", store.domain)
    assert source.asked == []

    pannier("backfill", store.domain, "--anew")
    assert [resource for resource, _ in source.calls("history")] == ["products", "products", "orders"]


def test_interrupted_backfill_goes_on_where_it_stopped(pannier, source):
    store = connected()
    source.script["history"] = [None, Unreachable("The shop is away.")]
    assert refusal(pannier("backfill", store.domain), 1) == "The shop is away."
    source.asked.clear()

    result = pannier("backfill", store.domain)

    assert result.exit_code == 0
    assert source.calls("history") == [("products", {"at": 2}), ("orders", None)]


def test_reconcile_fetches_what_changed(pannier, source):
    store = connected()
    pannier("backfill", store.domain)
    source.put("products", {**shopify_product(1, title="Bowl"), "updated_at": now().isoformat()})
    source.asked.clear()

    result = pannier("reconcile", store.domain)

    assert (result.exit_code, result.stdout) == (0, "3 products and 1 orders are stored.\n")
    title = text("SELECT title FROM product WHERE platform_id = '1'")
    assert db.session.scalar(title) == "Bowl"
    assert source.calls("listing") == []


def test_thorough_reconciliation_compares_everything(pannier, source):
    store = connected()
    pannier("backfill", store.domain)
    del source.held["products"][3]

    result = pannier("reconcile", store.domain, "--thorough")

    assert (result.exit_code, result.stdout) == (0, "2 products and 1 orders are stored.\n")


WALKS = pytest.mark.parametrize("command", ["backfill", "reconcile"])


@WALKS
def test_store_at_which_a_worker_is_gets_no_second_one(pannier, source, command):
    from app.connections.jobs import alone

    store = connected()
    with alone(store.id) as mine:
        assert mine
        result = pannier(command, store.domain)

    assert refusal(result, 1) == ("A worker is at it already; `pannier store status` shows how far it is.")
    assert source.asked == []
    # and it lets go
    assert pannier(command, store.domain).exit_code == 0


@WALKS
@pytest.mark.parametrize(
    "error",
    [Unreachable("The shop is away."), ReconnectNeeded("The token is dead.")],
    ids=["away", "dead"],
)
def test_platform_that_lets_nobody_in_fails_the_work(pannier, source, command, error):
    store = connected()
    source.script["history" if command == "backfill" else "changes"] = [error]

    result = pannier(command, store.domain)

    assert refusal(result, 1) == str(error)


@WALKS
@pytest.mark.parametrize(("platform", "domain"), [("shopify", "mine.myshopify.com"), ("woocommerce", SITE)])
def test_store_that_was_never_connected_cannot_be_asked(pannier, command, platform, domain):
    add_store(platform, domain)
    db.session.commit()

    result = pannier(command, domain)

    assert refusal(result, 1) == (
        "The store is known, but nobody has connected it yet: install Pannier in the shop."
    )


@pytest.mark.parametrize(
    "command", [("backfill",), ("reconcile",), ("store", "status"), ("store", "disconnect")], ids=" ".join
)
def test_unknown_store_is_bad_use(pannier, source, command):
    result = pannier(*command, "nobody.myshopify.com")

    assert refusal(result, 2) == (
        "There is no store 'nobody.myshopify.com'; `pannier store list` shows them."
    )
    assert source.asked == []
