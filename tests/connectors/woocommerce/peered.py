"""A connector that speaks to the WooCommerce stand-in over loopback, and what it asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.commerce.offers import Component, Discount, DiscountKind, Terms
from connectors.woocommerce.client import WooCommerceClient
from demo.peers.woocommerce import Key, Site, WooState, serve

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
SECRET = bytes(range(32))


@dataclass
class Clock:
    """The time of both sides."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


class Asking(WooCommerceClient):
    """The real client, that notes its requests: method, namespace and path."""

    asked: list[tuple[str, str]]

    def _attempt(self, method: Any, path: str, params: Any, body: Any, seconds: float) -> Any:
        space = self._signer.version
        self.asked.append((method, path if space == "wc/v3" else f"{space}/{path}"))
        return super()._attempt(method, path, params, body, seconds)


@dataclass
class Peer:
    """One shop, and the client of its connector."""

    state: WooState
    clock: Clock
    client: Asking
    key: Key

    def asked(self) -> list[tuple[str, str]]:
        """Return what was asked since the last call."""
        found, self.client.asked[:] = list(self.client.asked), []
        return found

    def writes(self) -> list[tuple[str, str]]:
        """Return what was written since the last call."""
        return [request for request in self.asked() if request[0] != "GET"]


@contextmanager
def peered(currency: str = "EUR") -> Iterator[Peer]:
    """Serve a shop without products, and yield it with a client whose keys it knows."""
    clock = Clock()
    state = WooState(Site(currency=currency, clock=clock))
    key = state.create_key()
    with serve(state) as url:
        client = Asking(
            url,
            key.consumer_key,
            key.consumer_secret,
            allow_loopback=True,
            sleep=lambda _: None,
        )
        client.asked = []
        yield Peer(state, clock, client, key)


def terms(
    key: str,
    products: tuple[str, ...] = ("12", "13"),
    *,
    discounted: tuple[str, ...] | None = None,
    percent: int | None = None,
    amount: int | None = None,
    **changes: Any,
) -> Terms:
    """Return the terms of an offer: 10 % off all of ``products``, unless something else is said."""
    discount = (
        Discount(DiscountKind.AMOUNT, amount)
        if amount is not None
        else Discount(DiscountKind.PERCENT, 1000 if percent is None else percent)
    )
    defaults: dict[str, Any] = {
        "key": key,
        "title": f"Together ({key})",
        "components": tuple(Component(product_id) for product_id in products),
        "discounted": products if discounted is None else discounted,
        "discount": discount,
        "currency": "EUR",
        "starts_at": NOW - timedelta(days=1),
    }
    return Terms(**{**defaults, **changes})
