"""Adding to a WooCommerce cart: a fresh nonce, then everything in one batch."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.storefront import NONCE, Call, Reply, Storefront

Added = Callable[[], list[dict[str, Any]]]

_TAG = {"data-platform": "woocommerce"}
_BATCH = "POST /wp-json/wc/store/v1/batch"


@pytest.fixture(autouse=True)
def shop_events(page: Page) -> Callable[[], list[str]]:
    """Return a function that lists what the shop's own scripts were told about the cart."""
    page.add_init_script(
        "window.told = [];"
        "window.jQuery = () => ({trigger: (name) => told.push(name)});"
        "addEventListener('DOMContentLoaded', () => document.body.addEventListener("
        "'wc-blocks_added_to_cart', (event) => told.push(event.type)));"
    )
    return lambda: list(page.evaluate("told"))


def _refusing(*refused: int) -> Callable[[Call], Reply]:
    def batch(call: Call) -> Reply:
        statuses = [400 if request["body"]["id"] in refused else 201 for request in call.body["requests"]]
        return Reply({"responses": [{"status": status, "body": {}} for status in statuses]}, status=207)

    return batch


def test_everything_is_added_in_one_batch_with_a_fresh_nonce(
    page: Page, storefront: Storefront, added_events: Added, shop_events: Callable[[], list[str]]
) -> None:
    page.goto(storefront.page(tag=_TAG))
    box = page.get_by_role("region")

    box.get_by_role("button", name="Add all 3 to cart").click()

    expect(box.get_by_role("status")).to_have_text("Added to cart")
    assert len(storefront.shop.calls_to("GET /wp-json/wc/store/v1/cart")) == 1
    [call] = storefront.shop.calls_to(_BATCH)
    assert call.body == {
        "requests": [
            {
                "path": "/wc/store/v1/cart/add-item",
                "method": "POST",
                "headers": {"Nonce": NONCE},
                "body": {"id": item, "quantity": 1},
            }
            for item in (9201, 9202, 9203)
        ]
    }
    assert added_events() == [{"decision_id": "dec_01J9", "product_ids": ["201", "202", "203"]}]
    assert shop_events() == ["wc-blocks_added_to_cart", "wc_fragment_refresh"]


def test_product_without_variants_is_added_by_its_own_number(page: Page, storefront: Storefront) -> None:
    storefront.recommend({"product_id": "202", "title": "Mug", "variant_id": None})
    page.goto(storefront.page(tag=_TAG, element={"variant-id": None}))

    page.get_by_role("region").get_by_role("button", name="Add to cart").click()

    expect(page.get_by_role("region").get_by_role("status")).to_have_text("Added to cart")
    [call] = storefront.shop.calls_to(_BATCH)
    assert [request["body"]["id"] for request in call.body["requests"]] == [202]


def test_partial_failure_names_what_is_missing(
    page: Page, storefront: Storefront, added_events: Added, shop_events: Callable[[], list[str]]
) -> None:
    storefront.shop.routes[_BATCH] = _refusing(9202)
    page.goto(storefront.page(tag=_TAG))
    box = page.get_by_role("region")

    box.get_by_role("button").click()

    expect(box.get_by_role("status")).to_have_text("Added to cart, except: Stoneware mug, oatmeal")
    expect(box.get_by_role("button")).to_have_text("Add all 3 to cart")
    assert added_events() == [{"decision_id": "dec_01J9", "product_ids": ["201", "203"]}]
    assert "wc-blocks_added_to_cart" in shop_events()


def test_refusal_of_everything_is_told(
    page: Page, storefront: Storefront, added_events: Added, shop_events: Callable[[], list[str]]
) -> None:
    storefront.shop.routes[_BATCH] = _refusing(9201, 9202)
    page.goto(storefront.page(tag=_TAG))
    box = page.get_by_role("region")
    box.get_by_role("checkbox", name="Oak serving tray").uncheck()

    box.get_by_role("button").click()

    expect(box.get_by_role("status")).to_have_text(
        "Sorry, this could not be added: Teapot, sage green, Stoneware mug, oatmeal"
    )
    assert added_events() == []
    assert shop_events() == []


@pytest.mark.parametrize(
    ("route", "reply"),
    [
        pytest.param("GET /wp-json/wc/store/v1/cart", Reply({"items": []}), id="no nonce"),
        pytest.param("GET /wp-json/wc/store/v1/cart", Reply("<html>", status=403), id="firewall"),
        pytest.param(_BATCH, Reply({"code": "rest_no_route"}, status=404), id="no batch"),
        pytest.param(_BATCH, Reply("<html>", status=200), id="not JSON"),
        pytest.param(_BATCH, Reply({"responses": None}, status=207), id="no responses"),
    ],
)
def test_broken_shop_is_told(
    page: Page, storefront: Storefront, added_events: Added, route: str, reply: Reply
) -> None:
    storefront.shop.routes[route] = reply
    page.goto(storefront.page(tag=_TAG))
    box = page.get_by_role("region")

    box.get_by_role("button").click()

    expect(box.get_by_role("status")).to_have_text("Sorry, that did not work. Please check your cart.")
    assert added_events() == []


def test_rest_root_and_cart_page_can_be_named(page: Page, storefront: Storefront) -> None:
    """A shop without pretty permalinks has its REST root at ``/?rest_route=/``."""
    seen: list[str] = []

    def front(call: Call) -> Reply:
        seen.append(call.query["rest_route"])
        if call.method == "GET":
            return Reply({"items": []}, headers={"Nonce": NONCE})
        return _refusing()(call)

    storefront.shop.routes["GET /"] = storefront.shop.routes["POST /"] = front
    page.goto(storefront.page(tag={**_TAG, "data-wc-root": "/?rest_route=/", "data-cart-url": "/basket/"}))
    box = page.get_by_role("region")

    box.get_by_role("button").click()

    expect(box.get_by_role("link", name="View cart")).to_have_attribute(
        "href", f"{storefront.shop.origin}/basket/"
    )
    assert seen == ["/wc/store/v1/cart", "/wc/store/v1/batch"]
