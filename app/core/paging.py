"""Lists a page at a time, from the newest row on.

A page is read with one row more than it has: that tells whether another one follows.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar, TypeVarTuple

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

Columns = TypeVarTuple("Columns")
Row = TypeVar("Row")


def newest_first(
    query: Select[*Columns], id_: InstrumentedAttribute[int], limit: int, before: int | None = None
) -> Select[*Columns]:
    """Let ``query`` return up to ``limit`` rows, the largest ``id_`` first: those below ``before``; None for all."""
    if before is not None:
        query = query.where(id_ < before)
    return query.order_by(id_.desc()).limit(limit)


def page_of(
    found: Sequence[Row], limit: int, cursor_of: Callable[[Row], str]
) -> tuple[Sequence[Row], str | None]:
    """Return a page and the cursor of the next one, None on the last, of up to ``limit + 1`` rows that were found."""
    page = found[:limit]
    return page, cursor_of(page[-1]) if len(found) > limit else None
