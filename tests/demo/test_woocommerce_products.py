"""Products in the WooCommerce-like shop's messages."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from demo.catalogue import opening_listing
from demo.companions import Companions
from demo.shops import Shop
from demo.woocommerce_shop import WooCommerceShop
from tests.demo.woocommerce_messages import BAG, MUG, NOW, PLACED, SECRET, VOICE, body_of


@pytest.mark.parametrize(
    ("changes", "status", "visibility", "stock_status"),
    [
        ({}, "publish", "visible", "instock"),
        ({"stock": 0}, "publish", "visible", "outofstock"),
        ({"visible": False}, "publish", "hidden", "instock"),
        ({"status": "draft"}, "draft", "visible", "instock"),
        ({"status": "archived"}, "private", "visible", "instock"),
    ],
    ids=["on show", "sold out", "hidden", "draft", "archived"],
)
def test_a_product_says_where_it_stands(
    changes: dict[str, Any], status: str, visibility: str, stock_status: str
) -> None:
    listing = replace(opening_listing(MUG, PLACED), updated_at=NOW, **changes)

    (message,) = VOICE.listing_changed(listing)

    body = body_of(message)
    assert message.topic == "product.updated"
    assert (body["status"], body["catalog_visibility"], body["stock_status"]) == (
        status,
        visibility,
        stock_status,
    )
    assert body["stock_quantity"] == listing.stock
    assert (body["date_created_gmt"], body["date_modified_gmt"]) == (
        "2026-11-01T10:00:00",
        "2026-11-11T10:00:00",
    )
    assert body["permalink"] == "http://127.0.0.1:8002/product/red-mug-20001/"


def test_a_product_names_what_the_merchant_chose() -> None:
    voice = WooCommerceShop(
        base_url="http://127.0.0.1:8002",
        currency="GBP",
        secret=SECRET,
        companions={MUG.number: Companions(goes_with=(1, 4), better=(2,))},
    )

    bodies = [
        orjson.loads(voice.sign(voice.product_added(opening_listing(product, PLACED))[0]).body)
        for product in (MUG, BAG)
    ]

    assert [(body["cross_sell_ids"], body["upsell_ids"]) for body in bodies] == [
        ([102, 105], [103]),
        ([], []),
    ]


def test_the_shop_sends_what_its_merchant_chose(woocommerce: Shop) -> None:
    voice = woocommerce.speaks(SECRET)
    bodies = [voice.product_added(opening)[0].build() for opening in woocommerce.openings]

    sent = {body["id"] - 101: body["cross_sell_ids"] for body in bodies if body["cross_sell_ids"]}
    assert len(sent) > 10
    assert sent == {
        number: [101 + other for other in chosen.goes_with]
        for number, chosen in woocommerce.companions.items()
        if chosen.goes_with
    }
