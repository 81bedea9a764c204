"""Orders as WooCommerce's REST API and webhooks show them at any moment, with their lines and coupons."""

import hashlib
import json
from datetime import datetime
from html import escape
from typing import Any

from demo.money import decimal
from demo.orders import Line, Order
from demo.people import USER_AGENT, person
from demo.woocommerce_customers import address as address_of
from demo.woocommerce_format import (
    SYMBOLS,
    VAT,
    VERSION,
    customer_id,
    gmt,
    image_id,
    links,
    local,
    net,
    order_id,
    product_id,
)
from demo.woocommerce_products import picture_url

_REFUND_OFFSET = 40_000_000
_LINES_PER_ORDER = 100


class OrderBodies:
    """Builds the bodies of one shop's orders."""

    def __init__(self, base_url: str, currency: str) -> None:
        """Build them for the shop at ``base_url`` (without trailing slash), whose currency is one of ``SYMBOLS``."""
        self._base_url = base_url
        self._currency = currency

    def order(self, order: Order, at: datetime) -> dict[str, Any]:
        """Return an order as it stood at a moment; before it was placed, as the checkout's draft."""
        draft = at < order.placed_at
        who = person(order.person_key)
        identifier = order_id(order.number)
        modified = at if draft else order.changed_at(at)
        created = at if draft else order.placed_at
        paid_at = None if draft else order.placed_at
        done = order.fulfilled_at if order.fulfilled_at and order.fulfilled_at <= at else None
        shipping_net = net(order.shipping)
        paid = [line.total - order.discount_of(place) for place, line in enumerate(order.lines)]
        cart_tax = sum(total - net(total) for total in paid)
        discount_net = sum(net(line.total) for line in order.lines) - sum(map(net, paid))
        key = f"wc_order_{hashlib.sha256(f'{self._base_url}{order.number}'.encode()).hexdigest()[:13]}"
        address = address_of(order.person_key)
        return {
            "id": identifier,
            "parent_id": 0,
            "status": _status(order, at),
            "currency": self._currency,
            "version": VERSION,
            "prices_include_tax": True,
            "date_created": local(created),
            "date_modified": local(modified),
            "discount_total": decimal(discount_net),
            "discount_tax": decimal(order.discount - discount_net),
            "shipping_total": decimal(shipping_net),
            "shipping_tax": decimal(order.shipping - shipping_net),
            "cart_tax": decimal(cart_tax),
            "total": decimal(order.to_pay),
            "total_tax": decimal(cart_tax + order.shipping - shipping_net),
            "customer_id": 0 if order.customer is None else customer_id(order.customer),
            "order_key": key,
            "billing": {**address, "email": who.email, "phone": who.phone},
            "shipping": {**address, "phone": who.phone},
            "payment_method": "cod",
            "payment_method_title": "Cash on delivery",
            "transaction_id": "",
            "customer_ip_address": who.ip,
            "customer_user_agent": USER_AGENT,
            "created_via": "store-api" if by_block_checkout(order) else "checkout",
            "customer_note": "",
            "date_completed": local(done) if done else None,
            "date_paid": local(paid_at) if paid_at else None,
            "cart_hash": hashlib.md5(f"{key}".encode(), usedforsecurity=False).hexdigest(),
            "number": str(identifier),
            "meta_data": [],
            "line_items": [self._line(order, place, line) for place, line in enumerate(order.lines)],
            "tax_lines": [self._tax(order, cart_tax)],
            "shipping_lines": [self._shipping(order)],
            "fee_lines": [],
            "coupon_lines": [self._coupon(order, place) for place in range(len(order.coupons))],
            "refunds": [
                {
                    "id": _REFUND_OFFSET + order.number * _LINES_PER_ORDER + place,
                    "reason": "Goods returned",
                    "total": decimal(-order.refund_total(refund)),
                }
                for place, refund in enumerate(order.refunds_until(at))
                if order.cancelled_at is None
            ],
            "payment_url": f"{self._base_url}/checkout/order-pay/{identifier}/?pay_for_order=true&key={key}",
            "is_editable": False,
            "needs_payment": draft,
            "needs_processing": True,
            "date_created_gmt": gmt(created),
            "date_modified_gmt": gmt(modified),
            "date_completed_gmt": gmt(done) if done else None,
            "date_paid_gmt": gmt(paid_at) if paid_at else None,
            "currency_symbol": SYMBOLS[self._currency][0],
            "_links": links(self._base_url, "orders", identifier),
        }

    def _line(self, order: Order, place: int, line: Line) -> dict[str, Any]:
        product = line.product
        whole = net(line.total)
        subtotal, subtotal_tax = decimal(whole), decimal(line.total - whole)
        left = line.total - order.discount_of(place)
        total, tax = decimal(net(left)), decimal(left - net(left))
        line_id = order.number * _LINES_PER_ORDER + place
        return {
            "id": line_id,
            "name": escape(product.name, quote=False),
            "product_id": product_id(product),
            "variation_id": 0,
            "quantity": line.quantity,
            "tax_class": "",
            "subtotal": subtotal,
            "subtotal_tax": subtotal_tax,
            "total": total,
            "total_tax": tax,
            "taxes": [{"id": 1, "total": tax, "subtotal": subtotal_tax}],
            "meta_data": [
                {
                    "id": line_id * 10,
                    "key": "_reduced_stock",
                    "value": str(line.quantity),
                    "display_key": "_reduced_stock",
                    "display_value": str(line.quantity),
                },
                *(
                    {
                        "id": line_id * 10 + extra,
                        "key": name,
                        "value": value,
                        "display_key": name,
                        "display_value": value,
                    }
                    for extra, (name, value) in enumerate(line.properties, start=1)
                ),
            ],
            "sku": product.code,
            "global_unique_id": "",
            "price": round(left / (1 + VAT / 100) / line.quantity / 100, 6),
            "image": {"id": str(image_id(product)), "src": picture_url(self._base_url, product)},
            "parent_name": None,
        }

    def _coupon(self, order: Order, place: int) -> dict[str, Any]:
        coupon = order.coupons[place]
        before = [
            line.total - sum(other.amounts[at] for other in order.coupons[:place])
            for at, line in enumerate(order.lines)
        ]
        taken = sum(net(left) - net(left - off) for left, off in zip(before, coupon.amounts, strict=True))
        line_id = order.number * _LINES_PER_ORDER + 92 + place
        info = json.dumps([0, coupon.code, coupon.kind, coupon.nominal], separators=(",", ":"))
        return {
            "id": line_id,
            "code": coupon.code,
            "discount": decimal(taken),
            "discount_tax": decimal(sum(coupon.amounts) - taken),
            "meta_data": [
                {
                    "id": line_id * 10,
                    "key": "coupon_info",
                    "value": info,
                    "display_key": "coupon_info",
                    "display_value": info,
                }
            ],
            "discount_type": coupon.kind,
            "nominal_amount": coupon.nominal,
            "free_shipping": False,
        }

    def _tax(self, order: Order, cart_tax: int) -> dict[str, Any]:
        return {
            "id": order.number * _LINES_PER_ORDER + 90,
            "rate_code": "GB-VAT-1",
            "rate_id": 1,
            "label": "VAT",
            "compound": False,
            "tax_total": decimal(cart_tax),
            "shipping_tax_total": decimal(order.shipping - net(order.shipping)),
            "rate_percent": VAT,
            "meta_data": [],
        }

    def _shipping(self, order: Order) -> dict[str, Any]:
        tax = decimal(order.shipping - net(order.shipping))
        return {
            "id": order.number * _LINES_PER_ORDER + 91,
            "method_title": "Flat rate",
            "method_id": "flat_rate",
            "instance_id": "1",
            "total": decimal(net(order.shipping)),
            "total_tax": tax,
            "taxes": [{"id": 1, "total": tax, "subtotal": ""}],
            "tax_status": "taxable",
            "meta_data": [],
        }


def by_block_checkout(order: Order) -> bool:
    """Whether the order came through WooCommerce's block checkout, as one order in three does here."""
    return order.number % 3 == 0


def _status(order: Order, at: datetime) -> str:
    if at < order.placed_at:
        return "checkout-draft"
    if order.cancelled_at is not None and order.cancelled_at <= at:
        return "cancelled"
    if order.refunds and not any(order.quantities_left(at)):
        return "refunded"
    if order.fulfilled_at is not None and order.fulfilled_at <= at:
        return "completed"
    return "processing"
