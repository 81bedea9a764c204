"""Customers as a Shopify shop's webhooks and orders show them."""

from datetime import datetime
from typing import Any

from demo.people import person
from demo.shopify_format import gid, platform_id, stamp


def customer_resource(key: str, number: int, at: datetime, currency: str) -> dict[str, Any]:
    """Return a customer as their own webhooks show them."""
    return {**customer(key, number, at, currency), "note": "", "addresses": []}


def customer(key: str, number: int, at: datetime, currency: str) -> dict[str, Any]:
    """Return a customer as an order shows them.

    Args:
        key: names the invented person.
        number: of the customer's record.
        at: when the record was made.
        currency: of the shop.
    """
    who = person(key)
    return {
        "id": platform_id("Customer", number),
        "created_at": stamp(at),
        "updated_at": stamp(at),
        "first_name": who.first_name,
        "last_name": who.last_name,
        "state": "disabled",
        "note": None,
        "verified_email": True,
        "multipass_identifier": None,
        "tax_exempt": False,
        "email": who.email,
        "phone": who.phone,
        "currency": currency,
        "tax_exemptions": [],
        "admin_graphql_api_id": gid("Customer", number),
        "default_address": {
            "id": platform_id("Address", number),
            "customer_id": platform_id("Customer", number),
            "company": None,
            **address(key),
            "country_name": "United Kingdom",
            "default": True,
        },
    }


def address(key: str) -> dict[str, Any]:
    """Return the address of the person that ``key`` names."""
    who = person(key)
    return {
        "first_name": who.first_name,
        "last_name": who.last_name,
        "name": who.name,
        "address1": who.street,
        "address2": None,
        "phone": who.phone,
        "city": who.city,
        "zip": who.postcode,
        "province": "England",
        "province_code": "ENG",
        "country": "United Kingdom",
        "country_code": "GB",
    }
