"""What happened to products, over all visitors: counts by day, and what was viewed together.

Both are worked out from the stored events. The counts of a day outlive them where at least so many people stand behind
a count that nobody can be made out in it.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import Connection

from app.events.identity import people
from app.events.session import GAP, PRODUCT_ADDED, PRODUCT_REMOVED, PRODUCT_VIEWED
from app.privacy.subjects import subject_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COUNTED: Final = (PRODUCT_VIEWED, PRODUCT_ADDED, PRODUCT_REMOVED)

_RECOMPUTE: Final = """
WITH counted AS (
    SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, product, subject, name
    FROM event CROSS JOIN LATERAL unnest(products) AS product
    WHERE store_id = %(store)s AND name = ANY(%(names)s) AND received_at >= %(first)s
        AND (occurred_at AT TIME ZONE 'UTC')::date = ANY(%(days)s::date[])
), cells AS (
    SELECT day, product, count(DISTINCT subject) AS people, count(*) FILTER (WHERE name = %(viewed)s) AS views,
        count(*) FILTER (WHERE name = %(added)s) AS adds, count(*) FILTER (WHERE name = %(removed)s) AS removes
    FROM counted GROUP BY day, product
), gone AS (
    DELETE FROM product_activity a WHERE store_id = %(store)s AND day = ANY(%(days)s::date[])
        AND NOT EXISTS (SELECT FROM cells c WHERE c.day = a.day AND c.product = a.product)
), written AS (
    INSERT INTO product_activity AS a (store_id, day, product, people, views, adds, removes)
    SELECT %(store)s, day, product, people, views, adds, removes FROM cells ORDER BY day, product
    ON CONFLICT (store_id, day, product) DO UPDATE SET people = excluded.people, views = excluded.views,
        adds = excluded.adds, removes = excluded.removes
    WHERE (a.people, a.views, a.adds, a.removes)
        IS DISTINCT FROM (excluded.people, excluded.views, excluded.adds, excluded.removes)
)
SELECT count(*) FROM cells
"""


def touched_days(connection: Connection, store_id: int, since: datetime, kept_from: date) -> list[date]:
    """Return the days (UTC) of events that were received since, but those before ``kept_from``: sorted."""
    rows = connection.exec_driver_sql(
        "SELECT DISTINCT (occurred_at AT TIME ZONE 'UTC')::date AS day FROM event"
        " WHERE store_id = %(store)s AND received_at >= %(since)s AND occurred_at >= %(kept)s ORDER BY day",
        {"store": store_id, "since": since, "kept": kept_from},
    )
    return [day for (day,) in rows]


def recompute(connection: Connection, store_id: int, days: Collection[date]) -> int:
    """Count days anew from the stored events; return how many products were active, summed over the days.

    Only for days of which all events are still there: what is counted of others would lose.
    """
    if not days:
        return 0
    found = connection.exec_driver_sql(
        _RECOMPUTE,
        {
            "store": store_id,
            "names": list(_COUNTED),
            "days": sorted(days),
            # Nothing is received before it happens.
            "first": min(days),
            "viewed": PRODUCT_VIEWED,
            "added": PRODUCT_ADDED,
            "removed": PRODUCT_REMOVED,
        },
    )
    return int(found.scalar_one())


_UNCOUNT: Final = """
WITH lost AS (
    SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, product, count(DISTINCT subject) AS people,
        count(*) FILTER (WHERE name = %(viewed)s) AS views, count(*) FILTER (WHERE name = %(added)s) AS adds,
        count(*) FILTER (WHERE name = %(removed)s) AS removes
    FROM event CROSS JOIN LATERAL unnest(products) AS product
    WHERE store_id = %(store)s AND subject = ANY(%(subjects)s::bytea[]) AND name = ANY(%(names)s)
    GROUP BY 1, 2
)
UPDATE product_activity a SET people = GREATEST(a.people - lost.people, 0),
    views = GREATEST(a.views - lost.views, 0), adds = GREATEST(a.adds - lost.adds, 0),
    removes = GREATEST(a.removes - lost.removes, 0)
FROM lost WHERE a.store_id = %(store)s AND a.day = lost.day AND a.product = lost.product
"""


def uncount(connection: Connection, store_id: int, subjects: Collection[bytes]) -> None:
    """Take what the stored events of ``subjects`` count out of the days' counts, before those events are deleted.

    A day that is not counted yet, or only in part, is counted anew by the clock.
    """
    connection.exec_driver_sql(
        _UNCOUNT,
        {
            "store": store_id,
            "subjects": list(subjects),
            "names": list(_COUNTED),
            "viewed": PRODUCT_VIEWED,
            "added": PRODUCT_ADDED,
            "removed": PRODUCT_REMOVED,
        },
    )
    connection.exec_driver_sql(
        "DELETE FROM product_activity WHERE store_id = %(store)s AND people = 0", {"store": store_id}
    )


def drop_small_cells(connection: Connection, before: date, least_people: int) -> int:
    """Delete counts of days before ``before`` behind which fewer than ``least_people`` people stand; return how many.

    Of all stores: called when the events of those days are gone.
    """
    deleted = connection.exec_driver_sql(
        "DELETE FROM product_activity WHERE day < %(before)s AND people < %(least)s",
        {"before": before, "least": least_people},
    )
    return deleted.rowcount


class Visits(NamedTuple):
    """What was viewed together: visit ``i`` holds ``products[indptr[i]:indptr[i + 1]]`` and is of ``people[i]``.

    Attributes:
        indptr: int64[n + 1].
        products: int64[m], ids of ``product``, each once a visit and ascending.
        people: int64[n], a number for each person, of any number of devices.
    """

    indptr: "NDArray[np.int64]"
    products: "NDArray[np.int64]"
    people: "NDArray[np.int64]"


def visits(
    connection: Connection, store_id: int, since: datetime
) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """Return which products were viewed in one visit: ``(indptr, products)`` as the rows of a sparse matrix."""
    found = visits_of_people(connection, store_id, since)
    return found.indptr, found.products


def visits_of_people(connection: Connection, store_id: int, since: datetime) -> Visits:
    """Return which products were viewed in one visit, and by whom.

    A visit is what one person (of any number of devices) looked at without a gap of 30 minutes. Visits of one product
    tell nothing of what goes together and are left out. For jobs: loads all views since ``since``.
    """
    import numpy as np

    rows = connection.exec_driver_sql(
        """
        SELECT e.subject, extract(epoch FROM e.occurred_at)::float8, p.id
        FROM event e CROSS JOIN LATERAL unnest(e.products) AS x(platform_id)
        JOIN product p ON p.store_id = e.store_id AND p.platform_id = x.platform_id
        WHERE e.store_id = %(store)s AND e.received_at >= %(since)s AND e.name = %(viewed)s
        """,
        {"store": store_id, "since": since, "viewed": PRODUCT_VIEWED},
    ).all()
    if not rows:
        nothing = np.zeros(0, np.int64)
        return Visits(np.zeros(1, np.int64), nothing, nothing)
    persons = _persons(connection, store_id, [row[0] for row in rows])
    times = np.array([row[1] for row in rows], np.float64)
    return _split(persons, times, np.array([row[2] for row in rows], np.int64))


def _persons(connection: Connection, store_id: int, subjects: Sequence[bytes]) -> "NDArray[np.int64]":
    """Return a number for each subject, the same for those who are one person."""
    import numpy as np

    person_of = {subject_of(store_id, node): person for node, person in people(connection, store_id).items()}
    numbers: dict[str | bytes, int] = {}
    return np.array(
        [
            numbers.setdefault(person_of.get(subject, subject), len(numbers))
            for subject in map(bytes, subjects)
        ],
        np.int64,
    )


def _split(
    persons: "NDArray[np.int64]", times: "NDArray[np.float64]", products: "NDArray[np.int64]"
) -> Visits:
    """Split views (person, seconds, product) into visits. Pure."""
    import numpy as np

    order = np.lexsort((times, persons))
    persons, times, products = persons[order], times[order], products[order]
    begins = np.ones(len(times), bool)
    begins[1:] = (persons[1:] != persons[:-1]) | (np.diff(times) > GAP.total_seconds())
    visit = np.cumsum(begins) - 1
    # Each product once a visit, ascending.
    pairs = np.unique(np.stack((visit, products), axis=1), axis=0)
    sizes = np.bincount(pairs[:, 0], minlength=int(visit[-1]) + 1)
    told = pairs[sizes[pairs[:, 0]] > 1]
    indptr = np.concatenate(([0], np.cumsum(sizes[sizes > 1]))).astype(np.int64)
    return Visits(indptr, told[:, 1].astype(np.int64), persons[begins][sizes > 1])
