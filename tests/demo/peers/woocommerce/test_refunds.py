"""Refunds in the stand-in, and what deleted products leave."""

from woocommerce import API

from demo.peers.woocommerce import WooState
from tests.demo.peers.woocommerce.store import BEANS, FILTERS, ORDER

REFUND_FIELDS = frozenset(
    [
        *("id", "parent_id", "date_created", "date_created_gmt", "amount", "reason", "refunded_by"),
        *(
            "refunded_payment",
            "meta_data",
            "line_items",
            "shipping_lines",
            "tax_lines",
            "fee_lines",
            "_links",
        ),
    ]
)


def test_partial_refund_has_negative_lines_and_full_refund_has_none(api: API, state: WooState) -> None:
    partial = state.refund_order(ORDER, {1: 1}, reason="damaged")
    full = state.refund_order(ORDER)
    newest, oldest = api.get("refunds", params={"modified_after": "2026-11-22T12:59:59"}).json()
    assert (newest["id"], newest["line_items"], newest["amount"]) == (full, [], "50.71")
    assert set(oldest) == REFUND_FIELDS
    assert (oldest["id"], oldest["parent_id"], oldest["amount"]) == (partial, ORDER, "19.91")
    [line] = oldest["line_items"]
    assert (line["product_id"], line["quantity"], line["total"], line["total_tax"]) == (
        12,
        -1,
        "-16.73",
        "-3.18",
    )
    assert [(meta["key"], meta["value"]) for meta in line["meta_data"]] == [("_refunded_item_id", "1")]
    assert "parent_id" not in api.get(f"orders/{ORDER}/refunds").json()[0]
    order = api.get(f"orders/{ORDER}").json()
    assert order["status"] == "refunded"
    assert order["refunds"] == [
        {"id": full, "reason": "", "total": "-50.71"},
        {"id": partial, "reason": "damaged", "total": "-19.91"},
    ]
    assert [line["quantity"] for line in order["line_items"]] == [2, 1, 1]


def test_old_orders_forget_a_deleted_product(api: API, state: WooState) -> None:
    state.delete_product(BEANS)
    first, second, _ = api.get(f"orders/{ORDER}").json()["line_items"]
    assert (first["product_id"], first["sku"], first["name"]) == (0, None, "Espresso Beans 1kg")
    assert second["product_id"] == FILTERS
    assert api.get(f"products/{BEANS}").status_code == 404
