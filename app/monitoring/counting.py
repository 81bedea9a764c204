"""What drift is judged by, counted in PostgreSQL over the last five weeks."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from app.commerce.catalog import ELIGIBLE_SQL
from app.decisions.reasons import DISABLED, SPLIT
from app.monitoring.drift import AFTER_DAYS, BEFORE_DAYS, Answers, Counted, Sold
from app.recommendations import ready_lists

# Lists of a product from which a product page is answered, whoever asks.
_PRODUCT_LISTS: Final = (
    ready_lists.PAIRS, ready_lists.MERCHANT_CROSS_SELLS, ready_lists.SAME_SHOPPERS, ready_lists.VIEWED_TOGETHER,
    ready_lists.SIMILAR,
)  # fmt: skip

_SOLD_SQL: Final = f"""
    SELECT p.id, p.category, s.before, s.after, {ELIGIBLE_SQL} AS eligible,
        EXISTS (SELECT FROM published_list l WHERE l.store_id = p.store_id AND l.strategy = ANY(%(lists)s)
            AND l.subject = p.platform_id AND l.items <> '[]'::jsonb) AS listed
    FROM (
        SELECT product_id, count(*) FILTER (WHERE o.placed_at < %(parting)s) AS before,
            count(*) FILTER (WHERE o.placed_at >= %(parting)s) AS after
        FROM orders o, unnest(o.basket) product_id
        WHERE o.store_id = %(store_id)s AND o.placed_at >= %(begin)s AND o.placed_at <= %(now)s
        GROUP BY product_id
    ) s JOIN product p ON p.store_id = %(store_id)s AND p.id = s.product_id
"""

_ORDERS_SQL: Final = """
    SELECT count(*) FILTER (WHERE placed_at < %(parting)s), count(*) FILTER (WHERE placed_at >= %(parting)s)
    FROM orders
    WHERE store_id = %(store_id)s AND placed_at >= %(begin)s AND placed_at <= %(now)s AND basket <> '{}'
"""

_CATALOGUE_SQL: Final = f"""
    SELECT count(*) FILTER (WHERE {ELIGIBLE_SQL}),
        count(*) FILTER (WHERE {ELIGIBLE_SQL} AND p.created_at > m.rebuilt_at),
        coalesce(sum(c.weight), 0)::bigint,
        coalesce(sum(c.weight) FILTER (WHERE NOT {ELIGIBLE_SQL}), 0)::bigint
    FROM product p
    LEFT JOIN learned_model m ON m.store_id = p.store_id
    LEFT JOIN product_count c ON c.store_id = p.store_id AND c.product_id = p.id
    WHERE p.store_id = %(store_id)s
"""

_ANSWERS_SQL: Final = """
    SELECT slot, coalesce(sum(answers) FILTER (WHERE day < %(parting)s), 0)::bigint,
        coalesce(sum(empty) FILTER (WHERE day < %(parting)s), 0)::bigint,
        coalesce(sum(answers) FILTER (WHERE day >= %(parting)s), 0)::bigint,
        coalesce(sum(empty) FILTER (WHERE day >= %(parting)s), 0)::bigint
    FROM decision_tally
    WHERE store_id = %(store_id)s AND day >= %(begin)s AND day <= %(now)s AND slot <> '' AND reason <> ALL(%(meant)s)
    GROUP BY slot ORDER BY slot
"""


def count(connection: Connection, store_id: int, now: datetime) -> Counted:
    """Return what is known of a store at ``now``."""
    parting = now - timedelta(days=AFTER_DAYS)
    times = {
        "store_id": store_id,
        "now": now,
        "parting": parting,
        "begin": parting - timedelta(days=BEFORE_DAYS),
    }
    sold = connection.exec_driver_sql(_SOLD_SQL, {**times, "lists": list(_PRODUCT_LISTS)})
    before, after = connection.exec_driver_sql(_ORDERS_SQL, times).one()
    eligible, new, weight, gone = connection.exec_driver_sql(_CATALOGUE_SQL, times).one()
    # Tallies are of whole days. An arm or a paused slot that shows nothing was told to.
    days = {name: value.date() if isinstance(value, datetime) else value for name, value in times.items()}
    answers = connection.exec_driver_sql(_ANSWERS_SQL, {**days, "meant": [SPLIT, DISABLED]})
    return Counted(
        sold=[Sold(*row) for row in sold],
        orders_before=before,
        orders_after=after,
        eligible=eligible,
        new=new,
        weight=weight,
        gone_weight=gone,
        answers=[Answers(*row) for row in answers],
    )
