"""The committed sample of real orders: what it holds and what it must not hold."""

import csv
import gzip
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from demo.catalogue import DATA

PLATFORMS = ("shopify", "woocommerce")


def rows(platform: str, table: str) -> list[dict[str, str]]:
    with gzip.open(DATA / f"{platform}-{table}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def codes(row: dict[str, str]) -> list[str]:
    return [part.split(":")[0] for part in row["lines"].split()]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_shop_has_enough_real_orders_of_goods_and_no_wholesale_baskets(platform: str) -> None:
    orders = rows(platform, "orders")

    assert len(orders) >= 3200
    assert all(code[:5].isdecimal() for order in orders for code in codes(order))
    assert max(len(codes(order)) for order in orders) == 60
    assert all(len(set(codes(order))) == len(codes(order)) for order in orders)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_products_and_orders_name_each_other(platform: str) -> None:
    products = rows(platform, "products")
    sold = {code for order in rows(platform, "orders") for code in codes(order)}

    assert {product["code"] for product in products} == sold
    assert all(int(product["price"]) > 0 for product in products)
    assert [product["name"] for product in products if product["name"].isupper()] == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_returns_never_exceed_what_was_bought(platform: str) -> None:
    some = 0
    for order in rows(platform, "orders"):
        left = Counter({code: int(n) for code, n in (part.split(":") for part in order["lines"].split())})
        for refund in filter(None, order["refunds"].split(";")):
            moment, pieces = refund.split(" ", 1)
            assert moment >= order["placed_at"]
            left.subtract({code: int(n) for code, n in (part.split(":") for part in pieces.split())})
            some += 1
        assert min(left.values()) >= 0
        assert not (order["refunds"] and order["cancelled_at"])
    assert some >= 400
    assert sum(bool(order["cancelled_at"]) for order in rows(platform, "orders")) >= 5


@pytest.mark.parametrize("platform", PLATFORMS)
def test_bundles_are_strong_enough_to_be_seen(platform: str) -> None:
    orders = [codes(order) for order in rows(platform, "orders")]
    alone, together = Counter[str](), Counter[tuple[str, str]]()
    for basket in orders:
        alone.update(basket)
        together.update(combinations(basket, 2))

    strong = [
        pair
        for pair, count in together.items()
        if count >= 30 and count * len(orders) / (alone[pair[0]] * alone[pair[1]]) >= 5
    ]

    assert len(strong) >= 200


def test_the_two_shops_share_no_day() -> None:
    days = [{order["placed_at"][:10] for order in rows(platform, "orders")} for platform in PLATFORMS]

    assert days[0].isdisjoint(days[1])


@pytest.mark.parametrize("platform", PLATFORMS)
def test_nobody_real_is_in_it(platform: str) -> None:
    orders = rows(platform, "orders")
    customers = list(dict.fromkeys(order["customer"] for order in orders if order["customer"]))

    assert set(orders[0]) == {"placed_at", "customer", "lines", "refunds", "cancelled_at"}
    assert customers == [str(number) for number in range(1, len(customers) + 1)]


def test_the_licence_is_kept() -> None:
    text = (DATA / "ATTRIBUTION.md").read_text(encoding="utf-8")

    for words in (
        "Chen, D. (2012)",
        "Online Retail II",
        "UCI Machine Learning Repository, dataset 502",
        "CC BY 4.0",
    ):
        assert words in text
    assert "What was changed" in text


def test_the_sample_is_small() -> None:
    assert sum(path.stat().st_size for path in Path(DATA).iterdir()) < 1_500_000
