"""Sending: every delivery once, again when nobody could take it, never again when it was refused."""

import socket
import threading

import pytest

from demo import delivery
from demo.delivery import Postbox, send
from demo.messages import Delivery
from tests.demo.sink import Sink


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(delivery, "LONGEST_PAUSE_S", 0.002)


def some(count: int) -> list[Delivery]:
    return [Delivery({"X-Number": str(n), "Content-Type": "application/json"}, b"{}") for n in range(count)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_everything_arrives_once_over_few_connections(sink: Sink) -> None:
    progress: list[int] = []

    summary = send(some(50), sink.url, concurrency=4, on_progress=progress.append)

    assert sorted(int(r.headers["X-Number"]) for r in sink.received) == list(range(50))
    assert {r.path for r in sink.received} == {"/webhooks/here?x=1"}
    assert sink.connections <= 4
    assert progress == list(range(1, 51))
    assert (summary.sent, summary.accepted, summary.refused, summary.unanswered) == (50, 50, 0, 0)
    assert (summary.retries, summary.statuses) == (0, {200: 50})


def test_one_connection_keeps_the_order(sink: Sink) -> None:
    send(some(20), sink.url, concurrency=1)

    assert [int(r.headers["X-Number"]) for r in sink.received] == list(range(20))


def test_a_503_is_tried_again_until_it_is_taken(sink: Sink) -> None:
    sink.statuses = [503, 503, 200]

    summary = send(some(1), sink.url, concurrency=1)

    assert len(sink.received) == 3
    assert (summary.accepted, summary.retries, summary.statuses) == (1, 2, {200: 1})


@pytest.mark.parametrize("status", [302, 400, 401, 413, 500])
def test_a_refusal_is_final(sink: Sink, status: int) -> None:
    sink.statuses = [status]

    summary = send(some(1), sink.url, concurrency=1)

    assert len(sink.received) == 1
    assert (summary.accepted, summary.refused, summary.statuses) == (0, 1, {status: 1})


def test_after_so_many_attempts_a_delivery_is_given_up(sink: Sink) -> None:
    sink.statuses = [503] * 9

    summary = send(some(1), sink.url, concurrency=1, attempts=3)

    assert len(sink.received) == 3
    assert (summary.accepted, summary.refused, summary.retries) == (0, 1, 2)


def test_nobody_there_counts_as_unanswered() -> None:
    summary = send(some(2), f"http://127.0.0.1:{free_port()}/", concurrency=2, attempts=2)

    assert (summary.sent, summary.unanswered, summary.retries) == (2, 2, 2)
    assert summary.statuses == {}


def test_nothing_to_send_is_no_failure() -> None:
    assert send([], "http://127.0.0.1:1/").sent == 0


def test_whoever_watches_may_stop_it(sink: Sink) -> None:
    class Enough(Exception):
        pass

    def stop(done: int) -> None:
        if done == 5:
            raise Enough

    with pytest.raises(Enough):
        send(some(500), sink.url, concurrency=1, on_progress=stop)

    assert len(sink.received) == 5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("demo-send")]


def test_a_postbox_that_was_stopped_does_not_wait() -> None:
    stopped = threading.Event()
    stopped.set()
    postbox = Postbox(f"http://127.0.0.1:{free_port()}/", stopped=stopped)

    receipt = postbox.post(some(1)[0])

    assert (receipt.status, receipt.attempts, receipt.accepted) == (None, 1, False)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "127.0.0.1:8000", ""])
def test_only_http_addresses_are_taken(url: str) -> None:
    with pytest.raises(ValueError, match="not an http address"):
        send(some(1), url)
