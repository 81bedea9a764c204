"""What answers led to: seen, clicked, put into the cart, ordered. Joined by the ``decision_id`` that events carry.

An order's line is credited to the last answer from which that person clicked or added that product within ``WINDOW``
before the order, net of refunds, discounts, tax and shipping. So nothing is credited twice, and nothing that was bought
beside it. It says what went through the boxes. It does not say what would not have been sold without them: that only a
control tells (``app.experiments``).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from app.commerce.order import NET_SQL
from app.events import buyers
from app.events.buyers import Sale
from app.events.session import LIST_VIEWED, PRODUCT_ADDED, PRODUCT_CLICKED
from app.privacy.subjects import VISITOR

WINDOW: Final = timedelta(days=7)
# So many products are told, those that brought most first.
MOST_PRODUCTS: Final = 200
RULE: Final = (
    "The last click or add within 7 days before the order gets what that product brought in it, net of refunds,"
    " discounts, tax and shipping. This is not what would have been lost without: see the experiments' reports."
)


class Source(NamedTuple):
    """Where an answer stood, what gave it, and why (see ``app.decisions.reasons``)."""

    slot: str | None
    strategy: str
    reason: str


@dataclass(slots=True)
class Funnel:
    """What came of answers, or of a product in them. Money in minor units."""

    views: int = 0
    empty: int = 0
    people: int = 0
    impressions: int = 0
    clicks: int = 0
    adds: int = 0
    orders: int = 0
    revenue: float = 0.0


@dataclass(frozen=True, slots=True)
class Touch:
    """Somebody clicked or added a product of an answer."""

    person: str
    product: str
    at: datetime
    source: Source


@dataclass(frozen=True, slots=True)
class Line:
    """What a product brought in an order."""

    order: int
    product: str
    net: float


def report(connection: Connection, store_id: int, since: datetime, until: datetime) -> dict[str, Any]:
    """Return what the answers of a period led to, as JSON. Orders are those of the same period."""
    currency: str = connection.exec_driver_sql(
        "SELECT currency FROM store WHERE id = %(store)s", {"store": store_id}
    ).scalar_one()
    period = {
        "store": store_id,
        "since": since,
        "until": until,
        "viewed": LIST_VIEWED,
        "clicked": PRODUCT_CLICKED,
        "added": PRODUCT_ADDED,
    }
    sources = _by_source(connection, period)
    products = _by_product(connection, period)
    touches = _touches(connection, {**period, "since": since - WINDOW})
    sold = list(buyers.sales(connection, store_id, since, until, currency=currency))
    persons = buyers.persons(buyers.links(connection, store_id)) if touches else {}
    touches = [_of_person(touch, persons) for touch in touches]
    mine = _whose(sold, persons, {touch.person for touch in touches})
    lines = _lines(connection, store_id, [sale.id for sale in sold if sale.id in mine])
    credited = credit(touches, sold, mine, lines)
    _add_credit(sources, products, credited)
    return {
        "from": since.isoformat(),
        "to": until.isoformat(),
        "currency": currency,
        "rule": RULE,
        "orders": len(sold),
        "revenue": round(sum(sale.net for sale in sold)),
        "credited_orders": len({line.order for line, _ in credited}),
        "credited_revenue": round(sum(line.net for line, _ in credited)),
        "answers": [
            {"slot": source.slot, "strategy": source.strategy, "reason": source.reason, **_told(funnel)}
            for source, funnel in sorted(sources.items(), key=lambda each: _rank(each[1], str(each[0])))
        ],
        "products": [
            {"product_id": product, **_told(funnel, of_product=True)}
            for product, funnel in sorted(products.items(), key=lambda each: _rank(each[1], each[0]))
        ][:MOST_PRODUCTS],
    }


# Events that carry a decision, and the decision where it is this visitor's or nobody's. A decision has a row for each
# day on which it was given; all say the same.
_HAPPENED: Final = """
    WITH happened AS (
        SELECT e.name, e.subject, e.products, LEAST(e.occurred_at, e.received_at) AS at,
            e.properties->>'decision_id' AS decision
        FROM event e
        WHERE e.store_id = %(store)s AND e.received_at >= %(since)s AND e.received_at < %(until)s
            AND e.type = 'track' AND e.name IN (%(viewed)s, %(clicked)s, %(added)s)
            AND jsonb_typeof(e.properties->'decision_id') = 'string'
    ), decided AS (
        SELECT DISTINCT ON (d.id) d.id, d.subject, d.slot, d.strategy, d.reason
        FROM decision d
        WHERE d.store_id = %(store)s AND d.id IN (SELECT decision FROM happened)
            AND d.day >= (%(since)s::timestamptz AT TIME ZONE 'UTC')::date - 2
        ORDER BY d.id, d.day
    ), joined AS (
        SELECT h.*, d.slot, d.strategy, d.reason FROM happened h
        JOIN decided d ON d.id = h.decision AND (d.subject IS NULL OR d.subject = h.subject)
    )
"""


def _by_source(connection: Connection, period: Mapping[str, Any]) -> dict[Source, Funnel]:
    rows = connection.exec_driver_sql(
        f"""
        {_HAPPENED}
        SELECT slot, strategy, reason, count(*) FILTER (WHERE name = %(viewed)s),
            count(*) FILTER (WHERE name = %(viewed)s AND products = '{{}}'),
            count(DISTINCT subject) FILTER (WHERE name = %(viewed)s),
            COALESCE(sum(cardinality(products)) FILTER (WHERE name = %(viewed)s), 0),
            count(*) FILTER (WHERE name = %(clicked)s), count(*) FILTER (WHERE name = %(added)s)
        FROM joined GROUP BY slot, strategy, reason
        """,
        period,
    )
    return {Source(*row[:3]): Funnel(*row[3:]) for row in rows}


def _by_product(connection: Connection, period: Mapping[str, Any]) -> dict[str, Funnel]:
    rows = connection.exec_driver_sql(
        f"""
        {_HAPPENED}
        SELECT product, count(DISTINCT subject) FILTER (WHERE name = %(viewed)s),
            count(*) FILTER (WHERE name = %(viewed)s), count(*) FILTER (WHERE name = %(clicked)s),
            count(*) FILTER (WHERE name = %(added)s)
        FROM joined CROSS JOIN LATERAL unnest(products) AS product GROUP BY product
        """,
        period,
    )
    return {
        product: Funnel(people=people, impressions=impressions, clicks=clicks, adds=adds)
        for product, people, impressions, clicks, adds in rows
    }


def _touches(connection: Connection, period: Mapping[str, Any]) -> list[Touch]:
    rows = connection.exec_driver_sql(
        f"""
        {_HAPPENED}
        SELECT encode(subject, 'hex'), product, at, slot, strategy, reason
        FROM joined CROSS JOIN LATERAL unnest(products) AS product WHERE name <> %(viewed)s
        """,
        period,
    )
    return [Touch(f"{VISITOR}:{row[0]}", row[1], row[2], Source(*row[3:])) for row in rows]


def _of_person(touch: Touch, persons: Mapping[str, str]) -> Touch:
    """Return a visitor's touch as the person's."""
    return Touch(persons.get(touch.person, touch.person), touch.product, touch.at, touch.source)


def _whose(sold: Iterable[Sale], persons: Mapping[str, str], touching: Collection[str]) -> dict[int, str]:
    """Return whose the orders are of people who touched something, by the order's row."""
    found = {}
    for sale in sold:
        names = (persons.get(node, node) for node in sale.nodes)
        person = next((name for name in names if name in touching), None)
        if person is not None:
            found[sale.id] = person
    return found


def _lines(connection: Connection, store_id: int, orders: Sequence[int]) -> list[Line]:
    if not orders:
        return []
    rows = connection.exec_driver_sql(
        f"""
        SELECT l.order_id, p.platform_id, sum({NET_SQL})::float8
        FROM order_line l JOIN product p ON p.id = l.product_id
        WHERE l.store_id = %(store)s AND l.order_id = ANY(%(orders)s::bigint[]) AND l.current_quantity > 0
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
        {"store": store_id, "orders": list(orders)},
    )
    return [Line(*row) for row in rows]


def credit(
    touches: Iterable[Touch], sold: Iterable[Sale], whose: Mapping[int, str], lines: Iterable[Line]
) -> list[tuple[Line, Source]]:
    """Return each line that somebody touched before they bought it, with the answer that gets the credit. Pure.

    Args:
        touches: by people.
        sold: the orders.
        whose: the person of an order, by its row; of the others nothing is credited.
        lines: of the orders.
    """
    by_product: dict[tuple[str, str], list[Touch]] = {}
    for touch in touches:
        by_product.setdefault((touch.person, touch.product), []).append(touch)
    placed = {sale.id: sale.at for sale in sold}
    found = []
    for line in lines:
        at = placed[line.order]
        before = [
            touch
            for touch in by_product.get((whose.get(line.order, ""), line.product), ())
            if at - WINDOW <= touch.at <= at
        ]
        if before:
            found.append((line, max(before, key=lambda touch: (touch.at, str(touch.source))).source))
    return found


def _add_credit(
    sources: dict[Source, Funnel], products: dict[str, Funnel], credited: Iterable[tuple[Line, Source]]
) -> None:
    counted = set()
    for line, source in credited:
        of_source, of_product = (
            sources.setdefault(source, Funnel()),
            products.setdefault(line.product, Funnel()),
        )
        of_source.revenue += line.net
        of_product.revenue += line.net
        of_product.orders += 1
        of_source.orders += (source, line.order) not in counted
        counted.add((source, line.order))


def _rank(funnel: Funnel, name: str) -> tuple[float, int, str]:
    return -funnel.revenue, -funnel.impressions, name


def _told(funnel: Funnel, *, of_product: bool = False) -> dict[str, int]:
    found = {
        "views": funnel.views,
        "empty": funnel.empty,
        "people": funnel.people,
        "impressions": funnel.impressions,
        "clicks": funnel.clicks,
        "adds": funnel.adds,
        "orders": funnel.orders,
        "revenue": round(funnel.revenue),
    }
    if of_product:
        del found["views"], found["empty"]
    return found
