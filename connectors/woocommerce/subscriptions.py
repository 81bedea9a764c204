"""A store's webhooks: each topic delivered to us once, and nobody else's touched.

Ours are those with our delivery address, which no other store has. A store disables a webhook after seven failures
in a row, tells nobody, and drops what happens meanwhile; so somebody has to look. Switched back on it keeps its
count of failures, and the next one ends it again: it is made anew instead. One that staff paused is switched back
on.

A store does not tell the secret of a webhook. Those that are found well are taken to have the one that we know;
where it was lost or replaced, ``remove`` comes before ``ensure``.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from connectors.errors import NotFound, Rejected, Unreachable
from connectors.source import SubscriptionReport

if TYPE_CHECKING:
    from connectors.woocommerce.source import Rest

TOPICS: Final = (
    "order.created",
    "order.updated",
    "order.deleted",
    "order.restored",
    "product.created",
    "product.updated",
    "product.deleted",
    "product.restored",
    # A new customer is updated, too.
    "customer.updated",
    "customer.deleted",
)

_PATH: Final = "webhooks"
_PAGE: Final = 100
_SECRET: Final = re.compile(r"[A-Za-z0-9]{16,}")
_BEST_FIRST: Final = ("active", "paused", "disabled")

_Hook = dict[str, Any]


def ensure(rest: "Rest", delivery_url: str, secret: str) -> SubscriptionReport:
    """Have every topic delivered to ``delivery_url`` exactly once.

    A topic that the store refuses is reported as a problem and does not keep the others from being made. The
    store calls the address while a webhook is made, so it must answer already.

    Args:
        rest: the store's REST interface.
        delivery_url: the address of this store's deliveries.
        secret: what new webhooks are signed with.

    Raises:
        ValueError: if ``secret`` is not at least 16 letters and digits: WooCommerce signs with another one than
            it was given if that holds HTML entities.
        connectors.errors.PlatformError: if the store cannot be asked.
    """
    if not _SECRET.fullmatch(secret):
        raise ValueError("A webhook's secret must be at least 16 letters and digits.")
    ours: dict[str, list[_Hook]] = defaultdict(list)
    for hook in _own(rest, delivery_url):
        ours[hook["topic"]].append(hook)
    removed = [topic for topic in sorted(ours) if topic not in TOPICS for _ in ours[topic]]
    for topic in set(removed):
        _delete(rest, ours[topic])
    done: dict[str, list[str]] = defaultdict(list)
    for topic in TOPICS:
        hooks = sorted(ours[topic], key=_rank)
        try:
            done[_mend(rest, topic, hooks[0] if hooks else None, delivery_url, secret)].append(topic)
            _delete(rest, hooks[1:])
        except Rejected as error:
            done["problems"].append(f"{topic}: {error}")
        else:
            removed += [topic] * len(hooks[1:])
    return SubscriptionReport(
        active=tuple(done["active"]),
        created=tuple(done["created"]),
        reactivated=tuple(done["reactivated"]),
        removed=tuple(removed),
        problems=tuple(done["problems"]),
    )


def remove(rest: "Rest", delivery_url: str) -> None:
    """Delete every webhook that delivers to ``delivery_url``.

    Raises:
        connectors.errors.PlatformError: if the store cannot be asked or refuses.
    """
    _delete(rest, _own(rest, delivery_url))


def _own(rest: "Rest", delivery_url: str) -> list[_Hook]:
    """Return the webhooks that deliver to ``delivery_url``."""
    found: list[_Hook] = []
    page = 1
    while True:
        body = rest.get(_PATH, {"orderby": "id", "order": "asc", "per_page": _PAGE, "page": page}).body
        if not isinstance(body, list) or not all(isinstance(hook, dict) for hook in body):
            raise Unreachable("The shop answered, but not with its list of webhooks.")
        found += [hook for hook in body if hook.get("delivery_url") == delivery_url]
        if len(body) < _PAGE:
            return found
        page += 1


def _rank(hook: Mapping[str, Any]) -> tuple[int, int]:
    """Return what puts the webhook to keep first: one that works, then the oldest."""
    status = hook.get("status")
    return _BEST_FIRST.index(status) if status in _BEST_FIRST else len(_BEST_FIRST), hook["id"]


def _mend(rest: "Rest", topic: str, hook: _Hook | None, delivery_url: str, secret: str) -> str:
    """Have a topic delivered, and return what that took: nothing ("active"), "created" or "reactivated"."""
    if hook is None:
        _create(rest, topic, delivery_url, secret)
        return "created"
    if hook["status"] == "active":
        return "active"
    if hook["status"] == "paused":
        try:
            rest.put(f"{_PATH}/{hook['id']}", {"status": "active", "secret": secret})
        except NotFound:  # somebody else deleted it just now
            _create(rest, topic, delivery_url, secret)
            return "created"
        return "reactivated"
    _create(rest, topic, delivery_url, secret)
    _delete(rest, [hook])
    return "reactivated"


def _create(rest: "Rest", topic: str, delivery_url: str, secret: str) -> None:
    """Make a webhook."""
    body = {
        "name": f"Pannier {topic}",
        "topic": topic,
        "delivery_url": delivery_url,
        "secret": secret,
        "status": "active",
    }
    rest.post(_PATH, body)


def _delete(rest: "Rest", hooks: list[_Hook]) -> None:
    """Delete webhooks; one that is gone already is well."""
    for hook in hooks:
        try:
            rest.delete(f"{_PATH}/{hook['id']}")
        except NotFound:
            continue
