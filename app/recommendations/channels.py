"""What is bought together in each channel: at the till, online, and where the two differ.

Counted from the orders' baskets themselves, without weights: a report is about what was sold, not about what is to be
shown. Baskets that are too large to learn from are left out here, too.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from app.commerce.changes import Channel
from app.commerce.store import Store
from app.core.db import db, now
from app.recommendations import association
from app.recommendations.proportions import benjamini_hochberg, fisher_exact
from app.recommendations.report import strongest_pairs

# Adjusted p-values up to this are called significant: at most one in twenty of them by chance.
FALSE_DISCOVERY_RATE: Final = 0.05
TEST: Final = "fisher_exact"
# A year: the same seasons in all channels.
DAYS: Final = 365
MOST_PAIRS: Final = 50
# The channels that are compared.
_COMPARED: Final = (Channel.POS.value, Channel.ONLINE.value)

_SALES: Final = """WITH sales AS (
    SELECT o.id, o.channel, o.basket FROM orders o
    WHERE o.store_id = %(store)s AND o.placed_at >= %(since)s
        AND cardinality(o.basket) BETWEEN 1 AND %(cap)s)"""
_ORDERS: Final = f"{_SALES} SELECT channel, count(*) FROM sales GROUP BY channel ORDER BY 2 DESC, 1"
_BESIDE: Final = f"""{_SALES}
    SELECT b.product FROM sales s CROSS JOIN LATERAL unnest(s.basket) AS b(product)
    WHERE s.basket @> ARRAY[%(product)s]::bigint[] AND b.product <> %(product)s
    GROUP BY b.product ORDER BY count(*) DESC, b.product LIMIT %(limit)s"""
# Orders of each channel with each product, and with each two of them.
_TOGETHER: Final = f"""{_SALES}, hits AS MATERIALIZED (
    SELECT s.id, s.channel, b.product FROM sales s CROSS JOIN LATERAL unnest(s.basket) AS b(product)
    WHERE s.basket && %(products)s::bigint[] AND b.product = ANY(%(products)s::bigint[]))
    SELECT a.channel, a.product, b.product AS other, count(*) AS orders
    FROM hits a JOIN hits b ON b.id = a.id AND b.product >= a.product
    GROUP BY a.channel, a.product, b.product"""


class _Counts(NamedTuple):
    """Orders by channel: all, by product, and by two products (the smaller id first)."""

    orders: dict[str, int]
    together: dict[tuple[str, int, int], int]

    def of(self, channel: str, product: int, other: int) -> int:
        """Return in how many orders of a channel both stand; of one product, twice the same."""
        return self.together.get((channel, min(product, other), max(product, other)), 0)


def report(store: Store, product_id: str | None, limit: int, days: int) -> dict[str, Any] | None:
    """Return the pairs of a product, or the store's strongest, by channel; None for a product that is not there.

    Args:
        store: whose orders are counted.
        product_id: the platform's id; None for the strongest published pairs of the store.
        limit: how many pairs at most.
        days: how far back orders are counted.
    """
    connection = db.session.connection()
    since = now() - timedelta(days=days)
    scope = {"store": store.id, "since": since, "cap": int(store.setting("basket_cap"))}
    pairs = _strongest(connection, store.id, limit)
    if product_id is not None:
        product = connection.exec_driver_sql(
            "SELECT id FROM product WHERE store_id = %(store)s AND platform_id = %(id)s",
            {"store": store.id, "id": product_id},
        ).scalar()
        if product is None:
            return None
        beside = connection.exec_driver_sql(_BESIDE, {**scope, "product": product, "limit": limit})
        pairs = [(product, other) for (other,) in beside]
    orders = {channel: count for channel, count in connection.exec_driver_sql(_ORDERS, scope)}
    products = sorted({id_ for pair in pairs for id_ in pair})
    rows = connection.exec_driver_sql(_TOGETHER, {**scope, "products": products})
    counts = _Counts(orders, {(c, a, b): n for c, a, b, n in rows})
    if product_id is None:
        pairs = [_rarer_first(counts, pair) for pair in pairs]
    named = _names(connection, products)
    return {
        "since": since,
        "test": TEST,
        "false_discovery_rate": FALSE_DISCOVERY_RATE,
        "channels": [{"channel": channel, "orders": count} for channel, count in orders.items()],
        "pairs": [
            {
                "product_id": named[product][0],
                "title": named[product][1],
                "other_id": named[other][0],
                "other_title": named[other][1],
                "channels": [_measures(counts, channel, product, other) for channel in orders],
                "difference": difference,
            }
            for (product, other), difference in zip(pairs, _differences(counts, pairs), strict=True)
        ],
    }


def _strongest(connection: Connection, store_id: int, limit: int) -> list[tuple[int, int]]:
    """Return the internal ids of the store's strongest published pairs."""
    found = [(row["product_id"], row["other_id"]) for row in strongest_pairs(store_id, limit)]
    rows = connection.exec_driver_sql(
        "SELECT platform_id, id FROM product WHERE store_id = %(store)s AND platform_id = ANY(%(ids)s::text[])",
        {"store": store_id, "ids": sorted({id_ for pair in found for id_ in pair})},
    )
    ids = {platform_id: id_ for platform_id, id_ in rows}
    return [(ids[product], ids[other]) for product, other in found]


def _rarer_first(counts: _Counts, pair: tuple[int, int]) -> tuple[int, int]:
    """Return a pair with the product first whose orders say more about the other."""
    product, other = pair
    bought, other_bought = (sum(counts.of(c, id_, id_) for c in counts.orders) for id_ in pair)
    return (other, product) if other_bought < bought else (product, other)


def _measures(counts: _Counts, channel: str, product: int, other: int) -> dict[str, Any]:
    """Return how a pair stands in one channel."""
    both = counts.of(channel, product, other)
    first, second = counts.of(channel, product, product), counts.of(channel, other, other)
    total = counts.orders[channel]
    return {
        "channel": channel,
        "orders": both,
        "product_orders": first,
        "other_orders": second,
        "support": round(float(association.support(both, total)), 6),
        "confidence": round(float(association.confidence(both, first)), 4),
        "lift": round(float(association.lift(both, first, second, total)), 3),
    }


def _differences(counts: _Counts, pairs: Sequence[tuple[int, int]]) -> list[dict[str, Any] | None]:
    """Return whether the confidence of each pair differs between till and online; None where one sold none of it."""
    tables = [
        [(counts.of(c, product, other), counts.of(c, product, product)) for c in _COMPARED]
        for product, other in pairs
    ]
    testable = [at for at, (till, online) in enumerate(tables) if till[1] and online[1]]
    p_values = [fisher_exact(*tables[at][0], *tables[at][1]) for at in testable]
    found: list[dict[str, Any] | None] = [None] * len(pairs)
    for at, p_value, adjusted in zip(testable, p_values, benjamini_hochberg(p_values), strict=True):
        till, online = (hits / of for hits, of in tables[at])
        significant = adjusted <= FALSE_DISCOVERY_RATE
        found[at] = {
            "p_value": p_value,
            "adjusted_p_value": adjusted,
            "significant": significant,
            "more_in": None if not significant else _COMPARED[0] if till > online else _COMPARED[1],
        }
    return found


def _names(connection: Connection, products: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return platform id and title of products."""
    rows = connection.exec_driver_sql(
        "SELECT id, platform_id, title FROM product WHERE id = ANY(%(ids)s::bigint[])",
        {"ids": list(products)},
    )
    return {id_: (platform_id, title) for id_, platform_id, title in rows}
