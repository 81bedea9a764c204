"""Random histories of orders, what was learned of them, and what it means to have learned the same."""

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from app.commerce import ingest
from app.commerce.changes import CommerceChange, OrderStatus
from app.core.db import db
from app.recommendations import cooccurrence, learning
from tests.factories import BEGIN, DAY, line, order_change, order_deletion, refund

ORDERS = tuple(f"o{number}" for number in range(6))
PRODUCTS = tuple(f"p{number}" for number in range(6))
# Everything that was bought together may be shown: lists are long enough to differ.
OPEN_GATES = {"min_orders": 1.0, "min_lift": 1.0, "min_llr": 0.0}


@st.composite
def _orders(draw: st.DrawFn) -> CommerceChange:
    return order_change(
        draw(st.sampled_from(ORDERS)),
        *(
            line(product, 2, left=draw(st.sampled_from([None, None, None, 1, 0])))
            for product in draw(st.lists(st.sampled_from(PRODUCTS), unique=True))
        ),
        seconds=draw(st.integers(0, 50)),
        placed=draw(st.sampled_from([-900, -200, -30, -1, 0, 0, 0])) * DAY,
        status=draw(st.sampled_from([*[OrderStatus.PLACED] * 6, OrderStatus.CANCELLED, OrderStatus.PENDING])),
        test=draw(st.sampled_from([*[False] * 8, True])),
    )


_refunds = st.builds(
    lambda order, number, product: refund(order, number, 10 + number, **{product: 1 + number % 2}),
    st.sampled_from(ORDERS),
    st.integers(0, 30),
    st.sampled_from(PRODUCTS),
)
_changes = st.one_of(
    _orders(),
    _orders(),
    _orders(),
    _orders(),
    _refunds,
    st.builds(order_deletion, st.sampled_from(ORDERS), st.integers(0, 60)),
)
histories = st.lists(st.lists(_changes, min_size=1, max_size=6), min_size=1, max_size=6)


def learn(store_id: int, batches: Iterable[Iterable[CommerceChange]]) -> None:
    """Apply batches and learn from each in its own transaction, as a drain does."""
    for batch in batches:
        connection = db.session.connection()
        applied = ingest.apply(connection, store_id, batch)
        learning.learn(connection, store_id, applied.baskets)
        db.session.commit()


def learned(store_id: int) -> dict[str, Any]:
    """Return all that a store has learned, without zeros and without the way it is stored."""
    connection = db.session.connection()
    head = connection.exec_driver_sql(
        "SELECT epoch, half_life_days, basket_cap, orders FROM learned_model WHERE store_id = %(store)s",
        {"store": store_id},
    ).first()
    counts = connection.exec_driver_sql(
        "SELECT product_id, orders, weight, popularity FROM product_count WHERE store_id = %(store)s"
        " AND (orders, weight, popularity) <> (0, 0, 0) ORDER BY 1",
        {"store": store_id},
    ).all()
    segments = connection.exec_driver_sql(
        "SELECT product_id, packed FROM neighbour_segment WHERE store_id = %(store)s", {"store": store_id}
    ).all()
    pairs = cooccurrence.unpack((row[0], row[1]) for row in segments)
    return {
        "head": tuple(head) if head else None,
        "counts": [tuple(row) for row in counts],
        "pairs": dict(cooccurrence.pack(pairs)),
    }


def published(store_id: int) -> dict[tuple[str, str], Any]:
    """Return what is published, by strategy and subject; an empty list counts as none."""
    rows = db.session.connection().exec_driver_sql(
        "SELECT strategy, subject, items FROM published_list WHERE store_id = %(store)s", {"store": store_id}
    )
    return {(strategy, subject): items for strategy, subject, items in rows if items}


def stale(store_id: int) -> list[str]:
    """Return the platform ids of the products whose lists are behind their counts."""
    rows = db.session.connection().exec_driver_sql(
        "SELECT p.platform_id FROM product_count c JOIN product p ON p.id = c.product_id"
        " WHERE c.store_id = %(store)s AND c.stale ORDER BY 1",
        {"store": store_id},
    )
    return [row[0] for row in rows]


__all__ = ["BEGIN", "OPEN_GATES", "histories", "learn", "learned", "published", "stale"]
