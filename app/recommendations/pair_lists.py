"""Ready lists made of counts: what is bought together, and what is bought most."""

from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from app.recommendations import cache
from app.recommendations.publishing import store_lists
from app.recommendations.ready_lists import BEST_SELLERS, WHOLE_STORE

if TYPE_CHECKING:  # Numba is imported in jobs only
    from app.recommendations.ranking import Ranked

LIST_LENGTH: Final = 50
BEST_SELLERS_LENGTH: Final = 100


def as_lists(ranked: "Ranked", platform_ids: dict[int, str]) -> dict[str, list[cache.Candidate]]:
    """Return ranked neighbours as the lists that are published, by the platform's ids."""
    lists: dict[str, list[cache.Candidate]] = {}
    for row, product in enumerate(ranked.products.tolist()):
        span = slice(ranked.indptr[row], ranked.indptr[row + 1])
        lists[platform_ids[product]] = [
            {
                "id": platform_ids[other],
                "orders": orders,
                "confidence": round(confidence, 4),
                "lift": round(lift, 2),
                "llr": round(llr, 1),
                "score": float(f"{score:.6g}"),
            }
            for other, orders, confidence, lift, llr, score in zip(
                ranked.others[span].tolist(),
                ranked.orders[span].tolist(),
                ranked.confidence[span].tolist(),
                ranked.lift[span].tolist(),
                ranked.llr[span].tolist(),
                ranked.score[span].tolist(),
                strict=True,
            )
        ]
    return lists


def publish_best_sellers(connection: Connection, store_id: int) -> None:
    """Publish what a store sells most. The caller commits."""
    store_lists(connection, store_id, BEST_SELLERS, {WHOLE_STORE: best_sellers(connection, store_id)})


def best_sellers(connection: Connection, store_id: int) -> list[cache.Candidate]:
    """Return what a store sells most; recent orders count for more.

    ``share`` is of all orders, by the same weights (see ``cart_rows.popularity``).
    """
    rows = connection.exec_driver_sql(
        f"""
        SELECT p.platform_id, c.orders, c.popularity / t.popularity * t.lines / t.orders
        FROM (
            SELECT product_id, orders, popularity FROM product_count
            WHERE store_id = %(store)s AND orders > 0 ORDER BY popularity DESC, product_id
            LIMIT {BEST_SELLERS_LENGTH}
        ) c
        JOIN product p ON p.id = c.product_id
        CROSS JOIN (
            SELECT GREATEST(sum(c.popularity), 1)::float8 AS popularity, sum(c.orders)::float8 AS lines,
                GREATEST(max(m.orders), 1)::float8 AS orders
            FROM product_count c JOIN learned_model m ON m.store_id = c.store_id
            WHERE c.store_id = %(store)s
        ) t
        ORDER BY c.popularity DESC, c.product_id
        """,
        {"store": store_id},
    )
    return [
        {"id": platform_id, "orders": orders, "share": float(f"{share:.4g}")}
        for platform_id, orders, share in rows
    ]
