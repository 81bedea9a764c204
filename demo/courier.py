"""What stands behind a storefront: the platform's books, kept by its stand-in, and the webhooks it sends.

Whatever happens in the storefront is entered there first and told then, by the webhooks that Pannier has: those
of its app configuration (Shopify), or those that it made by REST when it was installed (WooCommerce).
"""

import dataclasses
import threading
import tomllib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from demo.catalogue import Listing
from demo.messages import Message
from demo.peers import woocommerce
from demo.peers.shopify import filling as shopify_filling
from demo.peers.shopify import hooks as shopify_hooks
from demo.peers.shopify.state import Event, ShopifyState
from demo.peers.woocommerce.hooks import Webhook
from demo.shops import Shop

TIMEZONE: Final = "Europe/London"
REMEMBERED: Final = 60
_APP_CONFIGURATION: Final = Path(__file__).parents[1] / "widgets" / "shopify" / "shopify.app.toml"
_NO_ANSWER: Final = "no answer"


@dataclass
class Errand:
    """One delivery on its way.

    ``state`` is what to tell a reader: ``on its way``, the HTTP status, or ``no answer``.
    """

    topic: str
    queued_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: str = "on its way"


class Courier(ABC):
    """Enters what happens in one storefront, and follows the deliveries that it sets off."""

    def __init__(self, shop: Shop, journal: Path | None) -> None:
        """Stand behind ``shop``.

        Args:
            shop: the storefront's.
            journal: a file for what happened here, which ``fill`` reads again after a restart.
        """
        self.shop = shop
        self.voice = shop.speaks("")
        self.recent: deque[Errand] = deque(maxlen=REMEMBERED)
        self._journal = journal
        self._lock = threading.Lock()
        self._open: dict[Hashable, list[Errand]] = {}

    def fill(self) -> None:
        """Enter the shop's past, and what happened here in earlier runs."""
        self._fill()
        if self._journal is not None and self._journal.exists():
            whole_lines, _, _ = self._journal.read_bytes().rpartition(b"\n")
            for line in whole_lines.splitlines():
                self._enter(**orjson.loads(line))

    def tell(self, messages: Iterable[Message], listings: Iterable[Listing] = ()) -> list[Errand]:
        """Enter what happened and tell Pannier of it; return the deliveries, whose state changes as they go.

        Args:
            messages: what is told, in this order.
            listings: products that it changed, be they told of or not.
        """
        with self._lock:
            for listing in listings:
                (added,) = self.voice.product_added(listing)
                self._note(added.topic, added.build())
            return [errand for message in messages if (errand := self._tell(message)) is not None]

    @abstractmethod
    def start(self) -> None:
        """Send what happens from now on, in a thread of its own."""

    @abstractmethod
    def close(self) -> None:
        """End the thread; what was not sent yet stays unsent."""

    @abstractmethod
    def access(self) -> dict[str, Any]:
        """Return what the merchant granted, ready for JSON: keys, tokens, webhooks. Holds secrets."""

    @abstractmethod
    def restore(self, access: Mapping[str, Any]) -> None:
        """Have granted what ``access`` returned in an earlier run."""

    @abstractmethod
    def _fill(self) -> None:
        """Enter the shop's past."""

    @abstractmethod
    def _enter(self, topic: str, body: dict[str, Any]) -> None:
        """Take over what a webhook would tell."""

    @abstractmethod
    def _hears(self, topic: str) -> bool:
        """Say whether Pannier is told of ``topic``."""

    @abstractmethod
    def _key(self, message: Message, body: Mapping[str, Any]) -> Hashable:
        """Return what an answer to the message will be known by."""

    @abstractmethod
    def _announce(self, message: Message, body: Mapping[str, Any]) -> None:
        """Have the message delivered."""

    def _tell(self, message: Message) -> Errand | None:
        body = message.build()
        self._note(message.topic, body)
        if not self._hears(message.topic):
            return None
        errand = Errand(message.topic)
        self.recent.appendleft(errand)
        self._open.setdefault(self._key(message, body), []).append(errand)
        self._announce(message, body)
        return errand

    def _note(self, topic: str, body: dict[str, Any]) -> None:
        if not topic.startswith(("order", "product")):
            return  # carts and stock are told, but there is nothing to ask for them
        self._enter(topic, body)
        if self._journal is not None:
            with self._journal.open("ab") as file:
                file.write(orjson.dumps({"topic": topic, "body": body}) + b"\n")

    def _answered(self, key: Hashable, status: int | None) -> None:
        with self._lock:
            accepted = status is not None and 200 <= status < 300
            errands = self._open.pop(key, []) if accepted else self._open.get(key, [])
            for errand in errands:
                errand.state = _NO_ANSWER if status is None else str(status)


class ShopifyCourier(Courier):
    """Behind the Shopify-like shop: its books at the stand-in, and the webhooks of the app's configuration."""

    def __init__(
        self,
        shop: Shop,
        platform: ShopifyState,
        *,
        webhook_url: str,
        client_secret: str,
        journal: Path | None = None,
    ) -> None:
        """Open ``shop`` on ``platform``.

        Args:
            shop: the storefront's.
            platform: the stand-in.
            webhook_url: where the app's configuration has deliveries sent.
            client_secret: signs them.
            journal: as for every courier.
        """
        super().__init__(shop, journal)
        self.peer = platform.shop(
            shop.domain, name=shop.name, currency=shop.currency, timezone=TIMEZONE, url=shop.base_url
        )
        self._topics = configured_topics()
        self._deliverer = shopify_hooks.Deliverer(
            webhook_url,
            client_secret,
            topics=self._topics,
            on_answer=lambda event, status: self._answered(_identity(event), status),
        )
        self._deliverer.attach(self.peer)

    def start(self) -> None:
        """Send what happens from now on, in a thread of its own."""
        self._deliverer.start(self.peer.now)

    def close(self) -> None:
        """End the thread; what was not sent yet stays unsent."""
        self._deliverer.close()

    def access(self) -> dict[str, Any]:
        """Return the app's scopes and tokens; empty where it is not installed."""
        tokens = self.peer.tokens.kept()
        return {"scopes": sorted(self.peer.scopes), "tokens": tokens} if tokens else {}

    def restore(self, access: Mapping[str, Any]) -> None:
        """Have the app installed with the tokens of an earlier run."""
        self.peer.install(access["scopes"])
        self.peer.tokens.restore(access["tokens"])

    def _fill(self) -> None:
        shopify_filling.fill(self.peer, self.shop)

    def _enter(self, topic: str, body: dict[str, Any]) -> None:
        self.peer.apply(topic, body)

    def _hears(self, topic: str) -> bool:
        return self.peer.installed and topic in self._topics

    def _key(self, message: Message, body: Mapping[str, Any]) -> Hashable:
        del body
        return message.topic, message.resource, message.at

    def _announce(self, message: Message, body: Mapping[str, Any]) -> None:
        self.peer.emit(message.topic, body, at=message.at, resource=message.resource)


def _identity(event: Event) -> Hashable:
    return event.topic, event.resource, event.at


class WooCommerceCourier(Courier):
    """Behind the WooCommerce-like shop: the store of the stand-in, with the webhooks that Pannier made in it."""

    def __init__(self, shop: Shop, *, journal: Path | None = None) -> None:
        """Open the store of ``shop``; it can be reached at the storefront's own address."""
        super().__init__(shop, journal)
        site = woocommerce.Site(
            url=shop.base_url,
            name=shop.name,
            currency=shop.currency,
            timezone=TIMEZONE,
            allow_http_callback=True,  # on loopback there is no TLS
        )
        self.store = woocommerce.WooState(site)
        self.store.install_plugin()
        self._deliverer = woocommerce.Deliverer(self.store)

    def start(self) -> None:
        """Send what happens from now on, in a thread of its own."""
        self._deliverer.start(lambda sent: self._answered((sent.topic, sent.resource_id), sent.status))

    def close(self) -> None:
        """End the thread; what was not sent yet stays unsent."""
        self._deliverer.stop()

    def access(self) -> dict[str, Any]:
        """Return the keys and webhooks of the store, and what its plugin knows; empty where there is no key."""
        keys = [dataclasses.asdict(key) for key in self.store.keys.all()]
        webhooks = [dataclasses.asdict(webhook) for webhook in self.store.hooks.all()]
        plugin = self.store.plugin.kept() if self.store.plugin else None
        return {"keys": keys, "webhooks": webhooks, "plugin": plugin} if keys else {}

    def restore(self, access: Mapping[str, Any]) -> None:
        """Have the keys, the webhooks and the plugin of an earlier run."""
        self.store.keys.restore(woocommerce.Key(**key) for key in access["keys"])
        self.store.hooks.restore(Webhook(**webhook) for webhook in access["webhooks"])
        if access.get("plugin"):
            self.store.install_plugin().restore(access["plugin"])

    def _fill(self) -> None:
        woocommerce.fill(self.store, self.shop)

    def _enter(self, topic: str, body: dict[str, Any]) -> None:
        enter: Callable[[dict[str, Any]], None] = (
            self.store.add_order if topic.startswith("order") else self.store.add_product
        )
        enter(body)

    def _hears(self, topic: str) -> bool:
        return any(hook.topic == topic and hook.status == "active" for hook in self.store.hooks.all())

    def _key(self, message: Message, body: Mapping[str, Any]) -> Hashable:
        return message.topic, int(body["id"])

    def _announce(self, message: Message, body: Mapping[str, Any]) -> None:
        self.store.hooks.announce(message.topic, int(body["id"]))


def configured_topics() -> frozenset[str]:
    """Return the topics that the Shopify app's configuration subscribes to."""
    configuration = tomllib.loads(_APP_CONFIGURATION.read_text(encoding="utf-8"))
    return frozenset(
        topic for entry in configuration["webhooks"]["subscriptions"] for topic in entry.get("topics", ())
    )
