"""A context survives the way through JSON."""

import json
from datetime import UTC, datetime

from app.rules.context import Context

CONTEXT = Context(
    now=datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC),
    timezone="Europe/Berlin",
    slot="product",
    product_id="p1",
    category="Mugs",
    tags=frozenset({"b", "a"}),
    cart=("p2", "p2", "p3"),
    cart_categories=frozenset({"Tea"}),
    cart_tags=frozenset(),
    cart_value=2599,
    currency="EUR",
    segments=frozenset({"champions", "own"}),
    intent="browsing",
    channel="online",
    country="DE",
    device=None,
)


def test_a_context_comes_back_from_json_as_it_was() -> None:
    written = json.loads(json.dumps(CONTEXT.to_json()))

    assert Context.from_json(written) == CONTEXT


def test_json_of_a_context_is_the_same_for_equal_contexts() -> None:
    written = CONTEXT.to_json()

    assert written["now"] == "2026-03-01T12:30:15.123456+00:00"
    assert written["tags"] == ["a", "b"]
    assert written["cart"] == ["p2", "p2", "p3"]
