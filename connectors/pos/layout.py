"""How a till writes its orders: which column is what, and how it writes times, amounts and truth.

A layout comes from a mapping file, a JSON object in which everything may be left out; see docs/imports.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson
from marshmallow import ValidationError, fields, validate

from app.core.fields import Strict
from connectors.base import explain


class LayoutError(ValueError):
    """A mapping file, or a file's columns, do not say what is needed. One sentence."""


class Stage(StrEnum):
    """What became of an order, in the words that a mapping file translates a till's own to."""

    SALE = "sale"
    VOID = "void"
    RETURN = "return"  # a receipt of goods given back, whatever the sign of its quantities
    REFUNDED = "refunded"  # a sale that was given back whole
    OPEN = "open"  # parked, on lay-by, a quotation: no sale yet
    TRAINING = "training"


LINES: Final = "lines"
ORDERS: Final = "orders"
CODES: Final = ("product_id", "variant_id", "sku", "barcode")
# Fields that say something of the whole order; all rows of an order agree on them or leave them empty.
OF_THE_ORDER: Final = (
    "order", "placed_at", "updated_at", "status", "currency", "total", "email", "consent", "refund_of",
)  # fmt: skip
OF_A_LINE: Final = (*CODES, "quantity", "price", "line_total", "discount")
FIELDS: Final = (*OF_THE_ORDER, *OF_A_LINE, "products", "lines")
# What must never be written down again.
PERSONAL: Final = frozenset({"email"})

# Names that tills give their columns, beside the field's own.
_USUAL_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "order": ("order_number", "order_id", "receipt", "receipt_number", "receipt_no", "transaction_id", "sale_id",
              "invoice_number"),
    "placed_at": ("date", "datetime", "created_at", "order_date", "sale_date", "timestamp"),
    "updated_at": ("modified_at",),
    "total": ("order_total", "grand_total"),
    "email": ("customer_email", "email_address"),
    "refund_of": ("original_order", "original_receipt"),
    "sku": ("item_sku", "product_sku", "item_code"),
    "barcode": ("ean", "gtin", "upc"),
    "quantity": ("qty",),
    "price": ("unit_price",),
    "line_total": ("amount",),
    "discount": ("line_discount",),
    "products": ("items",),
}  # fmt: skip
_STAGES: Final = {
    Stage.SALE: ("sale", "sold", "completed", "complete", "closed", "paid", ""),
    Stage.VOID: ("void", "voided", "cancelled", "canceled", "deleted"),
    Stage.RETURN: ("return", "refund"),
    Stage.REFUNDED: ("refunded", "returned"),
    Stage.OPEN: ("open", "pending", "parked", "layby", "lay-by", "quote"),
    Stage.TRAINING: ("training", "test"),
}
_YES: Final = frozenset({"yes", "y", "true", "t", "1"})


@dataclass(frozen=True, slots=True)
class Layout:
    """How one till writes.

    Attributes:
        columns: the columns of each field, whose contents are joined by a space; empty where the field is not there.
        constants: what is the same for all orders.
        rows: ``lines`` (a row for each line of an order) or ``orders`` (a row for each order).
        date_format: as for ``strptime``, None for ISO 8601.
        timezone: IANA name for times without an offset, None for the store's own.
        decimal: the sign before decimal places.
        statuses: the till's words in lower case, and what they mean.
        yes: the words in lower case that say yes.
        product_codes: the till's own product codes, and the platform's product ids.
        separator: what stands between the products of an order in one cell.
        times: what stands between a product's code and its quantity there.
        list_codes: which kind of code those are.
    """

    columns: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, str] = field(default_factory=dict)
    rows: str = LINES
    date_format: str | None = None
    timezone: str | None = None
    decimal: str = "."
    statuses: Mapping[str, Stage] = field(default_factory=dict)
    yes: frozenset[str] = _YES
    product_codes: Mapping[str, str] = field(default_factory=dict)
    separator: str = ";"
    times: str = "*"
    list_codes: str = "sku"

    def kept_columns(self) -> tuple[str, ...]:
        """Return the columns that hold something and nothing personal, in the order of the fields."""
        personal = {name for field_ in PERSONAL for name in self.columns.get(field_, ())}
        used = (name for field_ in FIELDS for name in self.columns.get(field_, ()))
        return tuple(dict.fromkeys(name for name in used if name not in personal))

    def has(self, name: str) -> bool:
        """Return whether the field ``name`` is there at all."""
        return bool(self.columns.get(name)) or name in self.constants


class _ProductList(Strict):
    """How the products of an order stand in one cell."""

    separator = fields.String(validate=validate.Length(1, 5))
    times = fields.String(validate=validate.Length(1, 5))
    codes = fields.String(validate=validate.OneOf(CODES))


def _names() -> fields.Raw:
    return fields.Raw(allow_none=True, validate=_is_names)


def _is_names(value: Any) -> None:
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValidationError("Not a column's name, and not a list of them.")


class _Mapping(Strict):
    """A mapping file."""

    columns = fields.Dict(keys=fields.String(validate=validate.OneOf(FIELDS)), values=_names())
    constants = fields.Dict(
        keys=fields.String(
            validate=validate.OneOf(("currency", "status", "placed_at", "updated_at", "quantity"))
        ),
        values=fields.String(),
    )
    rows = fields.String(validate=validate.OneOf((LINES, ORDERS)))
    date_format = fields.String(validate=validate.Regexp(r"[^%]*(%[^%]+)+\Z"))
    timezone = fields.String()
    decimal = fields.String(validate=validate.OneOf((".", ",")))
    statuses = fields.Dict(keys=fields.String(), values=fields.Enum(Stage, by_value=True))
    yes = fields.List(fields.String(validate=validate.Length(1, 20)))
    product_codes = fields.Dict(keys=fields.String(), values=fields.String())
    products = fields.Nested(_ProductList)


_MAPPING: Final = _Mapping()


def read_mapping(raw: bytes) -> dict[str, Any]:
    """Return what a mapping file says.

    Raises:
        LayoutError: if it is no JSON object, or says something that no mapping file may.
    """
    try:
        found = orjson.loads(raw)
        if not isinstance(found, dict):
            raise LayoutError("The mapping file is no JSON object.")
        said: dict[str, Any] = _MAPPING.load(found)
    except orjson.JSONDecodeError:
        raise LayoutError("The mapping file is no JSON.") from None
    except ValidationError as error:
        raise LayoutError(f"The mapping file is wrong: {explain(error.messages)}") from None
    return said


def make_layout(said: Mapping[str, Any], header: tuple[str, ...] | None) -> Layout:
    """Return the layout that a mapping file and a file's columns make.

    Args:
        said: what ``read_mapping`` returned; ``{}`` without a mapping file.
        header: the names of the columns, None for JSON lines, whose rows name their own.

    Raises:
        LayoutError: if something that every order needs is in no column, or a named column is not there.
    """
    columns = _columns(said.get("columns", {}), header)
    whole = ORDERS if header is None or columns.get("products") else LINES
    listed = said.get("products", {})
    layout = Layout(
        columns=columns,
        constants=said.get("constants", {}),
        rows=said.get("rows", whole),
        date_format=said.get("date_format"),
        timezone=said.get("timezone"),
        decimal=said.get("decimal", "."),
        statuses={word: stage for stage, words in _STAGES.items() for word in words}
        | {word.strip().lower(): stage for word, stage in said.get("statuses", {}).items()},
        yes=_YES | {word.strip().lower() for word in said.get("yes", ())},
        product_codes=said.get("product_codes", {}),
        separator=listed.get("separator", ";"),
        times=listed.get("times", "*"),
        list_codes=listed.get("codes", "sku"),
    )
    if header is not None:
        _check(layout)
    return layout


def _columns(said: Mapping[str, Any], header: tuple[str, ...] | None) -> dict[str, tuple[str, ...]]:
    """Return the columns of each field: those that are named, else those with usual names."""
    found: dict[str, tuple[str, ...]] = {}
    for name in FIELDS:
        if name in said:
            named = said[name]
            found[name] = () if named is None else (named,) if isinstance(named, str) else tuple(named)
        elif header is None:
            found[name] = (name,)
        else:
            usual = (name, *_USUAL_NAMES.get(name, ()))
            matches = [column for column in header if _plain(column) in usual]
            found[name] = (min(matches, key=lambda column: usual.index(_plain(column))),) if matches else ()
    for name, columns in found.items() if header is not None else ():
        for column in columns:
            if header.count(column) != 1:  # type: ignore[union-attr]
                many = "stands more than once" if column in header else "is not there"  # type: ignore[operator]
                raise LayoutError(f"The column {column!r} for {name!r} {many}.")
    return found


def _plain(column: str) -> str:
    """Return a column's name in lower case with underscores, as usual names are written."""
    return re.sub(r"[^a-z0-9]+", "_", column.strip().lower()).strip("_")


def _check(layout: Layout) -> None:
    """Raise LayoutError if something that every order needs is in no column."""
    for name in ("order", "placed_at"):
        if not layout.has(name):
            raise LayoutError(f"No column is {name!r}; name it in a mapping file.")
    in_lines = any(layout.has(name) for name in CODES)
    if layout.rows == LINES and not in_lines:
        raise LayoutError(
            "No column says which product; name 'product_id', 'variant_id', 'sku' or 'barcode'."
        )
    if layout.rows == ORDERS and not (layout.has("products") or in_lines):
        raise LayoutError("No column lists the products; name 'products' in a mapping file.")
    if not any(layout.has(name) for name in ("total", "line_total", "price")):
        raise LayoutError("No column says what was paid; name 'total', 'line_total' or 'price'.")
