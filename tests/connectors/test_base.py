"""What all connectors do the same way; their own tests cover the signature."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.base import DeliveryContext, clean_headers, explain
from connectors.registry import connector_for


@pytest.mark.parametrize(
    ("headers", "clean"),
    [
        ({"X-Topic": " order.created "}, {"x-topic": "order.created"}),
        ({"X-A": "a\nb", "X-B": "\t", "X-C": "é", "X-D": "\x7f"}, {}),
        ({"X-A": "a" * 500, "X-B": "b" * 501}, {"x-a": "a" * 500}),
        ({"X-A": ""}, {"x-a": ""}),
    ],
    ids=["name-and-spaces", "characters", "length", "empty"],
)
def test_headers_are_cleaned(headers, clean):
    assert clean_headers(headers) == clean


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ({"id": ["Not an id."]}, "id: Not an id."),
        ({"_schema": ["Invalid input type."]}, "body: Invalid input type."),
        ({"lines": {3: {"price": ["Wrong.", "Large."]}}}, "lines.3.price: Wrong.; lines.3.price: Large."),
        ({"lines": {0: {"_schema": ["Invalid input type."]}}}, "lines.0: Invalid input type."),
        ({name: ["No."] for name in "abcdefg"}, "a: No.; b: No.; c: No.; d: No.; e: No."),
        ({}, ""),
    ],
    ids=["field", "body", "path", "element", "five-are-enough", "nothing"],
)
def test_errors_are_explained(messages, text):
    assert explain(messages) == text


def test_event_happened_when_the_platform_says_or_when_it_was_received():
    received = datetime(2026, 11, 22, tzinfo=UTC)
    triggered = received - timedelta(hours=4)

    assert DeliveryContext("t", "EUR", triggered, received).happened_at == triggered
    assert DeliveryContext("t", "EUR", None, received).happened_at == received


def test_unknown_platform_has_no_connector():
    with pytest.raises(KeyError):
        connector_for("magento")
