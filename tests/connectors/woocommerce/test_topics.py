"""Every topic of WooCommerce's means something, or is set aside with a reason that the documentation gives."""

from pathlib import Path

import pytest

from connectors.base import Translation
from connectors.woocommerce import topics
from connectors.woocommerce.connector import WOOCOMMERCE

DOCUMENT = Path(__file__).parents[3] / "docs" / "platforms.md"
REASONS = [
    "checkout_draft",
    "not_a_customer",
    "action_not_used",
    "resource_gone",
    "platform_error",
    "unknown_topic",
]


@pytest.mark.parametrize("resource", ["order", "product", "customer", "coupon"])
@pytest.mark.parametrize("event", ["created", "updated", "deleted", "restored"])
def test_every_resource_and_event_is_known(resource, event):
    assert f"{resource}.{event}" in {**topics.READ, **topics.SET_ASIDE}


@pytest.mark.parametrize("body", [None, [], {"id": 1}])
@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("action.woocommerce_add_to_cart", "action_not_used"),
        ("action.wc_anything", "action_not_used"),
        ("coupon.updated", "coupon_not_used"),
        ("subscription.created", "unknown_topic"),
        ("order.exploded", "unknown_topic"),
    ],
)
def test_topics_that_are_set_aside(delivered, topic, reason, body):
    assert WOOCOMMERCE.translate(body, delivered(topic)) == Translation(set_aside=reason)


@pytest.mark.parametrize(
    "word", [*topics.READ, *topics.SET_ASIDE, *sorted(set(topics.SET_ASIDE.values())), *REASONS]
)
def test_every_topic_and_reason_is_documented(word):
    assert f"`{word}`" in DOCUMENT.read_text(encoding="utf-8")
