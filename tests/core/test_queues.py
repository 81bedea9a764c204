"""Hints: merged, lost without harm, sent from a thread of their own."""

import io
import threading
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from rq import Queue

from app.core import queues
from app.core.queues import DELIVERIES, LEARNING, HintSender, enqueue, hint, hint_key, take_hint
from app.core.redis import Breaker, queue_redis

JOB = "webhooks.jobs.drain"


def queued(queue: str = DELIVERIES) -> list[tuple[str, tuple[Any, ...]]]:
    """Return function and arguments of the queued jobs."""
    return [(job.func_name, job.args) for job in Queue(queue, connection=queue_redis()).jobs]


def test_a_job_is_queued_with_plain_ids(app: Flask, redis: Redis) -> None:
    assert enqueue(LEARNING, JOB, 7, timeout_s=30) is True

    (job,) = Queue(LEARNING, connection=queue_redis()).jobs
    assert (job.func_name, job.args, job.timeout) == (JOB, (7,), 30)
    assert (job.result_ttl, job.failure_ttl) == (0, 86_400)
    assert queued(DELIVERIES) == []


def test_hints_for_one_store_are_merged(app: Flask, redis: Redis) -> None:
    for store_id in (1, 1, 2, 1):
        hint(DELIVERIES, JOB, store_id)

    assert queued() == [(JOB, (1,)), (JOB, (2,))]


def test_a_hint_that_was_taken_lets_the_next_one_through(app: Flask, redis: Redis) -> None:
    hint(DELIVERIES, JOB, 1)
    take_hint(JOB, 1)

    hint(DELIVERIES, JOB, 1)

    assert queued() == [(JOB, (1,)), (JOB, (1,))]


def test_a_hint_that_nobody_takes_stands_for_half_a_second(app: Flask, redis: Redis) -> None:
    hint(DELIVERIES, JOB, 1)

    assert 0 < redis.pttl(hint_key(JOB, 1)) <= 500


def test_without_redis_nothing_is_queued_and_nothing_raised(
    app: Flask, redis_down: None, logged: io.StringIO
) -> None:
    assert enqueue(DELIVERIES, JOB, 1) is False
    app.extensions["pannier_redis_breaker"] = Breaker()
    hint(DELIVERIES, JOB, 1)
    take_hint(JOB, 1)

    assert logged.getvalue().count("enqueue_failed") == 1


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The stores that hints were sent for; those of the senders of this test."""
    found: list[int] = []
    monkeypatch.setattr(queues, "hint", lambda _queue, _function, store_id: found.append(store_id))
    monkeypatch.setattr(queues, "_GATHER_S", 0.01)
    return found


def wait_for(sent: list[int], count: int) -> None:
    """Wait until so many hints were sent."""
    pause = threading.Event()
    for _ in range(1000):
        if len(sent) >= count:
            return
        pause.wait(0.01)
    raise AssertionError(f"{len(sent)} of {count} hints were sent")


def test_a_sender_sends_one_hint_for_a_burst(
    app: Flask, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "_GATHER_S", 0.2)
    sender = HintSender(app, DELIVERIES, JOB)

    for store_id in (1, 1, 2, 1, 2):
        sender.mark(store_id)
    wait_for(sent, 2)

    assert sorted(sent) == [1, 2]


def test_a_sender_goes_on_sending(app: Flask, sent: list[int]) -> None:
    sender = HintSender(app, DELIVERIES, JOB)

    for number in range(1, 4):
        sender.mark(number)
        wait_for(sent, number)

    assert sent == [1, 2, 3]


def test_a_sender_that_lost_its_thread_gets_a_new_one(app: Flask, sent: list[int]) -> None:
    sender = HintSender(app, DELIVERIES, JOB)
    sender._thread = threading.Thread(target=lambda: None)  # as after a fork
    sender._thread.start()
    sender._thread.join()

    sender.mark(5)
    wait_for(sent, 1)

    assert sent == [5]


def test_a_sender_reaches_the_queue(app: Flask, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    send = queues.hint

    def watched(queue: str, function: str, store_id: int) -> None:
        send(queue, function, store_id)
        done.set()

    monkeypatch.setattr(queues, "hint", watched)
    HintSender(app, DELIVERIES, JOB).mark(9)

    assert done.wait(10)
    assert queued() == [(JOB, (9,))]
