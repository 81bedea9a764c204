"""Durable before the answer: concurrent requests of one process share a transaction.

The first request writes for everybody who came while the one before it was writing, and everybody returns once the
commit is durable. One commit then serves many requests, and a lone request waits for nobody.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import psycopg
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# Enough for every thread of a process.
LARGEST_GROUP: Final = 32

Row = TypeVar("Row")
Outcome_co = TypeVar("Outcome_co", covariant=True)


class Writer(Protocol[Row, Outcome_co]):
    """A connection of a group's own, apart from those of the requests: they must not wait for each other."""

    def write(self, rows: list[Row]) -> Sequence[Outcome_co]:
        """Write and commit ``rows`` together; return what became of each.

        Raises:
            psycopg.Error, sqlalchemy.exc.SQLAlchemyError: nothing is written then.
        """
        ...

    def close(self) -> None:
        """End the connection."""
        ...


class Waiting(Generic[Row, Outcome_co]):
    """A row on its way, and the request's thread that waits for it."""

    __slots__ = ("done", "error", "outcome", "row", "woken")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.done = False
        self.outcome: Outcome_co | None = None
        # Not written until proven otherwise: whatever ends the writing thread, nobody is told that all is well.
        self.error: Exception | None = RuntimeError("It was not written.")
        # Released by the writing thread: the row is written, or it is this thread's turn to write.
        self.woken = threading.Lock()
        self.woken.acquire()


class GroupCommit(Generic[Row, Outcome_co]):
    """Writes rows of concurrent threads in shared statements, each group committed by itself.

    One thread at a time writes: for itself and for all who queued up before it began. Then it wakes those it
    wrote for and hands the turn to the first who came since. Nobody who is served waits for the next commit.

    When the connection turns out to be dead the group is written again on a new one: writing a row twice must be
    harmless.
    """

    def __init__(
        self,
        connect: Callable[[], Writer[Row, Outcome_co]],
        *,
        order: Callable[[Row], Any] | None = None,
    ) -> None:
        """Write on what ``connect`` opens.

        Args:
            connect: opens a connection; called when the first row comes, and after a connection failed.
            order: sorts the rows of a group, so that two processes that lock the same keys do so in the same order.
        """
        self._connect = connect
        self._order = order
        self._connection: Writer[Row, Outcome_co] | None = None
        self._queue: list[Waiting[Row, Outcome_co]] = []
        self._writing = False
        self._lock = threading.Lock()  # of the queue and of whose turn it is

    def write(self, row: Row) -> Outcome_co:
        """Return what became of ``row`` once it is committed.

        Raises:
            sqlalchemy.exc.OperationalError: if the database is away.
            psycopg.Error, sqlalchemy.exc.SQLAlchemyError: if it refuses the row.
        """
        mine: Waiting[Row, Outcome_co] = Waiting(row)
        with self._lock:
            self._queue.append(mine)
            my_turn = not self._writing
            self._writing = True
        if not my_turn:
            mine.woken.acquire()
        if not mine.done:
            self._write_for_all()
        if mine.error is not None:
            raise mine.error
        return mine.outcome  # type: ignore[return-value]  # it was written, so there is one

    def _write_for_all(self) -> None:
        """Write what is queued, this thread's own row first, and pass the turn on."""
        with self._lock:
            batch, self._queue = self._queue[:LARGEST_GROUP], self._queue[LARGEST_GROUP:]
        try:
            self._commit(batch)
        finally:
            with self._lock:
                following = self._queue[:1]
                self._writing = bool(following)
            for waiting in (*following, *batch[1:]):
                waiting.woken.release()

    def close(self) -> None:
        """End the connection; the next row opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _commit(self, batch: list[Waiting[Row, Outcome_co]]) -> None:
        order = self._order
        ordered = sorted(batch, key=lambda waiting: order(waiting.row)) if order else batch
        try:
            outcomes = self._execute([waiting.row for waiting in ordered])
            for waiting, outcome in zip(ordered, outcomes, strict=True):
                waiting.outcome, waiting.error = outcome, None
        except (OperationalError, PoolTimeout) as error:  # the database is away, for each of them
            for waiting in batch:
                waiting.error = error
        except Exception as error:
            for waiting in batch:
                if len(batch) == 1:
                    waiting.error = error
                else:
                    self._commit_alone(waiting)
        finally:
            for waiting in batch:
                waiting.done = True

    def _commit_alone(self, waiting: Waiting[Row, Outcome_co]) -> None:
        """Write one row of a failed batch by itself: a neighbour's fault must not refuse it."""
        try:
            (waiting.outcome,) = self._execute([waiting.row])
        except Exception as error:
            waiting.error = error
        else:
            waiting.error = None

    def _execute(self, rows: list[Row]) -> Sequence[Outcome_co]:
        reused = self._connection is not None
        try:
            return self._run(rows)
        except OperationalError:
            if not reused:
                raise
            return self._run(rows)

    def _run(self, rows: list[Row]) -> Sequence[Outcome_co]:
        """Execute on the group's connection; a connection that saw an error is not used again."""
        connection, self._connection = self._connection, None
        try:
            connection = connection or self._connect()
            outcomes = connection.write(rows)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
                raise OperationalError("group commit", None, error) from error
            raise
        self._connection = connection
        return outcomes
