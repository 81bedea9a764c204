"""The storefronts' pages, and what an order or a shopkeeper's change sets off."""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import orjson
import pytest

from connectors.registry import connector_for
from demo.shops import Shop
from demo.storefront import create_storefront, serve
from tests.demo.front import SECRET, Front, courier_to, opened
from tests.demo.sink import Sink

CATALOGUE = {"shopify": "/collections/all", "woocommerce": "/shop/"}
CATEGORY = {"shopify": "/collections/bags-travel", "woocommerce": "/product-category/bags-travel/"}
CART = {"shopify": "/cart", "woocommerce": "/cart/"}


@pytest.fixture
def front(shop: Shop, sink: Sink) -> Iterator[Front]:
    with opened(shop, sink) as storefront:
        yield storefront


def product_path(front: Front, handle: str) -> str:
    return f"/products/{handle}" if front.till.shop.platform == "shopify" else f"/product/{handle}/"


def names(html: str) -> list[str]:
    return [unescape(name) for name in re.findall(r'<span class="name">([^<]+)</span>', html)]


def put_into_cart(front: Front, number: int, quantity: int = 1) -> None:
    product = front.till.shop.products[number]
    field = "id" if front.till.shop.platform == "shopify" else "add-to-cart"
    answer = front.client.post(
        "/cart/add", data={field: front.till.variant_identifier(product), "quantity": str(quantity)}
    )
    assert answer.status_code == 302


def test_every_page_opens_and_loads_nothing_from_elsewhere(front: Front) -> None:
    platform = front.till.shop.platform
    (product,) = front.listed()
    put_into_cart(front, product.number)
    order = front.client.post("/checkout").headers["Location"]

    for path in (
        "/",
        CATALOGUE[platform],
        CATEGORY[platform],
        product_path(front, product.handle),
        CART[platform],
        "/admin",
        order,
    ):
        answer = front.client.get(path)
        assert answer.status_code == 200, path
        assert answer.text.startswith("<!doctype html>")
        assert len(re.findall(r"<h1", answer.text)) == 1
        loaded = re.findall(r'(?:src|action)="(https?:[^"]+)"|<link[^>]+href="(https?:[^"]+)"', answer.text)
        assert [
            url for pair in loaded for url in pair if url and not url.startswith("http://127.0.0.1:8000/")
        ] == []
    assert front.client.get("/nowhere").status_code == 404


def test_a_product_page_carries_the_widget(front: Front) -> None:
    platform = front.till.shop.platform
    (product,) = front.listed()

    html = front.client.get(product_path(front, product.handle)).text

    (script,) = re.findall(r"<script async[^>]*>", html)
    assert 'src="http://127.0.0.1:8000/v1/widget.js"' in script
    assert 'data-key="pk_test"' in script
    assert f'data-platform="{platform}"' in script
    assert f'data-product-id="{front.till.identifier(product)}"' in script
    (box,) = re.findall(r"<pannier-bundle[^>]*>", html)
    assert f'product-id="{front.till.identifier(product)}"' in box
    assert f'variant-id="{front.till.variant_identifier(product)}"' in box
    assert f'product-price="{product.price}"' in box
    assert ("window.Shopify" in html) == (platform == "shopify")


def test_without_a_key_there_is_no_widget(front: Front) -> None:
    (product,) = front.listed()
    front.till.publishable_key = None

    page = front.client.get(product_path(front, product.handle)).text

    assert "widget.js" not in page


def test_a_sold_out_product_can_be_seen_but_not_bought(front: Front) -> None:
    gone = next(listing.product for listing in front.till.shop.listings if listing.stock == 0)

    html = front.client.get(product_path(front, gone.handle)).text

    assert "Sold out" in html
    assert 'action="/cart/add"' not in html
    assert "variant-id" not in html


@pytest.mark.parametrize("status", ["draft", "archived"])
def test_a_product_that_is_no_product_any_more_has_no_page(front: Front, status: str) -> None:
    gone = next(listing.product for listing in front.till.shop.listings if listing.status == status)

    assert front.client.get(product_path(front, gone.handle)).status_code == 404


def test_the_catalogue_shows_what_is_on_show_page_by_page(front: Front) -> None:
    path = CATALOGUE[front.till.shop.platform]
    on_show = [listing.product for listing in front.till.shelves.all() if listing.on_show]
    best = sorted(on_show, key=lambda product: product.rank)

    one, two = front.client.get(path).text, front.client.get(f"{path}?page=2").text

    assert names(one) == [product.name for product in best[:24]]
    assert names(two) == [product.name for product in best[24:48]]
    assert f"{len(on_show)} products" in one
    assert names(front.client.get(f"{path}?page=9999").text) == [
        p.name for p in best[-((len(best) - 1) % 24 + 1) :]
    ]


def test_the_catalogue_can_be_searched_sorted_and_filtered(front: Front) -> None:
    platform = front.till.shop.platform

    found = names(front.client.get(f"{CATALOGUE[platform]}?q=red+BAG").text)
    cheap = front.client.get(f"{CATEGORY[platform]}?sort=price").text

    assert found
    assert all("red" in name.lower() and "bag" in name.lower() for name in found)
    prices = [
        int(pounds) * 100 + int(pence) for pounds, pence in re.findall(r'class="now">£(\d+)\.(\d\d)<', cheap)
    ]
    assert prices == sorted(prices)
    assert len(prices) == 24
    assert "Nothing matches" in front.client.get(f"{CATALOGUE[platform]}?q=qqqq").text


def test_a_search_word_is_shown_as_text(front: Front) -> None:
    html = front.client.get(f"{CATALOGUE[front.till.shop.platform]}?q=<script>alert(1)</script>").text

    assert "<script>alert" not in html


def test_a_picture_is_served(front: Front) -> None:
    (product,) = front.listed()
    path = front.till.voice.picture_url(product).removeprefix(front.till.shop.base_url)

    answer = front.client.get(path)

    assert answer.mimetype == "image/svg+xml"
    assert answer.text.startswith("<svg ")
    assert "Set-Cookie" not in answer.headers
    assert front.client.get(path.replace(product.handle, "nothing")).status_code == 404


def test_the_cart_keeps_changes_and_forgets(front: Front) -> None:
    platform = front.till.shop.platform
    a, b = front.listed(2)
    put_into_cart(front, a.number, 2)
    put_into_cart(front, b.number)
    put_into_cart(front, a.number)
    html = front.client.get(CART[platform]).text
    keys = re.findall(r'name="key" value="([^"]+)"', html)

    front.client.post("/cart/change", data={"key": keys[0], "quantity": "1"})
    front.client.post("/cart/change", data={"key": keys[-1], "quantity": "0"})

    (cart,) = front.till.carts._carts.values()
    assert [(line.product, line.quantity) for line in cart.lines.values()] == [(a, 1)]
    assert 'data-cart-count aria-live="polite">3<' not in front.client.get(CART[platform]).text
    assert front.app.test_client().get(CART[platform]).text.count("is empty") == 1


def test_the_cart_takes_no_more_than_there_is(front: Front) -> None:
    (scarce,) = front.listed(fit=lambda listing: 0 < listing.stock < 30)
    stock = front.till.shelves[scarce.number].stock
    put_into_cart(front, scarce.number, stock)

    field = "id" if front.till.shop.platform == "shopify" else "add-to-cart"
    answer = front.client.post(
        "/cart/add", data={field: front.till.variant_identifier(scarce)}, follow_redirects=True
    )

    assert "There is not enough of" in answer.text
    assert front.client.post("/cart/add", data={field: "99999999"}).status_code == 404


def test_an_order_sends_exactly_the_platforms_webhooks(front: Front) -> None:
    platform = front.till.shop.platform
    a, b = front.listed(2)
    front.till.shelves.change(b.number, stock=1)
    put_into_cart(front, a.number, 2)
    put_into_cart(front, b.number)

    answer = front.client.post("/checkout")

    expected = {
        "shopify": [
            "carts/create",
            "carts/update",
            "orders/create",
            "inventory_levels/update",
            "inventory_levels/update",
            "products/update",
        ],
        "woocommerce": ["order.created", "order.updated", "product.updated", "product.updated"],
    }[platform]
    number = max(order.number for order in front.till.shop.orders) + 1
    if platform == "woocommerce" and number % 3 == 0:
        expected[:2] = ["order.updated", "order.created"]
    received = front.sink.wait_for(len(expected))
    assert [request.topic for request in received] == expected
    connector = connector_for(platform)
    assert all(connector.verify(request.raw, request.headers, [SECRET.encode()]) for request in received)
    order = next(r for r in received if r.topic in ("orders/create", "order.created")).body
    assert [(str(line["product_id"]), line["quantity"]) for line in order["line_items"]] == [
        (front.till.identifier(a), 2),
        (front.till.identifier(b), 1),
    ]
    assert front.till.shelves[b.number].stock == 0
    assert answer.headers["Location"] == f"/orders/{number}"
    assert "is empty" in front.client.get(CART[platform]).text


def test_the_confirmation_says_what_was_sent(front: Front) -> None:
    (a,) = front.listed()
    put_into_cart(front, a.number)
    path = front.client.post("/checkout").headers["Location"]
    count = len(front.till.orders[int(path.rsplit("/", 1)[1])].errands)
    front.sink.wait_for(count)

    page = front.client.get(path).text
    for _ in range(200):
        webhooks = front.client.get(f"{path}/webhooks.json").json["webhooks"]
        if all(webhook["state"] == "200" for webhook in webhooks):
            break

    assert a.name in unescape(page)
    assert len(webhooks) == count
    assert {webhook["state"] for webhook in webhooks} == {"200"}
    assert front.client.get("/orders/1").status_code == 404
    assert front.client.get("/orders/1/webhooks.json").status_code == 404


def test_an_empty_cart_is_no_order(front: Front) -> None:
    answer = front.client.post("/checkout")

    assert answer.headers["Location"] == CART[front.till.shop.platform]
    assert front.till.orders == {}


def test_what_sold_out_meanwhile_is_not_ordered(front: Front) -> None:
    (a,) = front.listed()
    put_into_cart(front, a.number)
    front.till.shelves.change(a.number, stock=0)

    answer = front.client.post("/checkout", follow_redirects=True)

    assert "There is not enough of" in answer.text
    assert front.till.orders == {}


@pytest.mark.parametrize(
    ("action", "on_show", "buyable"),
    [("sell-out", True, False), ("hide", False, True), ("draft", False, False)],
)
def test_the_shopkeeper_takes_a_product_out_and_pannier_hears_of_it(
    front: Front, action: str, on_show: bool, buyable: bool
) -> None:
    (a,) = front.listed()
    messages = 2 if front.till.shop.platform == "shopify" else 1

    front.client.post(f"/admin/products/{a.number}", data={"action": action})

    listing = front.till.shelves[a.number]
    assert (listing.on_show, listing.buyable) == (on_show, buyable)
    told = front.sink.wait_for(messages)
    assert told[-1].topic in ("products/update", "product.updated")
    assert str(told[-1].body["id"]) == front.till.identifier(a)
    assert (a.name in names(front.client.get(CATALOGUE[front.till.shop.platform]).text)) == on_show


def test_the_shopkeeper_brings_a_product_back(front: Front) -> None:
    hidden = next(listing.product for listing in front.till.shop.listings if not listing.visible)
    gone = next(listing.product for listing in front.till.shop.listings if listing.stock == 0)

    front.client.post(f"/admin/products/{hidden.number}", data={"action": "show"})
    front.client.post(f"/admin/products/{gone.number}", data={"action": "restock"})

    assert front.till.shelves[hidden.number].on_show
    assert front.till.shelves[gone.number].stock == 50


@pytest.mark.parametrize(("number", "action"), [(0, "explode"), (0, ""), (10**6, "hide")])
def test_the_shopkeeper_can_do_nothing_else(front: Front, number: int, action: str) -> None:
    assert front.client.post(f"/admin/products/{number}", data={"action": action}).status_code == 404
    assert front.sink.received == []


def test_another_sites_page_can_change_nothing(front: Front) -> None:
    (a,) = front.listed()

    for origin in ("http://evil.example", "http://127.0.0.1:8000", "null"):
        answer = front.client.post(
            f"/admin/products/{a.number}", data={"action": "hide"}, headers={"Origin": origin}
        )
        assert answer.status_code == 403
    own = front.client.post(
        f"/admin/products/{a.number}", data={"action": "hide"}, headers={"Origin": "http://localhost"}
    )

    assert own.status_code == 302
    assert front.till.shelves[a.number].visible is False


def test_a_restart_goes_on_with_stock_and_order_numbers(shop: Shop, sink: Sink, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    paths = []
    for _ in range(2):
        with opened(shop, sink, state) as front:
            (a,) = front.listed()
            put_into_cart(front, a.number)
            paths.append(front.client.post("/checkout").headers["Location"])
            stock = front.till.shelves[a.number].stock

    first, second = (int(path.rsplit("/", 1)[1]) for path in paths)
    assert second == first + 1
    assert stock == a.first_stock - 2


def test_it_is_served_on_loopback_until_it_is_shut_down(shop: Shop, sink: Sink) -> None:
    app = create_storefront(shop, pannier_url="http://127.0.0.1:8000/", courier=courier_to(sink, shop))
    server = serve(app, 0)
    try:
        with urllib.request.urlopen(f"{server.url}/", timeout=10) as answer:
            assert (answer.status, answer.headers["Set-Cookie"].split(";")[1:]) == (
                200,
                [" HttpOnly", " Path=/", " SameSite=Lax"],
            )
        with pytest.raises(OSError, match="in use"):
            serve(app, server.port)
    finally:
        server.shutdown()

    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{server.url}/", timeout=2)


def test_orders_of_the_storefront_look_like_the_others(front: Front, shop: Shop) -> None:
    (a,) = front.listed()
    put_into_cart(front, a.number)
    front.client.post("/checkout")

    (placed,) = front.till.orders.values()
    message = front.till.voice.order_placed(placed.order)[0]

    body = orjson.loads(front.till.voice.sign(message).body)
    connector = connector_for(shop.platform)
    assert connector.read_headers(front.till.voice.sign(message).headers) is not None
    assert body["id"] not in {order.number for order in shop.orders}
