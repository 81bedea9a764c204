"""A store's sets of three and four products: found in its orders, published, and shown to people."""

from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import Connection

from app.commerce.store import Store
from app.core.db import db
from app.recommendations.cache import Candidate
from app.recommendations.counts import gates_of
from app.recommendations.publishing import replace_lists
from app.recommendations.ready_lists import SETS, WHOLE_STORE
from app.recommendations.rebuilding import read_baskets

if TYPE_CHECKING:  # Numba is imported in jobs only
    from app.recommendations.itemsets import Chosen

log = structlog.get_logger()

STORE_SETS: Final = 200
SETS_PER_PRODUCT: Final = 10


def refresh(connection: Connection, store_id: int) -> None:
    """Find a store's sets in its orders, and publish them in place of the old ones. The caller commits.

    The whole store's list and each product's are ready lists of kind ``sets``; a store without sets has none.
    """
    from app.recommendations import itemsets  # Numba: in jobs only

    gates = gates_of(store_id)
    cap = int(db.session.get_one(Store, store_id).setting("basket_cap"))
    found = itemsets.find(read_baskets(connection, store_id), gates, cap)
    lists = itemsets.choose(found, gates, STORE_SETS, SETS_PER_PRODUCT)
    listed = {product for chosen in lists.products.values() for each in chosen for product in each.products}
    names = _platform_ids(connection, store_id, listed)
    ready = {names[product]: _candidates(chosen, names) for product, chosen in lists.products.items()}
    if lists.store:
        ready[WHOLE_STORE] = _candidates(lists.store, names)
    replace_lists(connection, store_id, SETS, ready)
    log.info(
        "sets_found",
        store_id=store_id,
        orders=found.store_orders,
        threes=len(found.threes),
        fours=len(found.fours),
        products=len(lists.products),
    )


def strongest_sets(store_id: int, limit: int) -> list[dict[str, Any]]:
    """Return the published sets of a whole store, best first, as flat rows with the products' titles.

    ``product_ids`` and ``products`` are in the same order, joined by commas and by plus signs.
    """
    rows = db.session.connection().exec_driver_sql(
        """
        SELECT array_to_string(array_agg(p.platform_id ORDER BY n), ',') AS product_ids,
            array_to_string(array_agg(p.title ORDER BY n), ' + ') AS products,
            (i->>'orders')::int AS orders, (i->>'support')::float AS support, (i->>'lift')::float AS lift,
            (i->>'lift_over_pair')::float AS lift_over_pair, (i->>'completion')::float AS completion,
            (i->>'llr')::float AS llr
        FROM published_list l
        CROSS JOIN jsonb_array_elements(l.items) WITH ORDINALITY AS e(i, place)
        CROSS JOIN jsonb_array_elements_text(i->'ids') WITH ORDINALITY AS m(id, n)
        JOIN product p ON p.store_id = l.store_id AND p.platform_id = m.id
        WHERE l.store_id = %(store)s AND l.strategy = %(kind)s AND l.subject = %(subject)s
        GROUP BY place, i ORDER BY place LIMIT %(limit)s
        """,
        {"store": store_id, "kind": SETS, "subject": WHOLE_STORE, "limit": limit},
    )
    return [dict(row._mapping) for row in rows]


def _candidates(chosen: "list[Chosen]", names: dict[int, str]) -> list[Candidate]:
    return [
        {
            "ids": sorted(names[product] for product in each.products),
            "orders": each.orders,
            "support": float(f"{each.support:.4g}"),
            "lift": float(f"{each.lift:.4g}"),
            "lift_over_pair": float(f"{each.lift_over_pair:.4g}"),
            "completion": round(each.completion, 4),
            "llr": round(each.llr, 1),
        }
        for each in chosen
    ]


def _platform_ids(connection: Connection, store_id: int, products: set[int]) -> dict[int, str]:
    rows = connection.exec_driver_sql(
        "SELECT id, platform_id FROM product WHERE store_id = %(store)s AND id = ANY(%(ids)s::bigint[])",
        {"store": store_id, "ids": sorted(products)},
    )
    return {id_: platform_id for id_, platform_id in rows}
