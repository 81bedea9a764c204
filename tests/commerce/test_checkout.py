"""What checkouts are told of offers: nothing is lost on the way, and nothing else passes for an offer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commerce.checkout import compact, config_to_terms, digest, offer_to_config
from app.commerce.offers import Component, Discount, DiscountKind, Terms

STARTS = datetime(2026, 3, 1, 12, tzinfo=UTC)
TERMS = Terms(
    key="o1",
    title="Kanne & Tassen – 10 %",
    components=(Component("11"), Component("12", 2, ("121", "122"))),
    discounted=("12",),
    discount=Discount(DiscountKind.PERCENT, 1000),
    currency="EUR",
    starts_at=STARTS,
    ends_at=STARTS + timedelta(days=30),
)
CONFIG = {
    "k": "o1",
    "t": "Kanne & Tassen – 10 %",
    "c": [["11", 1, None], ["12", 2, ["121", "122"]]],
    "d": ["12"],
    "p": 1000,
    "u": "EUR",
    "s": 1772366400,
    "e": 1774958400,
}


def test_a_configuration_names_everything_in_one_letter() -> None:
    assert offer_to_config(TERMS) == CONFIG


def test_an_amount_stands_in_its_own_field_and_an_open_end_is_null() -> None:
    config = offer_to_config(replace(TERMS, discount=Discount(DiscountKind.AMOUNT, 250), ends_at=None))

    assert config == {**{name: CONFIG[name] for name in "ktcdus"}, "a": 250, "e": None}


@given(
    discount=st.one_of(
        st.builds(Discount, st.just(DiscountKind.PERCENT), st.integers(1, 10_000)),
        st.builds(Discount, st.just(DiscountKind.AMOUNT), st.integers(1, 10**9)),
    ),
    products=st.lists(st.integers(1, 10**15).map(str), min_size=2, max_size=4, unique=True),
    quantity=st.integers(1, 9),
    variants=st.none() | st.lists(st.integers(1, 10**15).map(str), max_size=3, unique=True).map(tuple),
    second=st.integers(0, 2**32),
    ends=st.booleans(),
)
def test_every_offer_comes_back_as_it_went(
    discount: Discount,
    products: list[str],
    quantity: int,
    variants: tuple[str, ...] | None,
    second: int,
    ends: bool,
) -> None:
    starts_at = datetime.fromtimestamp(second, UTC)
    terms = Terms(
        key="k",
        title="t",
        components=tuple(Component(product, quantity, variants) for product in products),
        discounted=tuple(products[1:]),
        discount=discount,
        currency="JPY",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(days=1) if ends else None,
    )

    assert config_to_terms(offer_to_config(terms)) == terms


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"k": None}, id="no key"),
        pytest.param({"k": ""}, id="empty key"),
        pytest.param({"t": 7}, id="title is a number"),
        pytest.param({"c": [["11", 1, None]]}, id="one component"),
        pytest.param({"c": [[str(n), 1, None] for n in range(5)], "d": ["1"]}, id="five components"),
        pytest.param({"c": [["12", 1, None], ["12", 1, None]]}, id="a product twice"),
        pytest.param({"c": [["11", 1], ["12", 1]]}, id="components without variants"),
        pytest.param({"c": [["11", 0, None], ["12", 1, None]]}, id="no pieces"),
        pytest.param({"c": [["11", True, None], ["12", 1, None]]}, id="a truth as quantity"),
        pytest.param({"c": [["11", 1.5, None], ["12", 1, None]]}, id="half a piece"),
        pytest.param({"c": None}, id="components are null"),
        pytest.param({"d": []}, id="nothing discounted"),
        pytest.param({"d": ["12", "12"]}, id="discounted twice"),
        pytest.param({"d": ["13"]}, id="discounted is no component"),
        pytest.param({"p": 0}, id="nothing off"),
        pytest.param({"p": 10_001}, id="more than everything off"),
        pytest.param({"p": -1}, id="a surcharge"),
        pytest.param({"a": 100}, id="percent and amount"),
        pytest.param({"s": "2026-03-01"}, id="start is text"),
        pytest.param({"e": 10**30}, id="an end outside of time"),
    ],
)
def test_what_is_no_offer_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not the configuration of an offer"):
        config_to_terms({**CONFIG, **change})


@pytest.mark.parametrize("field", [*"ktcdpuse"])
def test_no_field_may_be_missing(field: str) -> None:
    with pytest.raises(ValueError, match="not the configuration of an offer"):
        config_to_terms({name: value for name, value in CONFIG.items() if name != field})


@pytest.mark.parametrize(
    "changed",
    [
        replace(TERMS, key="o2"),
        replace(TERMS, title="10 %"),
        replace(TERMS, components=TERMS.components[::-1]),
        replace(TERMS, components=(Component("11"), Component("12", 2))),
        replace(TERMS, discounted=("11",)),
        replace(TERMS, discount=Discount(DiscountKind.AMOUNT, 1000)),
        replace(TERMS, currency="USD"),
        replace(TERMS, ends_at=None),
    ],
    ids=["key", "title", "order", "variants", "discounted", "kind", "currency", "end"],
)
def test_other_terms_have_another_digest(changed: Terms) -> None:
    assert digest(changed) != digest(TERMS)


def test_equal_terms_have_the_same_digest_in_every_process() -> None:
    assert digest(replace(TERMS)) == digest(config_to_terms(CONFIG))
    assert digest(TERMS) == "e49b2afe8e3d3e089609f048752afe0b30d83f7df18bdb237cba70cef55324e2"


def test_compact_spends_no_byte_on_layout() -> None:
    assert compact({"t": "Käse", "d": [1, None]}) == '{"t":"Käse","d":[1,null]}'
