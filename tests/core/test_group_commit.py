"""What every group commit promises; the inbox's tests try it with threads and real rows."""

from collections.abc import Sequence

import pytest

from app.core.group_commit import GroupCommit, Waiting


class Doubling:
    """A writer that doubles numbers and refuses negative ones."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []

    def write(self, rows: list[int]) -> Sequence[int]:
        """Return the doubles."""
        if min(rows) < 0:
            raise ValueError("negative")
        self.groups.append(rows)
        return [2 * row for row in rows]

    def close(self) -> None:
        """Nothing is open."""


def test_everybody_gets_the_outcome_of_the_own_row_whatever_the_order_of_writing() -> None:
    writer = Doubling()
    group = GroupCommit(lambda: writer, order=lambda row: row)
    batch = [Waiting[int, int](row) for row in (3, 1, 2)]

    group._commit(batch)

    assert writer.groups == [[1, 2, 3]]
    assert [waiting.outcome for waiting in batch] == [6, 2, 4]
    assert all(waiting.done and waiting.error is None for waiting in batch)


def test_a_refused_row_is_told_alone() -> None:
    group = GroupCommit(Doubling)
    batch = [Waiting[int, int](row) for row in (3, -1, 2)]

    group._commit(batch)

    assert [waiting.outcome for waiting in batch] == [6, None, 4]
    assert [str(waiting.error) for waiting in batch] == ["None", "negative", "None"]


def test_a_lone_row_is_written_at_once() -> None:
    group = GroupCommit(Doubling)

    assert group.write(21) == 42
    with pytest.raises(ValueError, match="negative"):
        group.write(-1)
    assert group.write(1) == 2
