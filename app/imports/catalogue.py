"""Which products a till's codes stand for: platform ids, SKUs and barcodes, as the catalogue knows them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from connectors.pos.mapping import Code, Match

# What is remembered between two questions; then all is forgotten and asked anew.
_REMEMBERED: Final = 50_000
# Unknown codes that are counted one by one.
_COUNTED: Final = 1_000

# Every variant with its product, and whether the shop still has the product. A shop without variants sells products.
_VARIANTS: Final = """
    SELECT {code} AS code, p.platform_id AS product, v.platform_id AS variant, p.deleted_at IS NULL AS kept
    FROM variant v JOIN product p ON p.id = v.product_id
    WHERE v.store_id = %(store)s AND {code} = ANY(%(codes)s::text[])
"""
_QUERIES: Final = {
    "product_id": """
        SELECT platform_id AS code, platform_id AS product, NULL AS variant, true AS kept FROM product
        WHERE store_id = %(store)s AND platform_id = ANY(%(codes)s::text[])
    """,
    "variant_id": _VARIANTS.format(code="v.platform_id"),
    "sku": _VARIANTS.format(code="lower(btrim(v.sku))"),
    # The catalogue has no barcodes of its own: shops that use them have them as SKUs. Signs between the digits and
    # zeros before them differ between UPC, EAN and what a spreadsheet leaves of both.
    "barcode": _VARIANTS.format(
        code="CASE WHEN v.sku ~ '^[0-9 -]{8,20}$' THEN ltrim(translate(v.sku, ' -', ''), '0') END"
    ),
}


class Catalogue:
    """A store's products by the codes that a till uses, looked up in batches and remembered."""

    def __init__(self, store_id: int, own_codes: Mapping[str, str]) -> None:
        """Take the store and the till's own codes, each with the platform's id of its product."""
        self._store_id = store_id
        self._own_codes = own_codes
        self._known: dict[Code, Match | None] = {}
        self.unknown: Counter[str] = Counter()

    def find(self, connection: Connection, codes: Iterable[Code]) -> dict[Code, Match]:
        """Return what those of ``codes`` stand for that stand for exactly one product."""
        wanted = set(codes)
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        missing = [code for code in wanted if code not in self._known]
        for kind, query in _QUERIES.items():
            self._look_up(connection, query, [code for code in missing if self._kind(code) == kind])
        return {code: match for code in wanted if (match := self._known[code]) is not None}

    def count_unknown(self, codes: Sequence[Code]) -> None:
        """Count a line whose product no code of its own tells."""
        name = codes[0].value
        if name in self.unknown or len(self.unknown) < _COUNTED:
            self.unknown[name] += 1

    def _kind(self, code: Code) -> str:
        """Return how a code is looked up; the till's own stand for products."""
        return "product_id" if code.value in self._own_codes else code.kind

    def _look_up(self, connection: Connection, query: str, codes: Sequence[Code]) -> None:
        if not codes:
            return
        by_name: dict[str, list[Code]] = {}
        for code in codes:
            by_name.setdefault(self._name(code), []).append(code)
        rows = connection.exec_driver_sql(query, {"store": self._store_id, "codes": sorted(by_name)})
        found: dict[str, list[Any]] = {}
        for row in rows:
            found.setdefault(row.code, []).append(row)
        for name, asked in by_name.items():
            match = _the_one(found.get(name, []))
            self._known.update(dict.fromkeys(asked, match))

    def _name(self, code: Code) -> str:
        """Return a code as the catalogue writes it."""
        if code.value in self._own_codes:
            return self._own_codes[code.value]
        if code.kind == "sku":
            return code.value.strip().lower()
        if code.kind == "barcode":
            return code.value.translate(_NO_SIGNS).lstrip("0")
        return code.value


_NO_SIGNS: Final = str.maketrans("", "", " -")


def _the_one(rows: Sequence[Any]) -> Match | None:
    """Return the product, and the variant if it is one, that rows speak of; None where they speak of several."""
    rows = [row for row in rows if row.kept] or rows
    products = {row.product for row in rows}
    if len(products) != 1:
        return None
    variants = {row.variant for row in rows}
    return Match(products.pop(), variants.pop() if len(variants) == 1 else None)
