"""What a shopper seems to be about, from the running session alone: five states, each with its reason. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from app.events.session import Session

# Nothing heard for so long: somebody who reads a page has usually scrolled on or opened the next one.
IDLE: Final = timedelta(minutes=5)
# How many looks back are compared, and how many products of one category make a comparison.
LOOKS: Final = 8
_OF_ONE_CATEGORY: Final = 3


class State(StrEnum):
    """What a shopper is about."""

    BROWSING = "browsing"
    COMPARING = "comparing"
    BUILDING_CART = "building_cart"
    ABOUT_TO_LEAVE = "about_to_leave"
    BOUGHT = "bought"


@dataclass(frozen=True, slots=True)
class Intent:
    """A state and, in a sentence, what it was read from."""

    state: State
    reason: str


def read(session: Session, now: datetime, categories: Mapping[str, str | None]) -> Intent | None:
    """Return what the session shows at ``now``, None where there is none.

    The first that holds: an order and nothing added since; a checkout that was left, or silence; a comparison since
    the cart last changed; something in the cart; else browsing.

    Args:
        session: the running session.
        now: the time of the answer.
        categories: the category of each product, as far as it is known.
    """
    if session.last is None:
        return None
    if session.ordered:
        return Intent(State.BOUGHT, "An order was completed, and nothing was put into the cart since.")
    leaving = _leaving(session, now - session.last)
    if leaving:
        return Intent(State.ABOUT_TO_LEAVE, leaving)
    compared = _compared(session.looks[: min(session.looks_since_cart, LOOKS)], categories)
    if compared:
        return Intent(State.COMPARING, compared)
    if session.cart:
        return Intent(State.BUILDING_CART, f"The cart holds {_count(len(session.cart))}.")
    return Intent(State.BROWSING, _browsed(session))


def _leaving(session: Session, silence: timedelta) -> str | None:
    if session.checkout_left:
        return "The checkout was begun and left again without an order."
    if silence >= IDLE:
        held = f"The cart holds {_count(len(session.cart))}, and nothing" if session.cart else "Nothing"
        return f"{held} was heard for {int(silence.total_seconds() // 60)} minutes."
    return None


def _compared(looks: tuple[str, ...], categories: Mapping[str, str | None]) -> str | None:
    """Say what was compared; ``looks`` stand newest first."""
    for place, product in enumerate(looks):
        between = looks[place + 1 :]
        if product in between and any(other != product for other in between[: between.index(product)]):
            return "A product was looked at again after another one."
    counted = Counter(category for product in dict.fromkeys(looks) if (category := categories.get(product)))
    if counted and (most := counted.most_common(1)[0])[1] >= _OF_ONE_CATEGORY:
        return f"{_count(most[1])} of the category {most[0]!r} were looked at."
    return None


def _browsed(session: Session) -> str:
    said = []
    if session.viewed:
        said.append(f"{_count(len(session.viewed))} {_were(len(session.viewed))} looked at")
    if session.searched:
        said.append(
            f"{_count(len(session.searched), 'search', 'searches')} {_were(len(session.searched))} made"
        )
    return " and ".join(said) + "." if said else "Pages were opened, and no product was looked at."


def _count(number: int, one: str = "product", many: str = "products") -> str:
    return f"{number} {one if number == 1 else many}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
