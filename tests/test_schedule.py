"""The clock: what it enqueues when, and how it and the worker end without Redis."""

import importlib
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
import time_machine
from flask import Flask
from redis import Redis
from rq import Queue
from rq.cron import CronScheduler

from app import schedule, worker
from app.core.orphans import end_with_parent
from app.core.queues import ALL, DELIVERIES, LEARNING, PLATFORMS, UPKEEP
from app.core.redis import queue_redis
from app.schedule import register

SWEEP = "webhooks.jobs.sweep"
FORGET = "webhooks.jobs.forget_old_deliveries"
PUBLISH = "app.recommendations.jobs.publish_everywhere"
CONNECTIONS = "app.connections.jobs"
REBUILD = "app.recommendations.jobs.rebuild_everywhere"
REFRESH = "app.recommendations.jobs.refresh_everywhere"
TUNE = "app.recommendations.jobs.tune_everywhere"
GROWN = "app.recommendations.jobs.refresh_grown"
DESCRIBED = "app.recommendations.jobs.refresh_described_everywhere"
TRENDING = "app.recommendations.jobs.refresh_trending_everywhere"
WATCH = "app.recommendations.promotion_jobs.watch_everywhere"
MONITORING = "app.monitoring.jobs"
GUARDRAILS = "app.monitoring.guardrails"
DECISIONS = "app.decisions.jobs"
EXPERIMENTS = "app.experiments.jobs"
BUNDLES = "app.bundles.jobs"
PRICING = "app.pricing.jobs"
QUOTES = "app.pricing.quote_jobs"
EVENTS = "app.events.jobs"
SEGMENTS = "app.segments.jobs"
CARRY_OUT = "app.privacy.jobs.carry_out_requests"


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The time zone that the clock sets for its own process."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def clock(app: Flask, utc: None) -> CronScheduler:
    clock = CronScheduler(connection=queue_redis(), logging_level="WARNING")
    register(clock)
    return clock


def queued() -> dict[str, list[str]]:
    """Return the queued functions by queue."""
    found = {name: [job.func_name for job in Queue(name, connection=queue_redis()).jobs] for name in ALL}
    return {name: functions for name, functions in found.items() if functions}


def test_every_periodic_job_has_its_queue_and_its_time(clock: CronScheduler) -> None:
    page = {job.func_name: (job.queue_name, job.interval or job.cron) for job in clock.get_jobs()}

    assert page == {
        SWEEP: (DELIVERIES, 10),
        DESCRIBED: (LEARNING, 20),
        PUBLISH: (LEARNING, 60),
        TUNE: (LEARNING, "23 2 * * *"),
        REBUILD: (LEARNING, "17 3 * * *"),
        REFRESH: (LEARNING, "47 3 * * *"),
        GROWN: (LEARNING, 60),
        TRENDING: (LEARNING, 3600),
        WATCH: (LEARNING, 3600),
        f"{SEGMENTS}.refresh_everywhere": (LEARNING, "17 4 * * *"),
        f"{SEGMENTS}.refresh_new": (LEARNING, 3600),
        FORGET: (UPKEEP, "41 2 * * *"),
        CARRY_OUT: (UPKEEP, 60),
        "app.privacy.jobs.end_retention": (UPKEEP, "31 2 * * *"),
        f"{EVENTS}.make_weeks": (UPKEEP, 7200),
        f"{EVENTS}.count_activity": (UPKEEP, 1800),
        f"{EVENTS}.forget_old_events": (UPKEEP, "53 1 * * *"),
        f"{GUARDRAILS}.guard_everywhere": (UPKEEP, 600),
        f"{MONITORING}.watch": (UPKEEP, 300),
        f"{MONITORING}.tell": (UPKEEP, 60),
        f"{MONITORING}.look_for_drift_everywhere": (UPKEEP, "37 5 * * *"),
        f"{MONITORING}.forget_old_alerts": (UPKEEP, "37 2 * * *"),
        f"{DECISIONS}.make_weeks": (UPKEEP, 7200),
        f"{DECISIONS}.forget_old_decisions": (UPKEEP, "57 1 * * *"),
        f"{EXPERIMENTS}.collect_exposures": (UPKEEP, 60),
        f"{EXPERIMENTS}.tidy_exposures": (UPKEEP, "3 2 * * *"),
        f"{BUNDLES}.look_everywhere": (UPKEEP, 60),
        f"{BUNDLES}.check_everywhere": (UPKEEP, 3600),
        f"{BUNDLES}.propose_everywhere": (LEARNING, "53 4 * * *"),
        f"{PRICING}.write_everywhere": (UPKEEP, 60),
        f"{PRICING}.propose_everywhere": (LEARNING, "13 5 * * *"),
        f"{PRICING}.propose_automatic_everywhere": (LEARNING, 3600),
        f"{PRICING}.expire_everywhere": (UPKEEP, 3600),
        f"{QUOTES}.publish_keys_everywhere": (UPKEEP, 60),
        f"{QUOTES}.forget_old_quotes": (UPKEEP, "47 2 * * *"),
        f"{CONNECTIONS}.reconcile_everywhere": (PLATFORMS, 900),
        f"{CONNECTIONS}.compare_everywhere": (PLATFORMS, "11 1 * * *"),
        f"{CONNECTIONS}.settle_carts": (UPKEEP, 600),
        f"{CONNECTIONS}.leave": (UPKEEP, 600),
        f"{CONNECTIONS}.forget_install_states": (UPKEEP, 3600),
    }


def test_workers_listen_to_every_queue_of_the_clock(clock: CronScheduler) -> None:
    assert {job.queue_name for job in clock.get_jobs()} <= set(ALL)


def test_workers_find_every_job_by_its_name(clock: CronScheduler) -> None:
    for job in clock.get_jobs():
        module, _, name = job.func_name.rpartition(".")
        assert getattr(importlib.import_module(module), name) is job.func
        assert (job.args, job.kwargs) == ((), {})


def test_results_are_not_kept_and_failures_for_a_day(clock: CronScheduler) -> None:
    assert {(j.job_options["result_ttl"], j.job_options["failure_ttl"]) for j in clock.get_jobs()} == {
        (0, 86_400)
    }


def test_at_the_start_the_frequent_jobs_run_at_once(clock: CronScheduler) -> None:
    with time_machine.travel(datetime(2026, 11, 22, 12, tzinfo=UTC), tick=False):
        clock.enqueue_jobs()

    assert {queue: sorted(jobs) for queue, jobs in queued().items()} == {
        DELIVERIES: [SWEEP],
        LEARNING: [
            f"{PRICING}.propose_automatic_everywhere",
            *(PUBLISH, DESCRIBED, GROWN, TRENDING, WATCH),
            f"{SEGMENTS}.refresh_new",
        ],
        PLATFORMS: [f"{CONNECTIONS}.reconcile_everywhere"],
        UPKEEP: [
            *(f"{BUNDLES}.{name}" for name in ("check_everywhere", "look_everywhere")),
            *(f"{CONNECTIONS}.{name}" for name in ("forget_install_states", "leave", "settle_carts")),
            f"{DECISIONS}.make_weeks",
            *(f"{EVENTS}.{name}" for name in ("count_activity", "make_weeks")),
            f"{EXPERIMENTS}.collect_exposures",
            f"{GUARDRAILS}.guard_everywhere",
            *(f"{MONITORING}.{name}" for name in ("tell", "watch")),
            *(f"{PRICING}.{name}" for name in ("expire_everywhere", "write_everywhere")),
            f"{QUOTES}.publish_keys_everywhere",
            CARRY_OUT,
        ],
    }


@pytest.mark.parametrize(
    ("seconds", "due"),
    [
        (9, []),
        (10, [SWEEP]),
        (20, [SWEEP, DESCRIBED]),
        (
            60,
            [
                SWEEP,
                DESCRIBED,
                PUBLISH,
                GROWN,
                f"{EXPERIMENTS}.collect_exposures",
                CARRY_OUT,
                f"{MONITORING}.tell",
                f"{BUNDLES}.look_everywhere",
                f"{PRICING}.write_everywhere",
                f"{QUOTES}.publish_keys_everywhere",
            ],
        ),
    ],
)
def test_the_frequent_jobs_come_again(
    clock: CronScheduler, redis: Redis, seconds: int, due: list[str]
) -> None:
    with time_machine.travel(datetime(2026, 11, 22, 12, tzinfo=UTC), tick=False) as traveller:
        clock.enqueue_jobs()
        redis.flushdb()
        traveller.shift(seconds)

        enqueued = clock.enqueue_jobs()

    assert [job.func_name for job in enqueued] == due


@pytest.mark.parametrize(
    ("at", "function"),
    [("02:41", FORGET), ("03:17", REBUILD), ("03:47", REFRESH)],
    ids=["retention", "rebuild", "refresh"],
)
def test_the_nightly_jobs_come_once_a_night_at_their_time(
    app: Flask, utc: None, at: str, function: str
) -> None:
    with time_machine.travel(datetime(2026, 11, 22, 1, tzinfo=UTC), tick=False) as traveller:
        clock = CronScheduler(connection=queue_redis(), logging_level="WARNING")
        register(clock)
        hour, minute = map(int, at.split(":"))
        times: list[datetime] = []
        for day in (22, 23):
            for moment in (
                datetime(2026, 11, day, hour, minute - 1, 59, tzinfo=UTC),
                datetime(2026, 11, day, hour, minute, tzinfo=UTC),
                datetime(2026, 11, day, hour, minute, 30, tzinfo=UTC),
            ):
                traveller.move_to(moment)
                if function in [job.func_name for job in clock.enqueue_jobs()]:
                    times.append(moment)

    assert times == [datetime(2026, 11, day, hour, minute, tzinfo=UTC) for day in (22, 23)]


# --- the processes --------------------------------------------------------------------------------------


@pytest.fixture
def process(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of a process of the application; what ``main`` changes is put back."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put signal handlers back that a process sets."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_without_redis_the_clock_ends_with_one_sentence(
    process: pytest.MonkeyPatch,
    utc: None,
    handlers: None,
    dead_redis: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    process.setenv("REDIS_URL", dead_redis)

    code = schedule.main()

    said = capsys.readouterr()
    assert (code, said.out) == (1, "")
    assert said.err == "Redis does not answer; the clock ends and is started again.\n"


def test_without_redis_a_worker_ends_with_one_sentence(
    process: pytest.MonkeyPatch, dead_redis: str, capsys: pytest.CaptureFixture[str]
) -> None:
    process.setenv("REDIS_URL", dead_redis)
    process.setattr("app.worker.ranking.warm_up", lambda: None)
    at_fork: list[Any] = []
    process.setattr("os.register_at_fork", lambda **hooks: at_fork.append(hooks))

    code = worker.main()

    said = capsys.readouterr()
    assert (code, said.out) == (1, "")
    assert said.err == "Redis does not answer; this worker ends and is started again.\n"
    assert at_fork == [{"after_in_child": end_with_parent}]


@pytest.mark.parametrize("module", [schedule, worker], ids=["clock", "worker"])
def test_with_a_wrong_setting_a_process_ends_with_one_sentence(
    process: pytest.MonkeyPatch, utc: None, capsys: pytest.CaptureFixture[str], module: ModuleType
) -> None:
    process.setenv("DATABASE_URL", "nonsense")

    code = module.main()

    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err == "DATABASE_URL is no address such as postgresql://user:password@host/name.\n"


def test_a_worker_of_no_queue_ends_with_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    code = worker.main(["deliveries", "dishes"])

    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err == "There is no queue 'dishes'; there are deliveries, learning, upkeep, platforms.\n"
