"""Which products an action is about: all filters of a list of rules, matched against a product at once. Pure.

A filter is JSON: ``products``, ``categories``, ``tags``, ``vendors`` (one of each list that is given), and
``price_at_least``, ``price_at_most`` in minor units, both included. A product matches if all that is given holds; what
is not known of it matches nothing.

Each filter is one bit. For every word that a filter asks for there is a number whose bits are the filters which that
word satisfies, so that a product is matched against all of them with a handful of look-ups, however many they are.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from app.rules.context import Item

WORDS: Final = ("products", "categories", "tags", "vendors")


class Filters:
    """Filters, numbered from 0."""

    __slots__ = ("_by_price", "_category", "_cuts", "_free", "_prices", "_product", "_tag", "_vendor")

    def __init__(self, filters: Sequence[Mapping[str, Any]]) -> None:
        free = {
            name: _bits(number for number, each in enumerate(filters) if name not in each) for name in WORDS
        }
        self._free = free
        self._product = _table(filters, "products", free["products"])
        self._category = _table(filters, "categories", free["categories"])
        self._vendor = _table(filters, "vendors", free["vendors"])
        self._tag = _table(filters, "tags", free["tags"])
        self._by_price = any(_asks_for_price(each) for each in filters)
        ranges = [price_range(each) for each in filters]
        self._cuts = sorted({cut for low, high in ranges for cut in (low, high + 1) if 0 < cut < _NO_END})
        # Between two cuts no filter tells prices apart: the first of each stands for all. The last is for no price.
        self._prices = [
            _bits(number for number, (low, high) in enumerate(ranges) if low <= price <= high)
            for price in (0, *self._cuts)
        ]
        self._prices.append(_bits(n for n, each in enumerate(filters) if not _asks_for_price(each)))

    def matching(self, item: Item) -> int:
        """Return the filters that a product matches, as bits."""
        found = self._product.get(item.product_id, self._free["products"])
        if found:
            found &= self._category.get(item.category or "", self._free["categories"])
            found &= self._vendor.get(item.vendor or "", self._free["vendors"])
        if found and self._tag:
            tagged = self._free["tags"]
            for tag in item.tags:
                tagged |= self._tag.get(tag, 0)
            found &= tagged
        if found and self._by_price:
            found &= self._prices[-1 if item.price is None else bisect_right(self._cuts, item.price)]
        return found


# No price is as high: what a filter without an upper end reaches to.
_NO_END: Final = 2**63


def price_range(given: Mapping[str, Any]) -> tuple[int, int]:
    """Return the lowest and the highest price that a filter takes."""
    return given.get("price_at_least", 0), given.get("price_at_most", _NO_END)


def _asks_for_price(given: Mapping[str, Any]) -> bool:
    return "price_at_least" in given or "price_at_most" in given


def _table(filters: Sequence[Mapping[str, Any]], name: str, free: int) -> dict[str, int]:
    """Return by word the filters that it satisfies, those that do not ask included."""
    found: dict[str, int] = {}
    for number, each in enumerate(filters):
        for word in each.get(name, ()):
            found[word] = found.get(word, free) | 1 << number
    return found


def _bits(numbers: Iterator[int]) -> int:
    return sum(1 << number for number in numbers)


def bits_of(mask: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
