"""The merchant's own conditions: what they hold of, what they say, and which are refused."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from app.core.api import BodyParser
from app.core.errors import InvalidParameters
from app.segments import schemas
from app.segments.conditions import FACTS, Evaluation, explain, leaves, measured, needs, read
from app.segments.schemas import PreviewRequest, SegmentCreation
from tests.segments.worlds import Someone, Thing, definitions, holds, known_of, worlds


def checked(definition: Any) -> dict[str, Any]:
    found: dict[str, Any] = PreviewRequest().load({"definition": definition})["definition"]
    return found


def errors(definition: Any) -> dict[str, str]:
    """Return the reasons of a refusal by their paths, as a caller sees them."""
    with pytest.raises(ValidationError) as refused:
        checked(definition)
    with pytest.raises(InvalidParameters) as told:
        BodyParser().handle_error(ValidationError({"json": refused.value.messages}))
    return {each["name"]: each["reason"] for each in told.value.invalid_params}


@settings(max_examples=60)
@given(definitions, worlds)
def test_a_condition_holds_of_whom_a_naive_reader_says(
    definition: dict[str, Any], people: list[Someone]
) -> None:
    known = known_of(people)

    found = Evaluation(known).holds(read(checked(definition))).tolist()

    assert found == [holds(definition, place, people, known) for place in range(len(people))]


@settings(max_examples=50)
@given(definitions)
def test_what_is_valid_is_read_as_it_is_written_and_can_be_said(definition: dict[str, Any]) -> None:
    condition = read(checked(definition))

    assert checked(checked(definition)) == definition
    sentence = explain(condition, "EUR")
    assert sentence.startswith("Customers ")
    assert sentence.endswith(".")
    assert "{" not in sentence
    assert needs(condition) == {FACTS[leaf.fact].room for leaf in leaves(condition)}


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        (
            {"fact": "orders", "at_least": 3, "within_days": 90},
            "Customers with at least 3 orders within the last 90 days.",
        ),
        ({"fact": "orders", "at_least": 1}, "Customers with at least 1 order."),
        (
            {
                "all": [
                    {
                        "any": [
                            {"fact": "orders", "categories": ["Mugs"], "at_least": 1},
                            {"fact": "revenue", "channel": "pos", "at_least": 10_000},
                        ]
                    },
                    {"not": {"fact": "carts", "state": "abandoned", "at_least": 1, "within_days": 7}},
                ]
            },
            "Customers (with at least 1 order with category “Mugs” or with at least 100.00 EUR spent by channel pos)"
            " and without at least 1 abandoned cart within the last 7 days.",
        ),
        (
            {"not": {"any": [{"fact": "recency_score", "at_least": 4, "at_most": 5},
                             {"fact": "frequency", "at_least": 2, "at_most": 2}]}},
            "Customers not (with a recency score of 4 to 5 or with exactly 2 orders within the scored days).",
        ),
        (
            {"fact": "days_since_order", "products": ["1", "2", "3", "4", "5"], "at_most": 30},
            "Customers with the last order with product “1” or “2” or “3” or 2 more at most 30 days ago.",
        ),
        (
            {"fact": "cart_value", "state": "open", "at_most": 5_000},
            "Customers with an open cart worth at most 50.00 EUR.",
        ),
        (
            {"fact": "events", "event": "Product {Viewed}", "at_least": 2},
            "Customers with at least 2 events “Product {Viewed}”.",
        ),
    ],
    ids=["range", "one", "combined", "denied", "products", "cart", "braces"],
)  # fmt: skip
def test_a_condition_is_said_in_one_sentence(definition: dict[str, Any], sentence: str) -> None:
    assert explain(read(checked(definition)), "EUR") == sentence


def test_what_is_measured_is_named_without_its_range() -> None:
    leaf = {"fact": "orders", "at_least": 3, "within_days": 90, "products": [7]}

    assert [measured(each) for each in leaves(read(checked(leaf)))] == [
        "orders with product “7” within the last 90 days"
    ]


def test_what_is_unknown_lies_in_no_range() -> None:
    known = known_of([Someone(), Someone(orders=[Thing(ago=0, amount=5)])])
    at_most, at_least = (
        Evaluation(known).holds(read({"fact": "days_since_order", bound: 0})).tolist()
        for bound in ("at_most", "at_least")
    )

    assert (at_most, at_least) == ([False, True], [False, True])


def nested(levels: int) -> Any:
    found: Any = {"fact": "orders", "at_least": 1}
    for _ in range(levels - 1):
        found = {"not": found}
    return found


ONE = {"fact": "orders", "at_least": 1}


@pytest.mark.parametrize(
    ("definition", "reasons"),
    [
        ({}, {"definition": schemas.ONE_KIND}),
        (5, {"definition": "Invalid input type."}),
        ([ONE], {"definition": "Invalid input type."}),
        (None, {"definition": "Field may not be null."}),
        ({"all": []}, {"definition.all": "Length must be between 1 and 30."}),
        ({"all": ONE}, {"definition.all": "Not a valid list."}),
        ({"all": [ONE], "any": [ONE]}, {"definition": schemas.ONE_KIND}),
        ({"all": [ONE, {"any": [{"fact": "age", "at_least": 1}]}]}, {
            "definition.all.1.any.0.fact": f"Must be one of: {', '.join(FACTS)}."}),
        ({"fact": "orders"}, {"definition": schemas.NO_RANGE}),
        ({"fact": "orders", "at_least": 3, "at_most": 2}, {"definition.at_most": schemas.EMPTY_RANGE}),
        ({"fact": "orders", "at_least": "3"}, {"definition.at_least": "Not a valid integer."}),
        ({"fact": "orders", "at_least": True}, {"definition.at_least": "Not a valid integer."}),
        ({"fact": "orders", "at_least": 10**16}, {
            "definition.at_least": f"Must be greater than or equal to 0 and less than or equal to {10**15}."}),
        ({"fact": "events", "at_least": 1}, {"definition.event": schemas.NO_EVENT}),
        ({"fact": "revenue", "at_least": 1, "state": "open", "products": ["1"]}, {
            "definition.products": schemas.NOT_FOR_THIS_FACT, "definition.state": schemas.NOT_FOR_THIS_FACT}),
        ({"not": ONE, "at_least": 1}, {"definition.at_least": schemas.NOT_WITHOUT_A_FACT}),
        ({"fact": "orders", "at_least": 1, "products": ["'; DROP TABLE orders; --"]}, {
            "definition.products.0": "Not a product id."}),
        ({"fact": "orders", "at_least": 1, "categories": ["a\u0000b"]}, {
            "definition.categories.0": "Not 1 to 100 characters of text."}),
        ({"fact": "orders", "at_least": 1, "products": []}, {
            "definition.products": "Length must be between 1 and 50."}),
        ({"fact": "orders", "at_least": 1, "sql": "1=1"}, {"definition.sql": "Unknown field."}),
        ({"fact": "orders", "at_least": 1, "within_days": 0}, {
            "definition.within_days": "Must be greater than or equal to 1 and less than or equal to 3650."}),
        (nested(6), {"definition": schemas.TOO_DEEP}),
        (nested(900), {"definition": schemas.TOO_DEEP}),
        ({"all": [ONE] * 30}, {"definition": schemas.TOO_MANY}),
        ({"all": [{"all": [ONE] * 15}] * 10}, {"definition": schemas.TOO_MANY}),
    ],
    ids=["nothing", "number", "list", "null", "empty", "no list", "two kinds", "unknown fact", "no range",
         "empty range", "text", "truth", "huge", "no event", "foreign options", "range without fact",
         "hostile product", "hostile category", "no products", "unknown field", "no days", "deep", "very deep",
         "many", "many within"],
)  # fmt: skip
def test_what_is_no_definition_is_refused_by_its_path(definition: Any, reasons: dict[str, str]) -> None:
    assert errors(definition) == reasons


def test_the_largest_definition_is_taken() -> None:
    assert checked(nested(5)) == nested(5)
    assert len(checked({"all": [ONE] * 29})["all"]) == 29


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("champions", schemas.TAKEN),
        ("preview", schemas.TAKEN),
        ("overlap", schemas.TAKEN),
        ("Mine", "Not the key of a segment."),
        ("1st", "Not the key of a segment."),
        ("a" * 51, "Not the key of a segment."),
        ("mine\n", "Not the key of a segment."),
        ("../orders", "Not the key of a segment."),
    ],
)
def test_a_key_is_a_free_word(key: str, reason: str) -> None:
    found = SegmentCreation().validate({"key": key, "name": "Mine", "definition": ONE})

    assert found == {"key": [reason]}


@settings(max_examples=100)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["all", "any", "not", "fact", "at_least", "products", "x"]), inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
def test_whatever_is_sent_is_read_or_refused(anything: Any) -> None:
    try:
        definition = checked(anything)
    except ValidationError:
        return
    explain(read(definition), "EUR")
