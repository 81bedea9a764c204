"""The door of events: accepted events per second, durable in PostgreSQL, in batches and singly; and growth.

The baseline is a bare Flask route that parses the same JSON and answers as much, on the same server in the same run.
``python -m benchmarks.events --rows 10000000`` grows the table further than ``make bench`` does.
"""

import argparse
import itertools
import json
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import func, select, text

from app.commerce.store import StoreAccess
from app.core.db import db, now
from app.events import jobs
from app.events.intake import EventIntake
from app.events.models import EventReceipt
from benchmarks import load, servers
from benchmarks.report import Result, print_table
from benchmarks.world import World, world

_SECONDS: Final = 4.0
_ROUNDS: Final = 3
_BATCH: Final = 20
# Enough that a group of waiting requests shares a commit.
_THREADS: Final = 16
_VISITORS: Final = 5_000
# What two processors should take, database and load included.
_ASKED_PER_SECOND: Final = 2_000.0
_ASKED_P99_MS: Final = 100.0
_GROWTH: Final = (100_000, 1_000_000)
_FILLED_AT_ONCE: Final = 100_000
_TIMED: Final = 200  # batches

_NAMES: Final = ("Product Viewed", "Product Viewed", "Product Viewed", "Product Added", "Product List Viewed")


def run(ours: World, growth: Sequence[int] = _GROWTH) -> Iterator[Result]:
    """Measure the door, then how the rate of writing keeps as the tables grow."""
    yield from _over_http(ours)
    yield from _growing(ours, growth)


def message(chance: random.Random, number: str) -> dict[str, Any]:
    """Return a message as a page's tracker sends it: about 450 bytes."""
    at = datetime.now(UTC).isoformat()
    return {
        "type": "track",
        "event": chance.choice(_NAMES),
        "anonymousId": f"5b0f91a2-6c1e-4d1f-9f3c-{chance.randrange(_VISITORS):012d}",
        "messageId": number,
        "timestamp": at,
        "properties": {
            "product_id": str(9_101_000_000_000_000 + chance.randrange(3_000)),
            "name": "Green Regency Teacup and Saucer",
            "price": 2.95,
            "currency": "GBP",
            "position": 3,
        },
        "context": {
            "consent": {"analytics": True, "marketing": False, "preferences": True},
            "library": {"name": "pannier", "version": "1"},
        },
    }


def _bodies(size: int) -> Callable[[int], bytes]:
    """Return bodies of ``size`` messages that differ in nothing but the ids of the messages."""
    chance = random.Random(1)
    marks = [f"<{place}>" for place in range(size)]
    drafts = []
    for _ in range(50):
        messages = [message(chance, mark) for mark in marks]
        whole = messages[0] if size == 1 else {"batch": messages, "sentAt": messages[0]["timestamp"]}
        drafts.append(json.dumps(whole).replace("<", "%(run)s-%(n)010d-").replace(">", ""))
    run_id, numbers = uuid.uuid4().hex, itertools.count()
    return lambda n: (drafts[n % len(drafts)] % {"run": run_id, "n": next(numbers)}).encode()


def _requests(path: str, key: str, size: int) -> Callable[[int], bytes]:
    body = _bodies(size)
    return lambda n: load.post(path, body(n), {"X-Pannier-Key": key})


def _over_http(ours: World) -> Iterator[Result]:
    sent = 0
    for size, path in ((_BATCH, "/v1/batch"), (1, "/v1/track")):
        bare: list[load.Load] = []
        kept: list[load.Load] = []
        with (
            servers.serve("benchmarks.bare:create_web", ours.environment, threads=_THREADS) as bare_port,
            servers.serve("app.web:create_web", ours.environment, threads=_THREADS) as port,
        ):
            for _ in range(_ROUNDS):
                bare.append(load.run(bare_port, _requests("/parsed", "", size), seconds=_SECONDS))
                kept.append(load.run(port, _requests(path, ours.publishable_key, size), seconds=_SECONDS))
        sent += sum(each.answers for each in kept) * size
        accepted = statistics.median(each.per_second for each in kept) * size
        baseline = statistics.median(each.per_second for each in bare) * size
        slowest = statistics.median(each.p99_ms for each in kept)
        what = f"events, batches of {size}" if size > 1 else "events, one by one"
        yield Result(
            name=what, value=accepted, unit="events/s", baseline_name="bare Flask route, parsed only",
            baseline=baseline, ratio=accepted / baseline,
        )  # fmt: skip
        if size > 1:
            yield Result(
                name=what, value=accepted, unit="events/s", baseline_name="asked", baseline=_ASKED_PER_SECOND,
                ratio=accepted / _ASKED_PER_SECOND, bar=1.0,
            )  # fmt: skip
            yield from _at_the_rate_asked(ours)
        else:
            yield Result(
                name=f"{what}, p99", value=slowest, unit="ms", baseline_name="bare Flask route, parsed only",
                baseline=statistics.median(each.p99_ms for each in bare),
            )  # fmt: skip
    _check_kept(sent)


def _at_the_rate_asked(ours: World) -> Iterator[Result]:
    """Measure how long an answer takes while as many events come as were asked for, evenly spaced."""
    with servers.serve("app.web:create_web", ours.environment, threads=_THREADS) as port:
        requests = _requests("/v1/batch", ours.publishable_key, _BATCH)
        rate = _ASKED_PER_SECOND / _BATCH
        load.run(
            port, requests, seconds=1.0, rate=rate
        )  # the first requests of a process open its connections
        found = load.run(port, requests, seconds=_SECONDS, rate=rate)
    yield Result(
        name=f"events, p99 at {_ASKED_PER_SECOND:,.0f} events/s", value=found.p99_ms, unit="ms",
        baseline_name="asked", baseline=_ASKED_P99_MS, ratio=_ASKED_P99_MS / found.p99_ms, bar=1.0,
    )  # fmt: skip


def _check_kept(sent: int) -> None:
    kept = db.session.scalar(select(func.count()).select_from(EventReceipt)) or 0
    db.session.rollback()
    if kept < sent:
        raise RuntimeError(f"{sent} events were answered 200 and only {kept} were accepted")


def _growing(ours: World, growth: Sequence[int]) -> Iterator[Result]:
    """Time batches through the door of one process while so many events are stored already."""
    jobs.make_weeks()
    access = StoreAccess(ours.store_id, "shopify", "", "USD", frozenset(), "publishable")
    first: float | None = None
    for rows in growth:
        _fill(ours.store_id, rows)
        rate = _rate(access)
        first = first or rate
        yield Result(
            name=f"events/s of one process, {rows:,} stored", value=rate, unit="events/s",
            baseline_name=f"the same, {growth[0]:,} stored", baseline=first, ratio=rate / first, bar=0.5,
        )  # fmt: skip


def _fill(store_id: int, rows: int) -> None:
    """Store events of the last 20 weeks, with receipts of those of the last eight days, until there are ``rows``."""
    stored = db.session.scalar(select(func.count()).select_from(text("event"))) or 0
    while stored < rows:
        number = min(_FILLED_AT_ONCE, rows - stored)
        db.session.execute(
            text("""
            WITH made AS (
                SELECT n, now() - interval '1 second' * (n % 12000000) AS at FROM generate_series(:first, :last) AS n
            ), receipts AS (
                INSERT INTO event_receipt (store_id, message, received_at)
                SELECT :store, decode(md5('filled' || n), 'hex'), at FROM made WHERE at > now() - interval '8 days'
                ON CONFLICT DO NOTHING
            )
            INSERT INTO event (store_id, received_at, occurred_at, subject, type, name, products, properties, purposes,
                source, message)
            SELECT :store, at, at, decode(md5((n % 200000)::text), 'hex'), 'track', 'Product Viewed',
                ARRAY[(n % 3000)::text], '{"name": "Green Regency Teacup and Saucer", "price": 2.95}', 5, 'browser',
                decode(md5('filled' || n), 'hex') FROM made
            """),
            {"first": stored * 7919, "last": stored * 7919 + number - 1, "store": store_id},
        )
        db.session.commit()
        stored += number
    jobs.make_weeks()
    # What the filling left behind must not be cleaned up while the door is timed.
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as quiet:
        for statement in ("VACUUM (ANALYZE) event", "VACUUM (ANALYZE) event_receipt", "CHECKPOINT"):
            quiet.exec_driver_sql(statement)


def _rate(access: StoreAccess) -> float:
    """Return how many events a second one thread gets through the door, by the median of its batches."""
    intake, chance, run_id = EventIntake(db.engine, 180), random.Random(2), uuid.uuid4().hex
    batches = [
        [message(chance, f"{run_id}-{batch}-{place}") for place in range(_BATCH)] for batch in range(_TIMED)
    ]
    times = []
    for batch in batches:
        started = time.perf_counter()
        intake.take(access, batch, sent_at=now())
        times.append(time.perf_counter() - started)
    intake.close()
    return _BATCH / statistics.median(times[_TIMED // 5 :])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table. Returns 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description="Measure the door of events.")
    parser.add_argument(
        "--rows",
        type=int,
        default=_GROWTH[-1],
        help="Grow the table to so many events (default: %(default)s).",
    )
    rows: int = parser.parse_args(arguments).rows
    steps = [step for step in (*_GROWTH, 10_000_000) if step < rows]
    with world() as ours:
        results = []
        for result in run(ours, [*steps, rows]):
            print(f"{result.name}: {result.value:,.4g} {result.unit}", file=sys.stderr)
            results.append(result)
    print_table(results)
    return int(any(result.verdict == "MISSED" for result in results))


if __name__ == "__main__":
    sys.exit(main())
