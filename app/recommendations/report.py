"""What was learned, for people: the strongest pairs of a store, the pairs of a product."""

from typing import Any

from app.core.db import db
from app.recommendations.strategies import FREQUENTLY_BOUGHT_TOGETHER

_COLUMNS = """i->>'id' AS other_id, q.title AS other, (i->>'orders')::int AS orders,
    round((i->>'confidence')::numeric, 3)::float AS confidence, (i->>'lift')::float AS lift,
    (i->>'llr')::float AS llr"""


def strongest_pairs(store_id: int, limit: int) -> list[dict[str, Any]]:
    """Return the published pairs with the largest log-likelihood ratio, each once, as flat rows.

    ``support`` is the share of the store's orders that hold both.
    """
    rows = db.session.connection().exec_driver_sql(
        f"""
        SELECT l.subject AS product_id, p.title AS product, {_COLUMNS},
            round((i->>'orders')::numeric / NULLIF(m.orders, 0), 5)::float AS support
        FROM published_list l
        JOIN learned_model m ON m.store_id = l.store_id
        CROSS JOIN jsonb_array_elements(l.items) i
        JOIN product p ON p.store_id = l.store_id AND p.platform_id = l.subject
        JOIN product q ON q.store_id = l.store_id AND q.platform_id = i->>'id'
        WHERE l.store_id = %(store)s AND l.strategy = %(strategy)s AND l.subject < i->>'id'
        ORDER BY (i->>'llr')::float DESC, l.subject LIMIT %(limit)s
        """,
        {"store": store_id, "strategy": FREQUENTLY_BOUGHT_TOGETHER, "limit": limit},
    )
    return [dict(row._mapping) for row in rows]


def pairs_of_product(store_id: int, product_id: str, limit: int) -> list[dict[str, Any]]:
    """Return the published pairs of one product, best first, as flat rows."""
    rows = db.session.connection().exec_driver_sql(
        f"""
        SELECT {_COLUMNS}
        FROM published_list l
        CROSS JOIN jsonb_array_elements(l.items) WITH ORDINALITY AS e(i, place)
        JOIN product q ON q.store_id = l.store_id AND q.platform_id = i->>'id'
        WHERE l.store_id = %(store)s AND l.strategy = %(strategy)s AND l.subject = %(subject)s
        ORDER BY place LIMIT %(limit)s
        """,
        {"store": store_id, "strategy": FREQUENTLY_BOUGHT_TOGETHER, "subject": product_id, "limit": limit},
    )
    return [dict(row._mapping) for row in rows]
