"""``/wp-json/wc/v3/coupons``: making, changing, trashing and deleting coupons."""

from collections.abc import Mapping
from datetime import datetime
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
from demo.peers.woocommerce.arguments import body_of_request, query_of
from demo.peers.woocommerce.problems import RestProblem, missing_arguments
from demo.woocommerce_format import gmt

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
    rows, query = store().records("coupon"), query_of(request)
    code, words = query.text("code"), query.text("search")
    if code:
        rows = [row for row in rows if row.body["code"] == code.lower()]
    if words:
        rows = [row for row in rows if words.lower() in row.body["code"]]
    return collection("coupon", "coupons", rows, store().show)


@blueprint.post("/coupons", strict_slashes=False)
@acting("create")
def _create_coupon() -> Response:
    body = create(body_of_request())
    return answer(body, 201, {"Location": store().site.rest(f"coupons/{body['id']}")})


def create(given: Mapping[str, Any]) -> dict[str, Any]:
    """Make a coupon of ``given`` and return it as REST shows it.

    Raises:
        RestProblem: if it has no code, or that of another coupon.
    """
    state = store()
    code = str(given.get("code") or "").lower()
    if not code:
        raise missing_arguments(["code"])
    if any(row.body["code"] == code and row.status != "trash" for row in state.records("coupon")):
        raise RestProblem(
            "woocommerce_rest_coupon_code_already_exists", "The coupon code already exists", 400
        )
    identifier = state.next_id()
    fields = {name: value for name, value in writable(given).items() if name in _COUPON}
    state.create_coupon({"id": identifier, "code": code, **_COUPON, **_expiring(fields)})
    return state.show(wanted("coupon", identifier))


def edit(given: Mapping[str, Any]) -> dict[str, Any]:
    """Change the coupon that ``given`` names, and return it as REST shows it.

    Raises:
        RestProblem: if there is none.
    """
    state, row = store(), wanted("coupon", int(given["id"]))
    state.changed_coupon(row.id, **_expiring(writable(given)))
    return state.show(wanted("coupon", row.id))


def _expiring(fields: dict[str, Any]) -> dict[str, Any]:
    """Return ``fields`` with the end in UTC, as it is kept: given with a zone, or in the site's time without one."""
    moment = fields.pop("date_expires", None)
    if moment:
        at = datetime.fromisoformat(str(moment))
        fields["date_expires_gmt"] = gmt(at if at.tzinfo else at.replace(tzinfo=store().site.zone))
    return fields


@blueprint.get("/coupons/<int:identifier>", strict_slashes=False)
@acting("view")
def _coupon(identifier: int) -> Response:
    return answer(store().show(wanted("coupon", identifier)))


@blueprint.route("/coupons/<int:identifier>", methods=WRITES, strict_slashes=False)
@acting("edit")
def _edit_coupon(identifier: int) -> Response:
    return answer(edit({**body_of_request(), "id": identifier}))


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
