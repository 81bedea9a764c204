"""``/wp-json/wc/v3/…``: products, orders, refunds and customers."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from demo.peers.woocommerce import prices
from demo.peers.woocommerce.answers import (
    WRITES,
    acting,
    answer,
    collection,
    forced,
    refuse_trashed,
    store,
    wanted,
    writable,
)
from demo.peers.woocommerce.arguments import Arguments, query_of
from demo.peers.woocommerce.problems import RestProblem, missing, no_route
from demo.peers.woocommerce.records import Record

# The first version that lists the variations of all products together.
_LISTS_VARIATIONS = (10, 3)

blueprint = Blueprint("woocommerce_resources", __name__)


def _numbers(name: str) -> int | None:
    given = Arguments(query_of(request))
    number = given.integer(name, None)
    given.check()
    return number


@blueprint.get("/products", strict_slashes=False)
@acting("list")
def _products() -> Response:
    state, query = store(), query_of(request)
    rows = state.records("product")
    for name in ("sku", "slug", "type"):
        value = query.text(name)
        if value:
            rows = [row for row in rows if row.body.get(name) == value]
    return collection("product", "products", rows, state.show)


@blueprint.get("/products/<int:identifier>", strict_slashes=False)
@acting("view")
def _product(identifier: int) -> Response:
    body = store().show_as_product(identifier)
    if body is None:
        raise missing("product")
    return answer(body)


@blueprint.route("/products/<int:identifier>", methods=WRITES, strict_slashes=False)
@acting("edit")
def _edit_product(identifier: int) -> Response:
    row = store().find("product", identifier) or store().find("variation", identifier)
    if row is None:
        raise missing("product")
    prices.write(store(), row, writable())
    return answer(store().show_as_product(identifier))


@blueprint.delete("/products/<int:identifier>", strict_slashes=False)
@acting("delete")
def _delete_product(identifier: int) -> Response:
    state, row = store(), wanted("product", identifier)
    if forced():
        body = state.show(row)
        state.delete_product(identifier)
        return answer(body)
    refuse_trashed(row)
    state.trash_product(identifier)
    return answer(state.show_as_product(identifier))


@blueprint.get("/products/<int:parent>/variations", strict_slashes=False)
@acting("list")
def _variations(parent: int) -> Response:
    state = store()
    rows = [row for row in state.records("variation") if row.parent_id == parent]
    return collection("variation", f"products/{parent}/variations", rows, state.show)


@blueprint.get("/products/<int:parent>/variations/<int:identifier>", strict_slashes=False)
@acting("view")
def _variation(parent: int, identifier: int) -> Response:
    row = wanted("variation", identifier)
    if row.parent_id != parent:
        raise missing("variation")
    return answer(store().show(row))


@blueprint.route("/products/<int:parent>/variations/<int:identifier>", methods=WRITES, strict_slashes=False)
@acting("edit")
def _edit_variation(parent: int, identifier: int) -> Response:
    row = wanted("variation", identifier)
    if row.parent_id != parent:
        raise missing("variation")
    prices.write(store(), row, writable())
    return answer(store().show(wanted("variation", identifier)))


@blueprint.get("/variations", strict_slashes=False)
@acting("list")
def _all_variations() -> Response:
    state = store()
    if tuple(map(int, state.site.woocommerce.split(".")[:2])) < _LISTS_VARIATIONS:
        raise no_route()
    return collection("variation", "variations", state.records("variation"), state.show)


@blueprint.get("/orders", strict_slashes=False)
@acting("list")
def _orders() -> Response:
    state = store()
    rows = state.records("order")
    customer, product = _numbers("customer"), _numbers("product")
    if customer is not None:
        rows = [row for row in rows if row.body["customer_id"] == customer]
    if product is not None:
        rows = [row for row in rows if _has_product(state.show(row), product)]
    return collection("order", "orders", rows, state.show)


def _has_product(order: Mapping[str, Any], product: int) -> bool:
    return any(line["product_id"] == product for line in order["line_items"])


@blueprint.get("/orders/<int:identifier>", strict_slashes=False)
@acting("view")
def _order(identifier: int) -> Response:
    return answer(store().show(wanted("order", identifier)))


@blueprint.route("/orders/<int:identifier>", methods=WRITES, strict_slashes=False)
@acting("edit")
def _edit_order(identifier: int) -> Response:
    state = store()
    wanted("order", identifier)
    state.changed_order(identifier, **writable())
    return answer(state.show(wanted("order", identifier)))


@blueprint.delete("/orders/<int:identifier>", strict_slashes=False)
@acting("delete")
def _delete_order(identifier: int) -> Response:
    state, row = store(), wanted("order", identifier)
    if forced():
        body = state.show(row)
        state.delete_order(identifier)
        return answer(body)
    refuse_trashed(row)
    state.trash_order(identifier)
    return answer(state.show(wanted("order", identifier)))


@blueprint.get("/orders/<int:order>/refunds", strict_slashes=False)
@acting("list")
def _order_refunds(order: int) -> Response:
    rows = [row for row in store().records("refund") if row.parent_id == order]
    return collection("refund", f"orders/{order}/refunds", rows, _refund_of_order)


@blueprint.get("/orders/<int:order>/refunds/<int:identifier>", strict_slashes=False)
@acting("view")
def _order_refund(order: int, identifier: int) -> Response:
    row = wanted("refund", identifier)
    if row.parent_id != order:
        raise RestProblem("woocommerce_rest_invalid_order_refund_id", "Invalid order refund ID.", 404)
    return answer(_refund_of_order(row))


def _refund_of_order(row: Record) -> dict[str, Any]:
    """Return a refund as its order's collection shows it: without the order's id."""
    return {name: value for name, value in store().show(row).items() if name != "parent_id"}


@blueprint.get("/refunds", strict_slashes=False)
@acting("list")
def _refunds() -> Response:
    return collection("refund", "refunds", store().records("refund"), store().show)


@blueprint.get("/customers", strict_slashes=False)
@acting("list")
def _customers() -> Response:
    return collection("customer", "customers", store().records("customer"), store().show)


@blueprint.get("/customers/<int:identifier>", strict_slashes=False)
@acting("view")
def _customer(identifier: int) -> Response:
    return answer(store().show(wanted("customer", identifier)))
