"""Whatever JSON a platform signs, translating it ends: with a meaning, or with a refusal free of values."""

import re
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.commerce.changes import (
    CartChange,
    InventoryChange,
    OrderAdjustment,
    OrderChange,
    ProductChange,
    VariantChange,
)
from connectors import shopify, woocommerce
from connectors.base import PayloadError, Translation
from connectors.registry import PLATFORMS, connector_for
from connectors.shopify import topics as shopify_topics
from connectors.woocommerce import topics as woocommerce_topics

PAYLOADS = Path(__file__).parents[1] / "payloads"
BIGINT = 2**63


def shopify_bodies():
    """Return topic and body of every sample."""
    folders = (PAYLOADS / "shopify" / "samples", PAYLOADS / "shopify" / "compliance")
    return [
        (str(path.relative_to(folder).with_suffix("")), orjson.loads(path.read_bytes()))
        for folder in folders
        for path in sorted(folder.rglob("*.json"))
    ]


def woocommerce_bodies():
    """Return topic and body of every recording but the pings."""
    found = []
    for path in sorted((PAYLOADS / "woocommerce").glob("*.raw")):
        head, _, raw = path.read_bytes().partition(b"\r\n\r\n")
        topic = re.search(rb"X-WC-Webhook-Topic: (\S+)", head)
        if topic:
            found.append((topic[1].decode(), orjson.loads(raw)))
    return found


BODIES = {"shopify": shopify_bodies(), "woocommerce": woocommerce_bodies()}
TOPICS = {"shopify": sorted(shopify_topics.READ), "woocommerce": sorted(woocommerce_topics.READ)}
NAMES = sorted({name for bodies in BODIES.values() for _, body in bodies for name in body})

# Wrong types, extremes of right ones, and what databases choke on.
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, -(2**63), 10**30]),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "\x00",
            "0",
            "-1",
            "1e400",
            "NaN",
            "9" * 400,
            "9999-12-31T23:59:59-14:00",
            "gid://shopify/Order/1",
        ]
    ),
    st.lists(st.none() | st.integers() | st.text(max_size=5), max_size=3),
    st.dictionaries(
        st.sampled_from(["id", "shop_money", "src", "key", "x"]), st.none() | st.integers(), max_size=3
    ),
)
JSON = st.recursive(
    ODD,
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, max_size=8) | st.lists(inner, max_size=4),
    max_leaves=12,
)


def places(value, path=()):
    """Yield the path of every field and every element in a body."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in children:
        yield (*path, key)
        yield from places(inner, (*path, key))


def with_value(body, path, value):
    """Return a copy of ``body`` with ``value`` at ``path``."""
    if not path:
        return value
    changed = dict(body) if isinstance(body, dict) else list(body)
    changed[path[0]] = with_value(body[path[0]], path[1:], value)
    return changed


def outcome(platform, topic, body, pseudonym, delivered):
    """Return the translation of a body, or the text of its refusal."""
    connector = connector_for(platform)
    try:
        return connector.translate(connector.redact(body, pseudonym), delivered(topic))
    except PayloadError as error:
        return str(error)


def numbers(change):
    """Return what goes into a column of whole numbers: quantities and amounts."""
    if isinstance(change, OrderChange):
        return [
            change.total,
            *(n for line in change.lines for n in (line.quantity, line.price, line.discount)),
        ]
    if isinstance(change, OrderAdjustment):
        return [pieces for _, pieces in change.lines]
    if isinstance(change, ProductChange):
        return [change.price or 0, *(n for v in change.variants or () for n in (v.price, v.stock or 0))]
    if isinstance(change, VariantChange):
        return [change.variant.price, change.variant.stock or 0]
    if isinstance(change, CartChange):
        return [n for line in change.lines for n in (line.quantity, line.price)]
    return [change.available] if isinstance(change, InventoryChange) else []


def texts(value):
    """Yield every text in a change."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


def test_both_platforms_are_covered():
    assert set(PLATFORMS) == set(BODIES)
    assert [shopify.__name__, woocommerce.__name__] == [f"connectors.{platform}" for platform in PLATFORMS]


@pytest.mark.parametrize(
    ("platform", "topic", "body"),
    [(platform, *delivery) for platform, bodies in BODIES.items() for delivery in bodies],
)
def test_every_sample_and_recording_means_something_or_is_set_aside(
    platform, topic, body, pseudonym, delivered
):
    found = outcome(platform, topic, body, pseudonym, delivered)

    assert isinstance(found, Translation)
    assert bool(found.changes) is (found.set_aside is None)


@pytest.mark.parametrize("platform", PLATFORMS)
@given(data=st.data())
def test_any_json_is_translated_or_refused(platform, pseudonym, delivered, data):
    topic = data.draw(st.sampled_from(TOPICS[platform]))
    body = data.draw(JSON)

    found = outcome(platform, topic, body, pseudonym, delivered)

    assert isinstance(found, Translation | str)
    assert found == outcome(platform, topic, body, pseudonym, delivered)


@pytest.mark.parametrize("platform", PLATFORMS)
@settings(max_examples=200)
@given(data=st.data())
def test_any_field_may_hold_anything(platform, pseudonym, delivered, data):
    # given a real body with one value exchanged
    topic, body = data.draw(st.sampled_from([d for d in BODIES[platform] if d[0] in TOPICS[platform]]))
    path = data.draw(st.sampled_from(list(places(body))))
    body = with_value(body, path, data.draw(ODD))

    found = outcome(platform, topic, body, pseudonym, delivered)

    # then it is refused, or what it means fits into the database
    if isinstance(found, Translation):
        for change in found.changes:
            assert all(-BIGINT <= number < BIGINT for number in numbers(change))
            assert [text for text in texts(asdict(change)) if "\x00" in text] == []
        assert found == outcome(platform, topic, body, pseudonym, delivered)


@pytest.mark.parametrize("platform", PLATFORMS)
@settings(max_examples=200)
@given(data=st.data())
def test_refusal_names_no_value_of_the_body(platform, pseudonym, delivered, data):
    # given a real body with a value that would show
    topic, body = data.draw(st.sampled_from([d for d in BODIES[platform] if d[0] in TOPICS[platform]]))
    path = data.draw(st.sampled_from(list(places(body))))
    secret = data.draw(
        st.sampled_from(
            ["SECRET-7f3a", 73_737_373.5, -73737373, {"SECRET-7f3a": "SECRET-7f3a"}, ["SECRET-7f3a"]]
        )
    )

    found = outcome(platform, topic, with_value(body, path, secret), pseudonym, delivered)

    if isinstance(found, str):
        assert "SECRET" not in found
        assert "7373" not in found
        assert re.fullmatch(r"[\w.]+: [^:]+(; [\w.]+: [^:]+)*", found)
