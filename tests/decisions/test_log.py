"""The log of decisions: what is gathered, merged, written, kept while nobody takes it, and dropped."""

import orjson

from app.commerce.store import Store
from app.core.packing import unpack
from app.decisions.log import DecisionLog
from tests.decisions.making import BODY, record, rows, tallies


def test_a_decision_is_written_whole(store: Store, logbook: DecisionLog) -> None:
    made = record(store.id, subject=b"s" * 16, arms={"checkout": "b"}, shown=["11"], keep=True)
    logbook.note(made)
    logbook.repeat(store.id, made.id, "cart", "CACHED", 20)
    logbook.repeat(store.id, made.id, "cart", "CACHED", 30)

    assert logbook.flush()

    (row,) = rows(store.id)
    assert (row.id, row.day, row.made_at, row.subject) == (
        made.id,
        made.made_at.date(),
        made.made_at,
        made.subject,
    )
    assert (row.arms, row.shown, row.answers, row.latency_us) == ({"checkout": "b"}, ["11"], 3, 1500)
    assert orjson.loads(unpack(row.record)) == BODY
    assert tallies(store.id) == {
        ("cart", "DEFAULT", "made"): (1, 0, 1500),
        ("cart", "CACHED", "ready"): (2, 0, 50),
    }

    logbook.repeat(store.id, made.id, "cart", "CACHED", 20)
    logbook.flush()
    (row,) = rows(store.id)
    assert row.answers == 4
