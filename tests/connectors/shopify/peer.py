"""A shop of the Shopify peer, asked by the real client over loopback; every question is counted."""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.shopify.client import Result, ShopifyClient
from demo.peers.shopify.app import DEFAULT_SCOPES, Served, serve
from demo.peers.shopify.checkout import CartLine
from demo.peers.shopify.state import Shop, ShopifyState

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_NAME = re.compile(r"(?:query|mutation) (\w+)")
_NUMBERS = itertools.count(1)


class Clock:
    """Stands still until somebody waits."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return self.at.timestamp()


@dataclass
class Tokens:
    """A token that is never renewed."""

    access_token: str

    def token(self) -> str:
        return self.access_token

    def renew(self, used: str) -> str:
        raise AssertionError(f"The token {used} is good.")


class CountedClient(ShopifyClient):
    """The real client, which counts what it is asked and can be interrupted before."""

    def __init__(self, *said: Any, **more: Any) -> None:
        super().__init__(*said, **more)
        self.asked: Counter[str] = Counter()
        self.before: dict[str, Callable[[], None]] = {}

    def run(self, document: str, variables: Mapping[str, Any] | None = None) -> Result:
        match = _NAME.search(document)
        assert match is not None
        self.asked[match[1]] += 1
        if interrupt := self.before.get(match[1]):
            interrupt()
        return super().run(document, variables)

    def taken(self) -> dict[str, int]:
        """Return how often each document was sent since the last time."""
        told = dict(self.asked)
        self.asked.clear()
        return told


@dataclass
class Market:
    """One shop with products, and the ways to it."""

    shop: Shop
    clock: Clock
    client: CountedClient

    def stock(self, number: int, *prices: str, compare_at: str | None = None) -> None:
        """Put a product into the shop with a variant for each price; variant ``n`` has the number ``10 number + n``."""
        variants = [
            {"id": 10 * number + place, "price": price, "compare_at_price": compare_at, "title": str(place)}
            for place, price in enumerate(prices)
        ]
        body = {
            "id": number,
            "title": f"Product {number}",
            "variants": variants,
            "updated_at": START.isoformat(),
        }
        self.shop.add_product(body)

    def natives(self) -> list[str]:
        """Return the titles of the discounts of Shopify's own kind, in order."""
        return sorted(
            each.title for each in self.shop.discounts.all() if each.kind == "DiscountAutomaticBxgy"
        )

    def functions(self) -> list[int]:
        """Return the numbers of the discounts that run a function."""
        return [each.id for each in self.shop.discounts.all() if each.kind == "DiscountAutomaticApp"]


@contextmanager
def peer() -> Iterator[tuple[Served, ShopifyState, Clock]]:
    """Serve the peer on a free port."""
    clock = Clock()
    state = ShopifyState(now=clock)
    with serve(state, "client-id", "client-secret") as served:
        yield served, state, clock


def market(
    served: Served,
    state: ShopifyState,
    clock: Clock,
    *,
    currency: str = "GBP",
    timezone: str = "Europe/London",
    scopes: tuple[str, ...] = DEFAULT_SCOPES,
    at: datetime = START,
) -> Market:
    """Open another shop at the time ``at``, where the clock stops: its token is good for an hour from then."""
    clock.at = at
    shop = state.shop(f"market-{next(_NUMBERS)}.myshopify.com", currency=currency, timezone=timezone)
    shop.install(scopes)
    token = shop.tokens.issue(clock()).access_token
    client = CountedClient(
        shop.domain, Tokens(token), address=served.template, sleep=clock.sleep, clock=clock.monotonic
    )
    return Market(shop, clock, client)


def cart(*lines: int | tuple[int, int]) -> list[CartLine]:
    """Return a cart of variants, with numbers of pieces where there are more than one."""
    return [CartLine(*line) if isinstance(line, tuple) else CartLine(line) for line in lines]
