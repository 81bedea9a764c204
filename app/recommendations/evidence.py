"""What was learned, as the ground of offers: published pairs and sets with the orders that stand behind them."""

from typing import Final

from sqlalchemy import Connection

from app.bundles.evidence import Evidence
from app.recommendations.ready_lists import SETS, WHOLE_STORE
from app.recommendations.strategies import FREQUENTLY_BOUGHT_TOGETHER

# More than any merchant looks at, and little enough to be worked through in a second.
MOST_PAIRS: Final = 2_000


def together(connection: Connection, store_id: int) -> list[Evidence]:
    """Return the store's pairs and its sets of three and four, the strongest first of each.

    The first product of each is the one that stands in most orders: whoever buys it is asked. Pairs stand once.
    """
    days = _days(connection, store_id)
    return [*_pairs(connection, store_id, days), *_sets(connection, store_id, days)] if days else []


def _days(connection: Connection, store_id: int) -> float:
    """Return over how many days the store's orders lie, at least one; 0 without any."""
    found = connection.exec_driver_sql(
        "SELECT EXTRACT(EPOCH FROM now() - min(placed_at)) / 86400 FROM orders WHERE store_id = %(store)s",
        {"store": store_id},
    ).scalar()
    return 0.0 if found is None else max(float(found), 1.0)


def _pairs(connection: Connection, store_id: int, days: float) -> list[Evidence]:
    rows = connection.exec_driver_sql(
        """
        SELECT DISTINCT ON (LEAST(l.subject, i->>'id'), GREATEST(l.subject, i->>'id'))
            l.subject, i->>'id', (i->>'orders')::int, c.orders, (i->>'lift')::float, (i->>'llr')::float
        FROM published_list l
        CROSS JOIN jsonb_array_elements(l.items) i
        JOIN product p ON p.store_id = l.store_id AND p.platform_id = l.subject
        JOIN product_count c ON c.store_id = l.store_id AND c.product_id = p.id
        WHERE l.store_id = %(store)s AND l.strategy = %(kind)s
        ORDER BY LEAST(l.subject, i->>'id'), GREATEST(l.subject, i->>'id'), c.orders DESC, l.subject
        """,
        {"store": store_id, "kind": FREQUENTLY_BOUGHT_TOGETHER},
    )
    found = [Evidence((a, b), orders, of_a, lift, llr, days) for a, b, orders, of_a, lift, llr in rows]
    return sorted(found, key=lambda each: (-each.llr, each.products))[:MOST_PAIRS]


def _sets(connection: Connection, store_id: int, days: float) -> list[Evidence]:
    rows = connection.exec_driver_sql(
        """
        SELECT array_agg(m.id ORDER BY c.orders DESC, m.id), (i->>'orders')::int, max(c.orders),
            (i->>'lift')::float, (i->>'llr')::float
        FROM published_list l
        CROSS JOIN jsonb_array_elements(l.items) WITH ORDINALITY AS e(i, place)
        CROSS JOIN jsonb_array_elements_text(i->'ids') AS m(id)
        JOIN product p ON p.store_id = l.store_id AND p.platform_id = m.id
        JOIN product_count c ON c.store_id = l.store_id AND c.product_id = p.id
        WHERE l.store_id = %(store)s AND l.strategy = %(kind)s AND l.subject = %(subject)s
        GROUP BY place, i HAVING count(*) = jsonb_array_length(i->'ids')
        ORDER BY place
        """,
        {"store": store_id, "kind": SETS, "subject": WHOLE_STORE},
    )
    return [Evidence(tuple(ids), orders, first, lift, llr, days) for ids, orders, first, lift, llr in rows]
