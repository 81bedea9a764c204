"""What a cart gets of the plugin's offers: a virtual coupon for each one that it fulfils. Pure.

A piece counts for one offer. Each offer is granted once, the one that gives most first, of equals the one with the
smaller key. It takes the dearest pieces of each of its products. A percentage is of all discounted pieces together,
half a unit rounds up, and what a line bears of it is in proportion to its pieces, the largest remainders rounded up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from demo.orders import Applied

CODE_PREFIX = "pannier-"
# To WooCommerce it is a discount on the cart whose amount comes from a filter.
KIND, NOMINAL = "fixed_cart", 0.0


@dataclass(frozen=True, slots=True)
class CartLine:
    """A line of a cart. ``price`` is of one piece in minor units, as the shop shows it."""

    key: str
    product_id: str
    variation_id: str | None
    quantity: int
    price: int


@dataclass(frozen=True, slots=True)
class _Piece:
    line: CartLine
    place: int


def granted(
    lines: Sequence[CartLine], offers: Iterable[Mapping[str, Any]], currency: str, at: datetime
) -> list[Applied]:
    """Return the virtual coupons of a cart.

    Args:
        lines: the cart, in its order.
        offers: as they stand in the plugin's configuration.
        currency: of the cart; offers in another one give nothing.
        at: the moment, timezone-aware.
    """
    moment = at.timestamp()
    pool = sorted(
        (_Piece(line, place) for place, line in enumerate(lines) for _ in range(line.quantity)),
        key=lambda piece: (-piece.line.price, piece.place),
    )
    present = {line.product_id for line in lines}
    open_offers = [
        offer
        for offer in offers
        if offer["u"] == currency
        and offer["s"] <= moment
        and (offer["e"] is None or moment < offer["e"])
        and all(component[0] in present for component in offer["c"])
    ]
    coupons: list[Applied] = []
    while True:
        found = [(offer, taken) for offer in open_offers if (taken := _taken(offer, pool)) is not None]
        worth = [(_amount(offer, taken), offer, taken) for offer, taken in found]
        worth = [entry for entry in worth if entry[0] > 0]
        if not worth:
            return coupons
        amount, offer, taken = min(worth, key=lambda entry: (-entry[0], entry[1]["k"]))
        coupons.append(_coupon(offer, amount, taken))
        pool = [piece for piece in pool if not any(piece is used for used in taken)]
        open_offers = [other for other in open_offers if other is not offer]


def _taken(offer: Mapping[str, Any], pool: Sequence[_Piece]) -> list[_Piece] | None:
    """Return the pieces that an offer takes, None where the cart does not hold all."""
    taken: list[_Piece] = []
    for product_id, quantity, variations in offer["c"]:
        fitting = [
            piece
            for piece in pool
            if piece.line.product_id == product_id
            and (variations is None or piece.line.variation_id in variations)
        ]
        if len(fitting) < quantity:
            return None
        taken += fitting[:quantity]
    return taken


def _amount(offer: Mapping[str, Any], taken: Iterable[_Piece]) -> int:
    total = sum(piece.line.price for piece in taken if piece.line.product_id in offer["d"])
    if "a" in offer:
        return min(int(offer["a"]), total)
    return min(int(Fraction(total * offer["p"], 10_000) + Fraction(1, 2)), total)


def _coupon(offer: Mapping[str, Any], amount: int, taken: Iterable[_Piece]) -> Applied:
    """Return the coupon that takes ``amount`` off the discounted ones of the pieces."""
    weights: dict[str, int] = {}
    for piece in taken:
        if piece.line.product_id in offer["d"]:
            weights[piece.line.key] = weights.get(piece.line.key, 0) + piece.line.price
    total = sum(weights.values())
    exact = {key: Fraction(amount * weight, total) for key, weight in weights.items()}
    amounts = {key: int(share) for key, share in exact.items()}
    # A stable sort: of equal remainders those further up come first.
    by_remainder = sorted(exact, key=lambda key: amounts[key] - exact[key])
    for key in by_remainder[: amount - sum(amounts.values())]:
        amounts[key] += 1
    kept = {key: share for key, share in amounts.items() if share}
    return Applied(f"{CODE_PREFIX}{offer['k']}".lower(), KIND, NOMINAL, str(offer["t"]), kept)
