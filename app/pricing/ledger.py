"""The ledger: every list price that was live, from when to when, why and by whose decision.

A *period* is a time during which a shopper could buy a variant at one list price: its product is active, visible, not
deleted and can be bought, and the variant is one of the product's. While it cannot be bought no period is open; when
it comes back at the same price, the new period has the same origin as the last.

What the shop says is noted with the changes that say it (``note_shop_prices``), what Pannier wrote when the platform
has taken it (``note_change``). Both may come first, late or twice: a price that the shop reports and that a change of
Pannier is writing, or has just written, is that change's own echo; and a state from before a write says nothing of the
prices after it. Both hold the store's lock of commerce, so that one variant never has two open periods.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from app.commerce.catalog import BUYABLE_SQL, LISTED_SQL
from app.commerce.ingest import lock_commerce
from app.core.db import execute_rows
from app.pricing.models import PriceChange

SHOP: Final = "shop"
PANNIER: Final = "pannier"
# What the ledger says of a price that nobody told it the reason of.
FIRST_SEEN: Final = "The shop's price when the ledger began."
SET_IN_SHOP: Final = "Set in the shop."
# For how long after a write the shop's reports of its price are that write's, whatever came between.
ECHO_WINDOW: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Period:
    """A list price that was live.

    Attributes:
        product_id: the platform's id of the product.
        variant_id: that of the variant; of a product without variants the product's own.
        price: what a piece cost, in minor units of ``currency``.
        compare_at_price: what the shop compared it to then ("was"), in minor units; None for nothing.
        currency: ISO 4217.
        from_at: when it began.
        until_at: when it ended (exclusive); None while it is live.
        source: ``shop``, or ``pannier`` for a price that a change of Pannier's wrote.
        change_id: that change.
        reason: why, in a sentence.
    """

    product_id: str
    variant_id: str
    price: int
    compare_at_price: int | None
    currency: str
    from_at: datetime
    until_at: datetime | None
    source: str
    change_id: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the stored products say that a variant costs now.

    Attributes:
        product_id: the product.
        price: minor units of ``currency``.
        compare_at_price: what the shop compares it to.
        currency: ISO 4217.
        priced_at: the time of the variant's state, by the platform's clock.
        stated_at: the time of the newest news of whether it can be bought: a state's or a stock level's.
    """

    product_id: str
    price: int
    compare_at_price: int | None
    currency: str
    priced_at: datetime
    stated_at: datetime


# Every variant of the named products, and each product for itself: ``offered`` where it is what a shopper can buy now.
# A product stands for itself where it has no variants. Rows of variants are never deleted, so that what is no longer
# sold is among them.
_KNOWN_SQL: Final = f"""
    SELECT false AS itself, p.platform_id AS product_id, v.platform_id AS variant_id, v.price, v.compare_at_price,
        p.currency, v.source_updated_at AS priced_at, p.source_updated_at AS described_at, v.inventory_item_id,
        CASE WHEN p.deleted_at >= p.source_updated_at THEN p.deleted_at
            WHEN p.status <> 'active' OR NOT p.visible THEN p.source_updated_at END AS withdrawn_at,
        p.status = 'active' AND p.visible AND p.available AND {LISTED_SQL} AND {BUYABLE_SQL}
            AND (p.deleted_at IS NULL OR p.deleted_at < p.source_updated_at) AS offered
    FROM product p JOIN variant v ON v.store_id = p.store_id AND v.product_id = p.id
    WHERE p.store_id = %(store)s AND p.platform_id = ANY(%(products)s::text[]) AND p.currency IS NOT NULL
    UNION ALL
    SELECT true, p.platform_id, p.platform_id, p.price, p.compare_at_price,
        p.currency, p.source_updated_at, p.source_updated_at, NULL,
        CASE WHEN p.deleted_at >= p.source_updated_at THEN p.deleted_at ELSE p.source_updated_at END,
        p.status = 'active' AND p.visible AND p.available AND p.price IS NOT NULL
            AND (p.deleted_at IS NULL OR p.deleted_at < p.source_updated_at)
            AND COALESCE(cardinality(p.variant_ids), 0) = 0
            AND NOT EXISTS (SELECT FROM variant v
                WHERE v.store_id = p.store_id AND v.product_id = p.id AND {LISTED_SQL})
    FROM product p
    WHERE p.store_id = %(store)s AND p.platform_id = ANY(%(products)s::text[]) AND p.currency IS NOT NULL
"""

# What the ledger has otherwise. LIMIT keeps the planner, which knows nothing of a batch, to one look-up by index for
# each variant. ``stated_at`` is the newest news of whether a variant can be bought, stock levels included, so that a
# time without stock never counts as one in which the price was asked.
_DIFFERENCES_SQL: Final = f"""
    WITH known AS MATERIALIZED ({_KNOWN_SQL})
    SELECT k.variant_id, k.offered, k.product_id, k.price, k.compare_at_price, k.currency, k.priced_at, k.withdrawn_at,
        GREATEST(k.priced_at, k.described_at, (SELECT max(l.source_updated_at) FROM inventory_level l
            WHERE l.store_id = %(store)s AND l.inventory_item_id = k.inventory_item_id)) AS stated_at,
        opened.id AS open_id, last.*, claimed.id AS claimed_id, claimed.reason AS claimed_reason
    FROM known k
    LEFT JOIN LATERAL (
        SELECT e.id, e.product_id, e.price, e.compare_at_price, e.currency FROM price_period e
        WHERE e.store_id = %(store)s AND e.variant_id = k.variant_id AND e.until_at IS NULL
            AND (e.variant_id = e.product_id) = k.itself
        LIMIT 1
    ) opened ON true
    LEFT JOIN LATERAL (
        SELECT e.product_id AS l_product_id, e.variant_id AS l_variant_id, e.price AS l_price,
            e.compare_at_price AS l_compare_at_price, e.currency AS l_currency, e.from_at AS l_from_at,
            e.until_at AS l_until_at, e.source AS l_source, e.change_id AS l_change_id, e.reason AS l_reason
        FROM price_period e
        WHERE e.store_id = %(store)s AND e.variant_id = k.variant_id AND (e.variant_id = e.product_id) = k.itself
        ORDER BY e.until_at DESC NULLS FIRST, e.id DESC LIMIT 1
    ) last ON true
    LEFT JOIN LATERAL (
        SELECT c.id, c.reason FROM price_change c
        WHERE k.offered AND c.store_id = %(store)s AND c.variant_id = k.variant_id AND c.new_price = k.price
            AND c.currency = k.currency AND (c.state = 'writing' OR c.state = 'live' AND k.priced_at
                BETWEEN c.written_at - %(echo)s::interval AND c.written_at + %(echo)s::interval)
        ORDER BY c.id DESC LIMIT 1
    ) claimed ON true
    WHERE CASE WHEN k.offered
        THEN (k.product_id, k.price, k.compare_at_price, k.currency)
            IS DISTINCT FROM (opened.product_id, opened.price, opened.compare_at_price, opened.currency)
        ELSE opened.id IS NOT NULL END
    ORDER BY k.variant_id
"""


def note_shop_prices(
    connection: Connection, store_id: int, product_platform_ids: Collection[str], at: datetime
) -> int:
    """Write what the stored products cost now, where that is news; return how many variants it is news of.

    Call it after the products are written, in the same transaction, which holds the lock of commerce. One statement
    where nothing changed, and two more where something did, however many products.

    Args:
        connection: inside the caller's transaction.
        store_id: the store.
        product_platform_ids: the products that were touched.
        at: the time of day; nothing is noted as later than this.
    """
    if not product_platform_ids:
        return 0
    rows = connection.exec_driver_sql(
        _DIFFERENCES_SQL,
        {"store": store_id, "products": sorted(product_platform_ids), "echo": ECHO_WINDOW},
    ).all()
    closing: list[dict[str, Any]] = []
    opening: list[Period] = []
    news = 0
    for row in rows:
        claimed = None if row.claimed_id is None else (row.claimed_id, row.claimed_reason)
        ended_at = row.withdrawn_at or row.stated_at
        ends, begins = entry(row.variant_id, _asked(row), _last(row), claimed, ended_at, at)
        if ends is not None:
            closing.append({"id": row.open_id, "until_at": ends})
        if begins is not None:
            opening.append(begins)
        news += ends is not None or begins is not None
    _close(connection, closing)
    _open(connection, store_id, opening)
    return news


def entry(
    variant_id: str,
    asked: Asked | None,
    before: Period | None,
    claimed: tuple[int, str] | None,
    ended_at: datetime | None,
    at: datetime,
) -> tuple[datetime | None, Period | None]:
    """Return when the open period of a variant ends, and which one begins; None for what does not happen. Pure.

    Args:
        variant_id: the variant.
        asked: what it costs by the shop's newest word; None where it cannot be bought.
        before: its last period, open or closed; None where the ledger has none.
        claimed: (id, reason) of the change of Pannier's that ``asked`` may be an echo of.
        ended_at: where ``asked`` is None, since when it cannot be bought.
        at: the time of day.
    """
    is_open = before is not None and before.until_at is None
    if asked is None:
        return (_within(before.from_at, ended_at or at, at), None) if before and is_open else (None, None)
    if before is not None and _from_before(asked, before):
        # The state is older than our write: the price is what we wrote, whatever the state says.
        if is_open:
            return None, None
        asked = Asked(
            before.product_id,
            before.price,
            before.compare_at_price,
            before.currency,
            asked.priced_at,
            asked.stated_at,
        )
    if before is None:
        begins = min(asked.stated_at, at)
    elif before.until_at is None:
        begins = _within(before.from_at, asked.priced_at, at)
    else:
        begins = _within(before.until_at, asked.stated_at, at)
    source, change_id, reason = _origin(asked, before, claimed)
    period = Period(
        asked.product_id,
        variant_id,
        asked.price,
        asked.compare_at_price,
        asked.currency,
        begins,
        None,
        source,
        change_id,
        reason,
    )
    return (begins if is_open else None), period


def _from_before(asked: Asked, before: Period) -> bool:
    """Return whether a state is from before the write that ``before`` is of; platforms tell whole seconds."""
    return before.source == PANNIER and asked.priced_at < before.from_at.replace(microsecond=0)


def _origin(
    asked: Asked, before: Period | None, claimed: tuple[int, str] | None
) -> tuple[str, int | None, str]:
    """Return source, change and reason of a price: a price that stays as it was stays whose it was."""
    if before is not None and (before.price, before.currency) == (asked.price, asked.currency):
        return before.source, before.change_id, before.reason
    if claimed is not None:
        return PANNIER, *claimed
    return SHOP, None, FIRST_SEEN if before is None else SET_IN_SHOP


def _within(earliest: datetime, moment: datetime, latest: datetime) -> datetime:
    """Return ``moment``, not before ``earliest`` and, where that leaves a choice, not after ``latest``."""
    return max(earliest, min(moment, latest))


def note_change(connection: Connection, change: PriceChange, at: datetime) -> None:
    """Write that the platform has taken a change's price. Twice is once, and so is its echo before.

    Takes the store's lock of commerce until the transaction ends: keep that short, and ask no platform within it.

    Args:
        connection: inside the caller's transaction, in which the change already has its id.
        change: the change.
        at: the moment just before the platform was told: every state of the shop that is older says nothing of the
            prices after it.
    """
    lock_commerce(connection, change.store_id)
    periods = _periods(
        connection,
        "store_id = %(store)s AND variant_id = %(variant)s",
        change.store_id,
        variant=change.variant_id,
    )
    if any(period.change_id == change.id for _, period in periods):
        return
    id_, last = periods[-1] if periods else (None, None)
    if last is not None and last.from_at > at and last.price == change.new_price:
        # The echo came first and was not known as one.
        connection.exec_driver_sql(
            "UPDATE price_period SET source = %(source)s, change_id = %(change)s, reason = %(reason)s"
            " WHERE id = %(id)s",
            {"source": PANNIER, "change": change.id, "reason": change.reason, "id": id_},
        )
        return
    # What the shop did after our write stands after it.
    later = [period.from_at for _, period in periods if period.from_at > at]
    until = min(later, default=None)
    overlapped = [id_ for id_, p in periods if p.from_at <= at and (p.until_at is None or p.until_at > at)]
    _close(connection, [{"id": id_, "until_at": at} for id_ in overlapped])
    period = Period(
        change.product_id,
        change.variant_id,
        change.new_price,
        change.new_compare_at_price,
        change.currency,
        at,
        until,
        PANNIER,
        change.id,
        change.reason,
    )
    _open(connection, change.store_id, [period])


def periods_of(
    connection: Connection, store_id: int, product_ids: Collection[str], since: datetime | None = None
) -> dict[str, list[Period]]:
    """Return the periods of products' variants by variant id, each list in the order of time.

    Args:
        connection: to read with.
        store_id: the store.
        product_ids: the products.
        since: leave out what ended before; None for all.
    """
    found: dict[str, list[Period]] = {}
    where = "store_id = %(store)s AND product_id = ANY(%(products)s::text[])"
    if since is not None:
        where += " AND (until_at IS NULL OR until_at > %(since)s)"
    for _, period in _periods(connection, where, store_id, products=sorted(product_ids), since=since):
        found.setdefault(period.variant_id, []).append(period)
    return found


def page(
    connection: Connection,
    store_id: int,
    product_id: str,
    variant_id: str | None,
    limit: int,
    after: tuple[datetime, int] | None = None,
) -> list[tuple[int, Period]]:
    """Return up to ``limit`` periods of a product with their numbers, the newest first.

    Args:
        connection: to read with.
        store_id: the store.
        product_id: the product.
        variant_id: of this variant alone; None for all.
        limit: how many at most.
        after: (beginning, number) of the last period of the page before.
    """
    where = "store_id = %(store)s AND product_id = %(product)s"
    if variant_id is not None:
        where += " AND variant_id = %(variant)s"
    if after is not None:
        where += " AND (from_at, id) < (%(at)s, %(id)s)"
    at, id_ = after or (None, None)
    rows = connection.exec_driver_sql(
        f"SELECT id, {COLUMNS} FROM price_period WHERE {where} ORDER BY from_at DESC, id DESC LIMIT %(limit)s",
        {
            "store": store_id,
            "product": product_id,
            "variant": variant_id,
            "at": at,
            "id": id_,
            "limit": limit,
        },
    )
    return [(row[0], Period(*row[1:])) for row in rows]


COLUMNS: Final = (
    "product_id, variant_id, price, compare_at_price, currency, from_at, until_at, source, change_id, reason"
)


def _periods(
    connection: Connection, where: str, store_id: int, **parameters: Any
) -> list[tuple[int, Period]]:
    """Return ids and periods in the order of time."""
    rows = connection.exec_driver_sql(
        f"SELECT id, {COLUMNS} FROM price_period WHERE {where} ORDER BY from_at, until_at NULLS LAST, id",
        {"store": store_id, **parameters},
    )
    return [(row[0], Period(*row[1:])) for row in rows]


def _close(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        execute_rows(
            connection,
            """
            UPDATE price_period e SET until_at = r.until_at
            FROM json_to_recordset(%(rows)s::json) AS r(id bigint, until_at timestamptz) WHERE e.id = r.id
            """,
            rows,
        )


def _open(connection: Connection, store_id: int, periods: Sequence[Period]) -> None:
    if periods:
        execute_rows(
            connection,
            f"""
            INSERT INTO price_period (store_id, {COLUMNS})
            SELECT %(store)s, {COLUMNS} FROM json_to_recordset(%(rows)s::json) AS r(product_id text,
                variant_id text, price bigint, compare_at_price bigint, currency text, from_at timestamptz,
                until_at timestamptz, source text, change_id bigint, reason text)
            """,
            [asdict(period) for period in periods],
            store=store_id,
        )


def _asked(row: Any) -> Asked | None:
    if not row.offered:
        return None
    return Asked(row.product_id, row.price, row.compare_at_price, row.currency, row.priced_at, row.stated_at)


def _last(row: Any) -> Period | None:
    if row.l_price is None:
        return None
    return Period(
        row.l_product_id,
        row.l_variant_id,
        row.l_price,
        row.l_compare_at_price,
        row.l_currency,
        row.l_from_at,
        row.l_until_at,
        row.l_source,
        row.l_change_id,
        row.l_reason,
    )
