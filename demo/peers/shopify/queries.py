"""What the API's queries find: the shop, its products and orders, and the app itself."""

from typing import Any, Final

from graphql import GraphQLError

from demo.peers.shopify import schema
from demo.peers.shopify.fields import Thing, product_of, shop_thing, utc, variant_of
from demo.peers.shopify.run import Root, Run, number, outermost
from demo.peers.shopify.search import matcher
from demo.peers.shopify.state import Body

_MOST_COUNTED: Final = 10_000
_SORTED_BY: Final = {
    "CREATED_AT": "created_at",
    "UPDATED_AT": "updated_at",
    "PROCESSED_AT": "processed_at",
    "PUBLISHED_AT": "published_at",
}
SCOPES: Final = {
    "QueryRoot.products": "read_products",
    "QueryRoot.product": "read_products",
    "QueryRoot.productVariant": "read_products",
    "QueryRoot.productsCount": "read_products",
    "QueryRoot.orders": "read_orders",
    "QueryRoot.order": "read_orders",
    "QueryRoot.ordersCount": "read_orders",
}


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
            (number,) if field is None else (utc(thing.body[field]) if thing.body.get(field) else "", number)
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


def _uninstall(run: Run, _: Body) -> dict[str, Any]:
    app = _app(run)
    run.shop.uninstall()
    return {"app": app, "user_errors": []}


ROOTS: Final[dict[str, Root]] = {
    "QueryRoot.shop": lambda run, _: shop_thing(run.shop),
    "QueryRoot.products": lambda run, arguments: _list(run, "Product", arguments),
    "QueryRoot.product": _product,
    "QueryRoot.productVariant": _variant,
    "QueryRoot.productsCount": lambda run, arguments: _count(run, "Product", arguments),
    "QueryRoot.orders": lambda run, arguments: _list(run, "Order", arguments),
    "QueryRoot.order": _order,
    "QueryRoot.ordersCount": lambda run, arguments: _count(run, "Order", arguments),
    "QueryRoot.currentAppInstallation": _installation,
    "Mutation.appUninstall": _uninstall,
}
