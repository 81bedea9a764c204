"""Refund objects as WooCommerce makes them from an order."""

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

_CENT = Decimal("0.01")


def refund_body(
    order: Mapping[str, Any],
    *,
    refund_id: int,
    first_line_id: int,
    at: str,
    pieces: Mapping[int, int] | None,
    amount: str | None = None,
    reason: str = "",
) -> dict[str, Any]:
    """Return a refund of ``order`` with its ``parent_id``, without ``_links``.

    Args:
        order: the order's body.
        refund_id: the refund's id.
        first_line_id: from where on its lines are numbered.
        at: when it was made, UTC without a zone.
        pieces: how many of which line (by the line's id) came back; None for a full refund, which has no
            lines at all.
        amount: what was paid back, a positive decimal; None for what the pieces cost with their tax, or for
            all that is left of the order.
        reason: what the merchant wrote.

    Raises:
        KeyError: if the order has no such line.
    """
    lines = list(_lines(order, pieces or {}, first_line_id))
    taxes = sum((Decimal(line["total_tax"]) for line in lines), Decimal(0))
    if amount is None:
        amount = str(_left(order) if pieces is None else -sum((_gross(line) for line in lines), Decimal(0)))
    return {
        "id": refund_id,
        "parent_id": order["id"],
        "date_created_gmt": at,
        "amount": str(Decimal(amount).quantize(_CENT)),
        "reason": reason,
        "refunded_by": 1,
        "refunded_payment": False,
        "meta_data": [
            {
                "id": refund_id,
                "key": "_refund_type",
                "value": "full" if pieces is None else "partial",
            }
        ],
        "line_items": lines,
        "shipping_lines": [],
        "tax_lines": [
            {**line, "id": first_line_id + len(lines), "tax_total": str(taxes), "shipping_tax_total": "0.00"}
            for line in order.get("tax_lines", ())[:1]
            if lines
        ],
        "fee_lines": [],
    }


def _lines(
    order: Mapping[str, Any], pieces: Mapping[int, int], first_line_id: int
) -> Iterator[dict[str, Any]]:
    ordered = {int(line["id"]): line for line in order["line_items"]}
    for place, (line_id, count) in enumerate(pieces.items()):
        line = ordered[line_id]
        share = Decimal(count) / Decimal(str(line["quantity"]))
        total = _part(line["total"], share)
        tax = _part(line["total_tax"], share)
        yield {
            **line,
            "id": first_line_id + place,
            "quantity": -count,
            "subtotal": total,
            "subtotal_tax": tax,
            "total": total,
            "total_tax": tax,
            "taxes": [{**part, "total": tax, "subtotal": tax} for part in line["taxes"]],
            "meta_data": [
                {
                    "id": first_line_id + place,
                    "key": "_refunded_item_id",
                    "value": str(line_id),
                    "display_key": "_refunded_item_id",
                    "display_value": str(line_id),
                }
            ],
        }


def _part(money: str, share: Decimal) -> str:
    return str(-(Decimal(money) * share).quantize(_CENT, ROUND_HALF_UP))


def _gross(line: Mapping[str, Any]) -> Decimal:
    return Decimal(line["total"]) + Decimal(line["total_tax"])


def _left(order: Mapping[str, Any]) -> Decimal:
    """Return what of an order's total was not paid back yet; the sums of refunds are negative."""
    return Decimal(order["total"]) + sum((Decimal(back["total"]) for back in order["refunds"]), Decimal(0))
