"""Sending a shop's deliveries over HTTP: many at once on kept connections, again when it failed.

A failed delivery is tried again as Shopify does it (bounded exponential back-off), only in seconds instead of
hours.
"""

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from demo.messages import Delivery

TIMEOUT_S = 5.0  # Shopify's limit for the whole request
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """How one delivery ended: the last status (None if nobody answered), and after how many attempts."""

    status: int | None
    attempts: int

    @property
    def accepted(self) -> bool:
        """Whether the receiver answered with a 2xx status."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Summary:
    """How a whole sending ended, with how often each status was the last answer to a delivery."""

    sent: int
    accepted: int
    refused: int
    unanswered: int
    retries: int
    statuses: dict[int, int]


class Postbox:
    """One kept connection to a webhook address. Not for use by two threads at once."""

    def __init__(self, url: str, *, attempts: int = 9, stopped: threading.Event | None = None) -> None:
        """Prepare a connection to ``url``; it opens with the first delivery.

        Args:
            url: an http or https address.
            attempts: how often a delivery is tried in all.
            stopped: once set, pauses end at once and nothing is tried again.

        Raises:
            ValueError: if ``url`` is no http or https address.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http address: {url!r}")
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = make(parts.hostname, parts.port, timeout=TIMEOUT_S)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._attempts = attempts
        self._stopped = stopped or threading.Event()

    def post(self, delivery: Delivery) -> Receipt:
        """Send ``delivery`` until it is answered with anything but 503, at most ``attempts`` times."""
        pause = FIRST_PAUSE_S
        status: int | None = None
        for attempt in range(1, self._attempts + 1):
            status = self._try(delivery)
            if status is not None and status != 503:
                break
            if attempt == self._attempts or self._stopped.wait(pause):
                break
            pause = min(pause * 2, LONGEST_PAUSE_S)
        return Receipt(status, attempt)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _try(self, delivery: Delivery) -> int | None:
        try:
            self._connection.request(delivery.method, self._target, delivery.body, delivery.headers)
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return None
        return response.status


@dataclass
class _Tally:
    lock: threading.Lock = field(default_factory=threading.Lock)
    receipts: list[Receipt] = field(default_factory=list)


def send(
    deliveries: Iterable[Delivery],
    url: str,
    *,
    concurrency: int = 8,
    attempts: int = 9,
    on_progress: Callable[[int], None] | None = None,
) -> Summary:
    """Send all ``deliveries`` to ``url`` and return how it went.

    Deliveries start in their order; with ``concurrency`` above 1 neighbours may overtake each other, as
    they do between a platform and its apps.

    Args:
        deliveries: read one by one, by one thread at a time.
        url: the webhook address.
        concurrency: connections, each with its own thread.
        attempts: how often each delivery is tried in all; WooCommerce itself would try once.
        on_progress: told the number of finished deliveries after each one, by one thread at a time.

    Raises:
        ValueError: if ``url`` is no http or https address.
    """
    source = iter(deliveries)
    reading = threading.Lock()
    stopped = threading.Event()
    tally = _Tally()
    failures: list[BaseException] = []
    postboxes = [Postbox(url, attempts=attempts, stopped=stopped) for _ in range(max(1, concurrency))]

    def work(postbox: Postbox) -> None:
        try:
            while not stopped.is_set() and (delivery := _next(source, reading)) is not None:
                receipt = postbox.post(delivery)
                with tally.lock:
                    tally.receipts.append(receipt)
                    if on_progress is not None:
                        on_progress(len(tally.receipts))
        except BaseException as failure:  # handed to the caller's thread, which raises it
            failures.append(failure)
            stopped.set()
        finally:
            postbox.close()

    threads = [
        threading.Thread(target=work, args=(postbox,), name="demo-send", daemon=True) for postbox in postboxes
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:
        stopped.set()
    if failures:
        raise failures[0]
    return _summary(tally.receipts)


def _next(source: Iterator[Delivery], reading: threading.Lock) -> Delivery | None:
    with reading:
        return next(source, None)


def _summary(receipts: list[Receipt]) -> Summary:
    accepted = sum(receipt.accepted for receipt in receipts)
    unanswered = sum(receipt.status is None for receipt in receipts)
    return Summary(
        sent=len(receipts),
        accepted=accepted,
        refused=len(receipts) - accepted - unanswered,
        unanswered=unanswered,
        retries=sum(receipt.attempts - 1 for receipt in receipts),
        statuses=dict(sorted(Counter(r.status for r in receipts if r.status is not None).items())),
    )
