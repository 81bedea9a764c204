"""How the store's server calls others: pings, deliveries, and what may happen to them on the way.

Rules: WooCommerce 10.5.0. A ping is an unsigned form, follows redirects and is good at exactly 200. A delivery
is signed JSON built when it is sent, follows nothing, is never tried again, and succeeds from 200 to 302.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import requests

from demo.peers.woocommerce.hooks import Webhook
from demo.peers.woocommerce.site import Site
from demo.peers.woocommerce.state import WooState
from demo.woocommerce_format import encode, user_agent, webhook_headers

PING_TIMEOUT_S = 5.0
DELIVERY_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery that was sent: ``status`` is None when nobody answered."""

    webhook_id: int
    topic: str
    resource_id: int
    status: int | None


def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float, follow: bool) -> int | None:
    """Post from the store's server and return the status, None if nobody answered."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.post(
                url,
                data=body,
                headers={**headers, "Connection": "close"},
                timeout=timeout_s,
                allow_redirects=follow,
            )
        except requests.RequestException:
            return None
        return answer.status_code


def ping(state: WooState, webhook: Webhook) -> None:
    """Tell the receiver that the webhook exists."""
    headers = {
        "User-Agent": user_agent(state.site.woocommerce, state.site.wordpress),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    body = f"webhook_id={webhook.id}".encode()
    status = post(webhook.delivery_url, body, headers, timeout_s=PING_TIMEOUT_S, follow=True)
    state.hooks.pinged(webhook, status)


def signed(site: Site, webhook: Webhook, payload: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
    """Return headers and body of a delivery."""
    body = encode(dict(payload))
    headers = webhook_headers(
        body,
        agent=user_agent(site.woocommerce, site.wordpress),
        home=site.home,
        topic=webhook.topic,
        webhook_id=webhook.id,
        secret=webhook.secret,
        at=site.now(),
    )
    return headers, body


class Deliverer:
    """The store's task queue: sends what waits, one after the other."""

    def __init__(
        self,
        state: WooState,
        *,
        drop: float = 0.0,
        duplicate: float = 0.0,
        shuffle: bool = False,
        seed: int = 0,
        timeout_s: float = DELIVERY_TIMEOUT_S,
    ) -> None:
        """Send for ``state``.

        Args:
            state: the store.
            drop: the probability that a delivery is lost before it is sent.
            duplicate: the probability that a delivery is sent twice.
            shuffle: whether each batch is sent in a random order.
            seed: decides all three.
            timeout_s: how long the receiver may take.
        """
        self._state = state
        self._drop = drop
        self._duplicate = duplicate
        self._shuffle = shuffle
        self._random = Random(seed)
        self._timeout_s = timeout_s
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.dropped = 0
        self.duplicated = 0

    def deliver(self) -> list[Sent]:
        """Send what waits now and return what was sent, in that order."""
        batch = []
        for pending in self._state.hooks.take_pending():
            if self._random.random() < self._drop:
                self.dropped += 1
                continue
            batch.append(pending)
            if self._random.random() < self._duplicate:
                self.duplicated += 1
                batch.append(pending)
        if self._shuffle:
            self._random.shuffle(batch)
        sent = []
        for pending in batch:
            webhook = self._state.hooks.find(pending.webhook_id)
            if webhook is not None and not self._stopped.is_set():
                sent.append(self._send(webhook, pending.resource_id))
        return sent

    def start(self, on_sent: Callable[[Sent], None] | None = None) -> None:
        """Send from now on, in a thread of its own, as soon as something waits; ``on_sent`` hears of each."""

        def work() -> None:
            while not self._stopped.is_set():
                self._state.hooks.news.wait()
                for sent in self.deliver():
                    if on_sent is not None:
                        on_sent(sent)

        self._thread = threading.Thread(target=work, name="woocommerce-deliveries", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread once its current delivery is answered; what waits stays unsent."""
        self._stopped.set()
        self._state.hooks.news.set()
        if self._thread is not None:
            self._thread.join(timeout=self._timeout_s)

    def _send(self, webhook: Webhook, resource_id: int) -> Sent:
        payload = self._state.payload(webhook.topic, resource_id, webhook.user_id)
        headers, body = signed(self._state.site, webhook, payload)
        status = post(webhook.delivery_url, body, headers, timeout_s=self._timeout_s, follow=False)
        self._state.hooks.delivered(webhook, status)
        if webhook.pending_delivery:
            ping(self._state, webhook)
        return Sent(webhook.id, webhook.topic, resource_id, status)
