"""The store's products, as the linter sees them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from app.commerce.catalog import ELIGIBLE_SQL
from app.rules.context import Item
from app.segments.models import Segment
from app.segments.named import NAMED

# Above, nothing is said of the catalogue as a whole.
MOST_LOOKED_AT: Final = 50_000
_FIELDS: Final = "p.platform_id, p.category, p.vendor, p.tags, p.price"
_NAMED: Final = (
    f"SELECT {_FIELDS} FROM product p WHERE p.store_id = %(store)s AND p.platform_id = ANY(%(ids)s)"
)
_SHOWN: Final = (
    f"SELECT {_FIELDS} FROM product p WHERE p.store_id = %(store)s AND {ELIGIBLE_SQL} LIMIT %(most)s"
)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a store has.

    Attributes:
        named: products that the rules name, by id; one that is missing is not in the store.
        shown: the products that can be shown now; None where they are too many to look at.
        segments: the keys of the store's segments.
    """

    named: Mapping[str, Item] = field(default_factory=dict)
    shown: Collection[Item] | None = None
    segments: frozenset[str] = frozenset()


def read(connection: Connection, store_id: int, named: Collection[str]) -> Catalogue:
    """Return what a store has, with the products ``named``."""
    rows = connection.exec_driver_sql(_NAMED, {"store": store_id, "ids": sorted(named)})
    found = {row[0]: _item(*row) for row in rows}
    rows = connection.exec_driver_sql(_SHOWN, {"store": store_id, "most": MOST_LOOKED_AT + 1})
    shown = [_item(*row) for row in rows]
    own = connection.execute(Segment.__table__.select().where(Segment.store_id == store_id)).mappings()
    return Catalogue(
        found,
        shown if len(shown) <= MOST_LOOKED_AT else None,
        frozenset({*NAMED, *(row["key"] for row in own)}),
    )


def _item(
    product_id: str, category: str | None, vendor: str | None, tags: Collection[str], price: int | None
) -> Item:
    return Item(product_id, category, vendor, frozenset(tags), price)
