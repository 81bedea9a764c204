"""Shopify from install to uninstall: the whole of Pannier against the stand-in of its platform."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from threading import Barrier
from typing import Any

import orjson
import pytest
import requests
import time_machine
from flask import Flask, current_app
from sqlalchemy import func, select

from app.commerce.store import Store
from app.connections import installs, jobs
from app.connections.status import connection_status
from app.core.db import Model, db
from app.platforms.sources import source_for
from connectors.source import Source
from demo.peers.shopify.app import Served
from demo.peers.shopify.faults import Fault, Faults, Place
from demo.peers.shopify.hooks import Deliverer
from demo.peers.shopify.oauth import signed_query
from demo.peers.shopify.state import Shop, ShopifyState
from demo.shops import load_shop
from tests.end_to_end.connections import (
    SECRET,
    Asked,
    asked_shopify,
    assert_same,
    beside_shopify,
    install_shopify,
    install_shopify_by_code,
    problems,
    settle,
    store_of,
    truth,
    without_waiting,
)
from tests.end_to_end.house import small

ORDERS = 60
HEARTH, BUNTING = "hearth.myshopify.com", "bunting.myshopify.com"


@dataclass(frozen=True)
class Platform:
    """Pannier and Shopify's stand-in, which know each other's addresses."""

    pannier: str
    state: ShopifyState
    peer: Served
    asked: Asked
    clock: time_machine.Traveller

    def open(self, domain: str = HEARTH, orders: int = ORDERS) -> Shop:
        """Return a shop with a past of so many orders."""
        shop = self.state.shop(domain)
        fill(shop, orders)
        return shop

    def install(self, shop: Shop) -> int:
        """Install the app as the merchant does and return the store's id."""
        return install_shopify(self.pannier, self.peer.url, shop).id

    def deliverer(self, *shops: Shop, **fate: Any) -> Deliverer:
        """Have what happens in ``shops`` told from now on."""
        deliverer = Deliverer(f"{self.pannier}/webhooks/shopify", SECRET, **fate)
        deliverer.attach(*shops)
        return deliverer


def fill(shop: Shop, orders: int) -> None:
    """Put a demo shop's last orders into ``shop``, and the products in them; a fifth has several variants."""
    books = small(load_shop("shopify"), orders)
    voice = books.speaks("")
    for listing in books.listings:
        body = voice.product_added(listing)[0].build()
        if body["id"] % 5 == 0:
            first = body["variants"][0]
            body["variants"] = [
                {**first, **named(first["id"] * 10 + place, "ProductVariant"), "title": size,
                 "position": place, "price": f"{place}.20", "inventory_item_id": first["id"] * 10 + place}
                for place, size in enumerate("SML", start=1)
            ]  # fmt: skip
            body["variant_gids"] = []
        shop.add_product(body)
    for order in books.orders:
        shop.add_order(list(voice.order_history(order, books.now))[-1].build())


def named(number: int, kind: str) -> dict[str, Any]:
    """Return both ids of an object."""
    return {"id": number, "admin_graphql_api_id": f"gid://shopify/{kind}/{number}"}


@pytest.fixture
def platform(
    app: Flask, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    state = ShopifyState()
    # Pauses pass on this clock, which fills the shops' buckets.
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        without_waiting(monkeypatch, clock.shift)
        with beside_shopify(state, make_app) as (_, pannier, peer):
            yield Platform(pannier, state, peer, asked_shopify(peer.flask), clock)


def test_an_installed_shop_has_its_past(platform: Platform) -> None:
    shop = platform.open()
    store_id = platform.install(shop)
    jobs.backfill(store_id)
    settle(store_id)

    status = connection_status(store_of("shopify", HEARTH))
    assert status["state"] == "connected"
    assert [(walk["resource"], walk["state"]) for walk in status["walks"]] == [
        ("products", "done"),
        ("orders", "done"),
    ]
    assert len(truth(shop)["orders"]) == ORDERS
    assert_same(store_id, shop)


def test_the_code_grant_connects_as_well(platform: Platform) -> None:
    shop = platform.open(orders=5)
    query = signed_query(shop, platform.peer.app, {})
    home = install_shopify_by_code(platform.pannier, f"{platform.pannier}/install/shopify?{query}")
    assert home.status_code == 200, home.text

    store_id = store_of("shopify", HEARTH).id
    jobs.backfill(store_id)
    settle(store_id)

    assert_same(store_id, shop)


class Season:
    """What shoppers and the merchant do in a shop, at random; a second passes with everything that is done."""

    def __init__(self, shop: Shop, clock: time_machine.Traveller, seed: int) -> None:
        self.shop = shop
        self.random = Random(seed)
        self._clock = clock
        self._ids = iter(range(7_000_000_001, 8_000_000_000))
        self.done: dict[str, int] = {}

    def happen(self) -> None:
        """Do one thing."""
        self._clock.shift(1)
        deed = self.random.choice([name for name in dir(self) if name.startswith("do_")])
        self.done[deed] = self.done.get(deed, 0) + 1
        getattr(self, deed)()

    def _product(self, **changes: Any) -> None:
        self.shop.product_changed({**self._one(self.shop.products()), **self._stamp(), **changes})

    def _order(self, body: dict[str, Any] | None = None, **changes: Any) -> None:
        self.shop.order_changed({**(body or self._one(self.shop.orders())), **self._stamp(), **changes})

    def _one(self, bodies: Any) -> dict[str, Any]:
        copied: dict[str, Any] = orjson.loads(orjson.dumps(self.random.choice(bodies)))
        return copied

    def _stamp(self) -> dict[str, str]:
        return {"updated_at": self.shop.now().isoformat(timespec="seconds")}

    def do_order(self) -> None:
        body, now = self._one(self.shop.orders()), self._stamp()["updated_at"]
        goods = self.random.sample(self.shop.products(), 3)
        lines = [
            {
                **body["line_items"][0],
                **named(next(self._ids), "LineItem"),
                "product_id": product["id"],
                "variant_id": product["variants"][0]["id"],
                "quantity": quantity,
                "current_quantity": quantity,
            }
            for product in goods
            for quantity in [self.random.randint(1, 4)]
        ]
        fresh = named(next(self._ids), "Order") | {"created_at": now, "processed_at": now, "refunds": []}
        fresh |= {"cancelled_at": None, "financial_status": "paid", "fulfillment_status": None}
        self._order(body, **fresh, line_items=lines)

    do_order_again = do_order

    def do_fulfil(self) -> None:
        self._order(fulfillment_status=self.random.choice(["fulfilled", None]))

    def do_cancel(self) -> None:
        self._order(cancelled_at=self._stamp()["updated_at"])

    def do_refund(self) -> None:
        """Some pieces of a line come back; the refund is told of on its own as well."""
        body = self._one(self.shop.orders())
        line = self.random.choice(body["line_items"])
        if not line["current_quantity"]:
            return
        count = self.random.randint(1, line["current_quantity"])
        line["current_quantity"] -= count
        now = self._stamp()["updated_at"]
        refund = {
            **named(next(self._ids), "Refund"),
            "order_id": body["id"],
            "created_at": now,
            "processed_at": now,
            "transactions": [],
            "refund_line_items": [
                {"id": next(self._ids), "line_item_id": line["id"], "quantity": count, "line_item": line,
                 "restock_type": "return"}
            ],
        }  # fmt: skip
        self._order(body, refunds=[*body["refunds"], refund], financial_status="partially_refunded")
        self.shop.emit("refunds/create", refund)

    def do_void(self) -> None:
        self._order(financial_status=self.random.choice(["voided", "paid", "refunded"]))

    def do_delete_order(self) -> None:
        self.shop.order_deleted(self._one(self.shop.orders())["id"])

    def do_price_and_stock(self) -> None:
        body = self._one(self.shop.products())
        variant = self.random.choice(body["variants"])
        variant["price"] = f"{self.random.randint(1, 30)}.40"
        variant["inventory_quantity"] = self.random.randint(0, 5)
        self._product(**body | self._stamp())

    do_price_and_stock_again = do_price_and_stock

    def do_title(self) -> None:
        self._product(title=f"Mug & more {self.random.random():.6f}")

    def do_hide(self) -> None:
        self._product(published_at=self.random.choice([None, self._stamp()["updated_at"]]))

    def do_draft(self) -> None:
        self._product(status=self.random.choice(["draft", "archived", "active", "active"]))

    def do_variants(self) -> None:
        """A variant goes, or another comes."""
        body = self._one(self.shop.products())
        if len(body["variants"]) > 1:
            body["variants"].pop()
        else:
            number = next(self._ids)
            fresh = named(number, "ProductVariant") | {"title": "XL", "position": 2, "price": "0.10"}
            body["variants"].append({**body["variants"][0], **fresh, "inventory_item_id": number})
        self._product(**body | self._stamp())

    def do_delete_product(self) -> None:
        self.shop.product_deleted(self._one(self.shop.products())["id"])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_is_lost_doubled_or_shuffled_one_reconciliation_makes_it_good(
    platform: Platform, seed: int
) -> None:
    shop = platform.open(orders=25)
    store_id = platform.install(shop)
    jobs.backfill(store_id)
    settle(store_id)
    season = Season(shop, platform.clock, seed)
    deliverer = platform.deliverer(shop, drop=0.1, duplicate=0.1, shuffle=True, seed=seed)
    for _ in range(15):
        for _ in range(10):
            season.happen()
        deliverer.pump(shop.now())
        settle(store_id)
    platform.clock.shift(1)

    jobs.reconcile(store_id)
    jobs.compare(store_id)
    settle(store_id)

    assert problems(store_id) == []
    told = deliverer.tally()
    assert told.failures == 0
    assert told.dropped >= 5
    assert told.doubled >= 5
    assert len(season.done) == 14
    assert_same(store_id, shop)


# --- bad days -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "place", "sentence"),
    [
        ("html", "graphql", "Shopify answered with a page instead of data."),
        ("unavailable", "graphql", "Shopify has a problem of its own (status 503)."),
        ("redirect", "graphql", "Shopify sent us elsewhere instead of answering."),
        ("throttled", "graphql", "Shopify asks for patience: too many requests for this shop."),
        ("too_many_requests", "graphql", "Shopify asks for patience: too many requests for this shop."),
        ("lost", "download", "Shopify's export could not be read to its end."),
        ("unavailable", "download", "Shopify's export could not be read to its end."),
    ],
)
def test_a_bad_day_is_told_in_one_sentence_and_the_backfill_goes_on_afterwards(
    platform: Platform, fault: Fault, place: Place, sentence: str
) -> None:
    shop = platform.open(orders=5)
    store_id = platform.install(shop)
    platform.state.faults.add(fault, at=place, times=100)

    jobs.backfill(store_id)

    status = connection_status(store_of("shopify", HEARTH))
    assert status["state"] == "connected"
    told = [walk["problem"] for walk in status["walks"]] + (status["webhooks"] or {}).get("problems", [])
    assert told == [sentence]

    platform.state.faults = Faults()
    jobs.backfill(store_id)
    settle(store_id)
    status = connection_status(store_of("shopify", HEARTH))
    assert [walk["problem"] for walk in status["walks"]] == [None, None]
    assert status["webhooks"]["problems"] == []
    assert_same(store_id, shop)


def test_a_token_that_ends_within_the_backfill_is_renewed(platform: Platform) -> None:
    shop = platform.open(orders=5)
    store_id = platform.install(shop)
    shop.tokens.expire_after(4)

    jobs.backfill(store_id)
    settle(store_id)

    assert problems(store_id) == []
    assert shop.tokens.issued == 2
    assert_same(store_id, shop)


def test_an_answer_with_a_new_token_that_gets_lost_is_asked_for_again(platform: Platform) -> None:
    shop = platform.open(orders=5)
    store_id = platform.install(shop)
    shop.tokens.expire_after(0)
    platform.state.faults.add("lost", at="token")

    jobs.backfill(store_id)
    settle(store_id)

    assert problems(store_id) == []
    assert shop.tokens.issued == 3
    assert_same(store_id, shop)


def test_workers_that_find_the_token_dead_at_once_renew_it_once(platform: Platform) -> None:
    shop = platform.open(orders=5)
    platform.install(shop)
    store = store_of("shopify", HEARTH)
    source_for(store).facts()
    shop.tokens.expire_after(0)
    together = Barrier(4)

    def ask(source: Source) -> str:
        together.wait(10)
        return source.facts().name

    sources = [source_for(store) for _ in range(4)]
    with ThreadPoolExecutor(4) as workers:
        names = list(workers.map(ask, sources))

    assert names == ["Hearth"] * 4
    assert shop.tokens.issued == 2


def test_an_export_that_fails_half_way_goes_on_from_there(platform: Platform) -> None:
    shop = platform.open()
    store_id = platform.install(shop)
    shop.bulk_options.failures += ["INTERNAL_SERVER_ERROR", "TIMEOUT"]

    jobs.backfill(store_id)
    settle(store_id)

    assert problems(store_id) == []
    notes = connection_status(store_of("shopify", HEARTH))["walks"][0]["notes"]
    assert notes == ["Shopify's export failed half-way; it goes on from there."]
    assert_same(store_id, shop)


def test_a_dead_permission_asks_for_the_merchant_and_for_nothing_else(platform: Platform) -> None:
    shop = platform.open(orders=5)
    store_id = platform.install(shop)
    jobs.backfill(store_id)
    settle(store_id)
    shop.tokens.revoke()
    jobs.reconcile(store_id)
    status = connection_status(store_of("shopify", HEARTH))
    asked = platform.asked.count
    for job in (jobs.backfill, jobs.reconcile, jobs.compare):
        job(store_id)

    assert status["state"] == "reconnect_needed"
    assert (
        status["problem"] == "Shopify no longer accepts the shop's permission: open the app there once more."
    )
    assert platform.asked.count == asked

    assert platform.install(shop) == store_id
    jobs.reconcile(store_id)
    settle(store_id)
    status = connection_status(store_of("shopify", HEARTH))
    assert (status["state"], status["problem"]) == ("connected", None)
    assert_same(store_id, shop)


def test_two_shops_at_once_have_nothing_of_each_other(platform: Platform) -> None:
    shops = [platform.open(HEARTH, 30), platform.open(BUNTING, 12)]
    ids = [platform.install(shop) for shop in shops]
    for shop in shops:
        shop.tokens.expire_after(5)
    app = current_app._get_current_object()  # type: ignore[attr-defined]

    def work(store_id: int) -> None:
        with app.app_context():
            jobs.backfill(store_id)
            jobs.reconcile(store_id)
            jobs.compare(store_id)
            settle(store_id)

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(work, ids))

    secrets = platform.asked.secrets
    assert secrets.keys() == {HEARTH, BUNTING}
    assert len(secrets[HEARTH]) == len(secrets[BUNTING]) == 2
    assert secrets[HEARTH].isdisjoint(secrets[BUNTING])
    for store_id, shop in zip(ids, shops, strict=True):
        assert problems(store_id) == []
        assert_same(store_id, shop)


# --- leaving --------------------------------------------------------------------------------------------


def rows_of(store_id: int) -> dict[str, int]:
    """Return how many rows each table holds of a store."""
    db.session.rollback()
    counted = {
        table.name: db.session.scalar(
            select(func.count()).select_from(table).where(table.c.store_id == store_id)
        )
        or 0
        for table in Model.metadata.sorted_tables
        if "store_id" in table.columns
    }
    return {name: count for name, count in counted.items() if count}


def test_who_leaves_is_forgotten_and_may_come_back(platform: Platform) -> None:
    shop = platform.open(orders=5)
    deliverer = platform.deliverer(shop)
    store_id = platform.install(shop)
    jobs.backfill(store_id)
    settle(store_id)
    key = installs.key_for_pages(store_of("shopify", HEARTH))
    platform.clock.shift(60)
    shop.uninstall()
    deliverer.pump(shop.now())
    settle(store_id)
    asked = platform.asked.count

    for job in (jobs.leave, lambda: jobs.reconcile(store_id), lambda: jobs.compare(store_id)):
        job()

    store = store_of("shopify", HEARTH)
    assert connection_status(store)["state"] == "uninstalled"
    assert store.credentials == {}
    assert platform.asked.count == asked
    answer = requests.get(
        f"{platform.pannier}/v1/recommendations",
        params={"slot": "product", "product_id": "1", "key": key},
        timeout=10,
    )
    assert answer.status_code == 401
    assert rows_of(store_id)["orders"] == 5

    assert shop.redact() is None
    platform.clock.shift(48 * 3600)
    assert shop.redact()
    deliverer.pump(shop.now())
    settle(store_id)
    jobs.leave()
    assert rows_of(store_id) == {}
    assert db.session.get(Store, store_id) is None

    again = platform.install(shop)
    jobs.backfill(again)
    settle(again)
    assert again != store_id
    assert_same(again, shop)


def test_a_late_and_repeated_farewell_does_not_end_the_new_installation(platform: Platform) -> None:
    shop = platform.open(orders=5)
    deliverer = platform.deliverer(shop, duplicate=1.0)
    store_id = platform.install(shop)
    jobs.backfill(store_id)
    settle(store_id)
    platform.clock.shift(60)
    farewell = shop.uninstall()
    platform.clock.shift(60)
    # The shop's own page finds no working token and connects anew, whatever is stored.
    jobs.reconcile(store_id)
    assert platform.install(shop) == store_id
    deliverer.take(farewell)
    assert deliverer.pump(shop.now()) >= 4
    settle(store_id)
    jobs.leave()

    jobs.reconcile(store_id)
    status = connection_status(store_of("shopify", HEARTH))
    assert (status["state"], status["uninstalled_at"]) == ("connected", None)
    assert problems(store_id) == []
    assert_same(store_id, shop)
