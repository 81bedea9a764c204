"""Sends what happens in a storefront to Pannier in the background, one after the other."""

import queue
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from demo.delivery import Postbox, Receipt
from demo.messages import Delivery

REMEMBERED = 60


@dataclass
class Errand:
    """One delivery on its way. ``receipt`` is None until it was answered or given up."""

    delivery: Delivery
    queued_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    receipt: Receipt | None = None

    @property
    def state(self) -> str:
        """What to tell a reader: ``on its way``, the HTTP status, or ``no answer``."""
        if self.receipt is None:
            return "on its way"
        return "no answer" if self.receipt.status is None else str(self.receipt.status)


class Courier:
    """One thread with one connection, so that deliveries leave in the order of the events."""

    def __init__(self, url: str) -> None:
        """Prepare to send to ``url``; the thread starts with the first delivery.

        Raises:
            ValueError: if ``url`` is no http or https address.
        """
        self._stopped = threading.Event()
        self._postbox = Postbox(url, stopped=self._stopped)
        self._queue: queue.SimpleQueue[Errand | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.recent: deque[Errand] = deque(maxlen=REMEMBERED)

    def send(self, deliveries: Iterable[Delivery]) -> list[Errand]:
        """Queue ``deliveries`` and return their errands, whose state changes as they go."""
        errands = [Errand(delivery) for delivery in deliveries]
        with self._lock:
            if self._stopped.is_set():
                return errands
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="demo-courier", daemon=True)
                self._thread.start()
            for errand in errands:
                self.recent.appendleft(errand)
                self._queue.put(errand)
        return errands

    def close(self) -> None:
        """End the thread; what was not sent yet stays unsent."""
        with self._lock:
            self._stopped.set()
            self._queue.put(None)
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _work(self) -> None:
        while not self._stopped.is_set() and (errand := self._queue.get()) is not None:
            errand.receipt = self._postbox.post(errand.delivery)
        self._postbox.close()
