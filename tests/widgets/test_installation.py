"""The one script tag: where the box goes, where settings come from, what a second tag does."""

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.storefront import KEY, Storefront


def test_box_is_mounted_after_the_named_element(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page(tag={"data-product-id": "201", "data-mount": ".product"}, body=""))

    expect(page.locator(".product + pannier-bundle").get_by_role("checkbox")).to_have_count(2)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"data-product-id": "201"}, id="no place named"),
        pytest.param({"data-product-id": "201", "data-mount": ".no-such-place"}, id="place missing"),
        pytest.param({"data-product-id": "201", "data-mount": "(("}, id="not a selector"),
        pytest.param({"data-mount": ".product"}, id="no product"),
    ],
)
def test_nothing_is_mounted(
    page: Page, storefront: Storefront, complaints: list[str], settings: dict[str, str]
) -> None:
    page.goto(storefront.page(tag=settings, body=""), wait_until="load")

    assert page.evaluate("customElements.get('pannier-bundle') !== undefined")
    expect(page.locator("pannier-bundle")).to_have_count(0)
    assert complaints == []


def test_element_on_the_page_is_not_doubled_by_mount(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page(tag={"data-product-id": "201", "data-mount": ".product h1"}))
    page.get_by_role("region").wait_for()

    expect(page.locator("pannier-bundle")).to_have_count(1)


def test_element_overrides_the_tag(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page(tag={"data-product-id": "999", "data-limit": "9"}, element={"limit": "1"}))
    page.get_by_role("region").wait_for()

    [call] = storefront.api.calls_to("GET /v1/recommendations")
    assert (call.query["product_id"], call.query["limit"]) == ("201", "1")


def test_script_loaded_twice_is_harmless(page: Page, storefront: Storefront, complaints: list[str]) -> None:
    second = f'<script src="{{script}}" data-key="{KEY}" data-platform="shopify"></script>'

    page.goto(storefront.page(head=second), wait_until="load")
    page.get_by_role("region").wait_for()

    assert len(storefront.api.calls_to("GET /v1/widget.js")) >= 1
    expect(page.get_by_role("region")).to_have_count(1)
    assert len(storefront.api.calls_to("GET /v1/recommendations")) == 1
    assert complaints == []


def test_no_globals_are_left_behind(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page(tag={"data-key": None}))
    before = set(page.evaluate("Object.keys(window)"))

    page.goto(storefront.page())
    page.get_by_role("region").wait_for()

    assert set(page.evaluate("Object.keys(window)")) - before == set()


def test_element_added_later_comes_alive(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page(body=""))

    page.evaluate(
        "const box = document.createElement('pannier-bundle'); box.setAttribute('product-id', '201');"
        "document.querySelector('.end').after(box)"
    )

    expect(page.get_by_role("region").get_by_role("checkbox")).to_have_count(2)


def test_removed_element_stops_asking(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page(spacer=3000))
    page.wait_for_function("customElements.get('pannier-bundle') !== undefined")

    page.evaluate("document.querySelector('pannier-bundle').remove()")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.evaluate("new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))")

    assert storefront.api.calls_to("GET /v1/recommendations") == []


def test_far_away_box_does_not_ask_until_it_is_near(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page(spacer=3000))
    page.wait_for_function("customElements.get('pannier-bundle') !== undefined")
    page.evaluate("new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))")
    assert storefront.api.calls_to("GET /v1/recommendations") == []

    page.evaluate("scrollTo(0, 2700)")

    expect(page.get_by_role("region").get_by_role("checkbox")).to_have_count(2)


def test_service_address_can_be_named(page: Page, storefront: Storefront) -> None:
    storefront.api.routes["GET /shop/v1/recommendations"] = storefront.api.routes["GET /v1/recommendations"]

    page.goto(storefront.page(tag={"data-api": f"{storefront.api.origin}/shop/v1/"}))
    page.get_by_role("region").wait_for()

    assert len(storefront.api.calls_to("GET /shop/v1/recommendations")) == 1
