"""The OpenAPI document: valid, and kept by every answer to whatever is sent."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
from sqlalchemy import update

from app.bundles import schemas as offers
from app.commerce import ingest
from app.commerce.store import StoreKey, add_store
from app.core.config import load_settings
from app.core.crypto import key_digest
from app.core.db import db, now
from app.core.limits import FailureLimiter
from app.experiments import schemas as experiments
from app.factory import create_app
from app.monitoring.schemas import NOT_REACHED
from app.pricing import schemas as pricing
from app.pricing.quote_schemas import ONE_PRICE
from app.recommendations.models import PublishedList
from app.recommendations.strategies import BEST_SELLERS, FREQUENTLY_BOUGHT_TOGETHER, SLOTS, STRATEGIES
from app.rules import schemas as rules
from app.segments.schemas import RULES
from tests.conftest import SECRET_KEY
from tests.factories import incoming, keep, product_change, variant_state
from webhooks.models import STATUSES

# Known before the store is: schemathesis writes them into its examples when tests are collected.
PUBLISHABLE, SECRET = "pk_contract", "sk_contract"


@pytest.fixture(scope="module")
def selling(shared_app: Flask) -> Iterator[Flask]:
    """A store with products, lists and deliveries; nothing of it is braked."""
    with shared_app.app_context():
        store, _ = add_store("shopify", "contract.myshopify.com")
        for kind, key in (("publishable", PUBLISHABLE), ("secret", SECRET)):
            mine = update(StoreKey).where(StoreKey.store_id == store.id, StoreKey.kind == kind)
            db.session.execute(mine.values(digest=key_digest(key)))
        products = [str(n) for n in range(1, 7)]
        ingest.apply(
            db.session.connection(),
            store.id,
            [product_change(p, variant_state(f"v{p}"), title=f"Product {p}") for p in products],
        )
        items = [
            {"id": p, "orders": 5, "confidence": 0.5, "lift": 2.0, "llr": 20.0, "score": 1.0}
            for p in products
        ]
        for strategy, subject in [
            (BEST_SELLERS, ""),
            *((FREQUENTLY_BOUGHT_TOGETHER, product) for product in products),
        ]:
            db.session.add(
                PublishedList(
                    store_id=store.id, strategy=strategy, subject=subject, items=items, published_at=now()
                )
            )
        db.session.commit()
        for number in range(5):
            keep(incoming(store.id, body={"id": number}))
        limiter = shared_app.extensions["pannier_failures"]
        shared_app.extensions["pannier_failures"] = FailureLimiter(0)
        yield shared_app
        shared_app.extensions["pannier_failures"] = limiter
        db.session.delete(store)
        db.session.commit()


class Front:
    """A WSGI application behind which another one can be put.

    The document is read when tests are collected, from an application that needs no service for it.
    """

    def __init__(self) -> None:
        self.behind = create_app(
            replace(
                load_settings(),
                database_url="postgresql://127.0.0.1/nothing",
                redis_url="redis://127.0.0.1",
                secret_keys=(SECRET_KEY,),
            )
        )

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.behind(environ, start_response)


# What a schema cannot say: rules between parameters, and what is a cursor.
BEYOND_SCHEMA = {
    "The slot product needs the product of the page.",
    "The slot product_related needs the product of the page.",
    "Name at least one condition, such as a status.",
    "Name either a visitor or a customer.",
    "Name somebody.",
    "Not an e-mail address.",
    "Name either a customer_id or a node.",
    "Not a cursor of this list.",
    NOT_REACHED,
    ONE_PRICE,
    *RULES,
    *experiments.RULES,
    *offers.UNTOLD,
    *rules.RULES,
    *pricing.RULES,
}
front = Front()
# One view answers for every type of message; the others differ in its name alone.
schema = schemathesis.openapi.from_wsgi("/openapi.json", front).exclude(
    path_regex="^/v1/(identify|page|screen|group|alias)$"
)


@pytest.fixture(scope="module")
def calls(selling: Flask) -> None:
    """Send what is generated to the application of the tests."""
    front.behind = selling


@schema.auth(refresh_interval=None)  # else one answer of ``get`` stands for every operation
class Keys:
    """Sends the key that an operation asks for."""

    def get(self, case: schemathesis.Case, _context: Any) -> dict[str, str]:
        if {"publishableKey": []} in case.operation.definition.raw["security"]:
            return {"X-Pannier-Key": PUBLISHABLE}
        return {"Authorization": f"Bearer {SECRET}"}

    def set(self, case: schemathesis.Case, data: dict[str, str], _context: Any) -> None:
        case.headers.update(data)


@schema.parametrize()
@settings(
    max_examples=20, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
def test_every_answer_keeps_the_contract(calls: None, case: schemathesis.Case) -> None:
    """Status, content type and body are as documented; wrong input is refused, right input taken; no 500."""
    response = case.call()
    problem = response.json() if response.status_code == 422 else {}
    # What an arm's rules may be is said of the routes of rules.
    beyond_schema = [
        p["reason"] in BEYOND_SCHEMA or ".settings.rules" in p["name"]
        for p in problem.get("invalid_params", [])
    ]
    refused_rightly = bool(beyond_schema) and all(beyond_schema)
    case.validate_response(response, excluded_checks=[positive_data_acceptance] if refused_rightly else [])


# --- the document itself --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(selling: Flask) -> dict[str, Any]:
    response = selling.test_client().get("/openapi.json")
    assert (response.status_code, response.content_type) == (200, "application/json")
    found: dict[str, Any] = response.get_json()
    return found


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        operation
        for item in document["paths"].values()
        for name, operation in item.items()
        if name != "parameters"
    ]


def within(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a document."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from within(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from within(inner)


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    OPENAPI_31_VALIDATOR.validate(document)


def test_its_schemas_are_json_schema_2020_12(document: dict[str, Any]) -> None:
    for schema_ in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema_)


def test_its_references_lead_somewhere(document: dict[str, Any]) -> None:
    for place in within(document):
        if "$ref" in place:
            found: Any = document
            for name in place["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            assert found


def test_nothing_in_it_is_unused(document: dict[str, Any]) -> None:
    used = {place["$ref"] for place in within(document) if "$ref" in place}

    for kind in ("schemas", "responses"):
        for name in document["components"][kind]:
            assert f"#/components/{kind}/{name}" in used


def test_its_patterns_are_those_of_every_language(document: dict[str, Any]) -> None:
    patterns = [place["pattern"] for place in within(document) if isinstance(place.get("pattern"), str)]

    assert patterns
    for pattern in patterns:
        assert (pattern[0], pattern[-1]) == ("^", "$")
        assert "\\Z" not in pattern


def test_every_operation_says_what_it_is_and_who_may_call_it(document: dict[str, Any]) -> None:
    schemes = set(document["components"]["securitySchemes"])
    tags = {tag["name"] for tag in document["tags"]}

    for operation in operations(document):
        assert operation["summary"].endswith(".")
        assert set(operation["tags"]) <= tags
        assert operation["security"]
        assert {name for entry in operation["security"] for name in entry} <= schemes
        assert {"401", "429", "503", "default"} <= set(operation["responses"])
        assert {"200", "202"} & set(operation["responses"])
        if operation.get("parameters") or "requestBody" in operation:
            assert "422" in operation["responses"]


def test_every_problem_it_promises_has_the_media_type_of_problems(document: dict[str, Any]) -> None:
    for response in document["components"]["responses"].values():
        assert list(response["content"]) == ["application/problem+json"]


def test_it_lists_the_slots_and_strategies_there_are(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    (slot,) = (
        p["schema"]
        for p in document["paths"]["/v1/recommendations"]["get"]["parameters"]
        if p["name"] == "slot"
    )

    assert slot["enum"] == schemas["SlotRequest"]["properties"]["slot"]["enum"] == list(SLOTS)
    assert schemas["UpsellRequest"]["properties"]["strategy"]["enum"] == list(STRATEGIES)
    assert schemas["Delivery"]["properties"]["status"]["enum"] == list(STATUSES)


def test_the_answer_has_the_fields_of_the_contract_and_no_others(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    assert {name: set(schemas[name]["properties"]) for name in ("Answer", "Recommendation", "Price")} == {
        # ``intent`` is our addition: what the running session of a visitor who agreed to it shows.
        "Answer": {
            "decision_id", "slot", "strategy", "model_version", "recommendations", "experiment", "intent",
        },
        "Recommendation": {
            "product_id", "variant_id", "title", "url", "image_url", "price", "available", "reason", "relation",
            "evidence", "offer",
        },
        "Price": {"amount", "currency"},
    }  # fmt: skip
    for name in ("Answer", "Recommendation", "Price"):
        assert set(schemas[name]["required"]) == set(schemas[name]["properties"])


def test_real_answers_are_what_it_says(selling: Flask, document: dict[str, Any]) -> None:
    """The answers that are written without marshmallow, against their schemas."""
    client: FlaskClient = selling.test_client()
    headers = {"X-Pannier-Key": PUBLISHABLE}
    slot = {"slot": "product", "product_id": "1"}
    answers = {
        "Answer": client.get("/v1/recommendations", query_string=slot, headers=headers),
        "BatchAnswer": client.post("/v1/recommendations", json={"requests": [slot]}, headers=headers),
        "UpsellAnswer": client.post("/v1/upsell", json={"current_cart": ["1"]}, headers=headers),
        "Problem": client.get("/v1/recommendations", query_string={"limit": "x"}, headers=headers),
    }

    for name, response in answers.items():
        whole = {**document, "$ref": f"#/components/schemas/{name}"}
        jsonschema.Draft202012Validator(whole).validate(response.get_json())
    assert len(answers["Answer"].get_json()["recommendations"]) == 3
    upsold = json.loads(answers["UpsellAnswer"].text)
    assert list(upsold) == ["decision_id", "strategy", "recommendations", "intent"]
