"""What the database knows of products whose prices may move: stock, cost, sales by day, views, earlier prices.

All of it is of products. Nothing here reads who bought or looked.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from app.commerce.catalog import BUYABLE_SQL, LISTED_SQL
from app.commerce.changes import SALES
from app.commerce.order import SALE_SQL
from app.commerce.store import SETTINGS
from app.pricing import ledger
from app.pricing.guards import WHOLE
from app.pricing.ledger import Period
from app.pricing.models import PriceRule
from app.pricing.proposing import Goods, Kind, Shop
from app.pricing.rules import FRESH_DAYS, Rule, Traits, hundredths, rule_for
from app.pricing.signals import COMPETITOR, PricePoint

# Demand is forecast from so many days, conversions are counted over so many, and prices responded to so long ago.
DEMAND_DAYS: Final = 91
CONVERSION_DAYS: Final = 28
RESPONSE_DAYS: Final = 364
# So many products are looked at in one go: what is held of them stays small.
_BATCH: Final = 1_000
# The tax that prices contain is what all but one in twenty lines bear at most: sales abroad bear none.
_TAX_SHARE: Final = 0.95
_TAX_DAYS: Final = 91

_PRODUCTS: Final = """
    SELECT p.platform_id, p.category, p.vendor, p.tags FROM product p
    WHERE p.store_id = %(store)s AND p.status = 'active' AND NOT p.gift_card AND p.price > 0
        AND (p.deleted_at IS NULL OR p.deleted_at < p.source_updated_at)
        AND (%(only)s::text[] IS NULL OR p.platform_id = ANY(%(only)s::text[]))
    ORDER BY p.platform_id
"""
# A product without variants of its own (WooCommerce) is its own variant.
_KINDS: Final = f"""
    SELECT p.id, p.platform_id, p.currency, p.created_at, p.available, p.price, p.compare_at_price, p.cost,
        v.platform_id, v.price, v.compare_at_price, COALESCE(v.cost, p.cost),
        CASE WHEN NOT v.sells_when_out THEN COALESCE(
            (SELECT sum(l.available) FROM inventory_level l
                WHERE l.store_id = v.store_id AND l.inventory_item_id = v.inventory_item_id
                HAVING max(l.source_updated_at) > v.source_updated_at), v.stock) END,
        p.available AND {BUYABLE_SQL}
    FROM product p LEFT JOIN variant v ON v.store_id = p.store_id AND v.product_id = p.id AND {LISTED_SQL}
    WHERE p.store_id = %(store)s AND p.platform_id = ANY(%(ids)s::text[]) AND p.currency IS NOT NULL
    ORDER BY p.platform_id, v.position, v.id
"""
_SOLD: Final = f"""
    SELECT l.product_id, (o.placed_at AT TIME ZONE %(zone)s)::date AS day, sum(l.current_quantity)::bigint,
        (sum(l.current_quantity) FILTER (WHERE o.channel = 'online'))::bigint
    FROM order_line l JOIN orders o ON o.id = l.order_id
    WHERE l.store_id = %(store)s AND l.product_id = ANY(%(ids)s::bigint[]) AND NOT l.gift_card
        AND o.placed_at >= %(since)s AND o.placed_at < %(until)s AND {SALE_SQL}
    GROUP BY 1, 2
"""
_SOLD_BY_ALL: Final = f"""
    SELECT (o.placed_at AT TIME ZONE %(zone)s)::date AS day, sum(l.current_quantity)::bigint,
        COALESCE(sum(l.current_quantity) FILTER (WHERE o.channel = 'online'), 0)::bigint
    FROM orders o JOIN order_line l ON l.order_id = o.id
    WHERE o.store_id = %(store)s AND NOT l.gift_card AND l.product_id IS NOT NULL
        AND o.placed_at >= %(since)s AND o.placed_at < %(until)s AND {SALE_SQL}
    GROUP BY 1
"""
_TAX: Final = f"""
    SELECT l.product_id, percentile_disc(%(share)s) WITHIN GROUP (ORDER BY
        round(%(whole)s * l.tax_included / (l.price * l.quantity - l.discount - l.tax_included)::numeric))::bigint
    FROM order_line l JOIN orders o ON o.id = l.order_id
    WHERE l.store_id = %(store)s AND l.product_id = ANY(%(ids)s::bigint[]) AND o.placed_at >= %(since)s
        AND l.price * l.quantity - l.discount - l.tax_included > 0 AND {SALE_SQL}
    GROUP BY 1
"""
_VIEWS: Final = """
    SELECT product, sum(views)::bigint FROM product_activity
    WHERE store_id = %(store)s AND day >= %(since)s AND day < %(until)s AND product = ANY(%(ids)s::text[])
    GROUP BY 1
"""
_COMPETITORS: Final = """
    SELECT product_id, currency, price, seen_at FROM competitor_price
    WHERE store_id = %(store)s AND product_id = ANY(%(ids)s::text[]) AND seen_at > %(since)s
    ORDER BY product_id, competitor
"""
# What the merchant set last, whatever Pannier wrote since.
_BASES: Final = """
    SELECT DISTINCT ON (variant_id) variant_id, price FROM price_period
    WHERE store_id = %(store)s AND product_id = ANY(%(ids)s::text[]) AND source = 'shop'
    ORDER BY variant_id, from_at DESC, id DESC
"""
# The same where the ledger began with a price of Pannier's: what stood before its first one.
_FIRST: Final = """
    SELECT DISTINCT ON (variant_id) variant_id, old_price FROM price_change
    WHERE store_id = %(store)s AND product_id = ANY(%(ids)s::text[]) AND written_at IS NOT NULL
    ORDER BY variant_id, written_at, id
"""
# When Pannier wrote, for the time in which the ledger has not heard of it.
_WRITTEN: Final = """
    SELECT variant_id, written_at FROM price_change
    WHERE store_id = %(store)s AND product_id = ANY(%(ids)s::text[]) AND written_at >= %(since)s
"""


@dataclass(frozen=True, slots=True)
class _Days:
    """The days that are looked at, in the store's time zone. ``until`` (today) is not in them any more.

    ``tax`` is what the merchant says that prices contain, in hundredths of a percent of the price without it.
    """

    zone: str
    since: date
    until: date
    views_since: date
    tax: int

    def begin(self, day: date) -> datetime:
        """Return when a day begins where the store is."""
        return datetime.combine(day, time(), ZoneInfo(self.zone))


@dataclass(frozen=True, slots=True)
class _Sold:
    """Pieces sold by the whole store by day, all and online; and how many ``before`` each day that is looked at."""

    all: Mapping[date, int]
    online: Mapping[date, int]
    before: Mapping[date, int]


def active_rules(connection: Connection, store_id: int) -> list[Rule]:
    """Return the rules of a store that are active."""
    rows = connection.execute(
        select(PriceRule.key, PriceRule.mode, PriceRule.definition)
        .where(PriceRule.store_id == store_id, PriceRule.active)
        .order_by(PriceRule.key)
    )
    return [Rule.from_json(*row) for row in rows]


def choose(
    connection: Connection,
    store_id: int,
    rules: Collection[Rule],
    only: Collection[str] | None = None,
    follow: Callable[[Traits, Collection[Rule]], Rule | None] = rule_for,
) -> dict[str, tuple[Rule, Traits]]:
    """Return the rule that each product of a store follows; products that follow none are missing.

    Args:
        connection: the store's rows are read in.
        store_id: the store.
        rules: all active ones: which rule a product follows depends on the others.
        only: look at these products; None: at all.
        follow: which rule a product follows, where an experiment has a word in that.
    """
    rows = connection.exec_driver_sql(
        _PRODUCTS, {"store": store_id, "only": None if only is None else sorted(only)}
    )
    found = {}
    for product_id, category, vendor, tags in rows:
        traits = Traits(product_id, category, vendor, frozenset(tags))
        rule = follow(traits, rules)
        if rule is not None:
            found[product_id] = rule, traits
    return found


def traits_of(connection: Connection, store_id: int, product_ids: Collection[str]) -> dict[str, Traits]:
    """Return what rules choose products by; those that are not sold any more are missing."""
    rows = connection.exec_driver_sql(_PRODUCTS, {"store": store_id, "only": sorted(product_ids)})
    return {row[0]: Traits(row[0], row[1], row[2], frozenset(row[3])) for row in rows}


def shop_of(connection: Connection, store_id: int, timezone: str, at: datetime) -> Shop:
    """Return what is known of the whole store's conversion."""
    days = _days(connection, store_id, timezone, at)
    return _shop(connection, store_id, days, _sold_by_all(connection, store_id, days))


def goods_of(
    connection: Connection,
    store_id: int,
    chosen: Mapping[str, tuple[Rule, Traits]],
    timezone: str,
    at: datetime,
) -> Iterator[tuple[Rule, Goods]]:
    """Yield each product with its rule and all that is known of it; gone ones are left out."""
    days = _days(connection, store_id, timezone, at)
    sold = _sold_by_all(connection, store_id, days)
    ids = sorted(chosen)
    for begin in range(0, len(ids), _BATCH):
        batch = {id_: chosen[id_] for id_ in ids[begin : begin + _BATCH]}
        for product in _read_batch(connection, store_id, batch, days, sold, at):
            yield chosen[product.traits.product_id][0], product


def _read_batch(
    connection: Connection,
    store_id: int,
    chosen: Mapping[str, tuple[Rule, Traits]],
    days: _Days,
    sold: _Sold,
    at: datetime,
) -> Iterator[Goods]:
    ids = sorted(chosen)
    of_store: dict[str, Any] = {"store": store_id, "ids": ids}
    kinds: dict[str, list[Any]] = defaultdict(list)
    for row in connection.exec_driver_sql(_KINDS, of_store):
        kinds[row[1]].append(row)
    numbers = [rows[0][0] for rows in kinds.values()]
    by_product = _sold_by_product(connection, store_id, numbers, days)
    taxes = _taxes(connection, store_id, numbers, at)
    views = _pairs(connection, _VIEWS, **of_store, since=days.views_since, until=days.until)
    periods = ledger.periods_of(
        connection, store_id, ids, days.begin(days.until - timedelta(days=RESPONSE_DAYS))
    )
    bases = _pairs(connection, _FIRST, **of_store) | _pairs(connection, _BASES, **of_store)
    written: dict[str, list[datetime]] = defaultdict(list)
    for variant_id, moment in connection.exec_driver_sql(
        _WRITTEN, {**of_store, "since": at - timedelta(days=RESPONSE_DAYS)}
    ):
        written[variant_id].append(moment)
    competitors = _competitors(connection, store_id, chosen, at)
    for product_id, rows in kinds.items():
        number, _, currency, created_at, *_ = rows[0]
        own, online = by_product.get(number, ({}, {}))
        made = tuple(_kind(row, periods, bases, written) for row in rows if _priced(row))
        series = _series(own, sold, days, created_at)
        yield Goods(
            chosen[product_id][1],
            currency,
            made,
            max(taxes.get(number, 0), days.tax),
            series,
            (days.until - timedelta(days=len(series))).weekday(),
            int(views.get(product_id, 0)),
            sum(count for day, count in online.items() if day >= days.views_since),
            _points([periods.get(kind.variant_id, []) for kind in made], own, sold, days),
            competitors.get((product_id, currency), ()),
        )


def _kind(
    row: Sequence[Any],
    periods: Mapping[str, Sequence[Period]],
    bases: Mapping[str, int],
    written: Mapping[str, Sequence[datetime]],
) -> Kind:
    """Return a variant. What the ledger holds open is newer than a product's state from before our own write."""
    product_id, available, own_price, own_compared, own_cost = row[1], *row[4:8]
    variant_id, price, compare_at, cost, stock, buyable = row[8:14]
    if variant_id is None:
        variant_id, price, compare_at, cost, stock, buyable = (
            product_id, own_price, own_compared, own_cost, None, available,
        )  # fmt: skip
    known = periods.get(variant_id, ())
    if known and known[-1].until_at is None:
        price, compare_at = known[-1].price, known[-1].compare_at_price
    changes = [after.from_at for before, after in pairwise(known) if before.price != after.price]
    return Kind(
        variant_id,
        price,
        compare_at,
        bases.get(variant_id, price),
        cost,
        None if stock is None else max(int(stock), 0),
        buyable,
        tuple(sorted({*changes, *written.get(variant_id, ())})),
    )


def _priced(row: Sequence[Any]) -> bool:
    return (row[5] if row[8] is None else row[9]) is not None


def _days(connection: Connection, store_id: int, zone: str, at: datetime) -> _Days:
    today = at.astimezone(ZoneInfo(zone)).date()
    since = today - timedelta(days=CONVERSION_DAYS)
    first = connection.exec_driver_sql(
        "SELECT min(day) FROM product_activity WHERE store_id = %(store)s AND day >= %(since)s",
        {"store": store_id, "since": since},
    ).scalar()
    stated = connection.exec_driver_sql(
        "SELECT (settings->>'included_tax_percent')::numeric FROM store WHERE id = %(store)s",
        {"store": store_id},
    ).scalar()
    tax = hundredths(float(stated or SETTINGS["included_tax_percent"][0]))
    return _Days(zone, today - timedelta(days=RESPONSE_DAYS), today, first or today, tax)


def _between(days: _Days, store_id: int) -> dict[str, Any]:
    return {
        "store": store_id,
        "zone": days.zone,
        "since": days.begin(days.since),
        "until": days.begin(days.until),
        "sales": [int(status) for status in SALES],
    }


def _sold_by_all(connection: Connection, store_id: int, days: _Days) -> _Sold:
    rows = connection.exec_driver_sql(_SOLD_BY_ALL, _between(days, store_id)).all()
    sold = {day: count for day, count, _ in rows}
    before, total = {}, 0
    for place in range((days.until - days.since).days + 1):
        day = days.since + timedelta(days=place)
        before[day] = total
        total += sold.get(day, 0)
    return _Sold(sold, {day: online for day, _, online in rows}, before)


def _sold_by_product(
    connection: Connection, store_id: int, numbers: Sequence[int], days: _Days
) -> dict[int, tuple[dict[date, int], dict[date, int]]]:
    """Return pieces by day, all and online, by the product's row."""
    found: dict[int, tuple[dict[date, int], dict[date, int]]] = defaultdict(lambda: ({}, {}))
    rows = connection.exec_driver_sql(_SOLD, {**_between(days, store_id), "ids": numbers})
    for number, day, count, online in rows:
        found[number][0][day] = count
        found[number][1][day] = online or 0
    return found


def _shop(connection: Connection, store_id: int, days: _Days, sold: _Sold) -> Shop:
    views = connection.exec_driver_sql(
        "SELECT COALESCE(sum(views), 0)::bigint FROM product_activity"
        " WHERE store_id = %(store)s AND day >= %(since)s AND day < %(until)s",
        {"store": store_id, "since": days.views_since, "until": days.until},
    ).scalar_one()
    return Shop(int(views), sum(count for day, count in sold.online.items() if day >= days.views_since))


def _taxes(connection: Connection, store_id: int, numbers: Sequence[int], at: datetime) -> dict[Any, int]:
    return _pairs(
        connection,
        _TAX,
        store=store_id,
        ids=numbers,
        since=at - timedelta(days=_TAX_DAYS),
        share=_TAX_SHARE,
        whole=WHOLE,
        sales=[int(status) for status in SALES],
    )


def _pairs(connection: Connection, sql: str, **parameters: Any) -> dict[Any, int]:
    return {key: int(value) for key, value in connection.exec_driver_sql(sql, parameters)}


def _competitors(
    connection: Connection, store_id: int, chosen: Mapping[str, tuple[Rule, Traits]], at: datetime
) -> dict[tuple[str, str], tuple[int, ...]]:
    """Return fresh prices elsewhere by product and currency; how fresh is each rule's own word."""
    fresh = {
        product_id: timedelta(days=weighing.options.get("fresh_days", FRESH_DAYS))
        for product_id, (rule, _) in chosen.items()
        if (weighing := rule.listens(COMPETITOR)) is not None
    }
    if not fresh:
        return {}
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    rows = connection.exec_driver_sql(
        _COMPETITORS, {"store": store_id, "ids": sorted(fresh), "since": at - max(fresh.values())}
    )
    for product_id, currency, price, seen_at in rows:
        if seen_at > at - fresh[product_id]:
            found[product_id, currency].append(price)
    return {key: tuple(prices) for key, prices in found.items()}


def _series(own: Mapping[date, int], sold: _Sold, days: _Days, created_at: datetime) -> list[float]:
    """Return a product's pieces by day up to yesterday.

    Days before the store sold anything, or before the product was there, are no days without demand.
    """
    if not sold.all:
        return []
    known = min([created_at.astimezone(ZoneInfo(days.zone)).date(), *own])
    first = max(known, min(sold.all), days.until - timedelta(days=DEMAND_DAYS))
    count = max((days.until - first).days, 0)
    return [float(own.get(first + timedelta(days=place), 0)) for place in range(count)]


def _points(
    kinds: Sequence[Sequence[Period]], own: Mapping[date, int], sold: _Sold, days: _Days
) -> tuple[PricePoint, ...]:
    """Return what a product sold at its own earlier prices.

    Its variants move together, so the one that has had most prices stands for all. Only whole days count, and only
    those on which it could be bought: the day of a change belongs to neither price.
    """
    lead = max(kinds, key=lambda periods: len({period.price for period in periods}), default=())
    pieces: dict[int, int] = defaultdict(int)
    exposure: dict[int, int] = defaultdict(int)
    zone = ZoneInfo(days.zone)
    for period in lead:
        begin = max(period.from_at.astimezone(zone).date() + timedelta(days=1), days.since)
        end = days.until
        if period.until_at is not None:
            end = min(period.until_at.astimezone(zone).date(), end)
        if begin < end:
            pieces[period.price] += sum(count for day, count in own.items() if begin <= day < end)
            exposure[period.price] += sold.before[end] - sold.before[begin]
    return tuple(
        PricePoint(price, pieces[price], float(exposure[price]))
        for price in sorted(pieces)
        if exposure[price]
    )
