"""Orders as a Shopify shop's webhooks show them at any moment, with their lines and refunds."""

import hashlib
from datetime import datetime
from typing import Any

from demo import shopify_customers
from demo.money import decimal
from demo.orders import Line, Order, OrderCoupon, Refund
from demo.people import USER_AGENT, person
from demo.shopify_format import LOCATION_ID, STAFF_ID, gid, platform_id, price_set, stamp

APP_ID = 580111
_LINES_PER_ORDER = 1000
_LINES_PER_REFUND = 60  # no sample order holds more products
_GUESTS = 10_000_000  # customer records of guests are numbered from here, by their order


class OrderBodies:
    """Builds the bodies of one shop's orders."""

    def __init__(self, domain: str, currency: str, vendor: str) -> None:
        """Build them for the shop of this myshopify.com name, ISO 4217 currency and brand."""
        self._domain = domain
        self._currency = currency
        self._vendor = vendor

    def order(self, order: Order, at: datetime) -> dict[str, Any]:
        """Return an order as it stood at a moment."""
        who = person(order.person_key)
        till = order.at_till
        refunds = order.refunds_until(at)
        refunded = sum(order.refund_total(refund) for refund in refunds)
        cancelled = order.cancelled_at is not None and order.cancelled_at <= at
        current = order.total - order.discount - refunded
        # A full refund returns the goods; the delivery is paid back only by a cancellation.
        current_shipping = 0 if cancelled else order.shipping
        customer = order.customer if order.customer is not None else _GUESTS + order.number
        address = {
            **shopify_customers.address(order.person_key),
            "company": None,
            "latitude": None,
            "longitude": None,
        }
        token = hashlib.sha256(f"{self._domain}/{order.number}".encode()).hexdigest()[:32]
        return {
            "id": platform_id("Order", order.number),
            "admin_graphql_api_id": gid("Order", order.number),
            "app_id": APP_ID,
            "browser_ip": None if till else who.ip,
            "buyer_accepts_marketing": False,
            "cancel_reason": "customer" if cancelled else None,
            "cancelled_at": stamp(order.cancelled_at) if cancelled and order.cancelled_at else None,
            "cart_token": None if till else f"c{token[1:]}",
            "checkout_token": token,
            "client_details": None if till else _client(who.ip),
            "closed_at": None,
            "confirmation_number": token[:9].upper(),
            "confirmed": True,
            "contact_email": who.email,
            "created_at": stamp(order.placed_at),
            "currency": self._currency,
            "current_shipping_price_set": self._set(current_shipping),
            "current_subtotal_price": decimal(current),
            "current_subtotal_price_set": self._set(current),
            "current_total_additional_fees_set": None,
            "current_total_discounts": decimal(order.discount),
            "current_total_discounts_set": self._set(order.discount),
            "current_total_duties_set": None,
            "current_total_price": decimal(current + current_shipping),
            "current_total_price_set": self._set(current + current_shipping),
            "current_total_tax": "0.00",
            "current_total_tax_set": self._set(0),
            "customer_locale": "en-GB",
            "device_id": "1" if till else None,
            "discount_codes": [],
            "duties_included": False,
            "email": who.email,
            "estimated_taxes": False,
            "financial_status": _financial_status(refunded, order.total - order.discount),
            "fulfillment_status": "fulfilled" if order.fulfilled_at and order.fulfilled_at <= at else None,
            "landing_site": None if till else "/",
            "landing_site_ref": None,
            "location_id": LOCATION_ID if till else None,
            "merchant_business_entity_id": "MTU0ODM4MDAwOQ",
            "merchant_of_record_app_id": None,
            "name": f"#{order.number}",
            "note": None,
            "note_attributes": [],
            "number": order.number - 1000,
            "order_number": order.number,
            "order_status_url": f"https://{self._domain}/548380009/orders/{token}/authenticate?key={token[::-1]}",
            "original_total_additional_fees_set": None,
            "original_total_duties_set": None,
            "payment_gateway_names": ["bogus"],
            "phone": who.phone,
            "po_number": None,
            "presentment_currency": self._currency,
            "processed_at": stamp(order.placed_at),
            "reference": None,
            "referring_site": None if till else "",
            "source_identifier": None,
            "source_name": "pos" if till else "web",
            "source_url": None,
            "subtotal_price": decimal(order.total - order.discount),
            "subtotal_price_set": self._set(order.total - order.discount),
            "tags": "",
            "tax_exempt": False,
            "tax_lines": [],
            "taxes_included": True,
            "test": False,
            "token": token,
            "total_cash_rounding_payment_adjustment_set": self._set(0),
            "total_cash_rounding_refund_adjustment_set": self._set(0),
            "total_discounts": decimal(order.discount),
            "total_discounts_set": self._set(order.discount),
            "total_line_items_price": decimal(order.total),
            "total_line_items_price_set": self._set(order.total),
            "total_outstanding": "0.00",
            "total_price": decimal(order.to_pay),
            "total_price_set": self._set(order.to_pay),
            "total_shipping_price_set": self._set(order.shipping),
            "total_tax": "0.00",
            "total_tax_set": self._set(0),
            "total_tip_received": "0.00",
            "total_weight": 0,
            "updated_at": stamp(order.changed_at(at)),
            "user_id": STAFF_ID if till else None,
            "billing_address": address,
            "customer": shopify_customers.customer(
                order.person_key, customer, order.placed_at, self._currency
            ),
            "discount_applications": [_application(coupon) for coupon in order.coupons],
            "fulfillments": [],
            "line_items": self._lines(order, at),
            "line_item_groups": [],
            "payment_terms": None,
            "refunds": [self.refund(order, place) for place, _ in enumerate(refunds)],
            "returns": [],
            "shipping_address": address,
            "shipping_lines": [self._shipping(order)],
        }

    def _lines(self, order: Order, at: datetime) -> list[dict[str, Any]]:
        shipped = order.fulfilled_at is not None and order.fulfilled_at <= at
        return [
            {
                "id": _line_id("LineItem", order, place),
                "admin_graphql_api_id": f"gid://shopify/LineItem/{_line_id('LineItem', order, place)}",
                "attributed_staffs": [],
                "current_quantity": left,
                "fulfillable_quantity": 0 if shipped else left,
                "fulfillment_service": "manual",
                "fulfillment_status": "fulfilled" if shipped else None,
                **self._line(line),
                "discount_allocations": [
                    {
                        "amount": decimal(coupon.amounts[place]),
                        "amount_set": self._set(coupon.amounts[place]),
                        "discount_application_index": index,
                    }
                    for index, coupon in enumerate(order.coupons)
                    if coupon.amounts[place]
                ],
                "sales_line_item_group_id": None,
            }
            for place, (line, left) in enumerate(zip(order.lines, order.quantities_left(at), strict=True))
        ]

    def _line(self, line: Line) -> dict[str, Any]:
        product = line.product
        return {
            "gift_card": False,
            "grams": 0,
            "name": product.name,
            "price": decimal(product.price),
            "price_set": self._set(product.price),
            "product_exists": True,
            "product_id": platform_id("Product", product.number),
            "properties": [{"name": name, "value": value} for name, value in line.properties],
            "quantity": line.quantity,
            "requires_shipping": True,
            "sku": product.code,
            "taxable": True,
            "title": product.name,
            "total_discount": "0.00",
            "total_discount_set": self._set(0),
            "variant_id": platform_id("ProductVariant", product.number),
            "variant_inventory_management": "shopify",
            "variant_title": None,
            "vendor": self._vendor,
            "tax_lines": [],
            "duties": [],
            "discount_allocations": [],
        }

    def _shipping(self, order: Order) -> dict[str, Any]:
        price = decimal(order.shipping)
        return {
            "id": platform_id("ShippingLine", order.number),
            "carrier_identifier": None,
            "code": "Standard",
            "current_discounted_price_set": self._set(order.shipping),
            "discounted_price": price,
            "discounted_price_set": self._set(order.shipping),
            "is_removed": False,
            "phone": None,
            "price": price,
            "price_set": self._set(order.shipping),
            "requested_fulfillment_service_id": None,
            "source": "shopify",
            "title": "Standard delivery",
            "tax_lines": [],
            "discount_allocations": [],
        }

    def refund(self, order: Order, place: int) -> dict[str, Any]:
        """Return one of an order's refunds, by its place among them."""
        refund = order.refunds[place]
        number = order.number * _LINES_PER_ORDER + place
        moment = stamp(refund.at)
        cancelled = order.cancelled_at is not None
        return {
            "id": platform_id("Refund", number),
            "order_id": platform_id("Order", order.number),
            "created_at": moment,
            "note": "Order cancelled" if cancelled else "Goods returned",
            "user_id": STAFF_ID,
            "processed_at": moment,
            "duties": [],
            "total_duties_set": self._set(0),
            "return": None,
            "refund_shipping_lines": [],
            "restock": True,
            "admin_graphql_api_id": gid("Refund", number),
            "order_adjustments": [],
            "refund_line_items": [
                self._refund_line(
                    order, refund, place * _LINES_PER_REFUND + index, *pieces, cancelled=cancelled
                )
                for index, pieces in enumerate(refund.pieces)
            ],
            "transactions": [self._refund_payment(order, refund, number)],
        }

    def _refund_line(
        self, order: Order, refund: Refund, index: int, place: int, quantity: int, *, cancelled: bool
    ) -> dict[str, Any]:
        line = order.lines[place]
        line_id = _line_id("LineItem", order, place)
        subtotal = line.product.price * quantity
        shipped = order.fulfilled_at is not None and order.fulfilled_at <= refund.at
        return {
            "id": _line_id("RefundLineItem", order, index),
            "quantity": quantity,
            "line_item_id": line_id,
            "location_id": LOCATION_ID,
            "restock_type": "cancel" if cancelled else "return",
            "subtotal": subtotal / 100,
            "total_tax": 0.0,
            "subtotal_set": self._set(subtotal),
            "total_tax_set": self._set(0),
            "line_item": {
                "id": line_id,
                **self._line(line),
                "fulfillment_service": "manual",
                "fulfillable_quantity": 0,
                "fulfillment_status": "fulfilled" if shipped else None,
                "admin_graphql_api_id": f"gid://shopify/LineItem/{line_id}",
            },
        }

    def _refund_payment(self, order: Order, refund: Refund, number: int) -> dict[str, Any]:
        moment = stamp(refund.at)
        return {
            "id": platform_id("OrderTransaction", number),
            "order_id": platform_id("Order", order.number),
            "kind": "refund",
            "gateway": "bogus",
            "status": "success",
            "message": "Bogus Gateway: Forced success",
            "created_at": moment,
            "test": False,
            "authorization": None,
            "location_id": None,
            "user_id": STAFF_ID,
            "parent_id": None,
            "processed_at": moment,
            "device_id": None,
            "error_code": None,
            "source_name": "1830279",
            "receipt": {},
            "amount": decimal(order.refund_total(refund)),
            "currency": self._currency,
            "payment_id": f"#{order.number}.{number % _LINES_PER_ORDER + 2}",
            "total_unsettled_set": {
                side: {"amount": "0.0", "currency": self._currency}
                for side in ("presentment_money", "shop_money")
            },
            "manual_payment_gateway": False,
            "amount_rounding": None,
            "admin_graphql_api_id": gid("OrderTransaction", number),
        }

    def _set(self, pence: int) -> dict[str, Any]:
        return price_set(pence, self._currency)


def _line_id(kind: str, order: Order, place: int) -> int:
    return platform_id(kind, order.number * _LINES_PER_ORDER + place)


def _application(coupon: OrderCoupon) -> dict[str, Any]:
    """Return an automatic discount as an order names it."""
    return {
        "target_type": "line_item",
        "type": "automatic",
        "value": decimal(sum(coupon.amounts)),
        "value_type": "fixed_amount",
        "allocation_method": "across",
        "target_selection": "entitled",
        "title": coupon.code,
        "description": coupon.code,
    }


def _financial_status(refunded: int, total: int) -> str:
    if refunded == 0:
        return "paid"
    return "refunded" if refunded >= total else "partially_refunded"


def _client(ip: str) -> dict[str, Any]:
    return {
        "accept_language": "en-GB",
        "browser_height": None,
        "browser_ip": ip,
        "browser_width": None,
        "session_hash": None,
        "user_agent": USER_AGENT,
    }
