"""What these tests stand on."""

from collections.abc import Iterator

import pytest
from woocommerce import API

from demo.peers.woocommerce import Key, Site, WooState, serve
from tests.demo.peers.woocommerce.store import NOW, SHIRT, client, recorded, variation


@pytest.fixture
def state(same_clock: None) -> WooState:
    """A store with two simple products, one with a variation, and an order of all three."""
    store = WooState(Site(currency="EUR", clock=lambda: NOW))
    store.add_product(recorded("0018"))
    store.add_product(recorded("0019"))
    shirt = {**recorded("0019"), "id": SHIRT, "name": "Barista T-Shirt", "type": "variable"}
    store.add_product({**shirt, "manage_stock": False, "stock_quantity": None}, [variation()])
    store.add_order(recorded("0016"))
    return store


@pytest.fixture
def peer(state: WooState) -> Iterator[str]:
    with serve(state) as url:
        yield url


@pytest.fixture
def key(state: WooState) -> Key:
    return state.create_key()


@pytest.fixture
def api(peer: str, key: Key) -> API:
    return client(peer, key)


@pytest.fixture
def same_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client signs at ``NOW``."""
    monkeypatch.setattr("woocommerce.api.time", NOW.timestamp)
