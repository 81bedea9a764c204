"""All filters at once match a product as each of them does."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.rules.context import Item
from app.rules.filters import Filters, bits_of
from tests.rules import lists
from tests.rules.lists import item

MUG = item("mug", category="Mugs", vendor="Potter", tags=frozenset({"new", "blue"}), price=1500)
UNKNOWN = item("mug")


@pytest.mark.parametrize(
    ("filter_", "matches"),
    [
        pytest.param({"products": ["cup", "mug"]}, True, id="product"),
        pytest.param({"categories": ["Cups"]}, False, id="another-category"),
        pytest.param({"tags": ["red", "blue"]}, True, id="one-of-the-tags"),
        pytest.param({"vendors": ["Potter"], "tags": ["red"]}, False, id="all-that-is-given"),
        pytest.param({"price_at_least": 1500}, True, id="from-included"),
        pytest.param({"price_at_most": 1500}, True, id="to-included"),
        pytest.param({"price_at_least": 1000, "price_at_most": 1499}, False, id="too-dear"),
        pytest.param({"price_at_least": 1501}, False, id="too-cheap"),
    ],
)
def test_a_filter_matches(filter_: dict[str, Any], matches: bool) -> None:
    assert Filters([filter_]).matching(MUG) == int(matches)


def test_what_is_not_known_of_a_product_matches_nothing() -> None:
    asked = [{"categories": ["Mugs"]}, {"vendors": ["Potter"]}, {"tags": ["new"]}, {"price_at_least": 0}]

    assert Filters(asked).matching(UNKNOWN) == 0
    assert Filters([*asked, {"products": ["mug"]}]).matching(UNKNOWN) == 0b10000


def matches_plainly(filter_: dict[str, Any], product: Item) -> bool:
    """Whether a product matches, read word by word."""
    priced = product.price is not None
    return (
        product.product_id in filter_.get("products", [product.product_id])
        and product.category in filter_.get("categories", [product.category])
        and product.vendor in filter_.get("vendors", [product.vendor])
        and ("tags" not in filter_ or any(tag in filter_["tags"] for tag in product.tags))
        and ("price_at_least" not in filter_ or (priced and product.price >= filter_["price_at_least"]))
        and ("price_at_most" not in filter_ or (priced and product.price <= filter_["price_at_most"]))
    )


@settings(max_examples=60)
@given(st.lists(lists.filters(), max_size=8), lists.items(min_size=1))
def test_all_filters_at_once_match_as_each_alone(filters: list[dict[str, Any]], found: list[Item]) -> None:
    together = Filters(filters)

    for product in found:
        alone = [number for number, each in enumerate(filters) if matches_plainly(each, product)]
        assert list(bits_of(together.matching(product))) == alone
