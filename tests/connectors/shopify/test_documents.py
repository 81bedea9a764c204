"""Every document is valid against Shopify's own schema, and nothing speaks to the REST Admin API."""

import re
from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, TypeInfo, TypeInfoVisitor, Visitor, parse, validate, visit

from connectors.shopify import client, discount_documents, documents
from demo.peers.shopify import schema

ROOT = Path(__file__).parents[3]

NAMED = {
    name: text
    for module in (documents, discount_documents)
    for name, text in vars(module).items()
    if name.isupper() and not name.startswith("_") and isinstance(text, str) and "{" in text
}
BULK = {
    f"bulk {resource}{' with customers' if customers else ''}{' from' if since else ''}": documents.bulk_query(
        resource, customers=customers, created_from=since
    )
    for resource, customers in (("products", False), ("orders", False), ("orders", True))
    for since in (None, "2026-01-01T00:00:00Z")
}
ALL = {text: name for name, text in (NAMED | BULK).items()}


@pytest.mark.parametrize("text", ALL, ids=[f"{name} valid against 2026-10" for name in ALL.values()])
def test_document_is_valid_against_the_version_asked(text):
    # when
    errors = validate(schema.load(), parse(text))

    # then
    assert schema.VERSION == client.API_VERSION
    assert errors == []


def test_every_document_is_found_and_has_a_name_of_its_own():
    # when
    operations = [
        definition
        for text, name in ALL.items()
        if not name.startswith("bulk")
        for definition in parse(text).definitions
        if isinstance(definition, OperationDefinitionNode)
    ]

    # then
    assert len(NAMED) == 29
    assert len({operation.name.value for operation in operations if operation.name}) == len(NAMED)


@pytest.mark.parametrize("text", ALL, ids=list(ALL.values()))
def test_no_document_asks_for_anything_about_a_person(text):
    # given
    types = TypeInfo(schema.load())
    asked = set()

    class Fields(Visitor):
        def enter_field(self, node, *_):
            asked.add((types.get_parent_type().name, node.name.value))

    # when
    visit(parse(text), TypeInfoVisitor(types, Fields()))

    # then
    assert {field for owner, field in asked if owner == "Customer"} <= {"id", "legacyResourceId"}
    personal = {"email", "phone", "name", "note", "billingAddress", "shippingAddress", "customAttributes"}
    assert {field for owner, field in asked if owner in ("Order", "LineItem")} & personal == set()


@pytest.mark.parametrize("name", [name for name in BULK])
def test_bulk_query_keeps_to_the_limits_of_bulk_operations(name):
    # given
    types = TypeInfo(schema.load())
    depths = []

    class Connections(Visitor):
        depth = 0

        def enter_field(self, *_):
            if str(types.get_type()).rstrip("!").endswith("Connection"):
                self.depth += 1
                depths.append(self.depth)

        def leave_field(self, *_):
            if str(types.get_type()).rstrip("!").endswith("Connection"):
                self.depth -= 1

    # when
    visit(parse(BULK[name]), TypeInfoVisitor(types, Connections()))

    # then
    assert depths == [1, 2]


def test_an_export_without_the_scope_leaves_customers_out():
    assert "customer" not in documents.bulk_query("orders", customers=False)
    assert "customer { id" in documents.bulk_query("orders", customers=True)


def test_the_continuation_of_an_export_begins_at_a_time():
    query = documents.bulk_query("products", customers=False, created_from="2026-01-01T00:00:00Z")

    assert """products(query: "created_at:>='2026-01-01T00:00:00Z'", sortKey: CREATED_AT)""" in query


@pytest.mark.parametrize("package", ["app", "connectors", "webhooks", "demo"])
def test_no_code_speaks_to_the_rest_admin_api_or_uses_thread_wide_sessions(package):
    # given
    rest = re.compile(r"/admin/(?:api/)?[^\s\"'`]*?(?P<name>\w+)\.json")
    state = re.compile(
        r"activate_session|clear_session|ShopifyResource|Session\.(setup|temp)|shopify\.GraphQL"
    )

    # when
    texts = {path: path.read_text() for path in (ROOT / package).rglob("*.py")}

    # then
    assert texts
    assert [
        path for path, text in texts.items() if any(m["name"] != "graphql" for m in rest.finditer(text))
    ] == []
    assert [path for path, text in texts.items() if state.search(text)] == []
