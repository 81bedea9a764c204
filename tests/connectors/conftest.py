"""Bodies of the platforms, as recorded and as documented, for the connectors' tests."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.base import DeliveryContext

PAYLOADS = Path(__file__).parents[1] / "payloads"
RECEIVED = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Recording:
    """One request as a shop sent it."""

    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return orjson.loads(self.raw)


@pytest.fixture(scope="session")
def recording() -> Callable[[str], Recording]:
    """Return a recorded WooCommerce delivery by its name without the ending."""

    def read(name: str) -> Recording:
        head, _, raw = (PAYLOADS / "woocommerce" / f"{name}.raw").read_bytes().partition(b"\r\n\r\n")
        lines = head.decode().splitlines()[1:]
        return Recording(dict(line.split(": ", 1) for line in lines), raw)

    return read


@pytest.fixture(scope="session")
def sample() -> Callable[[str], Any]:
    """Return a fresh copy of Shopify's sample body of a topic, or of our own for a compliance topic."""

    def read(topic: str) -> Any:
        paths = [PAYLOADS / "shopify" / folder / f"{topic}.json" for folder in ("samples", "compliance")]
        return orjson.loads(next(path for path in paths if path.exists()).read_bytes())

    return read


@pytest.fixture(scope="session")
def pseudonym() -> Callable[[str], str]:
    """Return a keyed hash in hex, as a store's vault makes it."""
    return lambda identifier: hmac.digest(b"key of the store", identifier.encode(), "sha256").hex()


@pytest.fixture(scope="session")
def delivered() -> Callable[..., DeliveryContext]:
    """Return what is known about a delivery beside its body (``context`` is a fixture of Playwright's)."""

    def make(topic: str, *, currency: str = "USD", triggered_at: datetime | None = None) -> DeliveryContext:
        return DeliveryContext(topic, currency, triggered_at, RECEIVED)

    return make
