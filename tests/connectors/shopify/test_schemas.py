"""What we read of Shopify's bodies is what Shopify's own JSON Schemas promise."""

from pathlib import Path

import orjson
import pytest
from jsonschema import Draft202012Validator
from marshmallow import fields

from connectors.shopify import schemas

PAYLOADS = Path(__file__).parents[2] / "payloads" / "shopify"

# Our field classes and the JSON types that they accept.
ACCEPTED = {
    schemas.Identifier: {"integer"},
    schemas.GlobalId: {"string"},
    schemas.Quantity: {"integer"},
    schemas.Amount: {"string", "number", "integer"},
    schemas.ShopMoney: {"object"},
    schemas.Allocations: {"array"},
    schemas.Taxes: {"array"},
    schemas.Instant: {"string"},
    schemas.Text: {"string"},
    schemas.Flag: {"boolean"},
    fields.String: {"string"},
    fields.Raw: {"string"},
}
WRITTEN_BY_REDACTION = (schemas.Digest,)

READERS = [
    ("orders/create", schemas.ORDER),
    ("orders/edited", schemas.ORDER_EDITED),
    ("refunds/create", schemas.REFUND),
    ("products/update", schemas.PRODUCT),
    ("inventory_levels/update", schemas.INVENTORY_LEVEL),
    ("carts/update", schemas.CART),
    ("customers/update", schemas.CUSTOMER),
    ("customers/merge", schemas.CUSTOMER_MERGE),
    ("app/uninstalled", schemas.SHOP),
]
# What only bodies have that we asked for ourselves.
OURS = {"guest_unnamed", "complementary_products", "related_products", "unit_cost"}
# Where the sample contradicts the schema: a product without a picture has null for one.
WITHOUT_A_PICTURE = ("products/update", "image", None)

# Deletions carry a global id only of customers.
DELETIONS = ["orders/delete", "products/delete", "customers/delete"]


def json_schema(topic):
    return orjson.loads((PAYLOADS / "schemas" / f"{topic}.json").read_bytes())


def types_of(promised):
    kinds = promised["type"]
    return set(kinds if isinstance(kinds, list) else [kinds])


def disagreements(schema, promised, path=""):
    """Yield where a field of ours is absent from Shopify's schema or does not accept what it promises."""
    for name, field in schema.load_fields.items():
        here = f"{path}.{name}" if path else name
        if isinstance(field, WRITTEN_BY_REDACTION) or name in OURS:
            continue
        if name not in promised["properties"]:
            yield f"{here}: not in Shopify's schema"
            continue
        theirs = promised["properties"][name]
        kinds = types_of(theirs)
        if "null" in kinds and not field.allow_none:
            yield f"{here}: may be null"
        if isinstance(field, fields.Nested):
            if kinds - {"null"} != ({"array"} if field.many else {"object"}):
                yield f"{here}: is {sorted(kinds)}"
            inner = theirs.get("items", False) if field.many else theirs
            if inner:
                yield from disagreements(field.schema, inner, here)
        elif not kinds - {"null"} <= ACCEPTED[type(field)]:
            yield f"{here}: is {sorted(kinds)}"
        if field.required and name not in promised["required"]:
            yield f"{here}: may be absent"


@pytest.mark.parametrize(("topic", "schema"), READERS, ids=[topic for topic, _ in READERS])
def test_every_field_that_is_read_is_promised(topic, schema):
    assert list(disagreements(schema, json_schema(topic))) == []


@pytest.mark.parametrize("topic", DELETIONS)
def test_deletion_promises_an_id(topic):
    promised = json_schema(topic)

    assert types_of(promised["properties"]["id"]) == {"integer"}
    assert "id" in promised["required"]


def test_disagreements_are_found():
    # given a schema of Shopify's that lost a field, changed a type and allows null and absence
    promised = json_schema("inventory_levels/update")
    del promised["properties"]["location_id"]
    promised["properties"]["updated_at"] = {"type": ["integer", "null"]}
    promised["required"].remove("available")

    assert list(disagreements(schemas.INVENTORY_LEVEL, promised)) == [
        "location_id: not in Shopify's schema",
        "available: may be absent",
        "updated_at: may be null",
        "updated_at: is ['integer', 'null']",
    ]


@pytest.mark.parametrize(
    "topic",
    sorted(
        str(path.relative_to(PAYLOADS / "schemas").with_suffix(""))
        for path in (PAYLOADS / "schemas").rglob("*.json")
    ),
)
def test_sample_is_what_its_schema_promises(sample, topic):
    body = {name: value for name, value in sample(topic).items() if (topic, name, value) != WITHOUT_A_PICTURE}

    Draft202012Validator(json_schema(topic) | {"required": []}).validate(body)
