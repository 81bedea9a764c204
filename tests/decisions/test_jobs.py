"""Weeks of decisions: made ahead, filled from what lay in the default, dropped whole."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from app.commerce.store import Store
from app.core import partitions
from app.core.db import db, now
from app.decisions import jobs
from app.decisions.jobs import WEEKS
from app.decisions.log import DecisionLog
from app.decisions.models import DecisionTally
from tests.decisions.making import record, rows


@pytest.fixture(autouse=True)
def no_weeks(app: object) -> Iterator[None]:
    """Without tables of weeks, before and after."""
    _drop_all()
    yield
    _drop_all()


def _drop_all() -> None:
    db.session.rollback()
    for monday in partitions.weeks(db.session.connection(), WEEKS):
        partitions.drop(db.session.connection(), WEEKS, monday)
    db.session.commit()


def place(table: str) -> int:
    db.session.rollback()
    return int(db.session.connection().exec_driver_sql(f"SELECT count(*) FROM ONLY {table}").scalar_one())


def test_weeks_are_made_once_and_take_what_lay_in_the_default(store: Store, logbook: DecisionLog) -> None:
    then = now() - timedelta(weeks=3)
    for number, at in enumerate((then, now())):
        logbook.note(record(store.id, f"d_{number}", made_at=at))
    logbook.flush()
    assert place("decision_default") == 2

    assert (jobs.make_weeks(), jobs.make_weeks()) == (6, 0)

    this = partitions.name_of(WEEKS, partitions.week_of(now().date()))
    old = partitions.name_of(WEEKS, partitions.week_of(then.date()))
    assert (place("decision_default"), place(this), place(old)) == (0, 1, 1)
    logbook.note(record(store.id, "d_1"))
    logbook.note(record(store.id, "d_2"))
    logbook.flush()
    assert place(this) == 2
    assert [(r.id, r.answers) for r in rows(store.id)] == [("d_0", 1), ("d_1", 2), ("d_2", 1)]


def test_a_week_covers_its_days_and_no_other(store: Store, logbook: DecisionLog) -> None:
    partitions.make(db.session.connection(), WEEKS, date(2024, 1, 1))
    db.session.commit()
    for number, at in enumerate(
        (
            datetime(2023, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2024, 1, 1, tzinfo=UTC),
            datetime(2024, 1, 7, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2024, 1, 8, tzinfo=UTC),
        )
    ):
        logbook.note(record(store.id, f"d_{number}", made_at=at))
    logbook.flush()

    assert (place("decision_20240101"), place("decision_default")) == (2, 2)


def test_what_is_over_goes(store: Store, logbook: DecisionLog) -> None:
    ages = (120, 91, 89, 0)  # days; 90 are kept
    for days in ages[:1]:
        logbook.note(record(store.id, f"d_{days:03}", made_at=now() - timedelta(days=days)))
    logbook.flush()
    jobs.make_weeks()
    partitions.drop(db.session.connection(), WEEKS, partitions.week_of(now().date()))
    db.session.commit()
    for days in ages[1:]:
        logbook.note(record(store.id, f"d_{days:03}", made_at=now() - timedelta(days=days)))
    logbook.flush()
    for days in (399, 401):
        day = (now() - timedelta(days=days)).date()
        sums = {"answers": 1, "empty": 0, "latency_us": 1}
        db.session.add(
            DecisionTally(store_id=store.id, day=day, slot="old", reason="DEFAULT", cache="made", **sums)
        )
    db.session.commit()

    assert jobs.forget_old_decisions() == 1

    assert [r.id for r in rows(store.id)] == ["d_000", "d_089"]
    kept = [t.day for t in db.session.query(DecisionTally).filter_by(slot="old")]
    assert kept == [(now() - timedelta(days=399)).date()]
