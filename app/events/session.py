"""The running session of a visitor: what they looked at, put into the cart, took out and searched for just now.

Read from the events themselves and kept nowhere else: what somebody withdraws or has erased is gone from the next
answer. Names are those of Segment's e-commerce spec, version 2
(https://segment.com/docs/connections/spec/ecommerce/v2/).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

# A visit is over when nothing was heard for so long: the rule that web analytics share.
GAP: Final = timedelta(minutes=30)
# How much of a visit is looked at: it bounds the work of an answer, whatever a page sends.
MOST_EVENTS: Final = 100
# No visit is read further back, so that only the newest partitions are opened.
REACH: Final = timedelta(hours=12)
_LONGEST_QUERY: Final = 100
_MOST_QUANTITY: Final = 1_000_000

PRODUCT_VIEWED: Final = "Product Viewed"
PRODUCT_ADDED: Final = "Product Added"
PRODUCT_REMOVED: Final = "Product Removed"
PRODUCT_CLICKED: Final = "Product Clicked"
PRODUCTS_SEARCHED: Final = "Products Searched"
LIST_VIEWED: Final = "Product List Viewed"
CART_VIEWED: Final = "Cart Viewed"
CHECKOUT_STARTED: Final = "Checkout Started"
ORDER_COMPLETED: Final = "Order Completed"
# Whoever does one of these after the checkout has begun is no longer in it.
_OF_THE_SHOP: Final = frozenset(
    {PRODUCT_VIEWED, PRODUCT_CLICKED, PRODUCTS_SEARCHED, LIST_VIEWED, CART_VIEWED}
)


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a visitor. ``products`` are platform ids, ``properties`` as the event names them."""

    at: datetime
    name: str | None
    products: tuple[str, ...] = ()
    properties: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """What one visit tells so far. Ids are the platform's; the newest stand first.

    Attributes:
        viewed: products that were looked at, each once.
        added: products that were put into the cart, each once, also those that were taken out or bought since.
        removed: products that were taken out of the cart and not put back.
        searched: what was searched for, each once.
        cart: what the cart holds as far as events tell, last added first.
        bought: products of orders of this visit.
        looks: every look at a product, repeated ones too.
        looks_since_cart: how many of ``looks`` came after the cart last changed.
        first: when the visit began, None where there is none.
        last: when it was last heard of.
        checkout_left: a checkout began, no order followed, and the shopper was seen in the shop again.
        ordered: an order was completed, and nothing was put into the cart since.
    """

    viewed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()
    bought: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    looks_since_cart: int = 0
    first: datetime | None = None
    last: datetime | None = None
    checkout_left: bool = False
    ordered: bool = False

    def __bool__(self) -> bool:
        """Whether there is a running session at all."""
        return self.last is not None


NO_SESSION: Final = Session()

# The newest events of each of %(subjects)s, for ``app.events.recent``. An event cannot have happened after it was
# received, whatever the browser's clock says. Visitor by visitor, so that the newest come off the index of subjects.
EVENTS_SQL: Final = """
    SELECT f.at, f.name, f.products, f.properties, f.received_at, f.id
    FROM unnest(%(subjects)s::bytea[]) AS s(subject) CROSS JOIN LATERAL (
        SELECT LEAST(occurred_at, received_at) AS at, CASE type WHEN 'track' THEN name END AS name, products,
            properties, received_at, id
        FROM event e
        WHERE e.store_id = %(store)s AND e.subject = s.subject AND e.received_at > %(visit_since)s
            AND e.received_at <= %(until)s
        ORDER BY e.received_at DESC, e.id DESC LIMIT %(most_of_visit)s
    ) f
"""


def from_events(events: Iterable[Happening], now: datetime) -> Session:
    """Return the session that runs at ``now``; empty where the last event is half an hour old. Pure.

    ``events`` stand in the order in which they were received, which decides between those of one moment.
    """
    visit = _running(sorted(events, key=lambda event: event.at), now)
    if not visit:
        return NO_SESSION
    told = _Told()
    for event in visit:
        told.hear(event)
    return Session(
        viewed=_newest_first(told.looks),
        added=_newest_first(told.added),
        removed=_newest_first(told.removed),
        searched=_newest_first(told.searched),
        cart=tuple(reversed(told.cart)),
        bought=_newest_first(told.bought),
        looks=tuple(reversed(told.looks)),
        looks_since_cart=len(told.looks) - told.looks_before_cart,
        first=visit[0].at,
        last=visit[-1].at,
        checkout_left=told.checkout_left,
        ordered=told.ordered,
    )


def _running(events: list[Happening], now: datetime) -> list[Happening]:
    """Return the last events that no gap parts from each other or from ``now``, oldest first."""
    later = now
    start = len(events)
    for place in range(len(events) - 1, -1, -1):
        if later - events[place].at >= GAP:
            break
        later = events[place].at
        start = place
    return events[start:]


class _Told:
    """What events have told so far, oldest first in every list."""

    def __init__(self) -> None:
        self.looks: list[str] = []
        self.looks_before_cart = 0
        self.added: list[str] = []
        self.removed: list[str] = []
        self.searched: list[str] = []
        self.bought: list[str] = []
        self.cart: dict[str, int] = {}
        self.in_checkout = False
        self.checkout_left = False
        self.ordered = False

    def hear(self, event: Happening) -> None:
        """Take in the next event."""
        before = dict(self.cart)
        if event.name in _OF_THE_SHOP and self.in_checkout:
            self.checkout_left = True
        if event.name == PRODUCT_VIEWED:
            self.looks += event.products
        elif event.name == PRODUCT_ADDED:
            self._add(event)
        elif event.name == PRODUCT_REMOVED:
            self._remove(event)
        elif event.name == PRODUCTS_SEARCHED:
            self._search(event)
        elif event.name in (CART_VIEWED, CHECKOUT_STARTED):
            self._see_cart(event)
        elif event.name == ORDER_COMPLETED:
            self._order(event)
        if self.cart != before:
            self.looks_before_cart = len(self.looks)

    def _add(self, event: Happening) -> None:
        for product in event.products:
            self.added.append(product)
            self.removed = [other for other in self.removed if other != product]
            self.cart[product] = self.cart.pop(product, 0) + (_quantity(event) or 1)
            self.ordered = False

    def _remove(self, event: Happening) -> None:
        for product in event.products:
            left = self.cart.pop(product, 0) - (_quantity(event) or _MOST_QUANTITY)
            if left > 0:
                self.cart[product] = left
            else:
                self.removed.append(product)

    def _search(self, event: Happening) -> None:
        query = (event.properties or {}).get("query")
        if isinstance(query, str) and (query := query.strip()[:_LONGEST_QUERY]):
            self.searched.append(query)

    def _see_cart(self, event: Happening) -> None:
        """Take the products of a cart that is listed as all that it holds; an event that lists none says nothing."""
        if event.products or (event.properties or {}).get("products") == []:
            self.cart = {product: self.cart.get(product, 1) for product in event.products}
            self.removed = [product for product in self.removed if product not in self.cart]
        if event.name == CHECKOUT_STARTED:
            self.in_checkout, self.checkout_left = True, False

    def _order(self, event: Happening) -> None:
        self.bought += event.products
        self.cart = {}
        self.in_checkout = self.checkout_left = False
        self.ordered = True


def _quantity(event: Happening) -> int:
    """Return how many pieces an event about one product names; 0 where it does not say."""
    stated = (event.properties or {}).get("quantity")
    if len(event.products) != 1 or isinstance(stated, bool) or not isinstance(stated, int | float):
        return 0
    return int(min(stated, _MOST_QUANTITY)) if stated >= 1 else 0


def _newest_first(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reversed(values)))
