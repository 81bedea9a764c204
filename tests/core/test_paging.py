"""Pages of lists, and the cursors from one to the next."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError
from sqlalchemy import BigInteger, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.core.fields import LARGEST_ID, Cursor, TimeCursor, row_id
from app.core.paging import newest_first, page_of

LAST_DAY = datetime(2255, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)


@given(st.integers(min_value=1, max_value=LARGEST_ID))
def test_a_cursor_reads_the_id_that_it_was_made_of(id_: int) -> None:
    assert Cursor().deserialize(Cursor.of(id_)) == id_


@given(
    st.datetimes(datetime(1970, 1, 2), LAST_DAY, timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(min_value=1, max_value=LARGEST_ID),
)
def test_a_cursor_reads_the_time_and_id_that_it_was_made_of(at: datetime, id_: int) -> None:
    assert TimeCursor(row_id).deserialize(TimeCursor.of(at, id_)) == (at, id_)


@pytest.mark.parametrize(
    "text",
    [b"", b"x", b"0", b"-1", str(LARGEST_ID + 1).encode(), b"9" * 5000, "\u0663".encode()],
    ids=["empty", "word", "zero", "negative", "too large", "very long", "digit of another script"],
)
def test_what_states_no_id_is_no_cursor(text: bytes) -> None:
    with pytest.raises(ValidationError, match=r"^Not a cursor of this list\.$"):
        Cursor().deserialize(base64.urlsafe_b64encode(text).decode())


@pytest.mark.parametrize("text", ["MTI*", "MT I", "MTI\n", "%", "ü", "M"])
def test_what_is_not_base64_is_no_cursor(text: str) -> None:
    with pytest.raises(ValidationError):
        Cursor().deserialize(text)


@pytest.mark.parametrize("text", [b"1", b"1.", b".1", b"0.1", b"1.0", b"x.1", b"9007199254740993.1"])
def test_what_states_no_time_and_id_is_no_cursor(text: bytes) -> None:
    with pytest.raises(ValidationError):
        TimeCursor(row_id).deserialize(base64.urlsafe_b64encode(text).decode())


def test_the_latest_time_of_a_cursor_is_taken() -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=2**53)

    assert TimeCursor(row_id).deserialize(TimeCursor.of(at, 1)) == (at, 1)


@pytest.mark.parametrize(
    ("found", "page", "cursor"),
    [
        ([], [], None),
        ([9, 8], [9, 8], None),
        ([9, 8, 7], [9, 8, 7], None),
        ([9, 8, 7, 6], [9, 8, 7], "after 7"),
    ],
    ids=["empty", "short", "full and last", "one more"],
)
def test_a_page_has_a_cursor_where_another_one_follows(
    found: list[int], page: list[int], cursor: str | None
) -> None:
    assert page_of(found, 3, lambda last: f"after {last}") == (page, cursor)


@pytest.mark.parametrize(
    ("before", "where"), [(None, ""), (7, "WHERE thing.id < 7 ")], ids=["first page", "later page"]
)
def test_a_page_is_read_from_the_newest_row_on(before: int | None, where: str) -> None:
    query = newest_first(select(Thing.id), Thing.id, 3, before)

    compiled = query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    assert " ".join(str(compiled).split()) == (
        f"SELECT thing.id FROM thing {where}ORDER BY thing.id DESC LIMIT 3"
    )
