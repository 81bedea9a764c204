"""What the rows of a till's order mean in the shared commerce model.

Two steps, because products are looked up between them: ``read_order`` turns rows into a :class:`TillOrder`, whose
lines name products by the codes of the till; ``changes_of`` turns it into changes once it is known which products
those are.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from app.commerce.changes import (
    Channel,
    CustomerRef,
    OrderAdjustment,
    OrderChange,
    OrderLineState,
    OrderStatus,
)
from connectors.base import Pseudonym
from connectors.personal import email_address
from connectors.pos.grouping import Group
from connectors.pos.layout import CODES, OF_A_LINE, ORDERS, Layout, Stage
from connectors.pos.rows import Row
from connectors.pos.values import BadValue, amount, identifier, moment, number, pieces, text_of

_STATUS: Final = {
    Stage.SALE: OrderStatus.COMPLETED,
    Stage.RETURN: OrderStatus.COMPLETED,
    Stage.TRAINING: OrderStatus.COMPLETED,
    Stage.VOID: OrderStatus.CANCELLED,
    Stage.REFUNDED: OrderStatus.REFUNDED,
    Stage.OPEN: OrderStatus.PENDING,
}
# A return of the same second, or of the same day where a till writes no times, comes after the sale.
_AFTER_THE_SALE: Final = timedelta(seconds=1)
# Of two files that state the same order as of the same second, the later one stands.
_EDITIONS: Final = 999_999
_LINES_LIMIT: Final = 1_000


class BadOrder(ValueError):
    """An order cannot be taken; ``reasons`` says why by the number of the line, without values."""

    def __init__(self, reasons: Mapping[int, str]) -> None:
        super().__init__("; ".join(reasons.values()))
        self.reasons = reasons


class Code(NamedTuple):
    """What a till calls a product: a platform's id, a SKU or a barcode."""

    kind: str
    value: str


class Match(NamedTuple):
    """The platform's ids of the product, and of the variant where that is known, that a code stands for."""

    product: str
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all orders of a file.

    Attributes:
        currency: the store's; an order in another is refused.
        timezone: the IANA name for times without an offset.
        now: the current time.
        pseudonym: turns a normalised e-mail address into its keyed hash, in hexadecimal.
    """

    currency: str
    timezone: ZoneInfo
    now: datetime
    pseudonym: Pseudonym


@dataclass(frozen=True, slots=True)
class TillLine:
    """One line: the codes of its product, best first, and pieces, negative for goods given back.

    ``price`` is for one piece before discounts, ``discount`` for the whole line, in minor units.
    """

    codes: tuple[Code, ...]
    pieces: int
    price: int
    discount: int


@dataclass(frozen=True, slots=True)
class TillOrder:
    """An order as a till tells it; ``contact`` only where the person agreed, and ``refused`` where not."""

    number: str
    placed_at: datetime
    updated_at: datetime
    stage: Stage
    total: int
    lines: tuple[TillLine, ...]
    refund_of: str | None = None
    contact: bytes | None = None
    refused: bool = False

    @property
    def codes(self) -> Iterator[Code]:
        """Every code that a line names."""
        return (code for line in self.lines for code in line.codes)


def read_order(group: Group, layout: Layout, terms: Terms) -> TillOrder:
    """Return what the rows of one order say.

    Raises:
        BadOrder: naming each row that cannot be taken and why.
    """
    if group.problems:
        raise BadOrder(group.problems)
    first = group.rows[0].line
    if group.unsure:
        raise BadOrder({first: "a row before it cannot be read and may belong to this order"})
    order = _Reading(group, layout, terms)
    said = order.header()
    lines = [line for row in group.rows for line in order.lines(row)]
    if order.problems:
        raise BadOrder(order.problems)
    if not lines:
        raise BadOrder({first: "no product with a quantity"})
    if len(lines) > _LINES_LIMIT:
        raise BadOrder({first: f"more than {_LINES_LIMIT} lines"})
    if said.stage is Stage.RETURN:
        lines = [replace(line, pieces=-abs(line.pieces)) for line in lines]
    total = said.total
    if total is None:
        total = sum(line.pieces * line.price - line.discount for line in lines)
    contact, refused = order.contact()
    return TillOrder(
        number=group.number,
        placed_at=said.placed_at,
        updated_at=said.updated_at or said.placed_at,
        stage=said.stage,
        total=total,
        lines=tuple(lines),
        refund_of=said.refund_of,
        contact=contact,
        refused=refused,
    )


class _Header(NamedTuple):
    """What rows say of their whole order."""

    placed_at: datetime
    updated_at: datetime | None
    stage: Stage
    total: int | None
    refund_of: str | None


class _Reading:
    """Reads the rows of one order and gathers what is wrong with each."""

    def __init__(self, group: Group, layout: Layout, terms: Terms) -> None:
        self.problems: dict[int, str] = {}
        self._group = group
        self._layout = layout
        self._terms = terms
        self._of_a_line = [name for name in OF_A_LINE if layout.has(name)]

    def header(self) -> _Header:
        """Return what the rows say of the whole order; what is wrong is in ``problems``."""
        terms, layout = self._terms, self._layout
        self._said("currency", self._in_this_currency)
        placed_at = self._said(
            "placed_at", lambda text: moment(text, layout.date_format, terms.timezone, terms.now)
        )
        if placed_at is None and not self.problems:
            self._wrong(self._group.rows[0], "placed_at: missing")
        return _Header(
            placed_at=placed_at or terms.now,
            updated_at=self._said(
                "updated_at", lambda text: moment(text, layout.date_format, terms.timezone, terms.now)
            ),
            stage=self._said("status", self._stage) or Stage.SALE,
            total=self._said("total", lambda text: amount(number(text, layout.decimal), terms.currency)),
            refund_of=self._said("refund_of", identifier),
        )

    def lines(self, row: Row) -> Iterator[TillLine]:
        """Yield the lines of a row with a quantity: one, or those that it lists."""
        layout = self._layout
        listed = row.values.get(next(iter(layout.columns["lines"]), ""))
        if listed is not None and layout.rows == ORDERS and type(listed) is not str:
            if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
                self._wrong(row, "lines: not a list of objects")
                return
            for each in listed:
                yield from self._line(row, each, "lines")
        elif layout.columns["products"] and (text := self._text(row, "products")):
            yield from self._listed(row, text)
        elif any(self._text(row, name) for name in CODES):
            yield from self._line(row, row.values, "")
        elif layout.rows == ORDERS:
            self._wrong(row, "products: missing")
        else:
            # Fees, tips, vouchers: part of what was paid, no product.
            yield from self._line(row, row.values, "")

    def contact(self) -> tuple[bytes | None, bool]:
        """Return the keyed hash of the buyer's e-mail address, and whether there is one that may not be used.

        Every row that says something of consent has to say yes, and one has to; all rows have to name one address.
        """
        if not self._layout.has("email"):
            return None, False
        addresses = {email_address(self._text(row, "email")) for row in self._group.rows} - {""}
        if not addresses:
            return None, False
        answers = {self._answer(row) for row in self._group.rows} - {""}
        if len(addresses) > 1 or not answers or not answers <= self._layout.yes:
            return None, True
        return bytes.fromhex(self._terms.pseudonym(addresses.pop())), False

    def _answer(self, row: Row) -> str:
        """Return what a row says of consent, in lower case; JSON's true is a yes."""
        parts = [row.values.get(column) for column in self._layout.columns["consent"]]
        words = ["yes" if part is True else "no" if part is False else part for part in parts]
        try:
            return " ".join(filter(None, map(text_of, words))).lower()
        except BadValue:
            return "unclear"

    def _line(self, row: Row, values: Mapping[str, Any], within: str) -> Iterator[TillLine]:
        """Yield the line that ``values`` tell of, nothing for one without a quantity."""
        at = f"{within}." if within else ""
        found: dict[str, Any] = {}
        for name in self._of_a_line:
            try:
                text = self._cell(values, name) or self._layout.constants.get(name, "")
                if text:
                    found[name] = identifier(text) if name in CODES else number(text, self._layout.decimal)
            except BadValue as error:
                self._wrong(row, f"{at}{name}: {error}")
                return
        yield from self._priced(row, found, at)

    def _priced(self, row: Row, found: Mapping[str, Any], at: str) -> Iterator[TillLine]:
        quantity: Decimal = found.get("quantity", Decimal(1))
        if not quantity:
            return
        name = "quantity"
        try:
            count = pieces(quantity)
            size = abs(count)
            name = "price" if "price" in found else "line_total"
            discount = abs(found.get("discount", Decimal()))
            paid = abs(found["line_total"]) if "line_total" in found else None
            before = abs(found["price"] * quantity) if "price" in found else (paid or Decimal()) + discount
            price = amount(before / size, self._terms.currency, exact=False)
            name = "discount"
            off = amount(discount, self._terms.currency)
            if paid is not None:
                name = "line_total"
                off = max(0, price * size - amount(paid, self._terms.currency))
        except BadValue as error:
            self._wrong(row, f"{at}{name}: {error}")
            return
        codes = tuple(Code(kind, found[kind]) for kind in CODES if kind in found)
        yield TillLine(codes, count, price, off if count > 0 else -off)

    def _listed(self, row: Row, text: str) -> Iterator[TillLine]:
        """Yield the lines of a list in one cell: codes, each with its quantity where that is not one."""
        layout = self._layout
        for part in filter(None, (part.strip() for part in text.split(layout.separator))):
            code, _, times = part.rpartition(layout.times) if layout.times in part else (part, "", "")
            try:
                count = pieces(number(times, layout.decimal)) if times.strip() else 1
                if count and code.strip():
                    yield TillLine((Code(layout.list_codes, identifier(code.strip())),), count, 0, 0)
            except BadValue as error:
                self._wrong(row, f"products: {error}")
                return

    def _said(self, name: str, read: Callable[[str], Any]) -> Any:
        """Return what the rows say of the whole order; None where none says anything."""
        if not self._layout.has(name):
            return None
        found: dict[str, Any] = {}
        for row in self._group.rows:
            text = self._text(row, name)
            if not text or text in found or row.line in self.problems:
                continue
            try:
                found[text] = read(text)
            except BadValue as error:
                self._wrong(row, f"{name}: {error}")
                return None
            if len(set(found.values())) > 1:
                self._wrong(row, f"{name}: not the same in all rows of the order")
                return None
        return next(iter(found.values()), None)

    def _text(self, row: Row, name: str) -> str:
        """Return a row's text for a field, or what holds for all; "" for none, and for what is no text."""
        try:
            return self._cell(row.values, name) or self._layout.constants.get(name, "")
        except BadValue as error:
            self._wrong(row, f"{name}: {error}")
            return ""

    def _cell(self, values: Mapping[str, Any], name: str) -> str:
        columns = self._layout.columns.get(name, ())
        return " ".join(filter(None, (text_of(values.get(column)) for column in columns)))

    def _wrong(self, row: Row, problem: str) -> None:
        self.problems.setdefault(row.line, problem)

    def _in_this_currency(self, text: str) -> str:
        if text.upper() != self._terms.currency:
            raise BadValue(f"not the store's, {self._terms.currency}; amounts are not converted")
        return self._terms.currency

    def _stage(self, text: str) -> Stage:
        stage = self._layout.statuses.get(text.lower())
        if stage is None:
            raise BadValue("an unknown word; name it under 'statuses' in the mapping file")
        return stage


class Meaning(NamedTuple):
    """What an order means: its changes, and pieces given back of which no file says when they were sold."""

    changes: tuple[OrderChange | OrderAdjustment, ...]
    unmatched: int


@dataclass(slots=True)
class _Sum:
    """All lines of an order for one product: sold, given back, and what was paid for those that were sold."""

    match: Match | None
    sold: int = 0
    back: int = 0
    before: int = 0
    discount: int = 0

    def add(self, line: TillLine) -> None:
        """Add a line."""
        if line.pieces < 0:
            self.back -= line.pieces
            return
        self.sold += line.pieces
        self.before += line.pieces * line.price
        self.discount += line.discount


def changes_of(
    order: TillOrder,
    products: Mapping[Code, Match],
    *,
    source: str,
    channel: Channel,
    currency: str,
    edition: int,
    buyer: CustomerRef | None,
) -> Meaning:
    """Return what an order changes.

    The lines of one product are one line, so that a return on another receipt can name it. What is given back is taken
    off what the same receipt sells of it; the rest off the order that ``refund_of`` names. A product that is not
    among ``products`` counts for none.

    Args:
        order: what the till says.
        products: what its codes stand for, as far as that is known.
        source: the till's name; ids are ``<source>:<number>`` and so are none of the platform's.
        channel: where the order was placed.
        currency: of all amounts, ISO 4217.
        edition: the number of the import: of two that state an order as of the same second, the higher stands.
        buyer: who bought, None for nobody in particular.
    """
    sums: dict[str, _Sum] = {}
    for line in order.lines:
        match = next((products[code] for code in line.codes if code in products), None)
        sums.setdefault(_line_id(line, match), _Sum(match)).add(line)
    order_id = f"{source}:{order.number}"
    changes: list[OrderChange | OrderAdjustment] = []
    if any(each.sold for each in sums.values()):
        changes.append(
            OrderChange(
                platform_id=order_id,
                updated_at=order.updated_at + timedelta(microseconds=min(edition, _EDITIONS)),
                placed_at=order.placed_at,
                status=_STATUS[order.stage],
                channel=channel,
                test=order.stage is Stage.TRAINING,
                currency=currency,
                total=order.total,
                lines=tuple(_state(id_, each) for id_, each in sums.items() if each.sold),
                customer=buyer,
            )
        )
    left = [(id_, each.back - each.sold) for id_, each in sums.items() if each.back > each.sold]
    if not left or order.stage not in (Stage.SALE, Stage.RETURN):
        return Meaning(tuple(changes), 0)
    if order.refund_of is None or order.refund_of == order.number:
        return Meaning(tuple(changes), sum(count for _, count in left))
    changes.append(
        OrderAdjustment(
            order_platform_id=f"{source}:{order.refund_of}",
            adjustment_id=f"refund:{order_id}",
            happened_at=order.placed_at + _AFTER_THE_SALE,
            lines=tuple((id_, -count) for id_, count in left),
        )
    )
    return Meaning(tuple(changes), 0)


def _line_id(line: TillLine, match: Match | None) -> str:
    """Return the id of the line on which an order keeps a product."""
    if match is None:
        return ":".join(line.codes[0]) if line.codes else "other"
    return f"variant:{match.variant}" if match.variant else f"product:{match.product}"


def _state(line_id: str, each: _Sum) -> OrderLineState:
    return OrderLineState(
        platform_id=line_id,
        product_platform_id=each.match.product if each.match else None,
        variant_platform_id=each.match.variant if each.match else None,
        quantity=each.sold,
        current_quantity=max(0, each.sold - each.back),
        price=round(each.before / each.sold),
        discount=each.discount,
    )
