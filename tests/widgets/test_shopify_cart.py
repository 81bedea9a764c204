"""Adding to a Shopify cart: the storefront action first, the Ajax API where there is none."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.storefront import Reply, Storefront

Added = Callable[[], list[dict[str, Any]]]

_ALL = {"decision_id": "dec_01J9", "product_ids": ["201", "202", "203"]}


def _with_actions(page: Page, result: dict[str, Any] | None) -> None:
    """Give the page Shopify's standard actions; ``result`` None lets the change fail."""
    outcome = "throw new Error('offline')" if result is None else f"return {json.dumps(result)}"
    page.add_init_script(
        "window.actionCalls = [];"
        "window.Shopify = {routes: {root: '/en-gb/'}, actions: {"
        f"updateCart: async (payload) => {{ actionCalls.push(payload); {outcome}; }},"
        "openCart: () => { actionCalls.push('open'); }}};"
    )


def test_everything_is_added_by_the_storefront_action(
    page: Page, storefront: Storefront, added_events: Added
) -> None:
    _with_actions(page, {"cart": {}, "userErrors": [], "warnings": []})
    page.goto(storefront.page())
    box = page.get_by_role("region")

    box.get_by_role("button", name="Add all 3 to cart").click()

    expect(box.get_by_role("button")).to_have_text("Added to cart")
    expect(box.get_by_role("status")).to_have_text("Added to cart")
    from_us = [{"key": "_pannier", "value": "dec_01J9"}]
    assert page.evaluate("actionCalls") == [
        {
            "lines": [
                {"merchandiseId": "gid://shopify/ProductVariant/9201", "quantity": 1, "attributes": []},
                {"merchandiseId": "gid://shopify/ProductVariant/9202", "quantity": 1, "attributes": from_us},
                {"merchandiseId": "gid://shopify/ProductVariant/9203", "quantity": 1, "attributes": from_us},
            ]
        },
        "open",
    ]
    assert storefront.shop.calls_to("POST /cart/add.js") == []
    assert added_events() == [_ALL]


@pytest.mark.parametrize(
    "result",
    [
        pytest.param({"userErrors": [{"message": "The mug is sold out."}]}, id="declined"),
        pytest.param(
            {
                "userErrors": [],
                "warnings": [{"code": "MERCHANDISE_NOT_ENOUGH_STOCK", "message": "The mug is sold out."}],
            },
            id="out of stock",
        ),
    ],
)
def test_refusal_of_the_action_is_told(
    page: Page, storefront: Storefront, added_events: Added, result: dict[str, Any]
) -> None:
    _with_actions(page, result)
    page.goto(storefront.page())
    box = page.get_by_role("region")

    box.get_by_role("button").click()

    expect(box.get_by_role("status")).to_have_text("Sorry, this could not be added: The mug is sold out.")
    expect(box.get_by_role("button")).to_have_text("Add all 3 to cart")
    assert len(page.evaluate("actionCalls")) == 1
    assert added_events() == []


def test_failed_action_is_told_and_not_tried_another_way(
    page: Page, storefront: Storefront, complaints: list[str]
) -> None:
    _with_actions(page, None)
    page.goto(storefront.page())
    box = page.get_by_role("region")

    box.get_by_role("button").click()

    expect(box.get_by_role("status")).to_have_text("Sorry, that did not work. Please check your cart.")
    expect(box.get_by_role("button")).to_have_attribute("aria-disabled", "false")
    assert storefront.shop.calls_to("POST /cart/add.js") == []
    assert complaints == []


def test_theme_that_cannot_open_its_cart_is_no_failure(
    page: Page, storefront: Storefront, complaints: list[str]
) -> None:
    _with_actions(page, {"userErrors": []})
    page.add_init_script("Shopify.actions.openCart = () => { throw new Error('no drawer'); };")
    page.goto(storefront.page())

    page.get_by_role("region").get_by_role("button").click()

    expect(page.get_by_role("region").get_by_role("status")).to_have_text("Added to cart")
    assert complaints == []


def test_ajax_api_is_the_fallback(page: Page, storefront: Storefront, added_events: Added) -> None:
    page.add_init_script("window.Shopify = {routes: {root: '/en-gb/'}};")
    storefront.shop.routes["POST /en-gb/cart/add.js"] = Reply({"items": []})
    page.goto(storefront.page())
    box = page.get_by_role("region")

    box.get_by_role("checkbox", name="Oak serving tray").uncheck()
    box.get_by_role("button", name="Add 2 to cart").click()

    expect(box.get_by_role("status")).to_have_text("Added to cart View cart")
    expect(box.get_by_role("link", name="View cart")).to_have_attribute(
        "href", f"{storefront.shop.origin}/en-gb/cart"
    )
    [call] = storefront.shop.calls_to("POST /en-gb/cart/add.js")
    assert call.body == {
        "items": [
            {"id": 9201, "quantity": 1},
            {"id": 9202, "quantity": 1, "properties": {"_pannier": "dec_01J9"}},
        ]
    }
    assert added_events() == [{"decision_id": "dec_01J9", "product_ids": ["201", "202"]}]


def test_sold_out_is_told_in_the_shops_words(page: Page, storefront: Storefront, added_events: Added) -> None:
    storefront.shop.routes["POST /cart/add.js"] = Reply(
        {"status": 422, "message": "Cart Error", "description": "The product 'Mug' is already sold out."},
        status=422,
    )
    page.goto(storefront.page())
    box = page.get_by_role("region")

    box.get_by_role("button").click()

    expect(box.get_by_role("status")).to_have_text(
        "Sorry, this could not be added: The product 'Mug' is already sold out."
    )
    expect(box.get_by_role("button")).to_have_text("Add all 3 to cart")
    assert added_events() == []


def test_broken_shop_is_told_and_can_be_tried_again(page: Page, storefront: Storefront) -> None:
    storefront.shop.routes["POST /cart/add.js"] = Reply("<html>", status=500)
    page.goto(storefront.page())
    box = page.get_by_role("region")

    box.get_by_role("button").click()
    expect(box.get_by_role("status")).to_have_text("Sorry, that did not work. Please check your cart.")
    storefront.shop.routes["POST /cart/add.js"] = Reply({"items": []})
    box.get_by_role("button").click()

    expect(box.get_by_role("button")).to_have_text("Added to cart")
    assert len(storefront.shop.calls_to("POST /cart/add.js")) == 2


def test_impatient_shopper_adds_once(page: Page, storefront: Storefront) -> None:
    gate = threading.Event()
    storefront.shop.routes["POST /cart/add.js"] = Reply({"items": []}, gate=gate)
    page.goto(storefront.page())
    box = page.get_by_role("region")
    button = box.get_by_role("button")

    button.click()
    expect(button).to_have_text("Adding…")
    expect(button).to_have_attribute("aria-busy", "true")
    expect(button).to_have_attribute("aria-disabled", "true")
    button.click(force=True)
    box.get_by_role("checkbox").first.uncheck()
    button.click(force=True)
    gate.set()
    expect(button).to_have_text("Added to cart")
    button.click(force=True)

    assert len(storefront.shop.calls_to("POST /cart/add.js")) == 1


def test_button_can_be_pressed_again_after_a_while(page: Page, storefront: Storefront) -> None:
    page.clock.install()
    page.goto(storefront.page())
    box = page.get_by_role("region")
    button = box.get_by_role("button")
    button.click()
    expect(button).to_have_text("Added to cart")
    box.get_by_role("status").evaluate(
        "(status) => { window.announced = 0;"
        "new MutationObserver(() => announced++).observe(status, {childList: true, subtree: true}); }"
    )

    page.clock.fast_forward(4000)

    expect(button).to_have_text("Add all 3 to cart")
    expect(button).to_have_attribute("aria-disabled", "false")
    expect(box.get_by_role("status")).to_have_text("Added to cart View cart")
    assert page.evaluate("announced") == 0


def test_variant_number_beyond_what_a_script_can_count_is_sent_whole(
    page: Page, storefront: Storefront
) -> None:
    page.goto(storefront.page(element={"variant-id": "gid://shopify/ProductVariant/788032119674292922"}))

    page.get_by_role("region").get_by_role("button").click()

    expect(page.get_by_role("region").get_by_role("button")).to_have_text("Added to cart")
    [call] = storefront.shop.calls_to("POST /cart/add.js")
    assert call.body["items"][0]["id"] == "788032119674292922"


def test_nothing_is_fetched_again_after_adding(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page())
    page.get_by_role("region").get_by_role("button").click()

    expect(page.get_by_role("region").get_by_role("button")).to_have_text("Added to cart")

    assert len(storefront.api.calls_to("GET /v1/recommendations")) == 1
