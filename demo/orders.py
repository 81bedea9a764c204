"""The orders of a demo shop, as they stood at any moment."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from demo.catalogue import Product

POS_EVERY = 20  # invented: one order in so many counts as placed at the till


@dataclass(frozen=True, slots=True)
class Line:
    """One product in an order. ``properties`` are what a widget attached when it was put into the cart."""

    product: Product
    quantity: int
    properties: tuple[tuple[str, str], ...] = ()

    @property
    def total(self) -> int:
        """The price of all pieces, in pence."""
        return self.product.price * self.quantity


@dataclass(frozen=True, slots=True)
class CartNews:
    """A shopper's cart as it is at the moment ``at``. ``is_new`` the first time that the shop speaks of it."""

    token: str
    lines: tuple[Line, ...]
    created_at: datetime
    at: datetime
    is_new: bool


@dataclass(frozen=True, slots=True)
class Refund:
    """Pieces that came back: pairs of a line's place in its order and a quantity above zero."""

    at: datetime
    pieces: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class OrderCoupon:
    """A coupon or an automatic discount that an order was placed with: what it took off each line, in pence.

    ``nominal`` is what it says of itself: a percentage, or an amount.
    """

    code: str
    kind: str
    nominal: float
    amounts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """A coupon or an automatic discount in a cart: what it takes off each line, by the line's key, in pence.

    ``nominal`` is what it says of itself: a percentage, or an amount.
    """

    code: str
    kind: str
    nominal: float
    title: str
    amounts: Mapping[str, int]

    @property
    def total(self) -> int:
        """What it takes off the cart."""
        return sum(self.amounts.values())

    def on_order(self, keys: Iterable[str]) -> OrderCoupon:
        """Return it as an order keeps it, to whose lines the cart gave ``keys``, in their order."""
        return OrderCoupon(
            self.code, self.kind, self.nominal, tuple(self.amounts.get(key, 0) for key in keys)
        )


@dataclass(frozen=True)
class Order:
    """One order with all that later happens to it. ``customer`` is None for a guest. Times are UTC."""

    number: int
    placed_at: datetime
    customer: int | None
    lines: tuple[Line, ...]
    refunds: tuple[Refund, ...] = ()
    cancelled_at: datetime | None = None
    fulfilled_at: datetime | None = None
    coupons: tuple[OrderCoupon, ...] = ()

    def discount_of(self, place: int) -> int:
        """Return what coupons took off the line at ``place``, in pence."""
        return sum(coupon.amounts[place] for coupon in self.coupons)

    @property
    def discount(self) -> int:
        """What coupons took off the order, in pence."""
        return sum(sum(coupon.amounts) for coupon in self.coupons)

    @property
    def to_pay(self) -> int:
        """What the shopper pays, in pence: lines less discounts, and shipping."""
        return self.total - self.discount + self.shipping

    @cached_property
    def total(self) -> int:
        """The price of all lines, in pence, without shipping."""
        return sum(line.total for line in self.lines)

    @property
    def shipping(self) -> int:
        """The price of delivery in pence."""
        return shipping_of(self.total)

    @property
    def at_till(self) -> bool:
        """Whether it counts as placed in the shop's one physical room."""
        return self.number % POS_EVERY == 0

    @property
    def person_key(self) -> str:
        """Names the invented person who ordered: the same customer is always the same person."""
        return f"guest-{self.number}" if self.customer is None else f"customer-{self.customer}"

    def refunds_until(self, at: datetime) -> tuple[Refund, ...]:
        """Return what had come back at the moment ``at``."""
        return tuple(refund for refund in self.refunds if refund.at <= at)

    def quantities_left(self, at: datetime) -> list[int]:
        """Return each line's pieces that had not come back at the moment ``at``."""
        left = [line.quantity for line in self.lines]
        for refund in self.refunds_until(at):
            for place, quantity in refund.pieces:
                left[place] -= quantity
        return left

    def refund_total(self, refund: Refund) -> int:
        """Return what a refund pays back, in pence."""
        return sum(self.lines[place].product.price * quantity for place, quantity in refund.pieces)

    def changed_at(self, at: datetime) -> datetime:
        """Return the time of the latest thing that had happened to the order at the moment ``at``."""
        moments = [
            self.placed_at,
            self.cancelled_at,
            self.fulfilled_at,
            *(refund.at for refund in self.refunds),
        ]
        return max(moment for moment in moments if moment is not None and moment <= at)


def shipping_of(total: int) -> int:
    """Return the price of delivery of goods that cost ``total``, in pence: free from 50 pounds on."""
    return 0 if total >= 5000 else 395


def pieces_by_product(lines: Iterable[Line]) -> dict[int, int]:
    """Return how many pieces of each product ``lines`` hold together, by its number."""
    pieces: Counter[int] = Counter()
    for line in lines:
        pieces[line.product.number] += line.quantity
    return pieces


def read_orders(
    rows: Iterable[Mapping[str, str]], products: Mapping[str, Product], now: datetime
) -> tuple[Order, ...]:
    """Return the sample's orders in the order of their times, moved so that they end just before ``now``.

    The distances between all moments stay as they are in the data. Orders are numbered from 1001.

    Args:
        rows: rows of an orders file: placed_at, customer, lines, refunds, cancelled_at.
        products: the shop's products by code.
        now: timezone-aware; the moment of the newest order, return or cancellation.
    """
    rows = list(rows)
    end = max(_moment(text) for row in rows for text in _moments(row))
    # The newest moment lands in the minute before ``now``: seconds are added below.
    shift = now.astimezone(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1) - end
    orders = [_order(1001 + place, row, products, shift) for place, row in enumerate(rows)]
    return tuple(sorted(orders, key=lambda order: (order.placed_at, order.number)))


def _order(number: int, row: Mapping[str, str], products: Mapping[str, Product], shift: timedelta) -> Order:
    pieces = _pieces(row["lines"])
    place = {code: index for index, (code, _) in enumerate(pieces)}
    refunds = []
    for part in filter(None, row["refunds"].split(";")):
        moment, returned = part.split(" ", 1)
        refunds.append(Refund(_moment(moment) + shift, tuple((place[c], q) for c, q in _pieces(returned))))
    # The files count minutes; seconds keep orders of one minute apart.
    placed_at = _moment(row["placed_at"]) + shift + timedelta(seconds=number % 50)
    cancelled_at = _moment(row["cancelled_at"]) + shift if row["cancelled_at"] else None
    if cancelled_at is not None:
        cancelled_at = max(cancelled_at, placed_at + timedelta(minutes=1))
        refunds = [Refund(cancelled_at, tuple((place[c], q) for c, q in pieces))]
    return Order(
        number=number,
        placed_at=placed_at,
        customer=int(row["customer"]) if row["customer"] else None,
        lines=tuple(Line(products[code], quantity) for code, quantity in pieces),
        refunds=tuple(Refund(max(r.at, placed_at + timedelta(minutes=1)), r.pieces) for r in refunds),
        cancelled_at=cancelled_at,
        fulfilled_at=None if cancelled_at else placed_at + timedelta(hours=20 + number % 9),
    )


def _pieces(text: str) -> list[tuple[str, int]]:
    return [(code, int(quantity)) for code, quantity in (part.split(":") for part in text.split())]


def _moments(row: Mapping[str, str]) -> list[str]:
    returned = [part.split(" ", 1)[0] for part in row["refunds"].split(";") if part]
    return [moment for moment in (row["placed_at"], row["cancelled_at"], *returned) if moment]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
