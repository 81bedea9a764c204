"""What a process holds for some seconds: read once, bounded, and forgotten."""

import time

import pytest

from app.core.held import Held, forget_everything


def test_a_value_is_read_once_in_its_time() -> None:
    held: Held[int, str] = Held(ttl_s=60.0)
    asked: list[str | None] = []

    def read(before: str | None) -> str:
        asked.append(before)
        return f"{len(asked)}"

    assert [held.get(1, read), held.get(1, read)] == ["1", "1"]
    assert asked == [None]


def test_what_was_read_together_is_not_over_together(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = time.monotonic()
    held: Held[int, int] = Held(ttl_s=100.0)
    for key in range(50):
        held.hold(key, key)

    found = []
    for second in (70, 90, 101):
        monkeypatch.setattr(time, "monotonic", lambda second=second: begin + second)
        found.append(sum(held.find(key) is not None for key in range(50)))

    assert found[0] == 50 > found[1] > found[2] == 0


def test_whoever_reads_anew_is_told_what_was_held() -> None:
    held: Held[int, int] = Held(ttl_s=0.0)

    assert [held.get(1, lambda before: (before or 0) + 1) for _ in range(3)] == [1, 2, 3]


def test_a_value_that_is_none_is_held_too() -> None:
    held: Held[int, None] = Held()
    asked: list[int] = []

    for _ in range(3):
        held.get(1, lambda _: asked.append(1))

    assert asked == [1]


def test_one_caller_renews_what_is_over_while_others_are_given_the_old_one() -> None:
    held: Held[int, str] = Held(ttl_s=0.0)
    assert held.find_or_renew(1, 60) is None, "nothing is held yet"

    held.hold(1, "old")
    assert [held.find_or_renew(1, 60) for _ in range(3)] == [None, "old", "old"]
    held.hold(1, "new")
    assert [held.find_or_renew(1, 60) for _ in range(2)] == [None, "new"]


def test_what_nobody_can_make_anew_is_given_no_longer_than_twice_the_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held: Held[int, str] = Held(ttl_s=10.0)
    begin = time.monotonic()
    held.hold(1, "old")
    given = []

    for tenth in range(200):
        monkeypatch.setattr(time, "monotonic", lambda tenth=tenth: begin + tenth / 10)
        if held.find_or_renew(1, 2.0) is not None:
            given.append(tenth / 10)

    assert 9.0 < max(given) <= 14.0


def test_what_is_over_for_longer_than_the_grace_is_given_to_nobody() -> None:
    held: Held[int, str] = Held(ttl_s=0.0)
    held.hold(1, "old")

    assert [held.find_or_renew(1, 0.0) for _ in range(3)] == [None, None, None]


def test_guessed_keys_fill_no_memory() -> None:
    held: Held[int, int] = Held(most=3)

    for key in range(10):
        held.get(key, lambda _: 0)

    assert len(held) <= 3


def test_one_value_or_everything_is_forgotten() -> None:
    first: Held[int, str] = Held()
    second: Held[int, str] = Held()
    for held in (first, second):
        held.get(1, lambda _: "old")
        held.get(2, lambda _: "old")

    first.forget(1)
    assert [first.get(key, lambda _: "new") for key in (1, 2)] == ["new", "old"]
    forget_everything()
    assert second.get(1, lambda _: "new") == "new"
