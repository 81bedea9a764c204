"""What an offer promises, and what a cart gets of it: one definition for the widget and every checkout. Pure.

An offer is a discount on products that are bought together. It is *fulfilled* by a cart that holds every component.
``reckon`` is the reference: the discount function of Shopify and the plugin of WooCommerce give the same amounts, which
tests compare cart by cart.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final

from app.core.money import exponent

FEWEST_COMPONENTS: Final = 2
MOST_COMPONENTS: Final = 4
# A percentage in hundredths of a percent.
WHOLE: Final = 10_000


class DiscountKind(StrEnum):
    """How a discount is stated."""

    PERCENT = "percent"  # of the price of the discounted pieces, in hundredths of a percent
    AMOUNT = "amount"  # off the sum of the discounted pieces, in minor units of the offer's currency


@dataclass(frozen=True, slots=True)
class Discount:
    """How much an offer gives: hundredths of a percent (1 to 10,000), or minor units."""

    kind: DiscountKind
    value: int


@dataclass(frozen=True, slots=True)
class Component:
    """A product that an offer needs in the cart. ``variant_ids`` names the variants that count, None: all do."""

    product_id: str
    quantity: int = 1
    variant_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What an offer promises.

    Attributes:
        key: the offer's public id.
        title: what shoppers read beside the discount.
        components: two to four different products, all needed.
        discounted: the products of ``components`` that the discount is on. All of them make a *bundle*, one alone an
            *add-on*: "with X, Y costs 10 % less".
        discount: how much.
        currency: ISO 4217, of the store.
        starts_at: from when it holds.
        ends_at: until when (exclusive); None: until it is ended.
    """

    key: str
    title: str
    components: tuple[Component, ...]
    discounted: tuple[str, ...]
    discount: Discount
    currency: str
    starts_at: datetime
    ends_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the terms as JSON; what digests and configurations are made of."""
        return {
            "key": self.key,
            "title": self.title,
            "components": [
                {
                    "product_id": component.product_id,
                    "quantity": component.quantity,
                    "variant_ids": None if component.variant_ids is None else list(component.variant_ids),
                }
                for component in self.components
            ],
            "discounted": list(self.discounted),
            "discount": {"kind": self.discount.kind.value, "value": self.discount.value},
            "currency": self.currency,
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat() if self.ends_at else None,
        }


@dataclass(frozen=True, slots=True)
class Piece:
    """A line of a cart. ``price`` is of one piece, in minor units of the cart's currency."""

    line_id: str
    product_id: str
    variant_id: str | None
    quantity: int
    price: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What an offer gives a cart: ``amount`` in minor units, and (line, pieces, amount) of it for each line."""

    key: str
    amount: int
    lines: tuple[tuple[str, int, int], ...]


def discount_on(total: int, discount: Discount) -> int:
    """Return what ``discount`` takes off ``total`` minor units: half a unit rounds up, never more than all of it."""
    if discount.kind is DiscountKind.PERCENT:
        return min((total * discount.value + WHOLE // 2) // WHOLE, total)
    return min(discount.value, total)


def in_currency(offer: Terms, currency: str, rate: Decimal) -> Terms | None:
    """Return an offer as it holds in a cart of ``currency``, where one unit of its own is worth ``rate`` of that.

    A percentage is the same everywhere; an amount is exchanged, half a minor unit rounds up. None where nothing is
    left of it: the cart gets nothing of that offer.
    """
    if offer.currency == currency:
        return offer
    discount = offer.discount
    if discount.kind is DiscountKind.AMOUNT:
        scale = Fraction(10) ** (exponent(currency) - exponent(offer.currency))
        value = int(discount.value * Fraction(rate) * scale + Fraction(1, 2))
        if value <= 0:
            return None
        discount = Discount(discount.kind, value)
    return replace(offer, discount=discount, currency=currency)


def reckon(cart: Sequence[Piece], offers: Iterable[Terms]) -> list[Grant]:
    """Return what a cart gets of ``offers``, which all hold now and are in the cart's currency.

    An offer is granted once per cart, and a piece counts for one offer. Of several that are fulfilled the one that
    gives most goes first, of equals the one with the smaller key. A component takes the dearest pieces first, of
    equally dear ones those that stand further up in the cart. The discount is reckoned on the sum of the discounted
    pieces and shared out over lines (see ``share_out``). An offer that gives nothing is not granted.
    """
    free = {line.line_id: line.quantity for line in cart}
    by_product: dict[str, list[Piece]] = {}
    for line in sorted(cart, key=lambda line: -line.price):
        by_product.setdefault(line.product_id, []).append(line)
    waiting = {
        offer.key: offer for offer in offers if all(c.product_id in by_product for c in offer.components)
    }
    grants: list[Grant] = []
    while waiting:
        best: tuple[int, str, Terms, list[tuple[Piece, int]]] | None = None
        for key, offer in list(waiting.items()):
            taken = _taken(offer, by_product, free)
            # Pieces are only ever used up: what is not fulfilled now never will be.
            amount = 0 if taken is None else discount_on(_worth(offer, taken), offer.discount)
            if taken is None or amount <= 0:
                del waiting[key]
            elif best is None or (-amount, key) < (-best[0], best[1]):
                best = amount, key, offer, taken
        if best is None:
            break
        amount, key, offer, taken = best
        del waiting[key]
        for line, count in taken:
            free[line.line_id] -= count
        paying = [(line, count) for line, count in taken if line.product_id in offer.discounted]
        shares = share_out(amount, [line.price * count for line, count in paying])
        lines = tuple(
            (line.line_id, count, share)
            for (line, count), share in zip(paying, shares, strict=True)
            if share > 0
        )
        grants.append(Grant(key, amount, lines))
    return grants


def share_out(amount: int, weights: Sequence[int]) -> list[int]:
    """Return ``amount`` in whole parts that are in proportion to ``weights`` and add up to it.

    Every part is rounded down first; what is left goes one unit each to the parts with the largest remainders, of
    equal ones to those further up. No part is larger than its weight where ``amount`` is not larger than their sum.
    """
    total = sum(weights)
    if total <= 0:
        return [0 for _ in weights]
    parts = [amount * weight // total for weight in weights]
    order = sorted(range(len(weights)), key=lambda place: (-(amount * weights[place] % total), place))
    for place in order[: amount - sum(parts)]:
        parts[place] += 1
    return parts


def _taken(
    offer: Terms, by_product: Mapping[str, Sequence[Piece]], free: Mapping[str, int]
) -> list[tuple[Piece, int]] | None:
    """Return which pieces an offer takes, component by component; None where the cart does not hold all."""
    taken: list[tuple[Piece, int]] = []
    for component in offer.components:
        missing = component.quantity
        for line in by_product[component.product_id]:
            if component.variant_ids is not None and line.variant_id not in component.variant_ids:
                continue
            count = min(missing, free[line.line_id])
            if count > 0:
                taken.append((line, count))
                missing -= count
            if not missing:
                break
        if missing:
            return None
    return taken


def _worth(offer: Terms, taken: Iterable[tuple[Piece, int]]) -> int:
    """Return what the discounted ones of the taken pieces cost."""
    return sum(line.price * count for line, count in taken if line.product_id in offer.discounted)
