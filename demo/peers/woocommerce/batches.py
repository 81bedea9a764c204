"""``…/batch``: many changes of one collection in one request, each done or refused by itself.

Rules: WooCommerce 10.5.0, includes/abstracts/abstract-wc-rest-controller.php, batch_items. What is created comes
first, then what is changed, then what is deleted, always for good.
"""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response

from demo.peers.woocommerce import coupons, prices
from demo.peers.woocommerce.answers import WRITES, acting, answer, store, wanted, writable
from demo.peers.woocommerce.arguments import body_of_request
from demo.peers.woocommerce.problems import RestProblem, missing, no_route

MOST = 100
Single = Callable[[Mapping[str, Any]], dict[str, Any]]

blueprint = Blueprint("woocommerce_batches", __name__)


@blueprint.route("/products/batch", methods=WRITES, strict_slashes=False)
@acting("edit")
def _products() -> Response:
    return _batch({"update": _edit_product})


@blueprint.route("/products/<int:parent>/variations/batch", methods=WRITES, strict_slashes=False)
@acting("edit")
def _variations(parent: int) -> Response:
    def edit(item: Mapping[str, Any]) -> dict[str, Any]:
        row = wanted("variation", int(item["id"]))
        if row.parent_id != parent:
            raise missing("variation")
        prices.write(store(), row, writable(item))
        return store().show(wanted("variation", row.id))

    return _batch({"update": edit})


@blueprint.route("/coupons/batch", methods=WRITES, strict_slashes=False)
@acting("edit")
def _coupons() -> Response:
    return _batch({"create": coupons.create, "update": coupons.edit, "delete": _delete_coupon})


def _edit_product(item: Mapping[str, Any]) -> dict[str, Any]:
    row = wanted("product", int(item["id"]))
    prices.write(store(), row, writable(item))
    return store().show(wanted("product", row.id))


def _delete_coupon(item: Mapping[str, Any]) -> dict[str, Any]:
    row = wanted("coupon", int(item["id"]))
    store().delete_coupon(row.id)
    return store().show(row)


def _batch(does: Mapping[str, Single]) -> Response:
    """Do what the body asks for, and answer with what became of each.

    Raises:
        RestProblem: if there is too much of it, or of a kind that this stand-in does not do.
    """
    body = {what: items for what in ("create", "update", "delete") if (items := body_of_request().get(what))}
    if sum(len(items) for items in body.values()) > MOST:
        raise RestProblem(
            "woocommerce_rest_request_entity_too_large",
            f"Unable to accept more than {MOST} items for this request.",
            413,
        )
    if not body.keys() <= does.keys():
        raise no_route()
    return answer({what: [_done(does[what], item) for item in items] for what, items in body.items()})


def _done(single: Single, item: Any) -> dict[str, Any]:
    fields: Mapping[str, Any] = item if isinstance(item, dict) else {"id": item}
    try:
        return single(fields)
    except RestProblem as problem:
        return {"id": fields.get("id", 0), "error": problem.body}
