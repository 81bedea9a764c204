"""What rules look at: one question of a shopper, and the products that might answer it. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self


@dataclass(frozen=True, slots=True)
class Context:
    """One question as rules see it. Ids are the platform's; what is not known is None or empty.

    Attributes:
        now: when it is asked, UTC.
        timezone: the store's, by its IANA name: time windows are read in it.
        slot: the place on the page; None for ``POST /v1/upsell``.
        product_id: the product of the page.
        category: the category of that product.
        tags: its tags.
        cart: the products of the cart, in order; one that is in it twice stands twice.
        cart_categories: the categories of those.
        cart_tags: the tags of those.
        cart_value: their worth in minor units of ``currency``; None where it is not known.
        currency: the store's, ISO 4217.
        segments: keys of the segments that the shopper is in.
        intent: what the running session shows the shopper to be about.
        channel: where the question comes from, such as ``online``.
        country: the shopper's, ISO 3166-1 alpha-2, in capitals.
        device: ``desktop``, ``mobile`` or ``tablet``.
    """

    now: datetime
    timezone: str
    slot: str | None
    product_id: str | None
    category: str | None
    tags: frozenset[str]
    cart: tuple[str, ...]
    cart_categories: frozenset[str]
    cart_tags: frozenset[str]
    cart_value: int | None
    currency: str
    segments: frozenset[str]
    intent: str | None
    channel: str | None
    country: str | None
    device: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON: sets as sorted lists, the time in RFC 3339."""
        return {name: _to_json(getattr(self, name)) for name in self.__slots__}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return what ``to_json`` made into JSON."""
        values = {**data, "now": datetime.fromisoformat(data["now"]), "cart": tuple(data["cart"])}
        for name in SETS:
            values[name] = frozenset(data[name])
        return cls(**values)


# The attributes of a context that hold any number of words.
SETS: Final = ("tags", "cart_categories", "cart_tags", "segments")


def _to_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class Item:
    """A product that might be shown, as rules see it. ``price`` is in minor units of the store's currency."""

    product_id: str
    category: str | None
    vendor: str | None
    tags: frozenset[str]
    price: int | None
