"""Where decisions become rows: one transaction, whose locks every process takes in the same order.

Who withdrew their consent meanwhile, or was erased, is not written: withdrawal and erasure wait for the transaction and
remove what it wrote, and one that came first is seen.
"""

from binascii import b2a_base64
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from app.commerce.store import SETTINGS
from app.core.db import execute_rows
from app.decisions.pending import Again, Row, Tallies
from app.decisions.sampling import sampled
from app.privacy import consent
from app.privacy.purposes import Purposes

# How long decisions wait for a withdrawal or an erasure of their store: they come back.
_PATIENCE: Final = "2s"

# The key share keeps the store from being erased before its rows are there to be removed with it.
_STORES: Final = """
SELECT id, COALESCE((settings->>'decision_sample_percent')::float, %(default)s) FROM store
WHERE id = ANY(%(ids)s::bigint[]) ORDER BY id FOR KEY SHARE
"""
# A decision that is given again on another day gets a row there, too: the same but for the day and the count.
_ADD: Final = """
WITH made AS (
    SELECT store_id, id, day, made_at, decode(subject, 'hex') AS subject, slot, strategy, reason, arms, model_version,
        cache, latency_us, shown, answers, decode(record, 'base64') AS record
    FROM json_to_recordset(%(rows)s::json) AS r(store_id bigint, id text, day date, made_at timestamptz, subject text,
        slot text, strategy text, reason text, arms jsonb, model_version text, cache text, latency_us bigint,
        shown text[], answers bigint, record text)
    UNION ALL
    SELECT d.store_id, d.id, a.day, a.at, d.subject, d.slot, d.strategy, d.reason, d.arms, d.model_version, d.cache,
        d.latency_us, d.shown, a.answers, d.record
    FROM json_to_recordset(%(again)s::json) AS a(store_id bigint, id text, day date, at timestamptz, answers bigint)
    CROSS JOIN LATERAL (
        SELECT * FROM decision d
        WHERE d.store_id = a.store_id AND d.id = a.id AND d.day BETWEEN a.day - 1 AND a.day
        ORDER BY d.day DESC LIMIT 1
    ) d
), written AS (
    INSERT INTO decision AS d (store_id, id, day, made_at, subject, slot, strategy, reason, arms, model_version, cache,
        latency_us, shown, answers, record)
    SELECT * FROM made ORDER BY store_id, id, day
    ON CONFLICT (store_id, id, day) DO UPDATE SET
        answers = d.answers + excluded.answers, record = COALESCE(d.record, excluded.record)
    RETURNING d.store_id, d.id, d.shown
)
SELECT store_id, id FROM written WHERE shown = '{}'
"""
_COUNT: Final = """
INSERT INTO decision_tally AS t (store_id, day, slot, reason, cache, answers, empty, latency_us)
SELECT * FROM json_to_recordset(%(rows)s::json) AS r(store_id bigint, day date, slot text, reason text, cache text,
    answers bigint, empty bigint, latency_us bigint)
ORDER BY store_id, day, slot, reason, cache
ON CONFLICT (store_id, day, slot, reason, cache) DO UPDATE SET
    answers = t.answers + excluded.answers, empty = t.empty + excluded.empty,
    latency_us = t.latency_us + excluded.latency_us
"""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch: rows written and refused, and the share that each store wants logged whole."""

    rows: int
    refused: int
    percents: dict[int, float]


def write(connection: Connection, rows: Sequence[Row], again: Sequence[Again], tallies: Tallies) -> Written:
    """Write inside the caller's transaction. What belongs to a store that is gone is left out.

    No two of ``rows`` and ``again`` have a key in common.
    """
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
    # What a crash of PostgreSQL itself takes of the last half second is as little as what one of ours takes.
    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
    percents = _percents(connection, _store_ids(rows, again, tallies))
    known = [row for row in rows if row.decision.store_id in percents]
    allowed = _allowed(connection, known)
    repeated = [one for one in again if one.store_id in percents]
    empty = _add(connection, [_row(row, percents) for row in allowed], repeated)
    _count(connection, percents, tallies, repeated, empty)
    return Written(len(allowed), len(known) - len(allowed), percents)


def _store_ids(rows: Iterable[Row], again: Iterable[Again], tallies: Tallies) -> set[int]:
    return {r.decision.store_id for r in rows} | {a.store_id for a in again} | {key[0] for key in tallies}


def _percents(connection: Connection, store_ids: Collection[int]) -> dict[int, float]:
    found = connection.exec_driver_sql(
        _STORES, {"ids": list(store_ids), "default": SETTINGS["decision_sample_percent"][0]}
    )
    return {store_id: percent for store_id, percent in found}


def _allowed(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """Return the rows of nobody, and those of whom no record says that they did not agree to analytics."""
    subjects: dict[int, set[bytes]] = {}
    for row in rows:
        if row.decision.subject is not None:
            subjects.setdefault(row.decision.store_id, set()).add(row.decision.subject)
    refused = set()
    for store_id, named in sorted(subjects.items()):
        for subject, purposes in consent.recorded(connection, store_id, named, hold=True).items():
            if not purposes & Purposes.ANALYTICS:
                refused.add((store_id, subject))
    return [row for row in rows if (row.decision.store_id, row.decision.subject) not in refused]


def _row(row: Row, percents: dict[int, float]) -> dict[str, Any]:
    made = row.decision
    whole = row.always or sampled(made.id, percents[made.store_id])
    return {
        "store_id": made.store_id,
        "id": made.id,
        "day": row.day,
        "made_at": made.made_at,
        "subject": made.subject.hex() if made.subject is not None else None,
        "slot": made.slot,
        "strategy": made.strategy,
        "reason": made.reason,
        "arms": dict(made.arms),
        "model_version": made.model_version,
        "cache": made.cache,
        "latency_us": made.latency_us,
        "shown": list(made.shown),
        "answers": row.answers,
        "record": b2a_base64(row.body, newline=False).decode() if row.body and whole else None,
    }


def _add(connection: Connection, rows: list[dict[str, Any]], again: Sequence[Again]) -> set[tuple[int, str]]:
    """Write decisions; return those that show nothing."""
    if not rows and not again:
        return set()
    repeated = [
        {"store_id": a.store_id, "id": a.id, "day": a.at.date(), "at": a.at, "answers": a.answers}
        for a in again
    ]
    found = execute_rows(connection, _ADD, rows, again=orjson.dumps(repeated).decode())
    return {(store_id, decision_id) for store_id, decision_id in found}


def _count(
    connection: Connection,
    stores: Collection[int],
    tallies: Tallies,
    again: Iterable[Again],
    empty: Collection[tuple[int, str]],
) -> None:
    """Add to the tallies. The caller's stay as they are: the transaction may yet fail."""
    sums = Tallies()
    sums.merge({key: value for key, value in tallies.items() if key[0] in stores})
    for one in again:
        sums.count_again(one, empty=(one.store_id, one.id) in empty)
    names = ("store_id", "day", "slot", "reason", "cache", "answers", "empty", "latency_us")
    if sums:
        execute_rows(
            connection,
            _COUNT,
            [dict(zip(names, (*key, *value), strict=True)) for key, value in sums.items()],
        )
