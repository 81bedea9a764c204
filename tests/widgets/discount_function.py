"""Runs Shopify's discount function: what it is sent is what Shopify's schema makes of its input query."""

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from graphql import (
    DocumentNode,
    GraphQLInputObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_client_schema,
    default_field_resolver,
    graphql_sync,
    parse,
)
from graphql.utilities import coerce_input_value

from app.core.money import to_major, to_minor

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "widgets" / "shopify" / "extensions" / "pannier-discounts"
SCHEMA = ROOT / "tests" / "payloads" / "shopify" / "functions_discount_2026-10.json.gz"
NOW = datetime(2026, 11, 23, 10, 2, 30, tzinfo=UTC)

# One process for all carts: a line of JSON in, a line of JSON out.
_RUNNER = """
import { createInterface } from "node:readline";
const { cartLinesDiscountsGenerateRun } = await import(process.argv[1]);
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(cartLinesDiscountsGenerateRun(...JSON.parse(line))) + "\\n");
}
"""


@dataclass(frozen=True, slots=True)
class CartLine:
    """A line of a cart: ``price`` of one piece is in minor units of the cart's currency."""

    id: str
    product_id: str
    variant_id: str
    quantity: int
    price: int
    quote: str | None = None


@dataclass(frozen=True, slots=True)
class ShopCart:
    """A cart, and what the shop knows beside it.

    Attributes:
        offers: what stands in the offers' metafield of a product: any JSON.
        settings: what stands in the settings' metafield of the discount; None: it has none.
        rate: what a unit of the shop's currency is worth in the cart's.
    """

    lines: Sequence[CartLine]
    offers: Mapping[str, Any]
    settings: Any = None
    currency: str = "EUR"
    rate: str = "1.0"
    customer_id: str | None = None
    at: datetime = NOW
    timezone: str = "UTC"
    classes: Sequence[str] = field(default=("PRODUCT",))


@cache
def schema() -> GraphQLSchema:
    """Return Shopify's schema of discount functions, version 2026-10."""
    with gzip.open(SCHEMA) as packed:
        return build_client_schema(json.load(packed)["data"], assume_valid=True)


@cache
def input_query() -> DocumentNode:
    """Return the function's input query."""
    return parse((EXTENSION / "src" / "run.graphql").read_text(encoding="utf-8"))


def input_of(cart: ShopCart) -> dict[str, Any]:
    """Return what Shopify sends the function for ``cart``."""
    settings = cart.settings if isinstance(cart.settings, dict) else {}
    (operation,) = input_query().definitions
    names = [entry.variable.name.value for entry in cast(Any, operation).variable_definitions]
    sent = graphql_sync(
        schema(),
        (EXTENSION / "src" / "run.graphql").read_text(encoding="utf-8"),
        root_value=_tree(cart),
        # A variable that the metafield does not name is null:
        # https://shopify.dev/docs/apps/build/functions/input-output/use-variables-input-queries
        variable_values={name: settings.get(name) for name in names} if settings else {},
        field_resolver=_resolve,
    )
    assert sent.errors is None, sent.errors
    return cast(dict[str, Any], json.loads(json.dumps(sent.data)))


def discounts_of(output: Any, currency: str) -> dict[str, int]:
    """Return what each line gets, in minor units; what Shopify's schema refuses fails the test."""
    result = cast(GraphQLInputObjectType, schema().type_map["CartLinesDiscountsGenerateRunResult"])
    coerce_input_value(output, result)
    got: dict[str, int] = {}
    for operation in output["operations"]:
        assert list(operation) == ["productDiscountsAdd"]
        added = operation["productDiscountsAdd"]
        assert added["selectionStrategy"] == "ALL"
        assert added["candidates"]
        for candidate in added["candidates"]:
            (target,) = candidate["targets"]
            amount = candidate["value"]["fixedAmount"]["amount"]
            minor = to_minor(amount, currency)
            assert to_major(minor, currency) == amount
            assert target["cartLine"]["id"] not in got
            got[target["cartLine"]["id"]] = minor
    return got


class Function:
    """The function in a process of Node."""

    def __init__(self) -> None:
        node = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
        assert node, "the function's tests need Node: install the development dependencies"
        entry = (EXTENSION / "src" / "index.js").as_uri()
        self._process = subprocess.Popen(
            [node, "--input-type=module", "--eval", _RUNNER, entry],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, given: Any, effort: int | None = None) -> Any:
        """Return the function's output for an input; ``effort`` replaces its own limit."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([given] if effort is None else [given, effort]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the function failed"
        return json.loads(line)

    def discounts(self, cart: ShopCart, effort: int | None = None) -> dict[str, int]:
        """Return what each line of a cart gets, in minor units."""
        return discounts_of(self.run(input_of(cart), effort), cart.currency)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


def _tree(cart: ShopCart) -> dict[str, Any]:
    """Return a cart in the shape of the schema's ``Input``."""
    customer = cart.customer_id and {"id": f"gid://shopify/Customer/{cart.customer_id}"}
    return {
        "cart": {
            "buyerIdentity": {"customer": customer, "isAuthenticated": bool(customer)},
            "lines": [_line(line, cart) for line in cart.lines],
        },
        "discount": {
            "discountClasses": list(cart.classes),
            "metafields": {} if cart.settings is None else {"$app:pannier/settings": cart.settings},
        },
        "presentmentCurrencyRate": cart.rate,
        "shop": {"localTime": {"now": cart.at.astimezone(ZoneInfo(cart.timezone)).replace(tzinfo=None)}},
    }


def _line(line: CartLine, cart: ShopCart) -> dict[str, Any]:
    offers = (
        {} if line.product_id not in cart.offers else {"$app:pannier/offers": cart.offers[line.product_id]}
    )
    amount = {"amount": to_major(line.price, cart.currency), "currencyCode": cart.currency}
    return {
        "id": line.id,
        "quantity": line.quantity,
        "attributes": {} if line.quote is None else {"_pannier_quote": line.quote},
        "cost": {"amountPerQuantity": amount},
        "merchandise": {
            "__typename": "ProductVariant",
            "id": f"gid://shopify/ProductVariant/{line.variant_id}",
            "product": {"id": f"gid://shopify/Product/{line.product_id}", "metafields": offers},
        },
    }


def _resolve(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
    """Resolve a field: those with arguments as Shopify does, every other one by its name."""
    if info.field_name == "metafield":
        place = f"{arguments['namespace']}/{arguments['key']}"
        return {"jsonValue": source["metafields"][place]} if place in source["metafields"] else None
    if info.field_name == "attribute":
        value = source["attributes"].get(arguments["key"])
        return None if value is None else {"key": arguments["key"], "value": value}
    if info.field_name == "dateTimeBefore":
        return source["now"] < datetime.fromisoformat(arguments["dateTime"])
    return default_field_resolver(source, info, **arguments)
