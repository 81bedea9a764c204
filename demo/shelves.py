"""What stands in a demo shop right now: stock, status and the next order's number.

Survives a restart if it has a file.
"""

import json
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from demo.catalogue import Listing
from demo.orders import Line, pieces_by_product
from demo.shops import Shop


class SoldOutError(Exception):
    """An order asks for more than there is. ``listing`` says of what."""

    def __init__(self, listing: Listing) -> None:
        """Name the product that is missing."""
        super().__init__(listing.product.name)
        self.listing = listing


class Shelves:
    """The shop's present listings. Safe for use by many threads."""

    def __init__(self, shop: Shop, path: Path | None = None) -> None:
        """Fill the shelves as the sample's history left them, or as the file at ``path`` says."""
        self._lock = threading.Lock()
        self._path = path
        self._listings = list(shop.listings)
        self._next_order = max(order.number for order in shop.orders) + 1
        self._changed: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            self._read(json.loads(path.read_text(encoding="utf-8")))

    def __getitem__(self, number: int) -> Listing:
        """Return the present listing of the product with this number; IndexError if there is none."""
        if number < 0:
            raise IndexError(number)
        return self._listings[number]

    def all(self) -> list[Listing]:
        """Return all listings in the order of the products' numbers."""
        return list(self._listings)

    def change(
        self, number: int, *, stock: int | None = None, status: str | None = None, visible: bool | None = None
    ) -> Listing:
        """Change what is given of one listing and return it as it is then."""
        with self._lock:
            wanted = {"stock": stock, "status": status, "visible": visible}
            listing = self._put(
                number, **{name: value for name, value in wanted.items() if value is not None}
            )
            self._write()
            return listing

    def reprice(self, number: int, price: int, was: int | None) -> Listing:
        """Give a product another price, in pence, and return its listing as it is then."""
        with self._lock:
            product = self._listings[number].product.at_price(price, was)
            listing = self._put(number, product=product)
            self._changed[product.code]["price"] = [price, was]
            self._write()
            return listing

    def take(self, lines: Iterable[Line]) -> tuple[int, list[Listing]]:
        """Take an order's pieces off the shelves, all or nothing; return its number and the changed listings.

        Raises:
            SoldOutError: if something is not there in this quantity, or not for sale any more.
        """
        with self._lock:
            wanted = pieces_by_product(lines)
            for number, quantity in wanted.items():
                if not self._listings[number].buyable or self._listings[number].stock < quantity:
                    raise SoldOutError(self._listings[number])
            changed = [
                self._put(n, stock=self._listings[n].stock - quantity) for n, quantity in wanted.items()
            ]
            number, self._next_order = self._next_order, self._next_order + 1
            self._write()
            return number, changed

    def _put(self, number: int, **values: Any) -> Listing:
        before = self._listings[number]
        # Bodies count seconds: two states of one product must never carry the same one.
        moment = max(datetime.now(UTC), before.updated_at + timedelta(seconds=1))
        listing = replace(before, updated_at=moment, **values)
        self._listings[number] = listing
        kept = self._changed.get(listing.product.code, {})
        self._changed[listing.product.code] = {
            **kept,
            "stock": listing.stock,
            "status": listing.status,
            "visible": listing.visible,
            "updated_at": moment.isoformat(),
        }
        return listing

    def _read(self, kept: dict[str, Any]) -> None:
        self._next_order = max(self._next_order, int(kept["next_order"]))
        self._changed = {str(code): dict(values) for code, values in kept["listings"].items()}
        for number, listing in enumerate(self._listings):
            values = self._changed.get(listing.product.code)
            if values is not None:
                known = {**values, "updated_at": datetime.fromisoformat(values["updated_at"])}
                price = known.pop("price", None)
                if price is not None:
                    known["product"] = listing.product.at_price(*price)
                self._listings[number] = replace(listing, **known)

    def _write(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(
            json.dumps({"next_order": self._next_order, "listings": self._changed}), encoding="utf-8"
        )
        fresh.replace(self._path)
