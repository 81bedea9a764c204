"""What a store and a product can be recommended by today, and how many orders the rest needs.

The first functions are calculations on counts; ``of_store`` and ``of_product`` read the counts of a store.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.commerce.store import Store
from app.core.db import db
from app.recommendations import association, cooccurrence
from app.recommendations.ready_lists import (
    BEST_SELLERS,
    CATEGORY_PAIRS,
    MERCHANT_CROSS_SELLS,
    MERCHANT_UPSELLS,
    PAIRS,
    SIMILAR,
    WHOLE_STORE,
    category_subject,
)

# The reasons that are looked at, the strongest claim first, each with its kinds of ready lists.
_SOURCES: Final = {
    "bought_together": (PAIRS,),
    "merchant_choice": (MERCHANT_CROSS_SELLS, MERCHANT_UPSELLS),
    "similar": (SIMILAR,),
    "goes_with_category": (CATEGORY_PAIRS,),
    "best_seller": (BEST_SELLERS,),
}
REASONS: Final = tuple(_SOURCES)
# Who has to wait for more orders than this is told no number.
_FURTHEST: Final = 1_000
# Companions that are looked at: those met most often need the fewest orders more.
_NEAREST: Final = 200


@dataclass(frozen=True, slots=True)
class Gates:
    """What a pair must pass to be shown: orders with both, lift, log-likelihood ratio; all three."""

    min_orders: int
    min_lift: float
    min_llr: float

    @classmethod
    def of(cls, store: Store) -> "Gates":
        """Return a store's."""
        return cls(int(store.setting("min_orders")), store.setting("min_lift"), store.setting("min_llr"))

    def passed(
        self, pair: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike, orders: npt.ArrayLike
    ) -> npt.NDArray[np.bool_]:
        """Return which pairs pass. All four are counts of orders: with both, with each, and in all."""
        both, a, b, n = (np.asarray(count, np.int64) for count in (pair, first, second, orders))
        significance = association.log_likelihood_ratio(both, a - both, b - both, n - a - b + both)
        passed: npt.NDArray[np.bool_] = (
            (both >= self.min_orders)
            & (association.lift(both, a, b, n) >= self.min_lift)
            & (significance >= self.min_llr)
        )
        return passed


def orders_of_first_pair(gates: Gates) -> int | None:
    """Return the fewest orders of a store in which any pair can pass ``gates``, None where more than 1000 are needed.

    The best that can happen is that two products are only ever bought together, in some of the orders.
    """
    for orders in range(max(1, gates.min_orders), _FURTHEST + 1):
        pair = np.arange(1, orders + 1)
        if gates.passed(pair, pair, pair, np.full(orders, orders)).any():
            return orders
    return None


def orders_until_a_pair(
    gates: Gates, orders: int, product_orders: int, pairs: npt.ArrayLike, other_orders: npt.ArrayLike
) -> int | None:
    """Return how many more orders with a product it takes until a pair of it could pass ``gates``.

    Each of them is taken to hold one and the same companion: one that was met before, or one never bought yet. None
    where 1000 are not enough: then it takes orders of other things, too, because what stands in nearly every order is
    together with everything by chance.

    Args:
        gates: the store's.
        orders: of the store.
        product_orders: orders with the product.
        pairs: int[k], orders with the product and each companion.
        other_orders: int[k], orders with each companion.
    """
    pair = np.append(np.asarray(pairs, np.int64), 0)
    other = np.append(np.asarray(other_orders, np.int64), 0)
    nearest = np.unique(np.append(np.argsort(-pair, kind="stable")[:_NEAREST], len(pair) - 1))
    more = np.arange(_FURTHEST + 1)
    joint, alone = pair[nearest, None] + more, other[nearest, None] + more
    passed = gates.passed(joint, product_orders + more, alone, orders + more).any(axis=0)
    return int(np.argmax(passed)) if passed.any() else None


def of_store(store: Store) -> dict[str, Any]:
    """Return how a store stands: ``orders`` learned, ``products`` that can be shown, and its ``sources``.

    Each source has ``reason``, ``ready`` (it answers somewhere today), ``needs_orders`` in all at least, and
    ``more_orders`` until then; None where no number of orders is known to be enough.
    """
    orders = _learned(store.id)
    needs = _needs(Gates.of(store))
    ready = _ready_kinds(store.id)
    sources = [
        {
            "reason": reason,
            "ready": any(kind in ready for kind in kinds),
            "needs_orders": needs[reason],
            "more_orders": _difference(needs[reason], orders),
        }
        for reason, kinds in _SOURCES.items()
    ]
    products = db.session.connection().exec_driver_sql(
        "SELECT count(*) FROM product WHERE store_id = %(store)s AND status = 'active' AND visible AND title <> ''",
        {"store": store.id},
    )
    return {"orders": orders, "products": products.scalar_one(), "sources": sources}


def of_product(store: Store, product_id: str) -> dict[str, Any] | None:
    """Return how a product stands, None where the store has none of this platform id.

    ``more_orders`` with it are needed until a pair could pass the gates (see ``orders_until_a_pair``); 0 where one
    does. ``answers_with`` is the reason of the strongest source that has something for it today, ``sources`` says how
    many candidates each has.
    """
    product = (
        db.session.connection()
        .exec_driver_sql(
            "SELECT p.id, p.title, p.category, COALESCE(c.orders, 0) AS orders FROM product p"
            " LEFT JOIN product_count c ON c.store_id = p.store_id AND c.product_id = p.id"
            " WHERE p.store_id = %(store)s AND p.platform_id = %(product)s",
            {"store": store.id, "product": product_id},
        )
        .first()
    )
    if product is None:
        return None
    subjects = {
        CATEGORY_PAIRS: category_subject(product.category or ""),
        BEST_SELLERS: WHOLE_STORE,
    }
    lengths = _lengths(
        store.id, {kind: subjects.get(kind, product_id) for kinds in _SOURCES.values() for kind in kinds}
    )
    sources = [
        {"reason": reason, "candidates": sum(lengths.get(kind, 0) for kind in kinds)}
        for reason, kinds in _SOURCES.items()
    ]
    return {
        "product_id": product_id,
        "title": product.title,
        "orders": product.orders,
        "more_orders": 0 if lengths.get(PAIRS) else _missing(store, product.id, product.orders),
        "answers_with": next((s["reason"] for s in sources if s["candidates"]), None),
        "sources": sources,
    }


def _needs(gates: Gates) -> dict[str, int | None]:
    pair = orders_of_first_pair(gates)
    return {
        "bought_together": pair,
        "merchant_choice": 0,
        "similar": 0,
        "goes_with_category": pair,
        "best_seller": 1,
    }


def _difference(needed: int | None, orders: int) -> int | None:
    return None if needed is None else max(0, needed - orders)


def _missing(store: Store, product: int, product_orders: int) -> int | None:
    connection = db.session.connection()
    segments = connection.exec_driver_sql(
        "SELECT product_id, packed FROM neighbour_segment WHERE store_id = %(store)s AND product_id = %(id)s",
        {"store": store.id, "id": product},
    )
    neighbours = cooccurrence.unpack((row.product_id, row.packed) for row in segments)
    others = neighbours.others.tolist()
    rows = connection.exec_driver_sql(
        "SELECT product_id, orders FROM product_count WHERE store_id = %(store)s"
        " AND product_id = ANY(%(ids)s::bigint[])",
        {"store": store.id, "ids": others},
    )
    orders: dict[int, int] = {other: count for other, count in rows}
    return orders_until_a_pair(
        Gates.of(store),
        _learned(store.id),
        product_orders,
        neighbours.orders,
        [orders.get(other, 0) for other in others],
    )


def _learned(store_id: int) -> int:
    found = db.session.connection().exec_driver_sql(
        "SELECT orders FROM learned_model WHERE store_id = %(store)s", {"store": store_id}
    )
    return int(found.scalar() or 0)


def _ready_kinds(store_id: int) -> set[str]:
    kinds = [kind for kinds in _SOURCES.values() for kind in kinds]
    rows = db.session.connection().exec_driver_sql(
        "SELECT k FROM unnest(%(kinds)s::text[]) k WHERE EXISTS (SELECT FROM published_list l"
        " WHERE l.store_id = %(store)s AND l.strategy = k AND l.items <> '[]')",
        {"store": store_id, "kinds": kinds},
    )
    return {row[0] for row in rows}


def _lengths(store_id: int, subjects: dict[str, str]) -> dict[str, int]:
    """Return how long the lists of kinds for their subjects are."""
    rows = db.session.connection().exec_driver_sql(
        "SELECT strategy, jsonb_array_length(items) FROM published_list l"
        " JOIN unnest(%(kinds)s::text[], %(subjects)s::text[]) AS w(kind, subject)"
        " ON l.strategy = w.kind AND l.subject = w.subject WHERE l.store_id = %(store)s",
        {"store": store_id, "kinds": list(subjects), "subjects": list(subjects.values())},
    )
    return {kind: length for kind, length in rows}
