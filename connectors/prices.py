"""List prices of one store's platform: what every platform's ``prices.py`` offers. Money is in minor units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ListPrice:
    """What a variant costs in the shop, and what that is compared to there ("was")."""

    variant_id: str
    price: int
    compare_at_price: int | None


@dataclass(frozen=True, slots=True)
class PriceWrite:
    """A price to write.

    Attributes:
        product_id: of the variant.
        variant_id: the variant; of a product without variants its own id (WooCommerce).
        price: the new price.
        compare_at_price: the new price to compare with; None takes it away.
        expected: the price that must stand there now: nobody's change is overwritten unseen.
        currency: of the amounts.
    """

    product_id: str
    variant_id: str
    price: int
    compare_at_price: int | None
    expected: int
    currency: str


@dataclass(frozen=True, slots=True)
class PriceOutcome:
    """What became of one write. ``problem`` None: the price stands; else one sentence for the merchant.

    ``code`` is a snake_case word: ``changed_meanwhile``, ``product_gone``, ``rejected``, ``unreachable`` (then nobody
    knows whether it stands, until it is read).
    """

    write: PriceWrite
    problem: str | None = None
    code: str | None = None


class Prices(Protocol):
    """One store's list prices. Every method may raise any error of ``connectors.errors``."""

    def read(self, product_id: str) -> Mapping[str, ListPrice]:
        """Return the prices of a product's variants, by variant id, as they stand now.

        Raises:
            NotFound: if the product is gone.
        """
        ...

    def write(self, writes: Sequence[PriceWrite]) -> Sequence[PriceOutcome]:
        """Write prices and say what became of each, in order. One that is not as expected is left alone."""
        ...
