"""How the demo ends."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from app.core.config import Settings, load_settings
from demo import run as demo


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _interrupted(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    pytest.fail("nothing was interrupted")


def _interrupted_in_a_statement(_settings: Settings, _orders: int, _once: bool, stack: ExitStack) -> None:
    def close() -> None:
        raise RuntimeError("connection in transaction status ACTIVE")

    stack.callback(close)
    _interrupted()


@pytest.mark.parametrize("work", [_interrupted, _interrupted_in_a_statement])
def test_who_interrupts_the_demo_is_told_that_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], work: Any
) -> None:
    monkeypatch.setattr(demo, "_run", work)

    assert demo.run(load_settings(), orders=40, once=False) == 0
    assert "Everything is stopped." in capsys.readouterr().out


def test_what_keeps_the_demo_from_going_on_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> None:
        raise demo.DemoError("Port 8000 is taken.")

    monkeypatch.setattr(demo, "_run", refuse)

    assert demo.run(load_settings(), orders=40, once=False) == 1
    assert capsys.readouterr().err == "Error: Port 8000 is taken.\n"


def test_a_fault_of_the_demo_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_(*_: Any) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(demo, "_run", break_)

    with pytest.raises(RuntimeError, match="a fault"):
        demo.run(load_settings(), orders=40, once=False)
