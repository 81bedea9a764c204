"""What a shop is answered with nothing, one, ten, fifty and five hundred orders, and what its shoppers see.

Pictures of the widget are left in pytest's temporary directory; ``PANNIER_PICTURES`` names another one.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from demo.catalogue import Product
from demo.companions import Companions
from demo.courier import WooCommerceCourier
from demo.storefront import create_storefront, serve
from demo.woocommerce_format import product_id
from tests.browser import launch_arguments
from tests.end_to_end.house import free_port
from tests.end_to_end.small_store import LONELY, PRODUCTS, SmallStore, small_shop

STEPS = (0, 1, 10, 50, 500)
# The gates of a store that sets none: orders with both, lift, log-likelihood ratio.
GATES = {"orders": 3, "lift": 1.2, "llr": 10.83}
CAKESTAND, TEACUP, MOULDS = (
    "Regency Cakestand 3 Tier",
    "Roses Regency Teacup and Saucer",
    "Set of 4 Pantry Jelly Moulds",
)
LUNCH_BAG = "Lunch Bag Doily Pattern"
# Which claim may stand before which in a store that is not tuned.
RANKS = {
    "bought_together": 0,
    "merchant_choice": 1,
    "goes_with": 2,
    "same_shoppers": 2,
    "similar": 3,
    "goes_with_category": 4,
    "best_seller": 5,
}
HEADINGS = {"similar": "Similar products", "best_seller": "Best sellers"}
WIDTHS = (390, 1180)
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the system's Chromium instead of a downloaded one (pytest-playwright's hook)."""
    return launch_arguments()


@pytest.fixture
def store(app: Flask) -> Iterator[SmallStore]:
    """A connected shop of forty products; beside one of them its merchant chose two."""
    shop = small_shop(STEPS[-1], base_url=f"http://127.0.0.1:{free_port()}")
    number = {product.name: product.number for product in shop.products}
    chosen = Companions(goes_with=(number[TEACUP], number[MOULDS]), better=())
    return SmallStore.connect(app, shop, {number[CAKESTAND]: chosen})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures are left."""
    directory = Path(os.environ.get("PANNIER_PICTURES", tmp_path))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


class Sold:
    """What was sold so far, counted by hand: orders with a product, and with two."""

    def __init__(self, store: SmallStore, orders: int) -> None:
        baskets = [
            sorted({str(product_id(line.product)) for line in order.lines})
            for order in store.shop.orders[:orders]
        ]
        self.one = Counter(product for basket in baskets for product in basket)
        self.two = Counter(pair for basket in baskets for pair in combinations(basket, 2))

    def both(self, first: str, second: str) -> int:
        """Return the orders with both."""
        return self.two[first, second] + self.two[second, first]


def test_a_shop_is_answered_honestly_from_its_first_day(store: SmallStore) -> None:
    products = {product.name: product for product in store.shop.products}
    assert len(products) == PRODUCTS
    store.lists_its_products()

    first_answers = {}
    for before, orders in zip((0, *STEPS), STEPS, strict=False):
        store.sells(store.shop.orders[before:orders])
        store.works()
        sold = Sold(store, orders)

        home = store.shows("home")
        assert bool(reasons(home)) == (orders > 0)
        is_honest(home, None, sold)
        pairs = 0
        for product in products.values():
            page, row, cart = shown(store, product)
            for answer in (page, row, cart):
                is_honest(answer, product, sold)
            # Before the first order the shop itself must say something of a product.
            assert bool(reasons(page)) == bool(reasons(row)) == (orders > 0 or product.name != LONELY)
            assert bool(reasons(cart)) == (orders > 0 or product.name == CAKESTAND)
            stands_as_it_is_answered(store.readiness(product), page, product, sold)
            pairs += "bought_together" in reasons(page)
        store_stands(store.readiness(product)["store"], orders, pairs)
        first_answers[orders] = {
            name: reasons(store.shows("product", products[name])) for name in (CAKESTAND, LUNCH_BAG, LONELY)
        }

    assert first_answers == {
        0: {CAKESTAND: ["merchant_choice"] * 2, LUNCH_BAG: ["similar"] * 3, LONELY: []},
        1: {
            CAKESTAND: ["merchant_choice"] * 2 + ["best_seller"],
            LUNCH_BAG: ["similar"] * 3,
            LONELY: ["best_seller"] * 2,
        },
        10: {
            CAKESTAND: ["merchant_choice"] * 2 + ["best_seller"],
            LUNCH_BAG: ["similar"] * 3,
            LONELY: ["best_seller"] * 3,
        },
        50: {
            CAKESTAND: ["merchant_choice"] * 2 + ["best_seller"],
            LUNCH_BAG: ["bought_together"],
            LONELY: ["best_seller"] * 3,
        },
        500: {
            CAKESTAND: ["bought_together"],
            LUNCH_BAG: ["bought_together"] * 3,
            LONELY: ["best_seller"] * 3,
        },
    }


def shown(store: SmallStore, product: Product) -> tuple[Any, Any, Any]:
    """Return what a product's page, the row below it and a cart with it are answered."""
    return (
        store.shows("product", product),
        store.shows("product_related", product),
        store.shows("cart", cart=(product,)),
    )


def reasons(answer: Any) -> list[str]:
    """Return the reasons of an answer's products."""
    return [entry["reason"] for entry in answer["recommendations"]]


def is_honest(answer: Any, product: Product | None, sold: Sold) -> None:
    """Hold every claim of an answer against what was really sold, and what the merchant really chose."""
    found = reasons(answer)
    assert found == sorted(found, key=RANKS.__getitem__)
    if found and answer["strategy"] == "frequently_bought_together":
        assert set(found) == {"bought_together"}
    own = str(product_id(product)) if product else ""
    entries = answer["recommendations"]
    assert own not in [entry["product_id"] for entry in entries]
    for entry in entries:
        other, evidence = entry["product_id"], entry["evidence"]
        match entry["reason"]:
            case "bought_together":
                assert evidence["orders"] == sold.both(own, other)
                assert all(evidence[name] >= least for name, least in GATES.items())
            case "goes_with":
                assert evidence["orders"] == sold.both(own, other) > 0
            case "best_seller":
                assert evidence["orders"] == sold.one[other] > 0
            case "similar":
                assert evidence["similarity"] >= 0.1
    chosen = [entry["title"] for entry in entries if entry["reason"] == "merchant_choice"]
    if product is None or product.name != CAKESTAND:
        assert chosen == []
    elif "bought_together" not in found:
        assert chosen == [TEACUP, MOULDS]


def stands_as_it_is_answered(report: Any, page: Any, product: Product, sold: Sold) -> None:
    """A product's report says what its page says."""
    stands, found = report["product"], reasons(page)
    assert stands["orders"] == sold.one[str(product_id(product))]
    assert stands["answers_with"] == (found[0] if found else None)
    assert (stands["more_orders"] == 0) == ("bought_together" in found)


def store_stands(report: Any, orders: int, pairs: int) -> None:
    """A store's report says how many orders it has, how many each claim needs, and which are made."""
    sources = {source["reason"]: source for source in report["sources"]}
    assert (report["orders"], report["products"]) == (orders, PRODUCTS)
    assert {reason: source["needs_orders"] for reason, source in sources.items()} == {
        "bought_together": 8,
        "merchant_choice": 0,
        "similar": 0,
        "goes_with_category": 8,
        "best_seller": 1,
    }
    for source in sources.values():
        assert source["more_orders"] == max(0, source["needs_orders"] - orders)
        assert not (source["ready"] and source["more_orders"])
    assert sources["merchant_choice"]["ready"]
    assert sources["similar"]["ready"]
    assert sources["best_seller"]["ready"] == (orders > 0)
    assert sources["bought_together"]["ready"] == (pairs > 0)


# --- what shoppers see ----------------------------------------------------------------------------------


def test_the_widget_says_what_it_shows_and_nothing_where_nothing_is_known(
    store: SmallStore, browser: Browser, pictures: Path
) -> None:
    products = {product.name: product for product in store.shop.products}
    store.lists_its_products()

    with opened(store):
        for before, orders in zip((0, *STEPS), STEPS, strict=False):
            store.sells(store.shop.orders[before:orders])
            store.works()
            for label, name in (("chosen", CAKESTAND), ("bag", LUNCH_BAG), ("lonely", LONELY)):
                answer = store.shows("product", products[name])
                look(browser, store.shop_page(products[name]), answer, pictures, f"{orders}-{label}")


@contextmanager
def opened(store: SmallStore) -> Iterator[None]:
    """Serve Pannier and the shop's storefront."""
    server = make_server("127.0.0.1", 0, store.app, threaded=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    shop = store.shop
    front = create_storefront(
        shop,
        pannier_url=f"http://127.0.0.1:{server.port}",
        courier=WooCommerceCourier(shop),
        publishable_key=store.publishable_key,
    )
    storefront = serve(front, int(shop.base_url.rpartition(":")[2]))
    try:
        yield
    finally:
        storefront.shutdown()
        server.shutdown()
        thread.join(10)
        server.server_close()


def look(browser: Browser, url: str, answer: Any, pictures: Path, name: str) -> None:
    """Open a product's page, hold it against the answer and take a picture at each width."""
    with browser.new_context(viewport={"width": WIDTHS[0], "height": 900}) as context:
        page = context.new_page()
        heard: list[str] = []
        page.on("console", lambda message: heard.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: heard.append(str(error)))
        with page.expect_response("**/v1/recommendations?*") as asked:
            page.goto(url)
        asked.value.finished()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            picture = pictures / f"{name}-{width}.png"
            if answer["recommendations"]:
                shows_what_was_answered(page, answer)
                page.locator("pannier-bundle").screenshot(path=picture)
            else:
                page.wait_for_load_state("networkidle")
                shows_nothing(page)
                page.screenshot(path=picture, full_page=True)
            # Nothing sticks out of a narrow window.
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert heard == []


def shows_nothing(page: Page) -> None:
    """There is no box, and the room that the theme kept for it below the screen is given back."""
    state = "box => [box.shadowRoot.childNodes.length, box.childNodes.length, box.offsetHeight]"
    assert page.locator("pannier-bundle").evaluate(state) == [0, 0, 0]


def shows_what_was_answered(page: Page, answer: Any) -> None:
    """The heading claims what the answer does, and there is a button for proven pairs alone."""
    together = answer["strategy"] == "frequently_bought_together"
    found = set(reasons(answer))
    claim = found.pop() if len(found) == 1 else None
    heading = "Often bought together" if together else HEADINGS.get(claim or "", "You may also like")
    box = page.get_by_role("region", name=heading)
    rows = box.get_by_role("listitem")
    titles = [entry["title"] for entry in answer["recommendations"]]
    expect(rows).to_have_count(len(titles) + together)
    for row, title in zip(rows.all()[int(together) :], titles, strict=True):
        expect(row).to_contain_text(title)
    expect(box.get_by_role("button")).to_have_count(int(together))
    expect(box.locator("img")).to_have_count(len(titles) + together)
    box.scroll_into_view_if_needed()  # pictures are loaded when they are near
    for image in box.locator("img").all():
        expect(image).to_have_js_property("complete", True)
