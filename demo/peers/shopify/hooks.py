"""Webhooks on their way to an app: signed, lost, doubled and shuffled, and tried again as Shopify does.

Source: shopify.dev, webhooks: one second to connect and five in all, every status but 2xx is a failure, and a
failed delivery is tried eight more times within four hours with growing pauses (their lengths are not
published; here they double). A subscription of the API is deleted when a delivery failed for good.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from demo.delivery import Postbox, Receipt
from demo.messages import Delivery, Message
from demo.peers.shopify.state import COMPLIANCE_TOPICS, Event, Shop, Subscription
from demo.shopify_shop import ShopifyShop

RETRIES: Final = 8
RETRY_SPAN: Final = timedelta(hours=4)
RETRY_PAUSES: Final = tuple(RETRY_SPAN / (2**RETRIES - 1) * 2**turn for turn in range(RETRIES))
"""56 seconds to two hours: together the four hours that Shopify tries."""

Post = Callable[[str, Delivery], int | None]
"""Sends a delivery to an address and returns the status, None if nobody answered."""


def post(url: str, delivery: Delivery) -> int | None:
    """Send ``delivery`` once over HTTP, as Shopify does."""
    postbox = Postbox(url, attempts=1)
    try:
        receipt: Receipt = postbox.post(delivery)
    finally:
        postbox.close()
    return receipt.status


@dataclass(frozen=True, slots=True)
class Parcel:
    """One delivery that is due: of what, where to, which attempt it will be (from 0), and on whose behalf."""

    event: Event
    delivery: Delivery
    url: str
    due: datetime
    attempt: int = 0
    subscription: Subscription | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of deliveries: accepted ones, failed attempts, given up, and by fate lost or doubled."""

    accepted: int
    failures: int
    abandoned: int
    dropped: int
    doubled: int


class Deliverer:
    """Shopify's webhook system for one app.

    Every event of the shops it is attached to becomes a delivery for the app's own address (if the topic is
    subscribed to) and for each subscription of the API. They wait until ``pump`` or ``settle`` sends them, or
    a thread does after ``start``.
    """

    def __init__(
        self,
        url: str,
        client_secret: str,
        *,
        topics: Iterable[str] | None = None,
        drop: float = 0.0,
        duplicate: float = 0.0,
        shuffle: bool = False,
        seed: int = 1,
        pace: float = 1.0,
        post: Post = post,
        on_answer: Callable[[Event, int | None], None] = lambda _event, _status: None,
    ) -> None:
        """Prepare to tell the app.

        Args:
            url: the app's webhook address.
            client_secret: signs the deliveries.
            topics: of the app's configuration; None subscribes to all. Compliance topics always are.
            drop: probability that a delivery is never sent.
            duplicate: probability that a delivery is sent twice.
            shuffle: send what is due together in random order.
            seed: of all that chance decides.
            pace: multiplies the pauses between attempts; 0.001 tries for 14 seconds instead of four hours.
            post: sends one delivery.
            on_answer: hears of each attempt for an event, with the status, None if nobody answered.
        """
        self._url = url
        self._secret = client_secret
        self._topics = None if topics is None else frozenset(topics) | COMPLIANCE_TOPICS
        self._drop = drop
        self._duplicate = duplicate
        self._shuffle = shuffle
        self._random = Random(seed)
        self._pace = pace
        self._post = post
        self._on_answer = on_answer
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting: list[Parcel] = []
        self._counted: Counter[str] = Counter()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def attach(self, *shops: Shop) -> None:
        """Deliver the events of ``shops`` from now on."""
        for shop in shops:
            shop.listeners.append(self.take)

    def take(self, event: Event) -> None:
        """Queue the deliveries of one event."""
        with self._changed:
            for parcel in self._parcels(event):
                chance = self._random.random()
                if chance < self._drop:
                    self._counted["dropped"] += 1
                    continue
                double = self._random.random() < self._duplicate
                self._counted["doubled"] += double
                self._waiting.extend([parcel] * (1 + double))
            self._changed.notify_all()

    def tally(self) -> Tally:
        """Return how it went so far."""
        with self._lock:
            names = ("accepted", "failures", "abandoned", "dropped", "doubled")
            return Tally(*(self._counted[name] for name in names))

    def pump(self, now: datetime) -> int:
        """Send everything that is due at ``now``, and return how many attempts that took."""
        with self._lock:
            due = [parcel for parcel in self._waiting if parcel.due <= now]
            self._waiting = [parcel for parcel in self._waiting if parcel.due > now]
            if self._shuffle:
                self._random.shuffle(due)
        for parcel in due:
            self._send(parcel, now)
        return len(due)

    def settle(self, now: datetime) -> int:
        """Send until nothing waits any more, as if the pauses had passed, and return the attempts."""
        attempts = 0
        moment: datetime | None = now
        while moment is not None:
            now = max(now, moment)
            attempts += self.pump(now)
            moment = self._next_due()
        return attempts

    def start(self, now: Callable[[], datetime]) -> None:
        """Send from now on in a thread of its own, by the clock ``now``."""
        self._thread = threading.Thread(target=self._work, args=(now,), name="shopify-hooks", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; what still waits stays unsent."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _work(self, now: Callable[[], datetime]) -> None:
        while True:
            with self._changed:
                due = min((parcel.due for parcel in self._waiting), default=None)
                pause = None if due is None else max(0.0, (due - now()).total_seconds())
                if not self._stopped and pause != 0.0:
                    self._changed.wait(pause)
                if self._stopped:
                    return
            self.pump(now())

    def _next_due(self) -> datetime | None:
        with self._lock:
            return min((parcel.due for parcel in self._waiting), default=None)

    def _parcels(self, event: Event) -> Iterable[Parcel]:
        delivery = self._signed(event)
        if self._topics is None or event.topic in self._topics:
            yield Parcel(event, delivery, self._url, event.at)
        name = event.topic.replace("/", "_").upper()
        for subscription in list(event.shop.subscriptions.values()):
            if subscription.topic == name:
                # One event, but a delivery of its own for each subscription.
                identity = f"{delivery.headers['X-Shopify-Webhook-Id']}/{subscription.id}"
                headers = {**delivery.headers, "X-Shopify-Webhook-Id": str(uuid5(NAMESPACE_URL, identity))}
                if subscription.name:
                    headers["X-Shopify-Name"] = subscription.name
                own = replace(delivery, headers=headers)
                yield Parcel(event, own, subscription.uri, event.at, subscription=subscription)

    def _signed(self, event: Event) -> Delivery:
        voice = ShopifyShop(
            domain=event.shop.domain,
            base_url="",
            currency=event.shop.currency,
            vendor="",
            secret=self._secret,
        )
        resource = f"{event.resource}/{event.number}"
        return voice.sign(Message(event.topic, event.at, resource, lambda: dict(event.body)))

    def _send(self, parcel: Parcel, now: datetime) -> None:
        status = self._post(parcel.url, parcel.delivery)
        self._on_answer(parcel.event, status)
        with self._changed:
            if status is not None and 200 <= status < 300:
                self._counted["accepted"] += 1
                return
            self._counted["failures"] += 1
            if parcel.attempt < RETRIES:
                due = now + RETRY_PAUSES[parcel.attempt] * self._pace
                self._waiting.append(replace(parcel, due=due, attempt=parcel.attempt + 1))
                self._changed.notify_all()
                return
            self._counted["abandoned"] += 1
        if parcel.subscription is not None:
            parcel.event.shop.subscriptions.pop(parcel.subscription.id, None)
