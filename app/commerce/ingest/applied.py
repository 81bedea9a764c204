"""What became of changes: for the counts, which take baskets, for lists, which show products, and for who is who."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.commerce.changes import CustomerMerge


@dataclass(frozen=True, slots=True)
class BasketChange:
    """What an order contributed to the counts before and contributes now. Empty baskets contribute nothing."""

    old_placed_at: datetime
    old_basket: Sequence[int]
    new_placed_at: datetime
    new_basket: Sequence[int]


@dataclass(slots=True)
class Applied:
    """What became of a batch of changes."""

    baskets: list[BasketChange] = field(default_factory=list)
    # Internal ids of customers who have, or had, one of the orders that were named.
    customers: set[int] = field(default_factory=set)
    # Platform ids of products whose card (price, stock, title, eligibility) may have changed.
    products: set[str] = field(default_factory=set)
    # Those of them that the shop now describes or places otherwise: title, labels, status, the merchant's choice.
    described: set[str] = field(default_factory=set)
    # Customers of whom the platform made one, for the room that knows who is who.
    merges: list[CustomerMerge] = field(default_factory=list)
