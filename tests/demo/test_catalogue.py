"""Products of the demo shops: kinds, categories, and where they stand in the shop."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from demo.catalogue import CATEGORIES, Product, opening_listing, present_listing
from demo.shops import Shop

MOMENT = datetime(2026, 11, 1, tzinfo=UTC)
LATER = datetime(2026, 11, 2, tzinfo=UTC)


def product(name: str = "Red Mug", rank: int = 0, code: str = "20001") -> Product:
    return Product(0, code, name, 125, rank)


@pytest.mark.parametrize(
    ("name", "motif", "category"),
    [
        ("Jumbo Bag Red Retro Spot", "bag", "Bags & Travel"),
        ("Lunch Bag Suki Design", "lunchbag", "Bags & Travel"),
        ("White Hanging Heart T-Light Holder", "candle", "Candles & Lights"),
        ("Green Regency Teacup and Saucer", "teacup", "Kitchen & Dining"),
        ("Party Bunting", "bunting", "Party & Paper"),
        ("Christmas Craft Tree Top Angel", "sewing", "Christmas"),
        ("Alarm Clock Bakelike Green", "clock", "Home & Decor"),
        ("Enamel Watering Can Cream", "watering", "Garden & Outdoors"),
        ("Something Nobody Foresaw", "ornament", "Home & Decor"),
    ],
)
def test_a_name_says_what_the_thing_is(name: str, motif: str, category: str) -> None:
    assert (product(name).motif, product(name).category) == (motif, category)


def test_tags_are_the_themes_and_colours_of_the_name_once_each() -> None:
    assert product("Red Retro Spot Mug, Red Enamel").tags == ("red", "retro spot", "enamel")


def test_every_product_has_an_address_of_its_own_and_a_known_category(shop: Shop) -> None:
    handles = {product.handle for product in shop.products}

    assert len(handles) == len(shop.products)
    assert all(set(handle) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for handle in handles)
    assert {product.category for product in shop.products} == set(CATEGORIES)


def test_the_best_seller_is_in_the_most_orders(shop: Shop) -> None:
    held = Counter(line.product for order in shop.orders for line in order.lines)
    best = min(shop.products, key=lambda product: product.rank)

    assert held[best] == max(held.values())
    assert sorted(product.rank for product in shop.products) == list(range(len(shop.products)))


def test_a_struck_out_price_is_above_the_price(shop: Shop) -> None:
    on_sale = [product for product in shop.products if product.compare_at_price is not None]

    assert 100 < len(on_sale) < 250
    assert all(product.compare_at_price > product.price for product in on_sale)


@pytest.mark.parametrize(
    ("rank", "stock", "status", "visible"),
    [
        pytest.param(0, product().first_stock, "active", True, id="unchanged"),
        pytest.param(12, 0, "active", True, id="sold out"),
        pytest.param(33, product().first_stock, "draft", True, id="draft"),
        pytest.param(77, product().first_stock, "active", False, id="hidden"),
        pytest.param(111, product().first_stock, "archived", True, id="archived"),
    ],
)
def test_some_well_selling_products_are_off_the_shelves(
    rank: int, stock: int, status: str, visible: bool
) -> None:
    listing = present_listing(opening_listing(product(rank=rank), MOMENT), LATER)

    assert (listing.stock, listing.status, listing.visible) == (stock, status, visible)
    assert listing.updated_at == (MOMENT if rank == 0 else LATER)
    assert listing.added_at == MOMENT
    assert (listing.on_show and listing.buyable) == (rank == 0)


def test_each_shop_has_all_kinds_of_absence(shop: Shop) -> None:
    kinds = Counter(
        "sold out" if listing.stock == 0 else listing.status if listing.visible else "hidden"
        for listing in shop.listings
    )

    assert kinds["sold out"] == 1 + (len(shop.products) - 13) // 90
    assert kinds["draft"] >= 5
    assert kinds["hidden"] >= 5
    assert kinds["archived"] >= 5
    assert kinds["active"] > 0.95 * len(shop.products)
