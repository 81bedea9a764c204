"""The Admin API: documents are validated and executed on Shopify's own schema, and paid for."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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
    parse,
    validate,
)

from demo.peers.shopify import discounts, metafields, prices, schema, subscriptions
from demo.peers.shopify.bulk import CONCURRENT, RUNNING, BulkOperation, objection, with_ids
from demo.peers.shopify.costs import HIGHEST, MUTATION, Estimate, is_connection
from demo.peers.shopify.fields import READERS, Thing, gid, product_of, shop_thing, variant_of
from demo.peers.shopify.run import AppFacts, Root, Run, denied, number, outermost
from demo.peers.shopify.search import matcher, page
from demo.peers.shopify.state import Body, Shop

_DOCUMENTATION: Final = "https://shopify.dev/api/usage/access-scopes"
_FIRST_OPERATION: Final = 7_000_000_000_001
_PIECE: Final = 100
_MOST_COUNTED: Final = 10_000
_SORTED_BY: Final = {
    "CREATED_AT": "created_at",
    "UPDATED_AT": "updated_at",
    "PROCESSED_AT": "processed_at",
    "PUBLISHED_AT": "published_at",
}
_SCOPES: Final = {
    "QueryRoot.products": "read_products",
    "QueryRoot.product": "read_products",
    "QueryRoot.productVariant": "read_products",
    "QueryRoot.productsCount": "read_products",
    "QueryRoot.orders": "read_orders",
    "QueryRoot.order": "read_orders",
    "QueryRoot.ordersCount": "read_orders",
    "LineItem.product": "read_products",
    "LineItem.variant": "read_products",
    "Order.customer": "read_customers",
    **discounts.SCOPES,
    **prices.SCOPES,
}


# -- one request --


def answer(shop: Shop, app: AppFacts, request: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    """Return what the API says to ``request`` (``query``, ``variables``, ``operationName``): the HTTP body.

    Errors are in it, as with Shopify: the status is 200 all the same.
    """
    try:
        document, problems = _read(str(request.get("query") or ""))
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
    run = Run(shop, app, base_url)
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


@lru_cache(maxsize=256)
def _read(query: str) -> tuple[DocumentNode, list[GraphQLError]]:
    document = parse(query)
    return document, validate(schema.load(), document)


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


def _utc(value: str | datetime) -> str:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


_SCALARS: Final[dict[str, Callable[[Any], Any]]] = {
    "DateTime": _utc,
    "Decimal": _decimal,
    "Money": str,
    "UnsignedInt64": str,
}


# -- queries --


def _found(run: Run, kind: str, query: str | None) -> list[Thing]:
    shop = run.shop
    bodies = shop.products() if kind == "Product" else shop.visible_orders(shop.scopes)
    fits = matcher(query, kind, shop.timezone)
    return [Thing(kind, body, shop) for body in bodies if fits(body)]


def _list(run: Run, kind: str, arguments: Body) -> dict[str, Any]:
    default = "ID" if kind == "Product" else "PROCESSED_AT"
    field = _SORTED_BY.get(arguments.get("sortKey") or default)

    def key(thing: Thing) -> tuple[Any, ...]:
        number = thing.body["id"]
        return (
            (number,) if field is None else (_utc(thing.body[field]) if thing.body.get(field) else "", number)
        )

    sort = arguments.get("sortKey")
    if sort not in (None, "ID", "RELEVANCE", *_SORTED_BY):
        raise GraphQLError(f"This stand-in cannot sort by {sort}.")
    return outermost(run, _found(run, kind, arguments.get("query")), arguments, key)


def _count(run: Run, kind: str, arguments: Body) -> dict[str, Any]:
    number = len(_found(run, kind, arguments.get("query")))
    limit = arguments.get("limit", _MOST_COUNTED)
    if limit is not None and number > limit:
        return {"count": limit, "precision": "AT_LEAST"}
    return {"count": number, "precision": "EXACT"}


def _product(run: Run, arguments: Body) -> Thing | None:
    return product_of(run.shop, number(arguments["id"], "Product"))


def _variant(run: Run, arguments: Body) -> Thing | None:
    return variant_of(run.shop, number(arguments["id"], "ProductVariant"))


def _order(run: Run, arguments: Body) -> Thing | None:
    wanted = number(arguments["id"], "Order")
    bodies = run.shop.visible_orders(run.shop.scopes)
    return next((Thing("Order", body, run.shop) for body in bodies if body["id"] == wanted), None)


def _node(run: Run, arguments: Body) -> Any:
    kind = arguments["id"].removeprefix("gid://shopify/").partition("/")[0]
    if kind not in _NODES:
        raise GraphQLError(f"This stand-in finds no node of the kind {kind}.")
    name, find = _NODES[kind]
    _check_access(run, name)
    return find(run, arguments)


def _nodes(run: Run, arguments: Body) -> list[Any]:
    return [_node(run, {"id": identity}) for identity in arguments["ids"]]


def _installation(run: Run, _: Body) -> dict[str, Any]:
    return {
        "id": run.shop.id,
        "access_scopes": [
            {"handle": scope, "description": scope.replace("_", " ")} for scope in sorted(run.shop.scopes)
        ],
        "app": _app(run),
        "launch_url": run.app.url,
    }


def _app(run: Run) -> dict[str, Any]:
    return {
        "id": 1,
        "api_key": run.app.client_id,
        "handle": run.app.handle,
        "title": run.app.name,
        "embedded": True,
        "webhook_api_version": schema.VERSION,
    }


# -- bulk operations --


def _operation(run: Run, operation: BulkOperation) -> Thing:
    # The status first: what comes with the end is there before it.
    status = operation.status
    failed = status == "FAILED"
    url = f"{run.base_url}/bulk/{operation.key}.jsonl" if operation.content else None
    body = {
        "id": operation.id,
        "status": status,
        "error_code": operation.error_code if failed else None,
        "created_at": operation.created_at,
        "completed_at": operation.completed_at,
        "file_size": len(operation.content) if operation.content else None,
        "object_count": operation.object_count,
        "root_object_count": operation.root_object_count,
        "partial_data_url": url if failed else None,
        "url": None if failed else url,
        "query": operation.query,
        "type": "QUERY",
    }
    return Thing("BulkOperation", body, run.shop)


def _run_bulk(run: Run, arguments: Body) -> dict[str, Any]:
    shop = run.shop
    problem, document = _bulk_problem(arguments["query"])
    if problem is not None or document is None:
        return _bulk_refused(problem or "", "INVALID")
    with shop.lock:
        running = sum(operation.status in RUNNING for operation in shop.bulk_operations.values())
        if running >= CONCURRENT:
            return _bulk_refused(
                "Too many bulk operations are running for this app and shop.", "LIMIT_REACHED"
            )
        operation = BulkOperation(
            _FIRST_OPERATION + 2 * len(shop.bulk_operations),
            arguments["query"],
            shop.now(),
            shop.bulk_options,
            arguments.get("groupObjects", False),
            error_code=shop.bulk_options.failures.pop(0) if shop.bulk_options.failures else None,
        )
        shop.bulk_operations[operation.id] = operation
    prepared = with_ids(document)

    def collect() -> Iterator[tuple[Mapping[str, Any] | None, str | None]]:
        for start in itertools.count(0, _PIECE):
            piece = Run(shop, run.app, run.base_url, bulk=True, window=slice(start, start + _PIECE))
            result = _execute(prepared, piece, {})
            yield result.data, "ACCESS_DENIED" if result.errors else None
            if piece.roots < _PIECE:
                return

    operation.start(collect)
    return {"bulk_operation": _operation(run, operation), "user_errors": []}


def _bulk_problem(query: str) -> tuple[str | None, DocumentNode | None]:
    try:
        document, problems = _read(query)
    except GraphQLSyntaxError as broken:
        return broken.message, None
    if problems:
        return problems[0].message, None
    return objection(schema.load(), document), document


def _bulk_refused(message: str, code: str) -> dict[str, Any]:
    return {
        "bulk_operation": None,
        "user_errors": [{"field": ["query"], "message": message, "code": code}],
    }


def _bulk_operation(run: Run, arguments: Body) -> Thing | None:
    operation = run.shop.bulk_operations.get(arguments["id"])
    if operation is None:
        return None
    if operation.poll(run.shop.now()):
        body = {
            "admin_graphql_api_id": operation.id,
            "status": operation.status.lower(),
            "type": "query",
            "error_code": operation.error_code.lower() if operation.error_code else None,
            "created_at": _utc(operation.created_at),
            "completed_at": _utc(run.shop.now()),
        }
        run.shop.emit("bulk_operations/finish", body, resource=operation.id)
    return _operation(run, operation)


def _bulk_operations(run: Run, arguments: Body) -> dict[str, Any]:
    operations = [_operation(run, operation) for operation in run.shop.bulk_operations.values()]
    return outermost(run, operations, arguments, lambda thing: (thing.body["id"],))


def _cancel_bulk(run: Run, arguments: Body) -> dict[str, Any]:
    operation = run.shop.bulk_operations.get(arguments["id"])
    if operation is None:
        return {
            "bulk_operation": None,
            "user_errors": [{"field": ["id"], "message": "Bulk operation does not exist"}],
        }
    problems = []
    if not operation.cancel():
        message = f"A bulk operation cannot be canceled when it is {operation.status.lower()}"
        problems = [{"field": None, "message": message}]
    return {"bulk_operation": _operation(run, operation), "user_errors": problems}


def _uninstall(run: Run, _: Body) -> dict[str, Any]:
    app = _app(run)
    run.shop.uninstall()
    return {"app": app, "user_errors": []}


_NODES: Final[dict[str, tuple[str, Callable[[Run, Body], Any]]]] = {
    "Product": ("QueryRoot.product", _product),
    "ProductVariant": ("QueryRoot.productVariant", _variant),
    "Order": ("QueryRoot.order", _order),
    "BulkOperation": ("QueryRoot.bulkOperation", _bulk_operation),
    "DiscountAutomaticNode": ("QueryRoot.automaticDiscountNode", discounts.node),
}


_ROOTS: Final[dict[str, Root]] = {
    "QueryRoot.shop": lambda run, _: shop_thing(run.shop),
    "QueryRoot.products": lambda run, arguments: _list(run, "Product", arguments),
    "QueryRoot.product": _product,
    "QueryRoot.productVariant": _variant,
    "QueryRoot.productsCount": lambda run, arguments: _count(run, "Product", arguments),
    "QueryRoot.orders": lambda run, arguments: _list(run, "Order", arguments),
    "QueryRoot.order": _order,
    "QueryRoot.ordersCount": lambda run, arguments: _count(run, "Order", arguments),
    "QueryRoot.node": _node,
    "QueryRoot.nodes": _nodes,
    "QueryRoot.currentAppInstallation": _installation,
    "QueryRoot.bulkOperation": _bulk_operation,
    "QueryRoot.bulkOperations": _bulk_operations,
    "Mutation.bulkOperationRunQuery": _run_bulk,
    "Mutation.bulkOperationCancel": _cancel_bulk,
    "Mutation.appUninstall": _uninstall,
    **subscriptions.ROOTS,
    **discounts.ROOTS,
    **metafields.ROOTS,
    **prices.ROOTS,
}
