"""Customers as WooCommerce's REST API and webhooks show them."""

import hashlib
from datetime import datetime
from typing import Any

from demo.people import person
from demo.woocommerce_format import customer_id, gmt, links, local


def customer(number: int, at: datetime, base_url: str) -> dict[str, Any]:
    """Return a customer who registered at a moment, of the shop at ``base_url``, as REST answers them."""
    key = f"customer-{number}"
    who = person(key)
    identifier = customer_id(number)
    avatar = hashlib.sha256(who.email.encode()).hexdigest()
    home = address(key)
    return {
        "id": identifier,
        "date_created": local(at),
        "date_created_gmt": gmt(at),
        "date_modified": local(at),
        "date_modified_gmt": gmt(at),
        "email": who.email,
        "first_name": who.first_name,
        "last_name": who.last_name,
        "role": "customer",
        "username": who.email.partition("@")[0],
        "billing": {**home, "email": who.email, "phone": who.phone},
        "shipping": {**home, "phone": who.phone},
        "is_paying_customer": False,
        "avatar_url": f"https://secure.gravatar.com/avatar/{avatar}?s=96&d=mm&r=g",
        "meta_data": [],
        "_links": links(base_url, "customers", identifier),
    }


def address(key: str) -> dict[str, Any]:
    """Return the address of the person that ``key`` names."""
    who = person(key)
    return {
        "first_name": who.first_name,
        "last_name": who.last_name,
        "company": "",
        "address_1": who.street,
        "address_2": "",
        "city": who.city,
        "state": "",
        "postcode": who.postcode,
        "country": "GB",
    }
