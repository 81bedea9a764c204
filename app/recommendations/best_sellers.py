"""The best sellers of each category. Those of the whole store are published with every order (see ``pair_lists``)."""

from typing import Final

from sqlalchemy import Connection

from app.recommendations import cache
from app.recommendations.cache import Candidate
from app.recommendations.publishing import store_lists
from app.recommendations.ready_lists import BEST_SELLERS, WHOLE_STORE, category_subject

_LENGTH: Final = 50


def publish_category_best_sellers(connection: Connection, store_id: int) -> bool:
    """Publish what is bought most in each category, recent orders counting more; return whether Redis took it.

    Lists of categories without anything to sell are taken back. The caller commits.
    """
    rows = connection.exec_driver_sql(
        """
        SELECT s.category, s.platform_id, s.orders
        FROM (
            SELECT p.category, p.platform_id, c.orders,
                row_number() OVER (PARTITION BY p.category ORDER BY c.popularity DESC, p.id) AS place
            FROM product_count c JOIN product p ON p.id = c.product_id
            WHERE c.store_id = %(store)s AND c.orders > 0 AND p.category <> ''
        ) s
        WHERE s.place <= %(length)s
        ORDER BY s.category, s.place
        """,
        {"store": store_id, "length": _LENGTH},
    )
    lists: dict[str, list[Candidate]] = {}
    for category, platform_id, orders in rows:
        lists.setdefault(category_subject(category), []).append({"id": platform_id, "orders": orders})
    gone = _forget_others(connection, store_id, lists.keys() | {WHOLE_STORE})
    taken = store_lists(connection, store_id, BEST_SELLERS, lists)
    return cache.put_lists(store_id, BEST_SELLERS, {subject: [] for subject in gone}) and taken


def _forget_others(connection: Connection, store_id: int, kept: set[str]) -> set[str]:
    rows = connection.exec_driver_sql(
        "DELETE FROM published_list WHERE store_id = %(store)s AND strategy = %(kind)s"
        " AND NOT subject = ANY(%(kept)s::text[]) RETURNING subject",
        {"store": store_id, "kind": BEST_SELLERS, "kept": sorted(kept)},
    )
    return {row[0] for row in rows}
