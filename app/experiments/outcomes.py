"""What became of those who were exposed: orders, revenue and margin per person, summed for the statistics.

The unit is the person. Who is who is worked out now, so several devices of one person are one; a person who came upon
two arms is counted and left out. An order counts from the person's first exposure until ``AFTER`` the end, net of
refunds, discounts, tax and shipping (``app.commerce.order``).

What a person paid before the exposure may depend on nothing that came after it. Who buys logs in, and a login tells of
earlier orders: were those looked up by what is known now, an arm that sells more would seem to have had the better
customers from the beginning. So only orders count that were known to be this visitor's when they were first exposed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection

from app.commerce.store import SETTINGS
from app.events import buyers
from app.events.buyers import Link, Sale
from app.events.session import LIST_VIEWED
from app.privacy.subjects import VISITOR

if TYPE_CHECKING:
    from app.experiments.uplift import Totals

# How long after the end an order still counts: who put it into the cart on the last day.
AFTER: Final = timedelta(days=7)
# How far back what was paid before is looked up.
BEFORE_EXPOSURE: Final = timedelta(days=28)
# The arm of everybody, where there is no experiment.
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Period:
    """Whose first exposure counts: from ``start`` until before ``end`` (UTC)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Exposure:
    """A visitor came upon an arm at a time. ``node`` is the visitor's."""

    node: str
    arm: str
    at: datetime


@dataclass(slots=True)
class Shopper:
    """One person. Money in minor units; ``margin`` is None once the cost of something bought is unknown."""

    arm: str
    at: datetime
    visitors: set[str]
    several: bool = False
    revenue: float = 0.0
    orders: int = 0
    margin: float | None = 0.0
    before: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of the exposed.

    Attributes:
        arms: the totals of each arm that somebody came upon.
        multiple: people who came upon several arms, left out.
        orders: orders of the others, from the exposure on.
        currency: of the money.
        first_at: when the first of them was exposed, None for nobody.
    """

    arms: "Mapping[str, Totals]"
    multiple: int
    orders: int
    currency: str
    first_at: datetime | None = field(default=None)


def of_experiment(
    connection: Connection, store_id: int, experiment: str, period: Period, *, cap: float | None = None
) -> Outcomes:
    """Return what became of those exposed to an experiment.

    Args:
        connection: as ever.
        store_id: the store.
        experiment: its key.
        period: in which exposures count.
        cap: at which each person's revenue is winsorised, in minor units.
    """
    rows = connection.exec_driver_sql(
        "SELECT encode(subject, 'hex'), arm, first_at FROM experiment_exposure WHERE store_id = %(store)s"
        " AND experiment = %(key)s AND first_at >= %(start)s AND first_at < %(end)s",
        {"store": store_id, "key": experiment, "start": period.start, "end": period.end},
    )
    exposures = [Exposure(f"{VISITOR}:{subject}", arm, at) for subject, arm, at in rows]
    return _outcomes(connection, store_id, exposures, period, cap)


def of_everybody(connection: Connection, store_id: int, period: Period) -> Outcomes:
    """Return what became of all who saw a box in a period, as one arm ``all``: what a forecast starts from."""
    rows = connection.exec_driver_sql(
        """
        SELECT encode(subject, 'hex'), min(LEAST(occurred_at, received_at)) FROM event
        WHERE store_id = %(store)s AND received_at >= %(start)s AND received_at < %(end)s
            AND type = 'track' AND name = %(name)s
        GROUP BY subject
        """,
        {"store": store_id, "start": period.start, "end": period.end, "name": LIST_VIEWED},
    )
    exposures = [Exposure(f"{VISITOR}:{subject}", ALL, at) for subject, at in rows]
    return _outcomes(connection, store_id, exposures, period, None)


def _outcomes(
    connection: Connection, store_id: int, exposures: Sequence[Exposure], period: Period, cap: float | None
) -> Outcomes:
    currency, margin_percent = _money(connection, store_id)
    if not exposures:
        return Outcomes({}, 0, 0, currency)
    links = buyers.links(connection, store_id)
    sold = buyers.sales(
        connection,
        store_id,
        min(exposure.at for exposure in exposures) - BEFORE_EXPOSURE,
        period.end + AFTER,
        currency=currency,
        margin_percent=margin_percent,
    )
    shoppers = shop(exposures, links, sold, period.end + AFTER)
    counted = [shopper for shopper in shoppers if not shopper.several]
    return Outcomes(
        arms=totals(counted, cap),
        multiple=len(shoppers) - len(counted),
        orders=sum(shopper.orders for shopper in counted),
        currency=currency,
        first_at=min((shopper.at for shopper in counted), default=None),
    )


def _money(connection: Connection, store_id: int) -> tuple[str, float]:
    row = connection.exec_driver_sql(
        "SELECT currency, settings->>'margin_percent' FROM store WHERE id = %(store)s", {"store": store_id}
    ).one()
    return row[0], float(SETTINGS["margin_percent"][0] if row[1] is None else row[1])


def shop(
    exposures: Iterable[Exposure], links: Sequence[Link], sales: Iterable[Sale], until: datetime
) -> list[Shopper]:
    """Return the exposed people with what they bought. Pure.

    Args:
        exposures: of visitors, in any order.
        links: of the store, all that stand.
        sales: from ``BEFORE_EXPOSURE`` before the first exposure on, each once.
        until: before which an order counts.
    """
    persons = buyers.persons(list(links))
    shoppers = _shoppers(exposures, persons)
    known = _known_before(shoppers, links)
    holders = {node: shopper for shopper in shoppers.values() for node in shopper.visitors}
    for node, person in persons.items():
        if person in shoppers:
            holders[node] = shoppers[person]
    for sale in sales:
        shopper = next((holders[node] for node in sale.nodes if node in holders), None)
        if shopper is None:
            continue
        if shopper.at <= sale.at < until:
            _count(shopper, sale)
        elif shopper.at - BEFORE_EXPOSURE <= sale.at < shopper.at and _was_known(shopper, sale, known):
            shopper.before += sale.net
    return list(shoppers.values())


def _shoppers(exposures: Iterable[Exposure], persons: Mapping[str, str]) -> dict[str, Shopper]:
    """Return the exposed by the name of the person, each with the first arm and its time."""
    found: dict[str, Shopper] = {}
    for exposure in exposures:
        name = persons.get(exposure.node, exposure.node)
        shopper = found.get(name)
        if shopper is None:
            found[name] = Shopper(exposure.arm, exposure.at, {exposure.node})
            continue
        shopper.several |= exposure.arm != shopper.arm
        shopper.visitors.add(exposure.node)
        shopper.at = min(shopper.at, exposure.at)
    return found


def _known_before(shoppers: Mapping[str, Shopper], links: Iterable[Link]) -> set[tuple[str, str]]:
    """Return (visitor, other node) of the links that were there when the visitor was first exposed."""
    exposed = {node: shopper.at for shopper in shoppers.values() for node in shopper.visitors}
    known = set()
    for link in links:
        for one, other in ((link.one, link.other), (link.other, link.one)):
            if one in exposed and link.at < exposed[one]:
                known.add((one, other))
    return known


def _was_known(shopper: Shopper, sale: Sale, known: set[tuple[str, str]]) -> bool:
    """Return whether an order was known to be the shopper's before the exposure."""
    told = sale.told_at is not None and sale.told_at < shopper.at
    return any(
        (node in shopper.visitors and told) or any((visitor, node) in known for visitor in shopper.visitors)
        for node in sale.nodes
    )


def _count(shopper: Shopper, sale: Sale) -> None:
    shopper.revenue += sale.net
    shopper.orders += 1
    if shopper.margin is not None:
        shopper.margin = None if sale.margin is None else shopper.margin + sale.margin


def totals(shoppers: Sequence[Shopper], cap: float | None) -> "dict[str, Totals]":
    """Return the totals of each arm. Pure.

    The margin is left out of all arms where it is unknown for anybody: the rest would not be everybody.
    """
    from app.experiments import uplift

    known = all(shopper.margin is not None for shopper in shoppers)
    found = {}
    for arm in sorted({shopper.arm for shopper in shoppers}):
        people = [shopper for shopper in shoppers if shopper.arm == arm]
        columns: dict[str, Any] = {
            uplift.REVENUE: [_capped(shopper.revenue, cap) for shopper in people],
            uplift.ORDERS: [shopper.orders for shopper in people],
            uplift.BUYERS: [int(shopper.orders > 0) for shopper in people],
            uplift.BEFORE: [_capped(shopper.before, cap) for shopper in people],
        }
        if cap is not None:
            columns[uplift.RAW_REVENUE] = [shopper.revenue for shopper in people]
        if known:
            columns[uplift.MARGIN] = [shopper.margin for shopper in people]
        found[arm] = uplift.Totals.of(columns)
    return found


def _capped(value: float, cap: float | None) -> float:
    return value if cap is None else min(value, cap)
