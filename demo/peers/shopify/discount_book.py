"""The automatic discounts of a shop: its own, those of the merchant and those of apps."""

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

BXGY: Final = "DiscountAutomaticBxgy"
BASIC: Final = "DiscountAutomaticBasic"
APP: Final = "DiscountAutomaticApp"
MOST_ACTIVE: Final = 25
"""https://help.shopify.com/en/manual/discounts/automatic-discounts: those of apps are counted too."""
_FIRST_ID: Final = 1_600_000_000_001


@dataclass(slots=True)
class AutomaticDiscount:
    """One automatic discount.

    Attributes:
        id: its number.
        kind: the name of its type in the API.
        title: what merchant and shoppers read.
        starts_at: from when it is applied.
        ends_at: until when, exclusive; None for ever.
        created_at: when it was made.
        updated_at: when it was changed last.
        tags: of the merchant and of apps.
        combines: with discounts of which classes: ``productDiscounts`` and the like.
        buys: products and variants that qualify, by ``products`` and ``variants``: numbers. BXGY only.
        gets: those that are discounted, likewise.
        bought: how many pieces qualify.
        got: how many pieces are discounted.
        percentage: of their price, 0 to 1.
        uses: how often one order may use it; None: as often as it fits.
        function: the handle of the function that decides. Apps only.
    """

    id: int
    kind: str
    title: str
    starts_at: datetime
    ends_at: datetime | None
    created_at: datetime
    updated_at: datetime
    tags: tuple[str, ...] = ()
    combines: Mapping[str, bool] = field(default_factory=dict)
    buys: dict[str, set[int]] = field(default_factory=lambda: {"products": set(), "variants": set()})
    gets: dict[str, set[int]] = field(default_factory=lambda: {"products": set(), "variants": set()})
    bought: int = 1
    got: int = 1
    percentage: float = 0.0
    uses: int | None = None
    function: str | None = None

    def active(self, now: datetime) -> bool:
        """Tell whether it is applied at ``now``."""
        return self.starts_at <= now and (self.ends_at is None or now < self.ends_at)

    def status(self, now: datetime) -> str:
        """Return its ``DiscountStatus`` in small letters."""
        if self.ends_at is not None and self.ends_at <= now:
            return "expired"
        return "active" if self.starts_at <= now else "scheduled"

    def overlaps(self, starts_at: datetime, ends_at: datetime | None) -> bool:
        """Tell whether it is active at some moment of that time."""
        return (self.ends_at is None or starts_at < self.ends_at) and (
            ends_at is None or self.starts_at < ends_at
        )

    def body(self, now: datetime) -> dict[str, Any]:
        """Return it as the API reads it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "discount_id": f"gid://shopify/DiscountAutomaticNode/{self.id}",
            "title": self.title,
            "status": self.status(now),
            "tags": list(self.tags),
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "uses_per_order_limit": None if self.uses is None else str(self.uses),
            "discount_classes": ["PRODUCT"],
            "async_usage_count": 0,
        }


@dataclass
class Discounts:
    """The automatic discounts of one shop. All methods may be called from any thread."""

    _book: dict[int, AutomaticDiscount] = field(default_factory=dict)
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(_FIRST_ID, 2))
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add(
        self, kind: str, title: str, now: datetime, starts_at: datetime, ends_at: datetime | None
    ) -> AutomaticDiscount:
        """Make a discount; what else it is made of is for the caller to set."""
        with self.lock:
            made = AutomaticDiscount(next(self._ids), kind, title, starts_at, ends_at, now, now)
            self._book[made.id] = made
        return made

    def by_merchant(self, title: str, now: datetime) -> AutomaticDiscount:
        """Make a discount as the merchant does in the admin, on no product that matters here; it ends never."""
        return self.add(BASIC, title, now, now, None)

    def all(self) -> list[AutomaticDiscount]:
        """Return all, in the order in which they were made."""
        with self.lock:
            return list(self._book.values())

    def find(self, number: int) -> AutomaticDiscount | None:
        """Return a discount, None if there is none (any more)."""
        return self._book.get(number)

    def delete(self, number: int) -> bool:
        """Delete a discount, and tell whether there was one."""
        with self.lock:
            return self._book.pop(number, None) is not None

    def crowd(self, starts_at: datetime, ends_at: datetime | None, but: int | None = None) -> int:
        """Return how many others overlap with that time."""
        return sum(each.id != but and each.overlaps(starts_at, ends_at) for each in self.all())
