"""The log of decisions: what is gathered, merged, written, kept while nobody takes it, and dropped."""

import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
import time_machine
from prometheus_client import REGISTRY
from sqlalchemy import create_engine

from app.commerce.store import NewKeys, Store, add_store
from app.core.db import db, now
from app.core.packing import unpack
from app.decisions.log import DecisionLog
from app.privacy.consent import CHOICE, Signal, keep
from app.privacy.erasure import erase_store
from app.privacy.purposes import Purposes
from tests.decisions.making import BODY, NOON, record, rows, tallies

CHILD = Path(__file__).with_name("logging_process.py")
ANNA = b"a" * 16


def dropped() -> float:
    return REGISTRY.get_sample_value("pannier_decisions_total", {"outcome": "dropped"}) or 0.0


def test_a_decision_is_written_whole(store: Store, logbook: DecisionLog) -> None:
    made = record(store.id, subject=ANNA, arms={"checkout": "b"}, shown=["11"], keep=True)
    logbook.note(made)
    logbook.repeat(store.id, made.id, "cart", "CACHED", 20)
    logbook.repeat(store.id, made.id, "cart", "CACHED", 30)

    assert logbook.flush()

    (row,) = rows(store.id)
    assert (row.id, row.day, row.made_at, row.subject) == (made.id, made.made_at.date(), made.made_at, ANNA)
    assert (row.arms, row.shown, row.answers, row.latency_us) == ({"checkout": "b"}, ["11"], 3, 1500)
    assert orjson.loads(unpack(row.record or b"")) == BODY
    assert tallies(store.id) == {
        ("cart", "DEFAULT", "made"): (1, 0, 1500),
        ("cart", "CACHED", "ready"): (2, 0, 50),
    }


def test_the_same_decision_is_one_row_a_day_and_keeps_its_first_time(
    store: Store, logbook: DecisionLog
) -> None:
    for at in (NOON, NOON + timedelta(hours=3), NOON + timedelta(days=1)):
        logbook.note(record(store.id, made_at=at, latency_us=at.hour))
        logbook.flush()

    assert [(r.made_at, r.answers, r.latency_us) for r in rows(store.id)] == [
        (NOON, 2, 12),
        (NOON + timedelta(days=1), 1, 12),
    ]


def test_a_repetition_finds_its_row_the_next_day_too(store: Store, logbook: DecisionLog) -> None:
    late = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
    logbook.note(record(store.id, made_at=late, shown=[]))
    logbook.flush()
    with time_machine.travel(late + timedelta(seconds=2), tick=False):
        for _ in range(3):
            logbook.repeat(store.id, "d_one", None, "CACHED", 10)
        assert logbook.flush()
        logbook.repeat(store.id, "d_one", None, "CACHED", 10)
        logbook.repeat(store.id, "d_never_seen", None, "CACHED", 10)
        assert logbook.flush()

    first, second = rows(store.id)
    assert (first.day, first.answers) == (late.date(), 1)
    assert (second.day, second.made_at, second.answers) == (
        late.date() + timedelta(days=1),
        late + timedelta(seconds=2),
        4,
    )
    assert (second.shown, second.record) == ([], first.record)
    # What shows nothing is known of the row alone; of a decision that no row tells, it is not claimed.
    assert tallies(store.id)["", "CACHED", "ready"] == (5, 4, 50)


def test_what_two_processes_write_adds_up(store: Store) -> None:
    """Both write the same decisions, in opposite order, at the same time."""
    store_id, logs = store.id, [DecisionLog(db.engine), DecisionLog(db.engine)]
    ids = [f"d_{number:02}" for number in range(40)]

    def work(log: DecisionLog, order: list[str]) -> None:
        for _ in range(5):
            for decision_id in order:
                log.note(record(store_id, decision_id, made_at=NOON))
            assert log.flush()
            for decision_id in order:
                log.repeat(store_id, decision_id, "cart", "CACHED", 1)
            assert log.flush()

    with time_machine.travel(NOON, tick=False):
        threads = [
            threading.Thread(target=work, args=(log, order))
            for log, order in zip(logs, (ids, ids[::-1]), strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for log in logs:
        log.close()

    assert [(r.id, r.answers) for r in rows(store.id)] == [(decision_id, 20) for decision_id in ids]
    assert tallies(store.id) == {
        ("cart", "DEFAULT", "made"): (400, 0, 600_000),
        ("cart", "CACHED", "ready"): (400, 0, 400),
    }


def test_the_store_says_how_many_are_logged_whole(store: Store, logbook: DecisionLog) -> None:
    store.settings = {"decision_sample_percent": 30}
    db.session.commit()
    ids = [f"d_{number:03}" for number in range(200)]
    for decision_id in ids:  # the first of a store are put together before its share is known
        logbook.note(record(store.id, decision_id))
    logbook.flush()
    whole = {r.id for r in rows(store.id) if r.record is not None}
    assert 35 < len(whole) < 85

    other = DecisionLog(db.engine)
    for log in (logbook, other):
        for decision_id in ids:
            log.note(record(store.id, decision_id, made_at=NOON))
        log.flush()
    again = {r.id for r in rows(store.id) if r.record is not None and r.day == NOON.date()}
    assert again == whole
    assert all(r.answers == (2 if r.day == NOON.date() else 1) for r in rows(store.id))
    other.close()


def test_errors_and_arms_are_kept_whatever_the_share(store: Store, logbook: DecisionLog) -> None:
    store.settings = {"decision_sample_percent": 0}
    db.session.commit()
    for number, fields in enumerate(({}, {"keep": True}, {"reason": "ERROR"})):
        logbook.note(record(store.id, f"d_{number}", **fields))
    logbook.flush()

    assert [r.record is not None for r in rows(store.id)] == [False, True, True]


def test_nobody_waits_and_the_bound_holds_while_the_database_is_away(
    store: Store, dead_database: str
) -> None:
    before = dropped()
    away = create_engine(dead_database)
    log = DecisionLog(away, most=10)
    for number in range(12):
        log.note(record(store.id, f"d_{number:02}"))
    assert not log.flush()
    log.note(record(store.id, "d_99"))
    log.repeat(store.id, "d_00", "cart", "CACHED", 5)
    log.repeat(store.id, "d_98", "cart", "CACHED", 5)
    assert not log.flush()
    assert dropped() - before == 4
    assert len(log._pending) == 10

    log._engine = db.engine
    assert log.flush()

    assert [(r.id, r.answers) for r in rows(store.id)] == [
        (f"d_{number:02}", 2 if number == 0 else 1) for number in range(10)
    ]
    # Dropped ones are in no row, and counted.
    assert tallies(store.id) == {
        ("cart", "DEFAULT", "made"): (13, 0, 13 * 1500),
        ("cart", "CACHED", "ready"): (2, 0, 10),
    }
    log.close()
    away.dispose()


def test_the_pauses_between_attempts_grow_and_end(store: Store, dead_database: str) -> None:
    away = create_engine(dead_database)
    log = DecisionLog(away)
    log.note(record(store.id))
    pauses = []
    for _ in range(7):
        log.flush()
        pauses.append(log._pause_s)
    assert pauses == [2, 4, 8, 16, 30, 30, 30]
    log._engine = db.engine

    assert log.flush()

    assert log._pause_s == 1
    assert len(rows(store.id)) == 1
    log.close()
    away.dispose()


def test_one_that_cannot_be_written_does_not_keep_the_others(store: Store, logbook: DecisionLog) -> None:
    before = dropped()
    for number in range(9):
        strategy = "no \x00 text" if number == 4 else "best_sellers"
        logbook.note(record(store.id, f"d_{number}", strategy=strategy))
    logbook.repeat(store.id, "d_0", "cart", "CACHED", 5)

    assert logbook.flush()

    assert [r.id for r in rows(store.id)] == [f"d_{number}" for number in range(9) if number != 4]
    assert tallies(store.id)["cart", "DEFAULT", "made"][0] == 9
    assert dropped() - before == 1


def test_who_said_no_meanwhile_is_not_written(store: Store, logbook: DecisionLog) -> None:
    yes = Signal(Purposes.ANALYTICS, "widget", CHOICE, None, None)
    no = Signal(Purposes.NONE, "widget", CHOICE, None, now() + timedelta(seconds=1))
    subjects = [bytes([letter]) * 16 for letter in b"abc"]
    for subject, signals in zip(subjects, ((yes,), (yes, no), ()), strict=True):
        for choice in signals:
            keep(db.session.connection(), store.id, subject, choice)
        logbook.note(record(store.id, f"d_{subject[:1].decode()}", subject=subject))
    db.session.commit()

    logbook.flush()

    assert [r.id for r in rows(store.id)] == ["d_a", "d_c"]
    assert tallies(store.id)["cart", "DEFAULT", "made"][0] == 3


def test_a_store_that_is_erased_leaves_nothing(store: Store, logbook: DecisionLog) -> None:
    other, _ = add_store("shopify", "other.myshopify.com")
    db.session.commit()
    logbook.note(record(store.id))
    logbook.flush()
    logbook.note(record(store.id, "d_two"))
    logbook.repeat(store.id, "d_one", "cart", "CACHED", 5)
    logbook.note(record(other.id))
    gone, kept = store.id, other.id
    erase_store(gone)

    assert logbook.flush()

    assert (rows(gone), tallies(gone), len(rows(kept))) == ([], {}, 1)


def test_the_thread_writes_by_itself(store: Store, logbook: DecisionLog) -> None:
    logbook.note(record(store.id))
    for _ in range(200):
        if rows(store.id):
            break
        threading.Event().wait(0.05)

    assert len(rows(store.id)) == 1


def test_neither_a_note_nor_a_repetition_raises_where_no_thread_can_be_started(
    store: Store, logbook: DecisionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    logbook.note(record(store.id))
    logbook.repeat(store.id, "d_one", "cart", "CACHED", 5)
    monkeypatch.undo()

    assert logbook.flush()
    assert [r.answers for r in rows(store.id)] == [2]


def test_processes_that_fork_end_and_are_killed(shop: tuple[Store, NewKeys], database_url: str) -> None:
    """A fork writes its own and no more, whoever ends writes first, and a kill loses what was not written.

    The servers of the web fork, and end their workers as multiprocessing ends its children.
    """
    store_id = shop[0].id
    with subprocess.Popen(
        [sys.executable, CHILD, str(store_id), database_url],
        cwd=CHILD.parents[2],
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        said = parent.stdout.readline()
        parent.send_signal(signal.SIGKILL)
        parent.wait(30)

    assert said == "they ended with 0 0\n"
    assert [(r.id, r.answers) for r in rows(store_id)] == [
        ("d_fork", 1),
        ("d_parent", 1),
        ("d_worker", 1),
    ]
