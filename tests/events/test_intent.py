"""What a session shows somebody to be about, and the sentence that says why."""

from datetime import timedelta

import pytest
from hypothesis import given

from app.events.intent import Intent, State, read
from app.events.session import NO_SESSION, Happening
from tests.events.happenings import NOW, event, histories, told

CATEGORIES = {"1": "Mugs", "2": "Mugs", "3": "Mugs", "4": "Trays", "5": None}


def seen(*products: str) -> list[Happening]:
    """Looks at products, the last one a minute ago."""
    return [event(len(products) - place, "Product Viewed", product) for place, product in enumerate(products)]


def ADDED(minutes_ago: float = 1, product: str = "4") -> Happening:  # noqa: N802
    return event(minutes_ago, "Product Added", product)


BACK = "A product was looked at again after another one."


@pytest.mark.parametrize(
    ("events", "state", "reason"),
    [
        (seen("1"), "browsing", "1 product was looked at."),
        (seen("1", "4", "5"), "browsing", "3 products were looked at."),
        (seen("1", "1"), "browsing", "1 product was looked at."),
        ([event(1, None)], "browsing", "Pages were opened, and no product was looked at."),
        ([event(2, "Products Searched", query="mug")], "browsing", "1 search was made."),
        ([*seen("1", "2"), event(1, "Products Searched", query="mug")], "browsing",
         "2 products were looked at and 1 search was made."),
        (seen("1", "2", "4", "3"), "comparing", "3 products of the category 'Mugs' were looked at."),
        (seen("1", "4", "1"), "comparing", BACK),
        (seen("1", "2", "4"), "browsing", "3 products were looked at."),
        ([*seen("1", "2", "3"), ADDED(0.5)], "building_cart", "The cart holds 1 product."),
        ([ADDED(9), *seen("1", "2", "3")], "comparing", "3 products of the category 'Mugs' were looked at."),
        ([ADDED(9), *seen("1", "2")], "building_cart", "The cart holds 1 product."),
        ([ADDED(9), ADDED(8, "1")], "about_to_leave",
         "The cart holds 2 products, and nothing was heard for 8 minutes."),
        ([event(7, "Product Viewed", "1")], "about_to_leave", "Nothing was heard for 7 minutes."),
        ([event(3, "Checkout Started", "1"), event(1, "Cart Viewed")], "about_to_leave",
         "The checkout was begun and left again without an order."),
        ([event(3, "Checkout Started", "1")], "building_cart", "The cart holds 1 product."),
        ([event(20, "Order Completed", "1")], "bought",
         "An order was completed, and nothing was put into the cart since."),
        ([event(4, "Order Completed", "1"), ADDED(2)], "building_cart", "The cart holds 1 product."),
    ],
    ids=["one look", "looks", "one twice", "pages", "a search", "looks and a search", "one category", "back and forth",
         "two of a category", "into the cart", "comparing again", "two since the cart", "silent cart", "silence",
         "checkout left", "in the checkout", "bought", "bought and going on"],
)  # fmt: skip
def test_a_state_and_its_reason(events: list[Happening], state: str, reason: str) -> None:
    assert read(told(*events), NOW, CATEGORIES) == Intent(State(state), reason)


def test_a_comparison_is_of_the_last_looks() -> None:
    long_ago = seen("1", *(str(n) for n in range(10, 18)), "1")

    assert read(told(*long_ago), NOW, CATEGORIES) == Intent(State.BROWSING, "9 products were looked at.")


def test_nobody_is_about_nothing() -> None:
    assert read(NO_SESSION, NOW, CATEGORIES) is None


@given(events=histories)
def test_every_session_has_one_state_and_a_sentence(events: list[Happening]) -> None:
    session = told(*events)
    found = read(session, NOW, CATEGORIES)

    assert (found is None) == (session.last is None)
    if found is not None:
        assert found.reason.endswith(".")
        assert found == read(session, NOW, dict(CATEGORIES))
        silent = read(session, NOW + timedelta(minutes=6), CATEGORIES)
        assert silent is not None
        assert silent.state in (State.ABOUT_TO_LEAVE, State.BOUGHT)
