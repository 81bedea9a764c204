"""Taking in a file of orders: block by block, so that what was interrupted goes on where it was.

A block of orders, and how far the file is done with it, are one transaction: a process that is killed has either both
or neither. A file is known by the digest of its bytes and of all that decides what they mean.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from app.commerce.changes import Channel, CommerceChange, OrderChange
from app.commerce.store import Store
from app.core.crypto import vault
from app.core.db import db, now, try_lock_store
from app.imports.catalogue import Catalogue
from app.imports.people import buyers
from app.imports.progress import Begun, advance, begin, finish, forget
from app.imports.rejects import Rejects, rejects_file
from app.recommendations.taking_in import announce, take_in
from connectors.pos.grouping import Group, Survey, groups, survey
from connectors.pos.layout import Layout, LayoutError, make_layout
from connectors.pos.mapping import BadOrder, Terms, TillOrder, changes_of, read_order
from connectors.pos.rows import JSONL, Form, header, read_rows

_IMPORT_LOCK: Final = 31
# A block's transaction lasts some tenths of a second.
_BLOCK_ORDERS: Final = 500
_BLOCK_ROWS: Final = 5_000
# Of so many different codes one is known, or the file is another shop's, or the catalogue is not here yet.
_CODES_TO_JUDGE: Final = 20
_SHOWN: Final = 10
_SCATTERED: Final = "the rows of this order do not stand together"
_WITH_A_BAD_ROW: Final = "another row of this order is bad"

Progress = Callable[[int, int], None]


class ImportFailed(Exception):
    """A file cannot be taken in. One sentence."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where orders come from.

    Attributes:
        path: the file.
        form: how it is written.
        name: what the merchant calls the till; ids of orders begin with it.
        channel: where its orders were placed.
        mapping: what the mapping file says, see ``connectors.pos.layout``.
        collected_by: who collected what the file says of people.
    """

    path: Path
    form: Form
    name: str
    channel: Channel
    mapping: Mapping[str, Any]
    collected_by: str | None = None


@dataclass(slots=True)
class Outcome:
    """What became of a file in this run; ``orders``, ``rejected_rows`` and ``rows`` are of earlier runs, too.

    Attributes:
        already: it was done before.
        resumed: an earlier run had been interrupted.
        rows: rows of the file.
        orders: orders that were taken.
        rejected_rows: rows that were kept aside.
        rejected_orders: orders that were kept aside for them.
        joined: orders of somebody who is known.
        refused: orders with a contact that may not be used.
        returns: receipts that take something back from an earlier order.
        unmatched_returns: pieces given back of which nobody says when they were sold.
        moved: orders that were there with another time: perhaps of another till with the same numbers.
        unknown_lines: lines whose product the shop does not have.
        unknown_products: their codes, the most frequent first.
        reasons: how many rows were kept aside for what.
        examples: the first of them, by line.
    """

    already: bool = False
    resumed: bool = False
    rows: int = 0
    orders: int = 0
    rejected_rows: int = 0
    rejected_orders: int = 0
    joined: int = 0
    refused: int = 0
    returns: int = 0
    unmatched_returns: int = 0
    moved: int = 0
    unknown_lines: int = 0
    unknown_products: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[int, str] = field(default_factory=dict)


def import_orders(
    store: Store,
    source: Source,
    *,
    rejects: Path | None = None,
    anew: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Take the orders of a file into a store.

    Args:
        store: whose orders they are.
        source: the file and what it is.
        rejects: where rows that are kept aside are written.
        anew: from the beginning, even if it is done.
        dry_run: read and check everything, and store nothing.
        progress: told the rows that are done, and of how many.

    Raises:
        LayoutError: if the file's columns do not say what is needed, or its time zone is none.
        ImportFailed: if it changes meanwhile, another import of the store runs, or it is another shop's.
        OSError: if it cannot be read, or ``rejects`` cannot be written.
    """
    with source.path.open("rb") as file, try_lock_store(store.id, _IMPORT_LOCK) as mine:
        if not mine:
            raise ImportFailed("Another import of this store is running; wait until it has ended.")
        return _Import(store, source, file, dry_run).run(rejects, anew, progress or (lambda _done, _of: None))


class _Import:
    """One run over one file."""

    def __init__(self, store: Store, source: Source, file: BufferedReader, dry_run: bool) -> None:
        self._store_id = store.id
        self._currency = store.currency
        self._source = source
        self._file = file
        self._dry_run = dry_run
        self._layout = make_layout(source.mapping, header(file, source.form))
        self._terms = _terms(store, self._layout)
        self._catalogue = Catalogue(store.id, self._layout.product_codes)
        self._stamp = self._stamp_now()
        self._outcome = Outcome()
        self._survey: Survey
        self._begun = Begun(0, 0, 0, 0, finished=False)

    def run(self, rejects: Path | None, anew: bool, progress: Progress) -> Outcome:
        """Do all that is left of the file."""
        outcome = self._outcome
        digest = _digest(self._file, self._source, self._currency)
        if not self._dry_run:
            self._begin(digest, anew)
        outcome.orders, outcome.rejected_rows = self._begun.orders, self._begun.rejected_rows
        if self._begun.finished:
            outcome.already, outcome.rows = True, self._begun.done_rows
            return outcome
        outcome.resumed = self._begun.done_rows > 0
        self._survey = survey(self._groups(), self._layout)
        outcome.rows = self._survey.rows
        found, last_line = self._left()
        opened = (
            rejects_file(rejects, self._layout, as_json=self._source.form.name == JSONL, after_line=last_line)
            if rejects
            else nullcontext(None)
        )
        done = self._begun.done_rows
        with opened as aside:
            for block in _blocks(found):
                self._take(block, aside)
                done += sum(group.count for group in block)
                progress(done, self._survey.rows)
        self._end(digest)
        return outcome

    def _begin(self, digest: bytes, anew: bool) -> None:
        connection = db.session.connection()
        if anew:
            forget(connection, self._store_id, digest)
        source = self._source
        self._begun = begin(
            connection, self._store_id, digest, source.name, source.channel.value, source.collected_by
        )
        db.session.commit()

    def _groups(self) -> Iterator[Group]:
        layout = self._layout
        wanted = frozenset(name for names in layout.columns.values() for name in names)
        return groups(read_rows(self._file, self._source.form, wanted), layout)

    def _left(self) -> tuple[Iterator[Group], int]:
        """Return the orders that are not done yet, and the last line of those that are."""
        found = self._groups()
        done = last_line = 0
        while done < self._begun.done_rows and (group := next(found, None)):
            done += group.count
            last_line = group.rows[-1].line
        return found, last_line

    def _take(self, block: list[Group], aside: Rejects | None) -> None:
        """Take one block of orders in, with the count of what is done, in one transaction."""
        orders, rejected = self._read(block, aside)
        connection = db.session.connection()
        changes = self._changes(orders)
        if self._stamp_now() != self._stamp:
            raise ImportFailed("The file changed while it was read; import it again.")
        if aside is not None:
            aside.keep()
        self._outcome.orders += len(orders)
        self._outcome.rejected_rows += rejected
        if self._dry_run:
            db.session.rollback()
            return
        applied = take_in(connection, self._store_id, changes)
        advance(connection, self._begun.id, sum(group.count for group in block), len(orders), rejected)
        db.session.commit()
        announce(self._store_id, applied)

    def _read(self, block: list[Group], aside: Rejects | None) -> tuple[list[TillOrder], int]:
        """Return the orders of a block, and how many rows were kept aside."""
        orders: list[TillOrder] = []
        rejected = 0
        for group in block:
            try:
                if self._survey.scattered(group.number):
                    raise BadOrder({row.line: _SCATTERED for row in group.rows})
                orders.append(read_order(group, self._layout, self._terms))
            except BadOrder as error:
                rejected += group.count
                self._note(group, error.reasons)
                if aside is not None:
                    aside.write(group.rows, error.reasons, _WITH_A_BAD_ROW)
        return orders, rejected

    def _note(self, group: Group, reasons: Mapping[int, str]) -> None:
        outcome = self._outcome
        outcome.rejected_orders += 1
        outcome.reasons.update(reasons.values())
        if others := group.count - len(reasons):
            outcome.reasons[_WITH_A_BAD_ROW] += others
        for line, reason in reasons.items():
            if len(outcome.examples) < _SHOWN:
                outcome.examples[line] = reason

    def _changes(self, orders: list[TillOrder]) -> list[CommerceChange]:
        """Return what orders change, as far as their products and buyers are known."""
        connection, outcome, source = db.session.connection(), self._outcome, self._source
        codes = {code for order in orders for code in order.codes}
        products = self._catalogue.find(connection, codes)
        if not products and len(codes) >= _CODES_TO_JUDGE and not self._begun.done_rows:
            raise ImportFailed(
                f"The shop has none of the first {len(codes)} products; fetch its catalogue first (`pannier"
                " backfill`), or say in the mapping file which column names products."
            )
        people = buyers(connection, self._store_id, {o.contact for o in orders if o.contact})
        changes: list[CommerceChange] = []
        for order in orders:
            buyer = people.get(order.contact) if order.contact else None
            outcome.refused += order.refused or (order.contact is not None and buyer is None)
            for line in order.lines:
                if line.codes and not any(code in products for code in line.codes):
                    outcome.unknown_lines += 1
                    self._catalogue.count_unknown(line.codes)
            meaning = changes_of(
                order, products, source=source.name, channel=source.channel, currency=self._currency,
                edition=self._begun.id, buyer=buyer,
            )  # fmt: skip
            outcome.unmatched_returns += meaning.unmatched
            sold = any(isinstance(change, OrderChange) for change in meaning.changes)
            outcome.joined += sold and buyer is not None
            outcome.returns += len(meaning.changes) - sold
            changes += meaning.changes
        self._note_moved([change for change in changes if isinstance(change, OrderChange)])
        return changes

    def _note_moved(self, changes: list[OrderChange]) -> None:
        """Count the orders that are there as of another time."""
        rows = db.session.connection().exec_driver_sql(
            "SELECT platform_id, placed_at FROM orders WHERE store_id = %(store)s"
            " AND platform_id = ANY(%(ids)s::text[])",
            {"store": self._store_id, "ids": [change.platform_id for change in changes]},
        )
        there: dict[str, datetime] = {number: placed_at for number, placed_at in rows}
        self._outcome.moved += sum(
            there.get(change.platform_id, change.placed_at) != change.placed_at for change in changes
        )

    def _end(self, digest: bytes) -> None:
        """Remember that the file is done; one of which nothing could be taken is not."""
        outcome = self._outcome
        outcome.unknown_products = [code for code, _ in self._catalogue.unknown.most_common(_SHOWN)]
        if self._dry_run:
            return
        connection = db.session.connection()
        if outcome.rejected_rows and not outcome.orders:
            forget(connection, self._store_id, digest)
        else:
            finish(connection, self._begun.id)
        db.session.commit()

    def _stamp_now(self) -> tuple[int, int]:
        """Return what changes when somebody writes into the file."""
        found = os.fstat(self._file.fileno())
        return found.st_size, found.st_mtime_ns


def _terms(store: Store, layout: Layout) -> Terms:
    name, store_id = layout.timezone or store.timezone, store.id
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise LayoutError(f"{name!r} is no IANA time zone such as Pacific/Auckland.") from None
    return Terms(store.currency, zone, now(), lambda address: vault().pseudonym(store_id, address))


def _digest(file: BufferedReader, source: Source, currency: str) -> bytes:
    """Return the digest of a file and of all that decides what it means, 32 bytes."""
    file.seek(0)
    of_bytes = hashlib.file_digest(file, "sha256").hexdigest()
    form = source.form
    meant = [of_bytes, form.name, form.encoding, form.delimiter, source.name, source.channel.value, currency,
             source.mapping]  # fmt: skip
    return hashlib.sha256(orjson.dumps(meant, option=orjson.OPT_SORT_KEYS)).digest()


def _blocks(found: Iterator[Group]) -> Iterator[list[Group]]:
    """Yield orders by blocks that are written at once."""
    block: list[Group] = []
    rows = 0
    for group in found:
        block.append(group)
        rows += group.count
        if len(block) >= _BLOCK_ORDERS or rows >= _BLOCK_ROWS:
            yield block
            block, rows = [], 0
    if block:
        yield block
