"""The store's webhooks, and what waits to be delivered to them.

Rules: WooCommerce 10.5.0, includes/class-wc-webhook.php and includes/wc-webhook-functions.php.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from demo.peers.woocommerce.site import Site

STATUSES = ("active", "paused", "disabled")
MOST_FAILURES = 5  # the failure after the next one disables

_POST_DELETED = ["wp_trash_post"]
_POST_RESTORED = ["untrashed_post"]
TOPIC_HOOKS: dict[str, list[str]] = {
    "coupon.created": ["woocommerce_process_shop_coupon_meta", "woocommerce_new_coupon"],
    "coupon.updated": ["woocommerce_process_shop_coupon_meta", "woocommerce_update_coupon"],
    "coupon.deleted": _POST_DELETED,
    "coupon.restored": _POST_RESTORED,
    "customer.created": ["user_register", "woocommerce_created_customer", "woocommerce_new_customer"],
    "customer.updated": ["profile_update", "woocommerce_update_customer"],
    "customer.deleted": ["delete_user"],
    "order.created": ["woocommerce_new_order"],
    "order.updated": ["woocommerce_update_order", "woocommerce_order_refunded"],
    "order.deleted": ["wp_trash_post", "woocommerce_trash_order"],
    "order.restored": ["untrashed_post", "woocommerce_untrash_order"],
    "product.created": [
        "woocommerce_process_product_meta",
        "woocommerce_new_product",
        "woocommerce_new_product_variation",
    ],
    "product.updated": [
        "woocommerce_process_product_meta",
        "woocommerce_update_product",
        "woocommerce_update_product_variation",
    ],
    "product.deleted": _POST_DELETED,
    "product.restored": _POST_RESTORED,
}


def is_topic(topic: str) -> bool:
    """Whether WooCommerce accepts ``topic``, the ``action.woocommerce_…`` ones included."""
    return topic in TOPIC_HOOKS or topic.startswith(("action.woocommerce_", "action.wc_"))


@dataclass(slots=True)
class Webhook:
    """One webhook. ``secret``, ``failure_count`` and ``pending_delivery`` are never shown over REST.

    ``pending_delivery`` says that no ping was answered with 200 yet.
    """

    id: int
    name: str
    status: str
    topic: str
    delivery_url: str
    secret: str
    user_id: int
    created: str
    modified: str
    failure_count: int = 0
    pending_delivery: bool = True

    def shown(self, site: Site) -> dict[str, Any]:
        """Return what REST says of it, without ``_links``."""
        resource, event = self.topic.split(".", 1)
        hooks = TOPIC_HOOKS.get(self.topic, [event])
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "topic": self.topic,
            "resource": resource,
            "event": event,
            "hooks": hooks,
            "delivery_url": self.delivery_url,
            "date_created": site.local(self.created),
            "date_created_gmt": self.created,
            "date_modified": site.local(self.modified),
            "date_modified_gmt": self.modified,
        }


@dataclass(frozen=True, slots=True)
class Pending:
    """A delivery to be: its body is built when it is sent."""

    webhook_id: int
    resource_id: int


class Hooks:
    """All webhooks of a store and their queue. Safe to use from several threads."""

    def __init__(self, site: Site) -> None:
        """Begin without webhooks."""
        self._site = site
        self._lock = threading.RLock()
        self._webhooks: dict[int, Webhook] = {}
        # A dict, because it keeps the order and finds what is waiting already.
        self._queue: dict[Pending, None] = {}
        self._last = 0
        self.news = threading.Event()

    def create(
        self,
        *,
        topic: str,
        delivery_url: str,
        secret: str,
        name: str,
        status: str = "active",
        user_id: int = 1,
    ) -> Webhook:
        """Return a new webhook; whoever calls this pings it."""
        with self._lock:
            self._last += 1
            now = self._site.stamp()
            webhook = Webhook(self._last, name, status, topic, delivery_url, secret, user_id, now, now)
            self._webhooks[webhook.id] = webhook
            return webhook

    def find(self, webhook_id: int) -> Webhook | None:
        """Return a webhook."""
        with self._lock:
            return self._webhooks.get(webhook_id)

    def all(self) -> list[Webhook]:
        """Return all webhooks, oldest first."""
        with self._lock:
            return list(self._webhooks.values())

    def restore(self, webhooks: Iterable[Webhook]) -> None:
        """Have ``webhooks`` in place of all others, as after a restart."""
        with self._lock:
            self._webhooks = {webhook.id: webhook for webhook in webhooks}
            self._last = max(self._webhooks, default=0)

    def update(self, webhook_id: int, **changes: Any) -> bool:
        """Change a webhook; True if it has to be pinged: a new address, or no good ping yet.

        The count of failures stays as it is, also when a disabled webhook becomes active again.

        Raises:
            KeyError: if there is none.
        """
        with self._lock:
            webhook = self._webhooks[webhook_id]
            moved = changes.get("delivery_url", webhook.delivery_url) != webhook.delivery_url
            for name, value in changes.items():
                setattr(webhook, name, value)
            webhook.modified = self._site.stamp()
            return moved or webhook.pending_delivery

    def delete(self, webhook_id: int) -> None:
        """Delete a webhook; what was queued for it will not be sent."""
        with self._lock:
            self._webhooks.pop(webhook_id, None)

    def announce(self, topic: str, resource_id: int) -> None:
        """Queue an event for every active webhook of ``topic``, unless the same is waiting already."""
        with self._lock:
            for webhook in self._webhooks.values():
                if webhook.topic == topic and webhook.status == "active":
                    self._queue.setdefault(Pending(webhook.id, resource_id))
                    self.news.set()

    def pending(self) -> int:
        """Return how many deliveries wait."""
        with self._lock:
            return len(self._queue)

    def take_pending(self) -> list[Pending]:
        """Empty the queue and return what was in it, oldest first."""
        with self._lock:
            taken = list(self._queue)
            self._queue.clear()
            self.news.clear()
            return taken

    def pinged(self, webhook: Webhook, status: int | None) -> None:
        """Note how a ping was answered: only exactly 200 counts."""
        with self._lock:
            webhook.pending_delivery = status != 200

    def delivered(self, webhook: Webhook, status: int | None) -> bool:
        """Note how a delivery was answered (None: not at all) and return whether that is a success.

        200 to 302 is a success and forgives earlier failures; the seventh failure in a row disables.
        """
        with self._lock:
            if status is not None and 200 <= status < 303:
                webhook.failure_count = 0
                return True
            if webhook.failure_count > MOST_FAILURES:
                webhook.status = "disabled"
            else:
                webhook.failure_count += 1
            return False
