"""Webhooks of the stand-in: subscriptions, signatures, retries and chance."""

from collections.abc import Iterator
from datetime import timedelta

import orjson
import pytest

from connectors.shopify.signature import verify
from demo.messages import Delivery
from demo.peers.shopify.app import DEFAULT_SCOPES
from demo.peers.shopify.hooks import RETRIES, RETRY_PAUSES, Deliverer, Tally
from demo.peers.shopify.state import ShopifyState
from demo.shopify_format import platform_id
from tests.demo.peers.shopify.platform import (
    DOMAIN,
    MUG,
    OFFICIAL_PRODUCTS,
    SECRET,
    START,
    Clock,
    Platform,
    order_body,
    product_body,
)
from tests.demo.sink import Sink

SUBSCRIBE = """mutation($topic: WebhookSubscriptionTopic!, $webhook: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $webhook) {
    webhookSubscription { id topic uri } userErrors { message } } }"""


def test_subscriptions_are_made_listed_and_removed(platform: Platform) -> None:
    given = {"topic": "ORDERS_CREATE", "webhook": {"uri": "https://pannier.example/hooks"}}

    made = platform.ask(SUBSCRIBE, **given)["webhookSubscriptionCreate"]["webhookSubscription"]
    double = platform.ask(SUBSCRIBE, **given)["webhookSubscriptionCreate"]
    listed = platform.ask("{ webhookSubscriptions(first: 9) { nodes { id topic uri } } }")
    removed = platform.ask(
        "mutation($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId } }",
        id=made["id"],
    )

    assert (made["topic"], made["uri"]) == ("ORDERS_CREATE", "https://pannier.example/hooks")
    assert double["userErrors"] == [{"message": "Address for this topic has already been taken"}]
    assert listed["webhookSubscriptions"]["nodes"] == [made]
    assert removed["webhookSubscriptionDelete"] == {"deletedWebhookSubscriptionId": made["id"]}
    assert platform.shop.subscriptions == {}


def test_what_happens_in_the_shop_arrives_signed(platform: Platform, sink: Sink) -> None:
    deliverer = Deliverer(sink.url, SECRET)
    deliverer.attach(platform.shop)
    body = order_body()

    platform.shop.order_changed(body)
    platform.shop.order_changed(body)
    platform.shop.product_changed(product_body(MUG))
    platform.shop.product_deleted(platform_id("Product", 0))
    platform.shop.order_deleted(body["id"])
    deliverer.pump(START)

    assert sink.topics() == [
        "orders/create",
        "orders/updated",
        "products/create",
        "products/delete",
        "orders/delete",
    ]
    assert sink.received[0].body == body
    assert sink.received[3].body == {"id": platform_id("Product", 0)}
    assert platform.shop.orders() == platform.shop.products() == []
    assert all(verify(one.raw, one.headers, [SECRET.encode()]) for one in sink.received)
    assert len({one.headers["X-Shopify-Webhook-Id"] for one in sink.received}) == 5
    assert {one.headers["X-Shopify-Shop-Domain"] for one in sink.received} == {DOMAIN}


class Recorder:
    """Receives deliveries without a network, and answers with one status or as told."""

    def __init__(self, *statuses: int | None) -> None:
        self.statuses: Iterator[int | None] = iter(statuses)
        self.got: list[tuple[str, Delivery]] = []

    def __call__(self, url: str, delivery: Delivery) -> int | None:
        self.got.append((url, delivery))
        return next(self.statuses, 200)

    def topics(self) -> list[str]:
        return [delivery.topic for _, delivery in self.got]


def test_a_failed_delivery_is_tried_eight_more_times_within_four_hours(platform: Platform) -> None:
    recorder = Recorder(*[503, None, 302, 500, 404, 401, 410, 429, 503])
    deliverer = Deliverer("https://pannier.example/hooks", SECRET, post=recorder)
    deliverer.attach(platform.shop)
    platform.shop.order_changed(order_body())

    assert deliverer.settle(START) == 1 + RETRIES
    assert deliverer.tally() == Tally(accepted=0, failures=9, abandoned=1, dropped=0, doubled=0)
    assert len({delivery.headers["X-Shopify-Webhook-Id"] for _, delivery in recorder.got}) == 1
    assert len({delivery.body for _, delivery in recorder.got}) == 1
    assert sum(RETRY_PAUSES, timedelta()) == pytest.approx(timedelta(hours=4), abs=timedelta(seconds=1))


def test_a_retry_waits_for_its_time(platform: Platform) -> None:
    recorder = Recorder(503)
    deliverer = Deliverer("https://pannier.example/hooks", SECRET, post=recorder)
    deliverer.attach(platform.shop)
    platform.shop.order_changed(order_body())

    attempts = [deliverer.pump(START + timedelta(seconds=after)) for after in (0, 0, 56, 57, 9999)]

    assert attempts == [1, 0, 0, 1, 0]
    assert deliverer.tally() == Tally(accepted=1, failures=1, abandoned=0, dropped=0, doubled=0)


def test_a_subscription_of_the_api_dies_of_a_delivery_that_failed_for_good(platform: Platform) -> None:
    recorder = Recorder(*[500] * 9)
    deliverer = Deliverer("https://pannier.example/hooks", SECRET, topics=[], post=recorder)
    deliverer.attach(platform.shop)
    platform.shop.subscribe("ORDERS_CREATE", "https://pannier.example/other")
    platform.shop.subscribe("ORDERS_UPDATED", "https://pannier.example/other")

    platform.shop.order_changed(order_body())
    deliverer.settle(START)

    assert {url for url, _ in recorder.got} == {"https://pannier.example/other"}
    assert [each.topic for each in platform.shop.subscriptions.values()] == ["ORDERS_UPDATED"]


def test_two_subscriptions_get_two_deliveries_of_one_event(platform: Platform) -> None:
    recorder = Recorder()
    deliverer = Deliverer("https://pannier.example/hooks", SECRET, post=recorder)
    deliverer.attach(platform.shop)
    platform.shop.subscribe("ORDERS_CREATE", "https://pannier.example/other", name="second")

    platform.shop.order_changed(order_body())
    deliverer.pump(START)

    first, second = (delivery.headers for _, delivery in recorder.got)
    assert first["X-Shopify-Webhook-Id"] != second["X-Shopify-Webhook-Id"]
    assert first["X-Shopify-Event-Id"] == second["X-Shopify-Event-Id"]
    assert (first.get("X-Shopify-Name"), second["X-Shopify-Name"]) == (None, "second")


def test_chance_drops_doubles_and_shuffles_the_same_way_every_time(platform: Platform) -> None:
    recorders = []
    for _ in range(2):
        recorder = Recorder()
        deliverer = Deliverer("x", SECRET, drop=0.1, duplicate=0.1, shuffle=True, seed=7, post=recorder)
        deliverer.attach(platform.shop)
        recorders.append((recorder, deliverer))
    for number in range(1001, 1201):
        platform.shop.order_changed(order_body(number))
    for _, deliverer in recorders:
        deliverer.pump(START)

    (first, deliverer), (second, _) = recorders
    ids = [delivery.headers["X-Shopify-Webhook-Id"] for _, delivery in first.got]
    tally = deliverer.tally()
    assert 5 <= tally.dropped <= 40
    assert 5 <= tally.doubled <= 40
    assert len(ids) == 200 - tally.dropped + tally.doubled
    assert len(set(ids)) == 200 - tally.dropped
    numbers = [orjson.loads(delivery.body)["order_number"] for _, delivery in first.got]
    assert numbers != sorted(numbers)
    assert ids == [delivery.headers["X-Shopify-Webhook-Id"] for _, delivery in second.got]


def test_an_uninstalled_app_hears_of_it_and_of_the_erasure_two_days_later(
    platform: Platform, clock: Clock
) -> None:
    recorder = Recorder()
    deliverer = Deliverer("x", SECRET, topics=["app/uninstalled", "orders/create"], post=recorder)
    deliverer.attach(platform.shop)

    platform.shop.uninstall()
    platform.shop.order_changed(order_body())
    clock.go_on(hours=47)
    early = platform.shop.redact()
    clock.go_on(hours=1)
    platform.shop.redact()
    deliverer.pump(clock())

    assert early is None
    assert recorder.topics() == ["app/uninstalled", "shop/redact"]
    assert orjson.loads(recorder.got[1][1].body) == {"shop_id": platform.shop.id, "shop_domain": DOMAIN}
    platform.shop.install(DEFAULT_SCOPES)
    assert platform.shop.redact() is None


def test_changed_scopes_are_told(platform: Platform) -> None:
    recorder = Recorder()
    deliverer = Deliverer("x", SECRET, post=recorder)
    deliverer.attach(platform.shop)

    platform.shop.install(DEFAULT_SCOPES)
    platform.shop.install([*DEFAULT_SCOPES, "read_locations"])
    deliverer.pump(START)

    assert recorder.topics() == ["app/scopes_update"]
    assert orjson.loads(recorder.got[0][1].body)["current"] == sorted([*DEFAULT_SCOPES, "read_locations"])


def test_a_thread_delivers_by_the_clock(sink: Sink) -> None:
    state = ShopifyState()
    shop = state.shop(DOMAIN)
    shop.install(DEFAULT_SCOPES)
    sink.statuses.append(503)
    deliverer = Deliverer(sink.url, SECRET, pace=0.0001)
    deliverer.attach(shop)
    deliverer.start(state.now)
    try:
        shop.product_changed(product_body(MUG))
        received = sink.wait_for(2)
    finally:
        deliverer.close()

    assert [one.topic for one in received] == ["products/create"] * 2


def test_the_end_of_an_export_is_told(stocked: Platform) -> None:
    recorder = Recorder()
    deliverer = Deliverer("x", SECRET, post=recorder)
    deliverer.attach(stocked.shop)

    stocked.export(OFFICIAL_PRODUCTS)
    deliverer.pump(START)

    assert recorder.topics() == ["bulk_operations/finish"]
    assert orjson.loads(recorder.got[0][1].body)["status"] == "completed"
