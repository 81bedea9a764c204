"""Products in the Shopify-like shop's messages."""

from typing import Any

import pytest

from demo.catalogue import opening_listing
from tests.demo.shopify_messages import MUG, NOW, PLACED, VOICE, bodies


@pytest.mark.parametrize(
    ("changes", "status", "published", "stock"),
    [
        ({}, "active", True, 3),
        ({"stock": 0}, "active", True, 0),
        ({"visible": False}, "active", False, 3),
        ({"status": "draft"}, "draft", False, 3),
    ],
    ids=["on show", "sold out", "hidden", "draft"],
)
def test_a_product_says_where_it_stands(
    changes: dict[str, Any], status: str, published: bool, stock: int
) -> None:
    listing = opening_listing(MUG, PLACED)
    values = {"product": MUG, "stock": 3, "status": "active", "visible": True, "added_at": PLACED}
    changed = type(listing)(**{**values, **changes, "updated_at": NOW})

    told = bodies(VOICE.listing_changed(changed))

    product = told["products/update"]
    assert product["status"] == status
    assert (product["published_at"] is not None) == published
    assert product["variants"][0]["inventory_quantity"] == stock
    assert told["inventory_levels/update"]["available"] == stock
    assert told["inventory_levels/update"]["inventory_item_id"] == product["variants"][0]["inventory_item_id"]
    assert (product["created_at"], product["updated_at"]) == (
        "2026-11-01T11:00:00+01:00",
        "2026-11-11T11:00:00+01:00",
    )
    assert product["image"]["src"] == "http://127.0.0.1:8001/cdn/shop/files/red-mug-20001.svg"
