"""WooCommerce from install to the watchdog: the whole of Pannier against the stand-in of a shop."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
import requests
import time_machine
from flask import Flask, Response
from sqlalchemy import select

from app.commerce.store import Store
from app.connections import jobs
from app.connections.status import connection_status
from app.core.db import db
from demo.peers.woocommerce import Deliverer, Key, Outage, Site, WooState, fill, serve
from demo.shops import load_shop
from tests.end_to_end.connections import (
    APPROVE,
    assert_same,
    authorization_page,
    deny_woocommerce,
    install_woocommerce,
    press,
    problems,
    served,
    settle,
    store_of,
    truth,
    without_waiting,
)
from tests.end_to_end.house import small

ORDERS = 60


@pytest.fixture
def pannier(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    without_waiting(monkeypatch)
    with served(app) as url:
        yield url


def shirts(state: WooState) -> None:
    """Put three products with variations on the shelf."""
    plain = next(state.truth("product"))
    for number in range(90_001, 90_031, 10):
        variations = [
            {
                **{
                    k: plain[k]
                    for k in ("purchasable", "backorders_allowed", "on_sale", "status", "permalink")
                },
                **{k: plain[k] for k in ("date_created_gmt", "date_modified_gmt", "stock_status")},
                "id": number + place,
                "type": "variation",
                "name": size,
                "sku": f"shirt-{number}-{size}",
                "price": f"{10 + place}.00",
                "regular_price": f"{10 + place}.00",
                "manage_stock": True,
                "stock_quantity": 5 * place,
                "menu_order": place,
                "image": None,
                "attributes": [{"id": 1, "name": "Size", "option": size}],
            }
            for place, size in enumerate("SML", start=1)
        ]
        body = {**plain, "id": number, "name": f"Shirt {number}", "type": "variable", "price": "11.00"}
        state.add_product({**body, "manage_stock": False, "stock_quantity": None}, variations)


@pytest.fixture
def shop() -> Iterator[WooState]:
    with ExitStack() as stack:
        yield open_shop(stack)


def open_shop(stack: ExitStack, seed: int = 0, orders: int = ORDERS) -> WooState:
    """Serve a shop with a past of so many orders."""
    state = WooState(Site(allow_http_callback=True), seed=seed)
    fill(state, small(load_shop("woocommerce"), orders))
    shirts(state)
    stack.enter_context(serve(state))
    return state


def test_a_shop_is_connected_and_its_past_is_there(pannier: str, shop: WooState) -> None:
    store = install_woocommerce(pannier, shop)
    jobs.backfill(store.id)
    settle(store.id)

    status = connection_status(store_of("woocommerce", shop.site.url))
    assert status["state"] == "connected"
    assert [(walk["resource"], walk["state"]) for walk in status["walks"]] == [
        ("products", "done"),
        ("orders", "done"),
    ]
    assert len(truth(shop)["orders"]) == ORDERS
    assert_same(store.id, shop)


class Season:
    """What shoppers and the merchant do in a shop, at random; a second passes with everything that is done."""

    def __init__(self, state: WooState, clock: time_machine.Traveller, seed: int) -> None:
        self.state = state
        self.random = Random(seed)
        self._clock = clock
        self._trash: dict[str, list[int]] = {"product": [], "order": []}
        self.done: dict[str, int] = {}

    def happen(self) -> None:
        """Do one thing."""
        self._clock.shift(1)
        deeds = [name for name in dir(self) if name.startswith("do_")]
        deed = self.random.choice(deeds)
        self.done[deed] = self.done.get(deed, 0) + 1
        getattr(self, deed)()

    def _some(self, kind: Any) -> dict[str, Any]:
        return self.random.choice(list(self.state.truth(kind)))

    def _changed_product(self, **fields: Any) -> None:
        self.state.changed_product(self._some("product")["id"], **fields)

    def do_order(self) -> None:
        """A shopper buys."""
        goods = self.random.sample(list(self.state.truth("product")), 3)
        body = self._some("order")
        lines = []
        for product in goods:
            sizes = product["variations"]
            lines.append(
                {
                    **body["line_items"][0],
                    "id": self.state.next_id(),
                    "product_id": product["id"],
                    "variation_id": self.random.choice(sizes) if sizes else 0,
                    "quantity": self.random.randint(1, 4),
                }
            )
        now = self.state.site.stamp()
        self.state.place_order(
            {
                **body,
                "id": self.state.next_id(),
                "status": self.random.choice(["pending", "on-hold", "processing"]),
                "line_items": lines,
                "refunds": [],
                "date_created_gmt": now,
                "date_modified_gmt": now,
                "created_via": self.random.choice(["store-api", "checkout"]),
            }
        )

    do_order_again = do_order

    def do_checkout(self) -> None:
        """A shopper opens the checkout and thinks about it."""
        self.state.open_checkout({**self._some("order"), "id": self.state.next_id(), "refunds": []})

    def do_status(self) -> None:
        """Staff or the payment moves an order on."""
        status = self.random.choice(["processing", "completed", "cancelled", "failed", "on-hold"])
        self.state.changed_order(self._some("order")["id"], status=status)

    def do_refund(self) -> None:
        """Some pieces of a line come back."""
        order = self._some("order")
        if order["status"] in ("refunded", "checkout-draft"):
            return
        left = {line["id"]: line["quantity"] for line in order["line_items"]}
        for refund in self.state.truth("refund"):
            for line in refund["line_items"]:
                if refund["parent_id"] == order["id"]:
                    left[int(line["meta_data"][0]["value"])] += line["quantity"]
        line_id, pieces = self.random.choice(list(left.items()))
        if pieces:
            count = self.random.randint(1, pieces)
            self.state.refund_order(order["id"], {line_id: count}, restock=self.random.random() < 0.5)

    def do_price(self) -> None:
        self._changed_product(price=f"{self.random.randint(1, 99)}.50")

    def do_stock(self) -> None:
        self._changed_product(stock_status=self.random.choice(["instock", "outofstock"]))

    def do_title(self) -> None:
        self._changed_product(name=f"Mugs &amp; more {self.random.random():.6f}")

    def do_hide(self) -> None:
        self._changed_product(catalog_visibility=self.random.choice(["hidden", "visible"]))

    def do_draft(self) -> None:
        self._changed_product(status=self.random.choice(["draft", "publish", "publish"]))

    def do_variation(self) -> None:
        variation = self._some("variation")
        self.state.changed_product(variation["id"], price="8.25", stock_quantity=self.random.randint(0, 9))

    def do_trash_product(self) -> None:
        number = self._some("product")["id"]
        self._trash["product"].append(number)
        self.state.trash_product(number)

    def do_trash_order(self) -> None:
        number = self._some("order")["id"]
        self._trash["order"].append(number)
        self.state.trash_order(number)

    def do_restore_product(self) -> None:
        if self._trash["product"]:
            self.state.restore_product(self._trash["product"].pop())

    def do_restore_order(self) -> None:
        if self._trash["order"]:
            self.state.restore_order(self._trash["order"].pop())

    def do_delete_product(self) -> None:
        """For good, from the bin or at once: nobody is told."""
        bin_ = self._trash["product"]
        self.state.delete_product(bin_.pop() if bin_ else self._some("product")["id"])

    def do_delete_order(self) -> None:
        """For good, from the bin or at once: nobody is told."""
        bin_ = self._trash["order"]
        self.state.delete_order(bin_.pop() if bin_ else self._some("order")["id"])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_is_lost_doubled_or_shuffled_one_reconciliation_makes_it_good(
    pannier: str, seed: int
) -> None:
    with ExitStack() as stack:
        clock = stack.enter_context(time_machine.travel(datetime.now(UTC), tick=False))
        shop = open_shop(stack, seed, 25)
        store = install_woocommerce(pannier, shop)
        jobs.backfill(store.id)
        settle(store.id)
        season = Season(shop, clock, seed)
        deliverer = Deliverer(shop, drop=0.1, duplicate=0.1, shuffle=True, seed=seed)
        sent = []
        for _ in range(15):
            for _ in range(10):
                season.happen()
            sent += deliverer.deliver()
            settle(store.id)
        clock.shift(1)

        jobs.reconcile(store.id)
        jobs.compare(store.id)
        settle(store.id)

        assert problems(store.id) == []
        assert deliverer.dropped >= 5
        assert deliverer.duplicated >= 5
        assert {delivery.status for delivery in sent} == {200}
        assert len(season.done) == 17
        assert_same(store.id, shop)


def test_a_merchant_who_declines_is_told_so(pannier: str, shop: WooState) -> None:
    page = deny_woocommerce(pannier, shop)

    assert page.url.startswith(f"{pannier}/install/woocommerce/return?")
    assert page.status_code == 200
    assert shop.keys.all() == []
    assert db.session.scalars(select(Store)).all() == []


def test_a_state_is_good_for_one_key(pannier: str, shop: WooState) -> None:
    with requests.Session() as session:
        page = authorization_page(pannier, shop, session)
        assert press(page, APPROVE, session).status_code == 200
        again = press(page, APPROVE, session)

    assert again.status_code == 401
    assert len(shop.keys.all()) == 1


# --- bad days -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outage", "sentence"),
    [
        ("html", "The store answered with a page or broken data in place of its REST API's JSON."),
        ("503", "The store is busy and asks for patience."),
        ("throttle", "The store is busy and asks for patience."),
        ("redirect", "The store has moved to https://moved.invalid: register that address."),
    ],
)
@pytest.mark.parametrize("place", ["/wp-json/wc/v3/orders", "/wp-json/wc/v3/system_status"])
def test_a_bad_day_is_told_in_one_sentence_and_the_backfill_goes_on_afterwards(
    pannier: str, shop: WooState, outage: Outage, sentence: str, place: str
) -> None:
    store = install_woocommerce(pannier, shop)
    shop.fault(outage, times=1000, path_prefix=place)

    jobs.backfill(store.id)

    status = connection_status(store_of("woocommerce", shop.site.url))
    assert status["state"] == "connected"
    told = [walk["problem"] for walk in status["walks"]] + status["webhooks"]["problems"]
    assert [problem for problem in told if problem] == [sentence]

    shop.outages.clear()
    jobs.backfill(store.id)
    settle(store.id)
    assert problems(store.id) == []
    assert connection_status(store_of("woocommerce", shop.site.url))["webhooks"]["problems"] == []
    assert_same(store.id, shop)


@pytest.mark.parametrize("outage", ["html", "503", "throttle"])
def test_a_bad_moment_is_survived(pannier: str, shop: WooState, outage: Outage) -> None:
    store = install_woocommerce(pannier, shop)
    shop.fault(outage, path_prefix="/wp-json/wc/v3/orders")

    jobs.backfill(store.id)
    jobs.backfill(store.id)
    settle(store.id)

    assert problems(store.id) == []
    assert_same(store.id, shop)


def count_requests(shop: WooState) -> list[str]:
    """Return the list that every further request's path is put into."""
    asked: list[str] = []
    meet = shop.outages.meet

    def noted(method: str, path: str) -> Response | None:
        asked.append(path)
        return meet(method, path)

    shop.outages.meet = noted  # type: ignore[method-assign]
    return asked


def test_a_dead_key_asks_for_the_merchant_and_for_nothing_else(pannier: str, shop: WooState) -> None:
    store = install_woocommerce(pannier, shop)
    jobs.backfill(store.id)
    settle(store.id)
    shop.keys.delete(1)
    jobs.reconcile(store.id)
    status = connection_status(store_of("woocommerce", shop.site.url))
    asked = count_requests(shop)
    for job in (jobs.backfill, jobs.reconcile, jobs.compare):
        job(store.id)

    assert status["state"] == "reconnect_needed"
    assert status["problem"] == (
        "The store does not accept the keys (woocommerce_rest_authentication_error): connect it again."
    )
    assert asked == []

    assert install_woocommerce(pannier, shop).id == store.id
    jobs.reconcile(store.id)
    settle(store.id)
    status = connection_status(store_of("woocommerce", shop.site.url))
    assert (status["state"], status["problem"]) == ("connected", None)
    assert asked
    assert_same(store.id, shop)


def test_two_shops_at_once_have_nothing_of_each_other(pannier: str, app: Flask) -> None:
    with ExitStack() as stack:
        shops = [open_shop(stack, seed, orders) for seed, orders in ((1, 40), (2, 12))]
        ids = [install_woocommerce(pannier, shop).id for shop in shops]
        used = [keys_used(shop) for shop in shops]

        def work(store_id: int) -> None:
            with app.app_context():
                jobs.backfill(store_id)
                jobs.reconcile(store_id)
                jobs.compare(store_id)
                settle(store_id)

        with ThreadPoolExecutor(2) as workers:
            list(workers.map(work, ids))

        assert used == [{shop.keys.all()[0].consumer_key} for shop in shops]
        assert used[0].isdisjoint(used[1])
        for store_id, shop in zip(ids, shops, strict=True):
            assert problems(store_id) == []
            assert_same(store_id, shop)


def keys_used(shop: WooState) -> set[str]:
    """Return the set that every key the shop is shown from now on is put into."""
    used: set[str] = set()
    find = shop.find_key

    def noted(consumer_key: str) -> Key | None:
        used.add(consumer_key)
        return find(consumer_key)

    shop.find_key = noted  # type: ignore[method-assign]
    return used


# --- webhooks -------------------------------------------------------------------------------------------


def test_dead_webhooks_are_made_anew_doubles_go_and_foreign_ones_stay(pannier: str, shop: WooState) -> None:
    store = install_woocommerce(pannier, shop)
    jobs.backfill(store.id)
    address = f"{pannier}/webhooks/woocommerce/{store.webhook_token}"
    ours = {hook.topic: hook for hook in shop.hooks.all()}
    assert {hook.delivery_url for hook in ours.values()} == {address}
    for _ in range(7):
        shop.hooks.delivered(ours["order.updated"], 500)
    assert ours["order.updated"].status == "disabled"
    double = shop.hooks.create(topic="order.created", delivery_url=address, secret="x" * 20, name="again")
    foreign = shop.hooks.create(
        topic="order.created", delivery_url="https://mail.example/hook", secret="y" * 20, name="Mail"
    )
    shop.hooks.update(foreign.id, status="paused")
    shop.hooks.delete(ours["product.deleted"].id)

    jobs.reconcile(store.id)

    left = [hook for hook in shop.hooks.all() if hook.delivery_url == address]
    assert sorted(hook.topic for hook in left) == sorted(ours)
    assert {hook.status for hook in left} == {"active"}
    assert double.id not in {hook.id for hook in left}
    assert shop.hooks.find(foreign.id) == foreign
    assert foreign.status == "paused"
    webhooks = connection_status(store_of("woocommerce", shop.site.url))["webhooks"]
    assert webhooks["mended"] == [
        "created product.deleted",
        "reactivated order.updated",
        "removed a double of order.created",
    ]
    deliverer = Deliverer(shop)
    shop.changed_order(next(shop.truth("order"))["id"], status="completed")
    assert [sent.status for sent in deliverer.deliver()] == [200]
    settle(store.id)
    assert_same(store.id, shop)
