"""The log: what it shows, and what it never does."""

import contextlib
import io
import json
from collections.abc import Callable, Iterator

import pytest
import structlog

from app.core import logging as app_logging
from app.core.logging import configure_logging

Written = Callable[[], str]


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    """What was written to stderr since the last call; afterwards the log is set up as it was."""
    before = structlog.get_config()
    yield lambda: capsys.readouterr().err
    structlog.configure(**before)


def entry(shown: str) -> dict[str, object]:
    """Return the only entry of a JSON log."""
    (line,) = shown.splitlines()
    found: dict[str, object] = json.loads(line)
    return found


@pytest.mark.parametrize(
    "field",
    [
        "body",
        "raw",
        "payload",
        "email",
        "customer_email",
        "phone",
        "first_name",
        "Billing_Address",
        "client_ip",
        "secret",
        "webhook_secret",
        "access_token",
        "api_key",
        "secret_keys",
        "password",
        "authorization",
        "signature",
        "credentials",
    ],
)
def test_what_must_not_be_logged_is_dropped(written: Written, field: str) -> None:
    configure_logging("info", "json")

    structlog.get_logger().info("something_happened", **{field: "marker", "store_id": 1})

    shown = written()
    assert entry(shown)[field] == "[dropped]"
    assert "marker" not in shown


def test_the_rest_is_shown(written: Written) -> None:
    configure_logging("info", "json")

    structlog.get_logger().warning(
        "delivery_quarantined", store_id=1, ids=[2, 3], reason="payload: id: Missing."
    )

    shown = entry(written())
    assert shown.pop("timestamp")
    assert shown == {
        "event": "delivery_quarantined",
        "level": "warning",
        "store_id": 1,
        "ids": [2, 3],
        "reason": "payload: id: Missing.",
    }


def test_below_the_level_there_is_silence(written: Written) -> None:
    configure_logging("warning", "json")

    structlog.get_logger().info("something_happened")

    assert written() == ""


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_an_error_comes_with_its_traceback(written: Written, log_format: str) -> None:
    configure_logging("info", log_format)

    try:
        raise ValueError("the cause")
    except ValueError:
        structlog.get_logger().error("something_broke", store_id=1, token="marker", exc_info=True)

    shown = written()
    assert "something_broke" in shown
    assert "ValueError: the cause" in shown
    assert "test_an_error_comes_with_its_traceback" in shown
    assert shown.count("[dropped]") == 1


def test_bound_context_is_dropped_too(written: Written) -> None:
    configure_logging("info", "json")

    with structlog.contextvars.bound_contextvars(token="marker", job_id="7"):
        structlog.get_logger().info("something_happened")

    shown = entry(written())
    assert (shown["token"], shown["job_id"]) == ("[dropped]", "7")


def test_a_logger_outlives_the_stream_it_was_first_used_with(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_logging, "CACHED", True)
    log = structlog.get_logger()
    with contextlib.redirect_stderr(io.StringIO()) as passing:
        configure_logging("info", "json")
        log.info("something_happened")
    passing.close()

    log.info("something_else_happened")

    assert entry(written())["event"] == "something_else_happened"
