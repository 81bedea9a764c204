"""Orders as learning reads them, written down shortly."""

from collections.abc import Iterable, Sequence

import numpy as np

from app.recommendations.purchases import NOBODY, History

# The day, the customer, and the products of an order.
Sale = tuple[int, int, Sequence[int]]


def history(sales: Iterable[Sale]) -> History:
    """Return the history of these orders."""
    listed = list(sales)
    sizes = [len(products) for _, _, products in listed]
    return History(
        indptr=np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        products=np.array([p for _, _, products in listed for p in products], np.int64),
        days=np.array([day for day, _, _ in listed], np.int64),
        customers=np.array([customer for _, customer, _ in listed], np.int64),
    )


def anonymous(day: int, *products: int, times: int = 1) -> list[Sale]:
    """Return so many equal orders that name nobody."""
    return [(day, NOBODY, products)] * times
