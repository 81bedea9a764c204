"""Every topic of Shopify's means something, or is set aside with a reason that the documentation gives."""

from pathlib import Path

import pytest

from connectors.base import DeliveryHeaders, Translation
from connectors.shopify import topics
from connectors.shopify.connector import SHOPIFY

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "tests" / "payloads" / "shopify" / "samples"


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("checkouts/create", "checkout_not_used"),
        ("checkouts/update", "checkout_not_used"),
        ("bulk_operations/finish", "bulk_operation_not_used"),
        ("customers/merge", "merge_not_completed"),
    ],
)
def test_samples_that_are_set_aside(sample, pseudonym, delivered, topic, reason):
    body = SHOPIFY.redact(sample(topic), pseudonym)

    assert SHOPIFY.translate(body, delivered(topic)) == Translation(set_aside=reason)


@pytest.mark.parametrize("body", [None, [], {"id": 1}])
def test_unknown_topic_is_set_aside_whatever_its_body(delivered, body):
    assert SHOPIFY.translate(body, delivered("fulfillment_orders/moved")) == Translation(
        set_aside="unknown_topic"
    )


def test_scopes_update_is_set_aside(delivered):
    body = {"current": ["read_orders"]}

    assert SHOPIFY.translate(body, delivered("app/scopes_update")) == Translation(set_aside="scopes_not_used")


def test_every_sample_has_a_known_topic():
    sampled = {str(path.relative_to(SAMPLES).with_suffix("")) for path in SAMPLES.rglob("*.json")}

    assert sampled - set(topics.READ) - set(topics.SET_ASIDE) == set()


@pytest.mark.parametrize(
    "word",
    [*topics.READ, *topics.SET_ASIDE, *topics.SET_ASIDE.values(), "stock_not_counted", "merge_not_completed"],
)
def test_every_topic_and_reason_is_documented(word):
    assert f"`{word}`" in (ROOT / "docs" / "platforms.md").read_text()


def test_deliveries_are_the_same_by_their_webhook_id():
    headers = DeliveryHeaders(
        topic="orders/create", webhook_id="b54557e4", delivery_id="b54557e4", event_id="988"
    )

    assert SHOPIFY.dedupe_key(headers, {"id": 1}, b"{}") == "b54557e4"
