"""What the merchant of a demo shop chose to show beside its best sellers: invented, the same on every run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from demo.catalogue import Product

# Nobody does it for a whole catalogue by hand.
_CARED_FOR: Final = 24
_EACH: Final = 2


@dataclass(frozen=True, slots=True)
class Companions:
    """The numbers of products that go with one, and of better ones of its kind."""

    goes_with: tuple[int, ...]
    better: tuple[int, ...]


def companions(products: Sequence[Product]) -> dict[int, Companions]:
    """Return what is shown beside the best sellers among ``products``, by their numbers.

    With a product go the best sellers of other kinds with a theme in common; better is what costs more of the same
    kind, up to three times as much.
    """
    ranked = sorted(products, key=lambda product: product.rank)
    return {
        product.number: Companions(
            _first(other for other in ranked if _goes_with(product, other)),
            _first(other for other in ranked if _is_better(product, other)),
        )
        for product in ranked[:_CARED_FOR]
    }


def _first(products: Iterable[Product]) -> tuple[int, ...]:
    return tuple(product.number for product in islice(products, _EACH))


def _goes_with(product: Product, other: Product) -> bool:
    return product.motif != other.motif and not set(product.tags).isdisjoint(other.tags)


def _is_better(product: Product, other: Product) -> bool:
    return product.motif == other.motif and product.price < other.price <= 3 * product.price
