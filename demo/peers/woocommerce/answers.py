"""Parts that many answers of the REST interface have in common."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, cast

from flask import Response, current_app, g, request

from demo.peers.woocommerce.arguments import Arguments, body_of_request, only_fields, query_of
from demo.peers.woocommerce.listing import chosen, page_of, paging_headers, read_wish
from demo.peers.woocommerce.problems import RestProblem, missing, refused
from demo.peers.woocommerce.records import Kind, Record
from demo.peers.woocommerce.state import WooState
from demo.woocommerce_format import encode

WRITES = ["POST", "PUT", "PATCH"]
_READONLY = frozenset(
    {
        *("id", "permalink", "date_created", "date_created_gmt", "date_modified", "date_modified_gmt"),
        *("price", "on_sale", "purchasable", "total_sales", "price_html", "related_ids", "has_options"),
        *("average_rating", "rating_count", "variations", "_links", "parent_name", "backordered"),
        *("usage_count", "used_by", "type"),
    }
)

P = ParamSpec("P")


def store() -> WooState:
    """Return the store that answers the current request."""
    return cast(WooState, current_app.extensions["woocommerce_peer"])


def answer(body: Any, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return ``body`` as JSON, with the fields alone that ``_fields`` asks for."""
    fields = query_of(request).parts("_fields")
    if fields and isinstance(body, list):
        body = [only_fields(item, fields) for item in body]
    elif fields and code < 400:
        body = only_fields(body, fields)
    response = Response(encode(body), code, content_type="application/json; charset=UTF-8")
    response.headers.extend(headers or {})
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def acting(action: str) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Let only somebody with a key do ``action``, one of ``problems.REFUSALS``."""

    def outer(view: Callable[P, Response]) -> Callable[P, Response]:
        @wraps(view)
        def inner(*args: P.args, **kwargs: P.kwargs) -> Response:
            if g.woocommerce_key is None:
                raise refused(action)
            return view(*args, **kwargs)

        return inner

    return outer


def collection(
    kind: Kind, path: str, rows: Sequence[Record], show: Callable[[Record], dict[str, Any]]
) -> Response:
    """Return the page of ``rows`` that the request asks for, each as ``show`` shows it.

    Args:
        kind: what the rows are.
        path: of the collection, below ``wc/v3/``.
        rows: all that the path holds.
        show: makes a body of a row.

    Raises:
        RestProblem: if an argument is not acceptable.
    """
    state, query = store(), query_of(request)
    wish = read_wish(kind, query, state.site)
    with state.lock:
        found = chosen(rows, wish, state.site)
        shown = [show(row) for row in page_of(found, wish)]
    headers = paging_headers(
        len(found), wish, state.site.rest(path), query, forgetful=kind in ("order", "refund")
    )
    return answer(shown, headers=headers)


def wanted(kind: Kind, identifier: int) -> Record:
    """Return a row.

    Raises:
        RestProblem: if there is none.
    """
    row = store().find(kind, identifier)
    if row is None:
        raise missing(kind)
    return row


def writable(body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the fields of ``body``, or else of the request's, that may be written; others are passed over."""
    given = body_of_request() if body is None else body
    return {name: value for name, value in given.items() if name not in _READONLY}


def forced() -> bool:
    """Whether the request says ``force``, in its query or in its body."""
    given = Arguments(query_of(request))
    forced = given.boolean("force") or str(body_of_request().get("force", "")).lower() in ("true", "1")
    given.check()
    return forced


def refuse_trashed(row: Record) -> None:
    """Raise if a row is in the trash already.

    Raises:
        RestProblem: then.
    """
    if row.status == "trash":
        kind = {"order": "shop_order", "coupon": "shop_coupon"}.get(row.kind, row.kind)
        raise RestProblem("woocommerce_rest_already_trashed", f"The {kind} has already been deleted.", 410)
