"""What is known of a group of people, as arrays: everything that segments are calculated from.

People are numbered from 0 within the group. Orders are sales of which something is left; money is in minor units of the
store's currency, net of refunds; times are seconds since 1970, UTC; products are internal ids.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]
Words = npt.NDArray[np.str_]


def _no_integers() -> Integers:
    return np.zeros(0, np.int64)


def _no_words() -> Words:
    return np.zeros(0, np.str_)


@dataclass(frozen=True, slots=True)
class Holdings:
    """Which product each order, cart or event holds, one entry for each product.

    Attributes:
        holder: int64[k], place of the order, cart or event.
        product: int64[k], internal ids.
    """

    holder: Integers = field(default_factory=_no_integers)
    product: Integers = field(default_factory=_no_integers)


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders of a group, in any order.

    Attributes:
        person: int64[m].
        at: int64[m].
        revenue: int64[m]; 0 of an order in another currency than the store's.
        discounted: bool[m], whether any line has a discount.
        channel: str[m], as in ``app.commerce.changes.Channel``.
        holds: their products; empty where no condition asks for products.
    """

    person: Integers = field(default_factory=_no_integers)
    at: Integers = field(default_factory=_no_integers)
    revenue: Integers = field(default_factory=_no_integers)
    discounted: Truths = field(default_factory=lambda: np.zeros(0, np.bool_))
    channel: Words = field(default_factory=_no_words)
    holds: Holdings = field(default_factory=Holdings)


@dataclass(frozen=True, slots=True)
class Events:
    """Events of a group whose people allowed them to be used for this, in any order.

    Attributes:
        person: int64[m].
        at: int64[m].
        name: str[m].
        holds: the products that they name.
    """

    person: Integers = field(default_factory=_no_integers)
    at: Integers = field(default_factory=_no_integers)
    name: Words = field(default_factory=_no_words)
    holds: Holdings = field(default_factory=Holdings)


OPEN: Final = "open"
ABANDONED: Final = "abandoned"
BOUGHT: Final = "bought"
CART_STATES: Final = (OPEN, ABANDONED, BOUGHT)


@dataclass(frozen=True, slots=True)
class Carts:
    """Carts of a group, in any order.

    Attributes:
        person: int64[m].
        at: int64[m], of their newest state.
        state: str[m], one of ``CART_STATES``.
        value: int64[m]; 0 of a cart in another currency than the store's.
        holds: their products.
    """

    person: Integers = field(default_factory=_no_integers)
    at: Integers = field(default_factory=_no_integers)
    state: Words = field(default_factory=_no_words)
    value: Integers = field(default_factory=_no_integers)
    holds: Holdings = field(default_factory=Holdings)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The products that conditions name: internal ids by platform id and by category."""

    products: Mapping[str, int] = field(default_factory=dict)
    categories: Mapping[str, Integers] = field(default_factory=dict)

    def ids(self, products: tuple[str, ...], categories: tuple[str, ...]) -> Integers:
        """Return the internal ids of all of them that exist."""
        named: list[Any] = [np.array([self.products[p] for p in products if p in self.products], np.int64)]
        named += [self.categories[c] for c in categories if c in self.categories]
        return np.unique(np.concatenate(named)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is known of ``people`` at ``as_of`` (seconds since 1970)."""

    people: int
    as_of: int
    orders: Orders = field(default_factory=Orders)
    events: Events = field(default_factory=Events)
    carts: Carts = field(default_factory=Carts)
    catalogue: Catalogue = field(default_factory=Catalogue)
