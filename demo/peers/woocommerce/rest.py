"""``/wp-json/…``: the REST interface of WordPress 6.9 with WooCommerce 10.5, as far as a backend asks it."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, cast
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, g, request

from demo.peers.woocommerce import status
from demo.peers.woocommerce.arguments import Arguments, body_of_request, only_fields, query_of
from demo.peers.woocommerce.authentication import authenticate
from demo.peers.woocommerce.deliveries import ping
from demo.peers.woocommerce.hooks import STATUSES, Webhook, is_topic
from demo.peers.woocommerce.listing import chosen, page_of, paging_headers, read_wish
from demo.peers.woocommerce.problems import (
    Fault,
    RestProblem,
    invalid_arguments,
    missing,
    missing_arguments,
    no_route,
    refused,
)
from demo.peers.woocommerce.records import Kind, Record
from demo.peers.woocommerce.state import WooState
from demo.woocommerce_shop import encode

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_WRITES = ["POST", "PUT", "PATCH"]
_READONLY = frozenset(
    {
        *("id", "permalink", "date_created", "date_created_gmt", "date_modified", "date_modified_gmt"),
        *("price", "on_sale", "purchasable", "total_sales", "price_html", "related_ids", "has_options"),
        *("average_rating", "rating_count", "variations", "_links", "parent_name", "backordered"),
        *("usage_count", "used_by", "type"),
    }
)
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
_NOT_FOUND_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Page not found</title></head><body>Page not found</body></html>\n"
)

P = ParamSpec("P")
blueprint = Blueprint("woocommerce_rest", __name__, url_prefix="/wp-json")


def _state() -> WooState:
    return cast(WooState, current_app.extensions["woocommerce_peer"])


def _answer(body: Any, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    fields = query_of(request).parts("_fields")
    if fields and isinstance(body, list):
        body = [only_fields(item, fields) for item in body]
    elif fields and code < 400:
        body = only_fields(body, fields)
    response = Response(encode(body), code, content_type="application/json; charset=UTF-8")
    response.headers.extend(headers or {})
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _acting(action: str) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Let only somebody with a key do ``action``, one of ``problems.REFUSALS``."""

    def outer(view: Callable[P, Response]) -> Callable[P, Response]:
        @wraps(view)
        def inner(*args: P.args, **kwargs: P.kwargs) -> Response:
            if g.woocommerce_key is None:
                raise refused(action)
            return view(*args, **kwargs)

        return inner

    return outer


@blueprint.before_request
def _admit() -> Response | None:
    state = _state()
    if not state.site.pretty_permalinks:
        return Response(_NOT_FOUND_PAGE, 404, mimetype="text/html")
    g.woocommerce_key = None
    # Keys count only under wp-json/wc/ and wp-json/wc-…
    if request.path.startswith(("/wp-json/wc/", "/wp-json/wc-")):
        g.woocommerce_key = authenticate(state)
    return None


@blueprint.errorhandler(RestProblem)
def _problem(problem: RestProblem) -> Response:
    response = Response(encode(problem.body), problem.status, content_type="application/json; charset=UTF-8")
    response.headers.extend(problem.headers)
    return response


# -- what the store says of itself --


@blueprint.get("/")
def _index() -> Response:
    return _answer(status.site_index(_state().site))


@blueprint.get("/wc/v3", strict_slashes=False)
def _namespace() -> Response:
    paths = ["coupons", "customers", "orders", "products", "refunds", "settings", "system_status", "webhooks"]
    return _answer(status.namespace_index(_state().site, paths))


@blueprint.get("/wc/v3/system_status", strict_slashes=False)
@_acting("list")
def _system_status() -> Response:
    return _answer(status.system_status(_state().site))


@blueprint.get("/wc/v3/settings/general", strict_slashes=False)
@_acting("list")
def _general() -> Response:
    return _answer(status.general_settings(_state().site))


@blueprint.get("/wc/v3/settings/general/<name>", strict_slashes=False)
@_acting("view")
def _setting(name: str) -> Response:
    for setting in status.general_settings(_state().site):
        if setting["id"] == name:
            return _answer(setting)
    raise RestProblem("rest_setting_setting_invalid", "Invalid setting.", 404)


# -- collections --


def _collection(
    kind: Kind, path: str, rows: Sequence[Record], show: Callable[[Record], dict[str, Any]]
) -> Response:
    state, query = _state(), query_of(request)
    wish = read_wish(kind, query, state.site)
    with state.lock:
        found = chosen(rows, wish, state.site)
        shown = [show(row) for row in page_of(found, wish)]
    headers = paging_headers(
        len(found), wish, state.site.rest(path), query, forgetful=kind in ("order", "refund")
    )
    return _answer(shown, headers=headers)


def _numbers(name: str) -> int | None:
    given = Arguments(query_of(request))
    number = given.integer(name, None)
    given.check()
    return number


def _wanted(kind: Kind, identifier: int) -> Record:
    row = _state().find(kind, identifier)
    if row is None:
        raise missing(kind)
    return row


@blueprint.get("/wc/v3/products", strict_slashes=False)
@_acting("list")
def _products() -> Response:
    state, query = _state(), query_of(request)
    rows = state.records("product")
    for name in ("sku", "slug", "type"):
        value = query.text(name)
        if value:
            rows = [row for row in rows if row.body.get(name) == value]
    return _collection("product", "products", rows, state.show)


@blueprint.get("/wc/v3/products/<int:identifier>", strict_slashes=False)
@_acting("view")
def _product(identifier: int) -> Response:
    body = _state().show_as_product(identifier)
    if body is None:
        raise missing("product")
    return _answer(body)


@blueprint.route("/wc/v3/products/<int:identifier>", methods=_WRITES, strict_slashes=False)
@_acting("edit")
def _edit_product(identifier: int) -> Response:
    _wanted("product", identifier)
    _state().changed_product(identifier, **_writable())
    return _answer(_state().show_as_product(identifier))


@blueprint.delete("/wc/v3/products/<int:identifier>", strict_slashes=False)
@_acting("delete")
def _delete_product(identifier: int) -> Response:
    state, row = _state(), _wanted("product", identifier)
    if _forced():
        body = state.show(row)
        state.delete_product(identifier)
        return _answer(body)
    _refuse_trashed(row)
    state.trash_product(identifier)
    return _answer(state.show_as_product(identifier))


@blueprint.get("/wc/v3/products/<int:parent>/variations", strict_slashes=False)
@_acting("list")
def _variations(parent: int) -> Response:
    state = _state()
    rows = [row for row in state.records("variation") if row.parent_id == parent]
    return _collection("variation", f"products/{parent}/variations", rows, state.show)


@blueprint.get("/wc/v3/products/<int:parent>/variations/<int:identifier>", strict_slashes=False)
@_acting("view")
def _variation(parent: int, identifier: int) -> Response:
    row = _wanted("variation", identifier)
    if row.parent_id != parent:
        raise missing("variation")
    return _answer(_state().show(row))


@blueprint.get("/wc/v3/orders", strict_slashes=False)
@_acting("list")
def _orders() -> Response:
    state = _state()
    rows = state.records("order")
    customer, product = _numbers("customer"), _numbers("product")
    if customer is not None:
        rows = [row for row in rows if row.body["customer_id"] == customer]
    if product is not None:
        rows = [row for row in rows if _has_product(state.show(row), product)]
    return _collection("order", "orders", rows, state.show)


def _has_product(order: Mapping[str, Any], product: int) -> bool:
    return any(line["product_id"] == product for line in order["line_items"])


@blueprint.get("/wc/v3/orders/<int:identifier>", strict_slashes=False)
@_acting("view")
def _order(identifier: int) -> Response:
    return _answer(_state().show(_wanted("order", identifier)))


@blueprint.route("/wc/v3/orders/<int:identifier>", methods=_WRITES, strict_slashes=False)
@_acting("edit")
def _edit_order(identifier: int) -> Response:
    state = _state()
    _wanted("order", identifier)
    state.changed_order(identifier, **_writable())
    return _answer(state.show(_wanted("order", identifier)))


@blueprint.delete("/wc/v3/orders/<int:identifier>", strict_slashes=False)
@_acting("delete")
def _delete_order(identifier: int) -> Response:
    state, row = _state(), _wanted("order", identifier)
    if _forced():
        body = state.show(row)
        state.delete_order(identifier)
        return _answer(body)
    _refuse_trashed(row)
    state.trash_order(identifier)
    return _answer(state.show(_wanted("order", identifier)))


@blueprint.get("/wc/v3/orders/<int:order>/refunds", strict_slashes=False)
@_acting("list")
def _order_refunds(order: int) -> Response:
    rows = [row for row in _state().records("refund") if row.parent_id == order]
    return _collection("refund", f"orders/{order}/refunds", rows, _refund_of_order)


@blueprint.get("/wc/v3/orders/<int:order>/refunds/<int:identifier>", strict_slashes=False)
@_acting("view")
def _order_refund(order: int, identifier: int) -> Response:
    row = _wanted("refund", identifier)
    if row.parent_id != order:
        raise RestProblem("woocommerce_rest_invalid_order_refund_id", "Invalid order refund ID.", 404)
    return _answer(_refund_of_order(row))


def _refund_of_order(row: Record) -> dict[str, Any]:
    """Return a refund as its order's collection shows it: without the order's id."""
    return {name: value for name, value in _state().show(row).items() if name != "parent_id"}


@blueprint.get("/wc/v3/refunds", strict_slashes=False)
@_acting("list")
def _refunds() -> Response:
    return _collection("refund", "refunds", _state().records("refund"), _state().show)


@blueprint.get("/wc/v3/customers", strict_slashes=False)
@_acting("list")
def _customers() -> Response:
    return _collection("customer", "customers", _state().records("customer"), _state().show)


@blueprint.get("/wc/v3/customers/<int:identifier>", strict_slashes=False)
@_acting("view")
def _customer(identifier: int) -> Response:
    return _answer(_state().show(_wanted("customer", identifier)))


# -- coupons --


@blueprint.get("/wc/v3/coupons", strict_slashes=False)
@_acting("list")
def _coupons() -> Response:
    rows = _state().records("coupon")
    code = query_of(request).text("code")
    if code:
        rows = [row for row in rows if row.body["code"] == code.lower()]
    return _collection("coupon", "coupons", rows, _state().show)


@blueprint.post("/wc/v3/coupons", strict_slashes=False)
@_acting("create")
def _create_coupon() -> Response:
    state, given = _state(), _writable()
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
    body = state.show(_wanted("coupon", identifier))
    return _answer(body, 201, {"Location": state.site.rest(f"coupons/{identifier}")})


@blueprint.get("/wc/v3/coupons/<int:identifier>", strict_slashes=False)
@_acting("view")
def _coupon(identifier: int) -> Response:
    return _answer(_state().show(_wanted("coupon", identifier)))


@blueprint.route("/wc/v3/coupons/<int:identifier>", methods=_WRITES, strict_slashes=False)
@_acting("edit")
def _edit_coupon(identifier: int) -> Response:
    state = _state()
    _wanted("coupon", identifier)
    state.changed_coupon(identifier, **_writable())
    return _answer(state.show(_wanted("coupon", identifier)))


@blueprint.delete("/wc/v3/coupons/<int:identifier>", strict_slashes=False)
@_acting("delete")
def _delete_coupon(identifier: int) -> Response:
    state, row = _state(), _wanted("coupon", identifier)
    if _forced():
        body = state.show(row)
        state.delete_coupon(identifier)
        return _answer(body)
    _refuse_trashed(row)
    state.trash_coupon(identifier)
    return _answer(state.show(_wanted("coupon", identifier)))


# -- webhooks --


@blueprint.get("/wc/v3/webhooks", strict_slashes=False)
@_acting("list")
def _webhooks() -> Response:
    state, query = _state(), query_of(request)
    given = Arguments(query)
    wanted = given.choice("status", "all", ("all", *STATUSES))
    given.check()
    wish = read_wish("webhook", query, state.site)
    found = [hook for hook in state.hooks.all() if wanted in ("all", hook.status)]
    found = [hook for hook in found if not wish.include or hook.id in wish.include]
    found = [hook for hook in found if hook.id not in wish.exclude]
    by_name = wish.orderby == "title"
    found.sort(key=lambda hook: (hook.name if by_name else "", hook.id), reverse=not wish.ascending)
    headers = paging_headers(len(found), wish, state.site.rest("webhooks"), query, forgetful=False)
    return _answer([_shown(hook) for hook in page_of(found, wish)], headers=headers)


@blueprint.post("/wc/v3/webhooks", strict_slashes=False)
@_acting("create")
def _create_webhook() -> Response:
    state, given = _state(), body_of_request()
    lacking = [name for name in ("topic", "delivery_url") if name not in given]
    if lacking:
        raise missing_arguments(lacking)
    fields = _checked_webhook(given)
    made = state.site.now().astimezone(state.site.zone).strftime("%b %d, %Y @ %I:%M %p")
    webhook = state.hooks.create(
        topic=fields["topic"],
        delivery_url=fields["delivery_url"],
        secret=fields.get("secret") or state.keys.random_secret(),
        name=fields.get("name") or f"Webhook created on {made}",
        status=fields.get("status", "active"),
        user_id=g.woocommerce_key.user_id,
    )
    ping(state, webhook)
    return _answer(_shown(webhook), 201, {"Location": state.site.rest(f"webhooks/{webhook.id}")})


@blueprint.get("/wc/v3/webhooks/<int:identifier>", strict_slashes=False)
@_acting("view")
def _webhook(identifier: int) -> Response:
    return _answer(_shown(_found(identifier)))


@blueprint.route("/wc/v3/webhooks/<int:identifier>", methods=_WRITES, strict_slashes=False)
@_acting("edit")
def _edit_webhook(identifier: int) -> Response:
    webhook = _found(identifier)
    if _state().hooks.update(identifier, **_checked_webhook(body_of_request())):
        ping(_state(), webhook)
    return _answer(_shown(webhook))


@blueprint.delete("/wc/v3/webhooks/<int:identifier>", strict_slashes=False)
@_acting("delete")
def _delete_webhook(identifier: int) -> Response:
    if not _forced():
        raise RestProblem("woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.", 501)
    webhook = _found(identifier)
    _state().hooks.delete(identifier)
    return _answer(_shown(webhook))


def _found(identifier: int) -> Webhook:
    webhook = _state().hooks.find(identifier)
    if webhook is None:
        raise missing("webhook")
    return webhook


def _shown(webhook: Webhook) -> dict[str, Any]:
    state = _state()
    return {**webhook.shown(state.site), "_links": state.links("webhooks", webhook.id)}


def _checked_webhook(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a webhook that were given.

    Raises:
        RestProblem: if one of them is not acceptable.
    """
    fields = {
        name: str(given[name])
        for name in ("name", "status", "topic", "delivery_url", "secret")
        if name in given
    }
    if "status" in fields and fields["status"] not in STATUSES:
        fault = Fault("rest_not_in_enum", "status is not one of active, paused, and disabled.")
        raise invalid_arguments({"status": fault})
    if "topic" in fields:
        fields["topic"] = fields["topic"].lower()
        if not is_topic(fields["topic"]):
            raise RestProblem(
                "woocommerce_rest_shop_webhook_invalid_topic",
                "Webhook topic is required and must be valid.",
                400,
            )
    if "delivery_url" in fields:
        parts = urlsplit(fields["delivery_url"])
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RestProblem(
                "woocommerce_rest_shop_webhook_invalid_delivery_url",
                "Webhook delivery URL must be a valid URL starting with http:// or https://.",
                400,
            )
    return fields


# -- parts of several answers --


def _writable() -> dict[str, Any]:
    return {name: value for name, value in body_of_request().items() if name not in _READONLY}


def _forced() -> bool:
    """Whether the request says ``force``, in its query or in its body."""
    given = Arguments(query_of(request))
    forced = given.boolean("force") or str(body_of_request().get("force", "")).lower() in ("true", "1")
    given.check()
    return forced


def _refuse_trashed(row: Record) -> None:
    if row.status == "trash":
        kind = {"order": "shop_order", "coupon": "shop_coupon"}.get(row.kind, row.kind)
        raise RestProblem("woocommerce_rest_already_trashed", f"The {kind} has already been deleted.", 410)


@blueprint.route("/<path:unknown>", methods=_METHODS)
def _no_route(unknown: str) -> Response:
    del unknown
    raise no_route()
