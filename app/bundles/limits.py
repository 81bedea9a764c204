"""Within which limits a store's offers may be made, and what an offer breaks of them. Pure.

Shares are in hundredths of a percent (2,000 is 20 %), money is in minor units.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from app.bundles.profit import ELASTICITY
from app.bundles.wares import WHOLE, Kind, Ware
from app.commerce.offers import Component, DiscountKind, Terms

# What an offer can break, and what a proposal is left out for.
DISCOUNT: Final = "maximum_discount"
MARGIN: Final = "minimum_margin"
COST_UNKNOWN: Final = "cost_unknown"
STOCK: Final = "least_stock"
EXCLUDED: Final = "excluded"
NOT_SOLD: Final = "not_sold"
CURRENCY: Final = "currency"
DATES: Final = "dates"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a store.

    Attributes:
        automatic: proposals are approved by themselves; else they wait for the merchant.
        maximum_discount: of the price of the discounted pieces.
        minimum_margin: what the discounted pieces must leave after the discount, of their price without tax.
        included_tax: tax that the shop's prices contain, of the price without it: 2,000 where 20 % are added.
        most_live: offers at once that are live, about to be, or suspended.
        least_stock: pieces of every component that must be there for a proposal.
        excluded_products: platform ids of products that are in no proposal.
        excluded_categories: likewise, as the shop writes them.
        excluded_tags: likewise.
        starts_at: before that nothing is proposed; None: at once.
        ends_at: every proposal ends by then; None: no such day.
        days: how long a proposed offer lasts; None: until it is ended.
        price_tolerance: by so much a component's price may differ from the approved one.
        elasticity: how demand answers to a lower price (see ``profit``).
    """

    automatic: bool = False
    maximum_discount: int = 1_500
    minimum_margin: int = 1_000
    included_tax: int = 0
    most_live: int = 20
    least_stock: int = 5
    excluded_products: tuple[str, ...] = ()
    excluded_categories: tuple[str, ...] = ()
    excluded_tags: tuple[str, ...] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    days: int | None = 90
    price_tolerance: int = 0
    elasticity: float = ELASTICITY

    def to_json(self) -> dict[str, Any]:
        """Return them as JSON, as they are kept and told."""
        return {
            name: value.isoformat()
            if isinstance(value, datetime)
            else list(value)
            if isinstance(value, tuple)
            else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Limits":
        """Return what ``to_json`` made into JSON; what is missing has its default."""
        read: dict[str, Any] = {}
        for name, value in body.items():
            if name in ("starts_at", "ends_at"):
                read[name] = None if value is None else datetime.fromisoformat(value)
            else:
                read[name] = tuple(value) if isinstance(value, list) else value
        return cls(**read)

    def end_of(self, starts_at: datetime) -> datetime | None:
        """Return when an offer that starts then is to end."""
        ends = [self.ends_at] if self.ends_at else []
        if self.days is not None:
            ends.append(starts_at + timedelta(days=self.days))
        return min(ends, default=None)


@dataclass(frozen=True, slots=True)
class Breach:
    """Something that an offer breaks: a word, and a sentence for the merchant."""

    code: str
    sentence: str


def breaches(terms: Terms, wares: Mapping[str, Ware], limits: Limits) -> list[Breach]:
    """Return what an offer breaks of limits, by what the shop has now; nothing of dates and of numbers live.

    Every component's product must be sold in a variant that counts, else that alone is said.
    """
    missing = [c for c in terms.components if not _counting(c, wares) or not wares[c.product_id].sold]
    if missing:
        return [
            Breach(NOT_SOLD, f"Product {c.product_id} is not sold in a variant that counts for this offer.")
            for c in missing
        ]
    found = [
        Breach(CURRENCY, f"{wares[c.product_id].title!r} is not priced in {terms.currency}.")
        for c in terms.components
        if wares[c.product_id].currency not in (None, terms.currency)
    ]
    found += [
        Breach(EXCLUDED, f"{wares[c.product_id].title!r} is excluded from offers.")
        for c in terms.components
        if excluded(wares[c.product_id], limits)
    ]
    return found + discount_breaches(terms, wares, limits)


def discount_breaches(terms: Terms, wares: Mapping[str, Ware], limits: Limits) -> list[Breach]:
    """Return what the discount of an offer breaks. Every component must have a variant that counts."""
    found: list[Breach] = []
    share = largest_share(terms, wares)
    if share > limits.maximum_discount:
        found.append(
            Breach(
                DISCOUNT,
                f"It takes {in_percent(share)} off; at most {in_percent(limits.maximum_discount)} may be.",
            )
        )
    enough = leaves_margin(terms, wares, limits)
    if enough is None:
        found.append(
            Breach(
                COST_UNKNOWN,
                "What the discounted products cost you is not known: send costs, or set the store's margin_percent.",
            )
        )
    elif not enough:
        found.append(
            Breach(
                MARGIN,
                f"The discounted products would leave less than {in_percent(limits.minimum_margin)} of their price.",
            )
        )
    return found


def largest_share(terms: Terms, wares: Mapping[str, Ware]) -> int:
    """Return how much of the discounted pieces' price an offer takes off at most, rounded up."""
    if terms.discount.kind is DiscountKind.PERCENT:
        return terms.discount.value
    cheapest = sum(c.quantity * min(kind.price for kind in _counting(c, wares)) for c in _discounted(terms))
    return -(-terms.discount.value * WHOLE // cheapest) if cheapest > 0 else WHOLE


def leaves_margin(terms: Terms, wares: Mapping[str, Ware], limits: Limits) -> bool | None:
    """Return whether the discounted pieces leave the least margin, whichever variants are taken.

    With prices ``p``, costs ``c``, tax ``t`` and the least margin ``m``, all variants must satisfy
    ``sum c x (1 + t) <= (1 - m) x (sum p - discount)``. Both sides are sums over components, so that the variant of
    each which is worst by itself makes the worst case of all. None: a cost is not known.
    """
    by_share = terms.discount.kind is DiscountKind.PERCENT
    keeps = WHOLE - terms.discount.value if by_share else WHOLE
    # A percentage is rounded to the minor unit: up to half a unit more may be taken off.
    off = WHOLE if by_share else terms.discount.value * WHOLE
    lacking = (WHOLE - limits.minimum_margin) * off
    for component in _discounted(terms):
        kinds = _counting(component, wares)
        if any(kind.cost is None for kind in kinds):
            return None
        lacking += component.quantity * max(_lack(kind, keeps, limits) for kind in kinds)
    return lacking <= 0


def excluded(ware: Ware, limits: Limits) -> bool:
    """Return whether a product is in no offer by the merchant's word."""
    return (
        ware.product_id in limits.excluded_products
        or ware.category in limits.excluded_categories
        or not ware.tags.isdisjoint(limits.excluded_tags)
    )


def short_of_stock(terms: Terms, wares: Mapping[str, Ware], limits: Limits) -> bool:
    """Return whether a component has fewer pieces than a proposal needs."""
    for component in terms.components:
        stock = wares[component.product_id].stock(component)
        if stock is not None and stock < max(limits.least_stock, 1) * component.quantity:
            return True
    return False


def in_percent(share: int) -> str:
    """Return a share as text: ``10 %``, ``7.5 %``."""
    return f"{share / 100:g} %"


def _discounted(terms: Terms) -> list[Component]:
    return [c for c in terms.components if c.product_id in terms.discounted]


def _counting(component: Component, wares: Mapping[str, Ware]) -> tuple[Kind, ...]:
    ware = wares.get(component.product_id)
    return ware.counting(component) if ware else ()


def _lack(kind: Kind, keeps: int, limits: Limits) -> int:
    """Return what a piece lacks of its least margin, times 10,000 squared; negative: it has more."""
    cost = kind.cost or 0
    return cost * (WHOLE + limits.included_tax) * WHOLE - (WHOLE - limits.minimum_margin) * kind.price * keeps
