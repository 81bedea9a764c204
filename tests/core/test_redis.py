"""Doing without Redis."""

import pytest
from flask import Flask
from redis.exceptions import ConnectionError as RedisDown
from redis.exceptions import ResponseError, TimeoutError  # noqa: A004 - Redis' own

from app.core import redis as module
from app.core.redis import Breaker, breaker, queue_redis, redis_client


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


class Work:
    """Counts its calls, and fails while it has an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self.error = error

    def __call__(self) -> str:
        self.calls += 1
        if self.error:
            raise self.error
        return "done"


def test_what_works_is_returned() -> None:
    work = Work()

    assert [Breaker().call(work, otherwise="none") for _ in range(2)] == ["done", "done"]
    assert work.calls == 2


@pytest.mark.parametrize(
    "error",
    [RedisDown("gone"), TimeoutError("slow"), ResponseError("OOM"), OSError("unreachable")],
    ids=lambda error: type(error).__name__,
)
def test_after_a_failure_redis_is_left_alone_for_a_while(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    clock, work, found = Clock(monkeypatch), Work(error), Breaker(rest_s=2)

    assert [found.call(work, otherwise="none") for _ in range(3)] == ["none"] * 3
    assert work.calls == 1
    clock.now += 1.9
    assert found.call(work, otherwise="none") == "none"
    assert work.calls == 1


def test_then_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, work, found = Clock(monkeypatch), Work(RedisDown()), Breaker(rest_s=2)
    found.call(work, otherwise="none")

    clock.now += 2
    work.error = None

    assert found.call(work, otherwise="none") == "done"
    assert work.calls == 2


def test_our_own_mistakes_are_not_taken_for_a_dead_redis() -> None:
    found = Breaker()

    with pytest.raises(ZeroDivisionError):
        found.call(lambda: 1 // 0, otherwise=0)

    assert found.call(lambda: 7, otherwise=0) == 7


def test_the_applications_clients_answer(app: Flask) -> None:
    redis_client().set("pannier:test", b"\x00\xff")

    assert redis_client().get("pannier:test") == b"\x00\xff"
    assert queue_redis().get("pannier:test") == b"\x00\xff"
    assert queue_redis() is not redis_client()


def test_a_dead_redis_costs_one_attempt(app: Flask, redis_down: None) -> None:
    attempts = []

    def work() -> bool:
        attempts.append(1)
        return bool(redis_client().ping())

    assert [breaker().call(work, otherwise=False) for _ in range(5)] == [False] * 5
    assert len(attempts) == 1
