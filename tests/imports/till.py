"""A shop with a till: products with SKUs, and files of orders that are imported into it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from app.commerce import ingest
from app.commerce.changes import Channel, CommerceChange
from app.commerce.store import Store
from app.core.db import db
from app.imports.orders import Outcome, Source, import_orders
from connectors.pos.layout import read_mapping
from connectors.pos.rows import Form
from tests.commerce.tables import rows
from tests.factories import product_change, variant_state

HEADER = "order,date,sku,qty,price"
# SKU, and the platform's ids of product and variant.
GOODS = {"KETTLE": ("1", "11"), "TEAPOT": ("2", "21"), "TEA": ("3", "31"), "HONEY": ("4", "41")}


def goods() -> list[CommerceChange]:
    """Return the states of the shop's products."""
    return [
        product_change(product, replace(variant_state(variant), sku=sku), title=sku.title())
        for sku, (product, variant) in GOODS.items()
    ]


class Till:
    """One shop, and a directory for its files."""

    def __init__(self, store: Store, directory: Path) -> None:
        self.store = store
        self.directory = directory
        self.hears(*goods())

    def hears(self, *changes: CommerceChange) -> None:
        """Apply what the platform says."""
        ingest.apply(db.session.connection(), self.store.id, changes)
        db.session.commit()

    def writes(self, *lines: str, header: str = HEADER, name: str = "till.csv") -> Path:
        """Write a CSV file."""
        path = self.directory / name
        path.write_text("\n".join([header, *lines]) + "\n")
        return path

    def imports(
        self,
        *lines: str,
        header: str = HEADER,
        path: Path | None = None,
        mapping: bytes = b"{}",
        form: Form | None = None,
        name: str = "till",
        channel: Channel = Channel.POS,
        **options: Any,
    ) -> Outcome:
        """Import a file, or rows that are written into one."""
        source = Source(
            path or self.writes(*lines, header=header), form or Form(), name, channel, read_mapping(mapping)
        )
        outcome = import_orders(self.store, source, **options)
        db.session.expire_all()
        return outcome

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return some columns of a table of the commerce model, sorted."""
        return rows(db.session.connection(), self.store.id, table, *columns)

    def baskets(self) -> dict[str, list[str]]:
        """Return what each order counts for: its number at the till, and the platform's ids of products."""
        return dict(self.rows("orders", "platform_id", "basket"))
