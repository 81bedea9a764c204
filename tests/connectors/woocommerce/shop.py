"""A WooCommerce store in memory that answers like wc/v3, as far as a source asks it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connectors.errors import NotFound, Rejected, Unreachable

CORE = ("pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed")


@dataclass(frozen=True)
class Answer:
    body: Any
    total: int | None = None


def order(id_, status="processing", modified="2026-11-22T06:38:06", **fields):
    """Return an order of two beans and a pack of filters."""
    return {
        "id": id_,
        "parent_id": 0,
        "status": status,
        "currency": "EUR",
        "prices_include_tax": False,
        "date_created_gmt": "2026-11-22T06:38:05",
        "date_modified_gmt": modified,
        "date_paid_gmt": None,
        "total": "45.00",
        "customer_id": 0,
        "created_via": "checkout",
        "order_key": "wc_order_key",
        "billing": {"email": "anna@example.test", "first_name": "Anna"},
        "line_items": [line(id_ * 10 + 1, 12, 2, "40.00"), line(id_ * 10 + 2, 13, 1, "5.00")],
        "refunds": [],
        **fields,
    }


def line(id_, product_id, quantity, total):
    return {
        "id": id_,
        "product_id": product_id,
        "variation_id": 0,
        "quantity": quantity,
        "subtotal": total,
        "subtotal_tax": "0.00",
        "total": total,
        "total_tax": "0.00",
        "meta_data": [],
    }


def refund(id_, order_id, *taken):
    """Return a refund; ``taken`` are pairs of the order's line and the number of pieces."""
    lines = [
        line(id_ * 10, 12, -pieces, "-20.00")
        | {"meta_data": [{"id": 52, "key": "_refunded_item_id", "value": str(line_id)}]}
        for line_id, pieces in taken
    ]
    return {"id": id_, "parent_id": order_id, "reason": "damaged", "amount": "20.00", "line_items": lines}


def product(id_, modified="2026-11-22T06:38:06", **fields):
    return {
        "id": id_,
        "name": f"Product {id_}",
        "type": "simple",
        "status": "publish",
        "parent_id": 0,
        "date_created_gmt": "2026-11-22T06:00:00",
        "date_modified_gmt": modified,
        "price": "5.00",
        "regular_price": "5.00",
        "on_sale": False,
        "purchasable": True,
        "manage_stock": False,
        "stock_quantity": None,
        "stock_status": "instock",
        "catalog_visibility": "visible",
        "post_password": "",
        "attributes": [],
        "images": [],
        "variations": [],
        "related_ids": [1, 2],
        **fields,
    }


def variation(id_, parent_id, modified="2026-11-22T06:38:06", **fields):
    body = product(id_, modified, parent_id=parent_id, **fields)
    body["attributes"] = [{"id": 0, "name": "Size", "slug": "size", "option": "M"}]
    body["image"] = {"id": 5, "src": "https://shop.example/m.png"}
    for name in ("images", "variations", "catalog_visibility", "related_ids", "type"):
        del body[name]
    return body


def nothing(_path, _params):
    """Do nothing before a request is answered."""


class Shop:
    """The store.

    Attributes:
        missing: paths that this version of WooCommerce does not have.
        requests: what was read, in order: path and parameters.
        before: called with each request before it is answered; may change the store or raise.
    """

    def __init__(self, *, custom_statuses=(), missing=()):
        self.orders: dict[int, dict[str, Any]] = {}
        self.products: dict[int, dict[str, Any]] = {}
        self.variations: dict[int, dict[str, Any]] = {}
        self.refunds: dict[int, dict[str, Any]] = {}
        self.pages: dict[str, Any] = {}
        self.statuses = (*CORE, *custom_statuses)
        self.missing = set(missing)
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.before: Callable[[str, dict[str, Any]], None] = nothing

    def add(self, kind, *bodies):
        getattr(self, kind).update({body["id"]: body for body in bodies})

    def get(self, path, params=None):
        params = dict(params or {})
        self.requests.append((path, params))
        self.before(path, params)
        if path in self.missing:
            raise Rejected("The store has no such REST API.")
        if path in self.pages:
            return Answer(self.pages[path])
        match path.split("/"):
            case ["orders", "statuses"]:
                return Answer([{"slug": s, "name": s.title()} for s in (*self.statuses, "checkout-draft")])
            case ["orders", id_, "refunds"]:
                self._found(self.orders, id_)
                return self._collection(
                    [r for r in self.refunds.values() if r["parent_id"] == int(id_)], params
                )
            case ["products", id_, "variations"]:
                self._found(self.products, id_)
                return self._collection(
                    [v for v in self.variations.values() if v["parent_id"] == int(id_)], params
                )
            case [kind, id_]:
                return Answer(self._seen(self._found(getattr(self, kind), id_), params))
            case ["orders"]:
                rows = [o for o in self.orders.values() if o["status"] in params["status"]]
                return self._collection(rows, params, empty_total=0)
            case ["products"]:
                assert params["status"] == "any"
                return self._collection([p for p in self.products.values() if p["status"] != "trash"], params)
            case [kind]:
                return self._collection(list(getattr(self, kind).values()), params)
        raise AssertionError(path)

    @staticmethod
    def _found(rows, id_):
        if int(id_) not in rows:
            raise NotFound("There is nothing at this address.")
        return rows[int(id_)]

    def _collection(self, rows, params, empty_total=None):
        if "include" in params:
            rows = [row for row in rows if row["id"] in params["include"]]
        if "modified_after" in params:
            assert params["dates_are_gmt"] is True
            rows = [row for row in rows if row["date_modified_gmt"] > params["modified_after"]]
        if "orderby" in params:
            assert (params["orderby"], params["order"]) == ("id", "asc")
            rows = sorted(rows, key=lambda row: row["id"])
        offset = params.get("offset", 0)
        found = rows[offset : offset + params["per_page"]]
        total = len(rows) if found or empty_total is None else empty_total
        return Answer([self._seen(row, params) for row in found], total)

    @staticmethod
    def _seen(row, params):
        return {name: row[name] for name in params["_fields"] if name in row}


def silent_above(size):
    """Return what makes a store too slow for pages of more than ``size`` resources."""

    def slow(path, params):
        if params.get("per_page", 0) > size:
            raise Unreachable("The shop did not answer in time.")

    return slow
