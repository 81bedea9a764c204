"""What is shown, decided from arguments alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommendations.cache import Card
from app.recommendations.deciding import Decided, Policy, Wanted, decide
from app.recommendations.selection import Entry
from app.recommendations.strategies import (
    BEST_SELLERS,
    COMPLETE_THE_CART,
    FREQUENTLY_BOUGHT_TOGETHER,
    PAIRS,
    RELATED_PRODUCTS,
    RULE,
    SAME_SHOPPERS,
    STORE_BEST_SELLERS,
    STRATEGIES,
    Source,
    Strategy,
)
from app.rules.context import Context
from app.rules.evaluation import RuleSet

CHAIN = (FREQUENTLY_BOUGHT_TOGETHER, RELATED_PRODUCTS, BEST_SELLERS)
NOBODY = Context(
    datetime(2026, 3, 2, 12, tzinfo=UTC), "UTC", "product", "page", None, frozenset(), (), frozenset(), frozenset(),
    None, "USD", frozenset(), None, "online", None, None,
)  # fmt: skip


def entry(product: str, source: Source = SAME_SHOPPERS, **card: Any) -> Entry:
    found = Card(product, None, f"{product} of its own kind {product}", None, None, 100, "USD", eligible=True)
    return Entry(replace(found, **card), {"id": product}, source, source.reason)


class Given:
    """A supply of what a test gives it, in batches of any size."""

    def __init__(self, lists: Mapping[str, Sequence[Entry]], **others: Entry) -> None:
        self.anchors: list[Card] = []
        self.asked: list[str] = []
        self._lists = {name: list(entries) for name, entries in lists.items()}
        self._others = others

    def take(self, strategy: Strategy, count: int) -> Sequence[Entry] | None:
        self.asked.append(strategy.name)
        rest = self._lists.get(strategy.name, [])
        some, self._lists[strategy.name] = rest[:count], rest[count:]
        return some or None

    def named(self, products: Sequence[str]) -> Sequence[Entry]:
        return [self._others[product] for product in products if product in self._others]


def wanted(limit: int = 3, chain: Sequence[str] = CHAIN, **fields: Any) -> Wanted:
    return Wanted(tuple(STRATEGIES[name] for name in chain), limit, **fields)


def rules(*actions: dict[str, Any]) -> RuleSet:
    return RuleSet.from_json(
        [{"id": f"r{n}", "name": f"r{n}", "then": [a]} for n, a in enumerate(actions)], 1
    )


def shown(decided: Decided) -> list[str]:
    return decided.products


def by(*actions: dict[str, Any], **fields: Any) -> Policy:
    return Policy(rules(*actions).match(NOBODY), **fields)


BOUGHT = [entry(product, PAIRS) for product in "abcdefgh"]
LISTS = {FREQUENTLY_BOUGHT_TOGETHER: BOUGHT}
PLAIN = by()


def test_the_first_strategy_with_anything_answers_and_no_other_is_asked() -> None:
    supply = Given(LISTS)

    decided = decide(wanted(), PLAIN, supply)

    assert (decided.strategy.name, shown(decided)) == (FREQUENTLY_BOUGHT_TOGETHER, ["a", "b", "c"])
    assert set(supply.asked) == {FREQUENTLY_BOUGHT_TOGETHER}


def test_what_may_be_topped_up_is() -> None:
    lists = {RELATED_PRODUCTS: [entry("a")], BEST_SELLERS: [entry(p, STORE_BEST_SELLERS) for p in "bcd"]}

    decided = decide(wanted(), PLAIN, Given(lists))

    assert (decided.strategy.name, shown(decided)) == (RELATED_PRODUCTS, ["a", "b", "c"])


def test_an_empty_cart_is_not_in_want_of_anything() -> None:
    lists = {COMPLETE_THE_CART: BOUGHT}
    chain = (COMPLETE_THE_CART,)

    assert shown(decide(wanted(chain=chain), PLAIN, Given(lists))) == []
    assert shown(decide(wanted(chain=chain, cart=("x",)), PLAIN, Given(lists))) == ["a", "b", "c"]


def test_hidden_and_resting_products_are_left_out() -> None:
    asked = wanted(hidden=frozenset("a"), resting=frozenset("c"))

    assert shown(decide(asked, PLAIN, Given(LISTS))) == ["b", "d", "e"]


def test_what_was_seen_in_vain_stands_further_back() -> None:
    assert shown(decide(wanted(), by(weariness={"a": 0.5}), Given(LISTS))) == ["b", "c", "d"]


@pytest.mark.parametrize(
    ("action", "expected", "strategy"),
    [
        ({"do": "hide", "filter": {"products": ["a"]}}, ["b", "c", "d"], FREQUENTLY_BOUGHT_TOGETHER),
        ({"do": "restrict", "filter": {"products": ["h", "b"]}}, ["b", "h"], FREQUENTLY_BOUGHT_TOGETHER),
        ({"do": "boost", "factor": 3.0, "filter": {"products": ["h"]}}, ["h", "a", "b"], FREQUENTLY_BOUGHT_TOGETHER),
        ({"do": "pin", "product": "h", "position": 2}, ["a", "h", "b"], RELATED_PRODUCTS),
        ({"do": "pin", "product": "z", "position": 1}, ["z", "a", "b"], RELATED_PRODUCTS),
        ({"do": "pin", "product": "sold out", "position": 1}, ["a", "b", "c"], FREQUENTLY_BOUGHT_TOGETHER),
        ({"do": "fixed", "products": ["z", "sold out", "h"]}, ["z", "h"], RELATED_PRODUCTS),
        ({"do": "fixed", "products": ["sold out"]}, ["a", "b", "c"], FREQUENTLY_BOUGHT_TOGETHER),
        ({"do": "nothing"}, [], FREQUENTLY_BOUGHT_TOGETHER),
    ],
    ids=[
        "hide", "restrict", "boost", "pin what is there", "pin another", "pin what is sold out", "fixed list",
        "fixed list of nothing that can be shown", "nothing",
    ],
)  # fmt: skip
def test_a_rule_does_what_it_says_and_nothing_false_is_claimed(
    action: dict[str, Any], expected: list[str], strategy: str
) -> None:
    others = {name: entry(name, RULE) for name in "hz"} | {
        "sold out": entry("sold out", RULE, eligible=False)
    }

    decided = decide(wanted(), by(action), Given(LISTS, **others))

    assert (shown(decided), decided.strategy.name) == (expected, strategy)


def test_a_place_is_given_away_as_often_as_said_never_the_first_nor_a_pinned_one() -> None:
    pin = {"do": "pin", "product": "z", "position": 2}
    given = []
    for number in range(400):
        policy = by(pin, seed=number.to_bytes(15, "big"), exploration_percent=25.0)
        decided = decide(wanted(4), policy, Given(LISTS, z=entry("z", RULE)))
        assert shown(decided)[:2] == ["a", "z"]
        assert decided.explored is not None
        given.append(decided.explored.product)

    explored = [product for product in given if product is not None]
    assert 70 <= len(explored) <= 130, "a quarter of 400"
    assert set(explored) <= set("defgh")
    assert len(set(explored)) > 3


def test_without_a_seed_nothing_is_left_to_chance() -> None:
    decided = decide(wanted(), by(exploration_percent=50.0), Given(LISTS))

    assert (shown(decided), decided.explored) == (["a", "b", "c"], None)


products = st.lists(st.sampled_from("abcdefghijkl"), unique=True, max_size=12)


@given(
    lists=st.fixed_dictionaries(dict.fromkeys(CHAIN, products)),
    hidden=st.frozensets(st.sampled_from("abcdefghijkl")),
    weary=st.dictionaries(st.sampled_from("abcdefghijkl"), st.floats(0.01, 0.99)),
    limit=st.integers(1, 8),
    seed=st.binary(min_size=15, max_size=15),
)
def test_the_same_arguments_give_the_same_and_nothing_hidden_nor_twice(
    lists: dict[str, list[str]], hidden: frozenset[str], weary: dict[str, float], limit: int, seed: bytes
) -> None:
    def again() -> Iterator[Decided]:
        while True:
            supply = Given({name: [entry(product) for product in found] for name, found in lists.items()})
            policy = by(weariness=weary, seed=seed, exploration_percent=50.0)
            yield decide(wanted(limit, hidden=hidden), policy, supply)

    one, other = next(again()), next(again())

    assert shown(one) == shown(other)
    assert len(shown(one)) == len(set(shown(one))) <= limit
    assert hidden.isdisjoint(shown(one))
