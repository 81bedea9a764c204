"""Both demo shops, and somebody on loopback who listens to them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from demo.shops import Shop, load_shop
from tests.demo.sink import Sink, listening

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A receiver on a free port."""
    with listening() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def shop_of() -> Callable[[str], Shop]:
    """Return the shop of a platform as it stands at ``NOW``."""
    shops: dict[str, Shop] = {}

    def load(platform: str) -> Shop:
        if platform not in shops:
            shops[platform] = load_shop(platform, now=NOW)
        return shops[platform]

    return load


@pytest.fixture(scope="session")
def shopify(shop_of: Callable[[str], Shop]) -> Shop:
    return shop_of("shopify")


@pytest.fixture(scope="session")
def woocommerce(shop_of: Callable[[str], Shop]) -> Shop:
    return shop_of("woocommerce")


@pytest.fixture(scope="session", params=["shopify", "woocommerce"])
def shop(request: pytest.FixtureRequest, shop_of: Callable[[str], Shop]) -> Shop:
    """Each of the two shops."""
    return shop_of(request.param)
