"""A price that is written over the platform's API is what the WooCommerce-like shop asks, now and after a restart."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.prices import ListPrice, PriceWrite
from connectors.woocommerce.client import WooCommerceClient
from connectors.woocommerce.prices import WooCommercePrices
from demo.courier import WooCommerceCourier
from demo.peers.woocommerce import serve
from demo.shops import Shop
from tests.demo.front import Front, opened
from tests.demo.sink import Sink

CART = "/wp-json/wc/store/v1/cart"


@pytest.fixture
def front(woocommerce: Shop, sink: Sink, tmp_path: Path) -> Iterator[Front]:
    with opened(woocommerce, sink, tmp_path / "shelves.json") as storefront:
        courier = storefront.till.courier
        assert isinstance(courier, WooCommerceCourier)
        for listing in storefront.till.shelves.all()[:40]:
            courier.tell((), [listing])
        yield storefront


@pytest.fixture
def prices(front: Front) -> Iterator[WooCommercePrices]:
    courier = front.till.courier
    assert isinstance(courier, WooCommerceCourier)
    key = courier.store.create_key()
    with serve(courier.store) as url:
        client = WooCommerceClient(url, key.consumer_key, key.consumer_secret, allow_loopback=True)
        yield WooCommercePrices(client, "GBP")


def test_page_and_cart_ask_the_price_that_was_written(
    front: Front, prices: WooCommercePrices, woocommerce: Shop, sink: Sink, tmp_path: Path
) -> None:
    (product,) = front.listed(fit=lambda x: x.stock > 30 and x.product.number < 40)
    identifier, old = front.till.identifier(product), product.price
    nonce = front.client.get(CART).headers["Nonce"]
    body = {"id": int(identifier), "quantity": 2}
    front.client.post(f"{CART}/add-item", json=body, headers={"Nonce": nonce})

    (outcome,) = prices.write([PriceWrite(identifier, identifier, old + 100, old + 250, old, "GBP")])

    assert outcome.problem is None
    (item,) = front.client.get(CART).json["items"]
    assert (item["prices"]["price"], item["prices"]["regular_price"]) == (str(old + 100), str(old + 250))
    totals = item["totals"]
    assert int(totals["line_total"]) + int(totals["line_total_tax"]) == 2 * (old + 100)
    page = front.client.get(f"/product/{product.handle}/").text
    assert f"£{(old + 100) // 100}.{(old + 100) % 100:02d}" in page
    # A change of the stock afterwards says nothing of the price that was before.
    front.till.change_listing(product.number, "restock")
    assert prices.read(identifier) == {identifier: ListPrice(identifier, old + 100, old + 250)}
    with opened(woocommerce, sink, tmp_path / "shelves.json") as again:
        kept = again.till.shelves[product.number].product
        assert (kept.price, kept.compare_at_price) == (old + 100, old + 250)


def test_a_price_without_one_to_compare_with_ends_a_sale(front: Front, prices: WooCommercePrices) -> None:
    (product,) = front.listed(fit=lambda x: x.product.compare_at_price is not None and x.product.number < 40)
    identifier = front.till.identifier(product)
    write = PriceWrite(identifier, identifier, product.price, None, product.price, "GBP")

    was = product.compare_at_price or 0
    struck = f"£{was // 100}.{was % 100:02d}"
    page = f"/product/{product.handle}/"
    assert struck in front.client.get(page).text

    assert [outcome.problem for outcome in prices.write([write])] == [None]

    now = front.till.shelves[product.number].product
    assert (now.price, now.compare_at_price) == (product.price, None)
    assert struck not in front.client.get(page).text
