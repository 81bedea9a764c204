"""``/wp-json/wc/v3/coupons``: making, changing, trashing and deleting coupons."""

from typing import Any

from flask import Blueprint, Response, request

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
from demo.peers.woocommerce.arguments import query_of
from demo.peers.woocommerce.problems import RestProblem, missing_arguments

_COUPON: dict[str, Any] = {
    "amount": "0.00",
    "status": "publish",
    "discount_type": "fixed_cart",
    "description": "",
    "date_expires": None,
    "date_expires_gmt": None,
    "usage_count": 0,
    "individual_use": False,
    "product_ids": [],
    "excluded_product_ids": [],
    "usage_limit": None,
    "usage_limit_per_user": None,
    "limit_usage_to_x_items": None,
    "free_shipping": False,
    "product_categories": [],
    "excluded_product_categories": [],
    "exclude_sale_items": False,
    "minimum_amount": "0.00",
    "maximum_amount": "0.00",
    "email_restrictions": [],
    "used_by": [],
    "meta_data": [],
}

blueprint = Blueprint("woocommerce_coupons", __name__)


@blueprint.get("/coupons", strict_slashes=False)
@acting("list")
def _coupons() -> Response:
    rows = store().records("coupon")
    code = query_of(request).text("code")
    if code:
        rows = [row for row in rows if row.body["code"] == code.lower()]
    return collection("coupon", "coupons", rows, store().show)


@blueprint.post("/coupons", strict_slashes=False)
@acting("create")
def _create_coupon() -> Response:
    state, given = store(), writable()
    code = str(given.get("code") or "").lower()
    if not code:
        raise missing_arguments(["code"])
    if any(row.body["code"] == code and row.status != "trash" for row in state.records("coupon")):
        raise RestProblem(
            "woocommerce_rest_coupon_code_already_exists", "The coupon code already exists", 400
        )
    identifier = state.next_id()
    fields = {name: value for name, value in given.items() if name in _COUPON}
    state.create_coupon({"id": identifier, "code": code, **_COUPON, **fields})
    body = state.show(wanted("coupon", identifier))
    return answer(body, 201, {"Location": state.site.rest(f"coupons/{identifier}")})


@blueprint.get("/coupons/<int:identifier>", strict_slashes=False)
@acting("view")
def _coupon(identifier: int) -> Response:
    return answer(store().show(wanted("coupon", identifier)))


@blueprint.route("/coupons/<int:identifier>", methods=WRITES, strict_slashes=False)
@acting("edit")
def _edit_coupon(identifier: int) -> Response:
    state = store()
    wanted("coupon", identifier)
    state.changed_coupon(identifier, **writable())
    return answer(state.show(wanted("coupon", identifier)))


@blueprint.delete("/coupons/<int:identifier>", strict_slashes=False)
@acting("delete")
def _delete_coupon(identifier: int) -> Response:
    state, row = store(), wanted("coupon", identifier)
    if forced():
        body = state.show(row)
        state.delete_coupon(identifier)
        return answer(body)
    refuse_trashed(row)
    state.trash_coupon(identifier)
    return answer(state.show(wanted("coupon", identifier)))
