"""The Admin API: documents are validated and executed on Shopify's own schema, and paid for."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from graphql import (
    DocumentNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    execute_sync,
    get_named_type,
    get_operation_ast,
    is_leaf_type,
)

from demo.peers.shopify import bulk_api, discounts, metafields, prices, queries, schema, subscriptions
from demo.peers.shopify.costs import HIGHEST, MUTATION, Estimate, is_connection
from demo.peers.shopify.fields import READERS, Thing, gid, utc
from demo.peers.shopify.run import AppFacts, Root, Run, denied
from demo.peers.shopify.search import page
from demo.peers.shopify.state import Body, Shop

_DOCUMENTATION: Final = "https://shopify.dev/api/usage/access-scopes"
_SCOPES: Final = {
    "LineItem.product": "read_products",
    "LineItem.variant": "read_products",
    "Order.customer": "read_customers",
    **queries.SCOPES,
    **discounts.SCOPES,
    **prices.SCOPES,
}


# -- one request --


def answer(shop: Shop, app: AppFacts, request: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    """Return what the API says to ``request`` (``query``, ``variables``, ``operationName``): the HTTP body.

    Errors are in it, as with Shopify: the status is 200 all the same.
    """
    try:
        document, problems = schema.read(str(request.get("query") or ""))
    except GraphQLSyntaxError as broken:
        return {"errors": [broken.formatted]}
    if problems:
        return {"errors": [problem.formatted for problem in problems]}
    operation = get_operation_ast(document, request.get("operationName"))
    if operation is None:
        return {"errors": [{"message": "An operation name is required"}]}
    variables = request.get("variables") or {}
    requested = Estimate(schema.load(), document, variables).operation(operation)
    if requested > HIGHEST:
        return _refused(
            shop, requested, f"Query cost is {requested}, which exceeds the single query max cost limit ({HIGHEST}).",
            "MAX_COST_EXCEEDED",
        )  # fmt: skip
    if not shop.bucket.take(requested, shop.now()):
        return throttled(shop, requested)
    run = Run(shop, app, base_url, _execute)
    result = _execute(document, run, variables, request.get("operationName"))
    actual = min(requested, _actual(run, operation))
    shop.bucket.give_back(requested - actual)
    said: dict[str, Any] = {"data": result.data}
    if result.errors:
        said["errors"] = [error.formatted for error in result.errors]
    said["extensions"] = {"cost": _cost(shop, requested, actual)}
    return said


def throttled(shop: Shop, requested: int = MUTATION) -> dict[str, Any]:
    """Return the body that says there are not points enough."""
    return _refused(shop, requested, "Throttled", "THROTTLED")


def _refused(shop: Shop, requested: int, message: str, code: str) -> dict[str, Any]:
    link = "https://shopify.dev/api/usage/rate-limits"
    return {
        "errors": [{"message": message, "extensions": {"code": code, "documentation": link}}],
        "extensions": {"cost": _cost(shop, requested, None)},
    }


def _cost(shop: Shop, requested: int, actual: int | None) -> dict[str, Any]:
    return {
        "requestedQueryCost": requested,
        "actualQueryCost": actual,
        "throttleStatus": shop.bucket.status(shop.now()),
    }


def _actual(run: Run, operation: OperationDefinitionNode) -> int:
    if operation.operation is OperationType.MUTATION:
        return MUTATION * len(operation.selection_set.selections)
    return run.objects


def _execute(document: DocumentNode, run: Run, variables: Mapping[str, Any], name: str | None = None) -> Any:
    return execute_sync(
        schema.load(),
        document,
        context_value=run,
        variable_values=dict(variables),
        operation_name=name,
        field_resolver=_resolve,
        type_resolver=lambda value, *_: value.kind,
    )


# -- fields --


def _resolve(source: Thing | None, info: GraphQLResolveInfo[Run], **arguments: Any) -> Any:
    run = info.context
    plan = _plan(info.parent_type.name, info.field_name)
    if plan.scope is not None or run.shop.denied_fields:
        _check_access(run, plan.name)
    value = plan.root(run, arguments) if source is None and plan.root else plan.read(source)
    return None if value is None else plan.shape(value, run, source, arguments)


Shape = Callable[[Any, Run, Thing | None, Body], Any]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one field is answered, worked out once: exports resolve it a hundred thousand times."""

    name: str
    scope: str | None
    root: Callable[[Run, Body], Any] | None
    read: Callable[[Any], Any]
    shape: Shape


@lru_cache(maxsize=4096)
def _plan(kind: str, field: str) -> _Plan:
    owner = schema.load().type_map[kind]
    assert isinstance(owner, GraphQLObjectType)
    name = f"{kind}.{field}"
    shape = _metafield if field == "metafield" else _shape(owner.fields[field].type)
    return _Plan(name, _SCOPES.get(name), _ROOTS.get(name), _reader(name, field), shape)


def _check_access(run: Run, name: str) -> None:
    field = name.partition(".")[2]
    scope = _SCOPES.get(name)
    if scope is not None and not run.allowed(scope):
        raise denied(field, scope)
    if name in run.shop.denied_fields:
        raise GraphQLError(
            f"This app is not approved to use the {field} field. "
            "See https://shopify.dev/docs/apps/launch/protected-customer-data for more details.",
            extensions={"code": "ACCESS_DENIED", "documentation": _DOCUMENTATION},
        )


def _reader(name: str, field: str) -> Callable[[Any], Any]:
    if name in READERS:
        return READERS[name]
    if field == "id":
        return _identity
    key = "id" if field == "legacyResourceId" else re.sub(r"(?<!^)(?=[A-Z])", "_", field).lower()

    def read(thing: Thing | None) -> Any:
        if thing is None or key not in thing.body:
            raise GraphQLError(f"This stand-in knows no {name}.")
        return thing.body[key]

    return read


def _identity(thing: Thing) -> str:
    number = thing.body.get("admin_graphql_api_id") or thing.body["id"]
    return number if isinstance(number, str) and number.startswith("gid:") else gid(thing.kind, number)


def _shape(wanted: GraphQLOutputType) -> Shape:
    """Return what turns a value of a body into what the API gives out, after the type the schema states."""
    if isinstance(wanted, GraphQLNonNull):
        wanted = wanted.of_type
    if isinstance(wanted, GraphQLList):
        inner = _shape(wanted.of_type)
        return lambda value, run, parent, arguments: [
            None if item is None else inner(item, run, parent, arguments) for item in value
        ]
    named = get_named_type(wanted)
    if isinstance(named, GraphQLEnumType):
        return lambda value, *_: str(value).upper()
    if is_leaf_type(named):
        write = _SCALARS.get(named.name, lambda value: value)
        return lambda value, *_: write(value)
    if is_connection(named):
        return _connection_shape(named)
    return _object_shape(named.name, 0 if named.name == "PageInfo" or named.name.endswith("Edge") else 1)


def _metafield(owner: Thing, run: Run, _: Thing | None, arguments: Body) -> Thing | None:
    run.objects += 1
    found = run.shop.metafields.get(_identity(owner), arguments.get("namespace") or "$app", arguments["key"])
    return owner.within("Metafield", found)


def _object_shape(kind: str, points: int) -> Shape:
    def shape(value: Any, run: Run, parent: Thing | None, _: Body) -> Thing:
        run.objects += points
        return value if isinstance(value, Thing) else Thing(kind, value, run.shop, parent)

    return shape


def _connection_shape(named: Any) -> Shape:
    kind = get_named_type(named.fields["nodes"].type).name

    def shape(value: Any, run: Run, parent: Thing | None, arguments: Body) -> Thing:
        if isinstance(value, Sequence):
            items = [
                item if isinstance(item, Thing) else Thing(kind, item, run.shop, parent) for item in value
            ]
            places = {id(item): place for place, item in enumerate(items)}
            value = page(items, arguments, lambda item: (places[id(item)],), everything=run.bulk)
        return Thing(named.name, value, run.shop)

    return shape


def _decimal(value: Any) -> str:
    """Return an amount as Shopify writes it: without needless zeros, but with one decimal."""
    whole, _, cents = f"{Decimal(str(value)):f}".partition(".")
    return f"{whole}.{cents.rstrip('0') or '0'}"


_SCALARS: Final[dict[str, Callable[[Any], Any]]] = {
    "DateTime": utc,
    "Decimal": _decimal,
    "Money": str,
    "UnsignedInt64": str,
}


# -- anything by its id --


def _node(run: Run, arguments: Body) -> Any:
    kind = arguments["id"].removeprefix("gid://shopify/").partition("/")[0]
    if kind not in _NODES:
        raise GraphQLError(f"This stand-in finds no node of the kind {kind}.")
    name = _NODES[kind]
    _check_access(run, name)
    return _ROOTS[name](run, arguments)


def _nodes(run: Run, arguments: Body) -> list[Any]:
    return [_node(run, {"id": identity}) for identity in arguments["ids"]]


_NODES: Final = {
    "Product": "QueryRoot.product",
    "ProductVariant": "QueryRoot.productVariant",
    "Order": "QueryRoot.order",
    "BulkOperation": "QueryRoot.bulkOperation",
    "DiscountAutomaticNode": "QueryRoot.automaticDiscountNode",
}


_ROOTS: Final[dict[str, Root]] = {
    "QueryRoot.node": _node,
    "QueryRoot.nodes": _nodes,
    **queries.ROOTS,
    **bulk_api.ROOTS,
    **subscriptions.ROOTS,
    **discounts.ROOTS,
    **metafields.ROOTS,
    **prices.ROOTS,
}
