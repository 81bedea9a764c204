"""What the box shows: products, prices, total, languages."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from app.core.money import to_major
from tests.widgets.storefront import KEY, MUG, TRAY, Storefront, picture, recommendation


def test_box_shows_products_prices_and_total(
    page: Page, storefront: Storefront, complaints: list[str]
) -> None:
    page.goto(storefront.page())

    box = page.get_by_role("region", name="Often bought together")
    rows = box.get_by_role("listitem")
    expect(rows).to_have_text(
        [
            "This itemTeapot, sage green£34.00",
            "Stoneware mug, oatmeal£12.50",
            "Oak serving tray with handles, oiled by hand£24.95",
        ]
    )
    expect(box.get_by_text("Total £71.45")).to_be_visible()
    expect(box.get_by_role("button")).to_have_text("Add all 3 to cart")
    expect(box.get_by_role("link", name="Stoneware mug, oatmeal")).to_have_attribute(
        "href", f"{storefront.shop.origin}/products/202"
    )
    assert complaints == []


def test_service_is_asked_once_without_cookies_or_preflight(page: Page, storefront: Storefront) -> None:
    page.context.add_cookies([{"name": "session", "value": "s3cret", "url": storefront.api.origin}])

    page.goto(storefront.page(element={"limit": "2"}))
    page.get_by_role("region").wait_for()

    [call] = [call for call in storefront.api.calls if call.path == "/v1/recommendations"]
    assert call.method == "GET"
    assert call.query == {"slot": "product", "product_id": "201", "limit": "2", "key": KEY}
    assert "cookie" not in call.headers


def test_nothing_is_in_the_cart_before_the_click(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page())
    page.get_by_role("region").wait_for()

    assert [call.path for call in storefront.shop.calls if "cart" in call.path] == []


def test_unticking_changes_total_and_button(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page())
    box = page.get_by_role("region")
    button = box.get_by_role("button")

    box.get_by_role("checkbox", name="Stoneware mug, oatmeal").uncheck()
    expect(box.get_by_text("Total £58.95")).to_be_visible()
    expect(button).to_have_text("Add 2 to cart")

    box.get_by_role("checkbox", name="Oak serving tray").uncheck()
    expect(box.get_by_text("Total £34.00")).to_be_visible()
    expect(button).to_have_text("Add to cart")

    box.get_by_role("checkbox", name="Stoneware mug, oatmeal").check()
    expect(button).to_have_text("Add 2 to cart")


def test_without_a_variant_only_recommended_products_are_offered(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page(element={"variant-id": None}))

    box = page.get_by_role("region")
    expect(box.get_by_role("listitem")).to_have_count(2)
    expect(box.get_by_text("Total £37.45")).to_be_visible()
    expect(box.get_by_role("button")).to_have_text("Add all 2 to cart")

    for checkbox in box.get_by_role("checkbox").all():
        checkbox.uncheck()
    expect(box.get_by_role("button")).to_have_attribute("aria-disabled", "true")
    box.get_by_role("button").click(force=True)
    assert storefront.shop.calls_to("POST /cart/add.js") == []


def test_shop_can_start_with_nothing_ticked(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page(tag={"data-ticked": "none"}))

    box = page.get_by_role("region")
    expect(box.get_by_role("checkbox", name="Stoneware mug, oatmeal")).not_to_be_checked()
    expect(box.get_by_text("Total £34.00")).to_be_visible()
    expect(box.get_by_role("button")).to_have_text("Add to cart")
    box.get_by_role("checkbox", name="Oak serving tray").check()
    expect(box.get_by_role("button")).to_have_text("Add 2 to cart")


def test_page_product_repeated_sold_out_and_double_answers_are_left_out(
    page: Page, storefront: Storefront
) -> None:
    storefront.recommend(
        recommendation("201", "The teapot itself", 3400),
        MUG,
        recommendation("204", "Sold-out napkins", 900, available=False),
        recommendation("202", "The mug again", 1250),
    )

    page.goto(storefront.page())

    expect(page.get_by_role("region").get_by_role("listitem")).to_have_text(
        [re.compile("Teapot, sage green"), re.compile("Stoneware mug, oatmeal")]
    )


def test_limit_is_kept_even_when_the_service_sends_more(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page(element={"limit": "1"}))

    expect(page.get_by_role("region").get_by_role("checkbox")).to_have_count(1)


@pytest.mark.parametrize(
    "price",
    [
        pytest.param(None, id="unknown"),
        pytest.param({"amount": 12.5, "currency": "GBP"}, id="a float"),
        pytest.param({"amount": -1, "currency": "GBP"}, id="negative"),
        pytest.param({"amount": 1250, "currency": "pounds"}, id="no currency"),
    ],
)
def test_unusable_price_is_hidden_and_so_is_the_total(
    page: Page, storefront: Storefront, price: object
) -> None:
    storefront.recommend(MUG | {"price": price}, TRAY)

    page.goto(storefront.page())

    box = page.get_by_role("region")
    expect(box.get_by_role("listitem").nth(1)).to_have_text("Stoneware mug, oatmeal")
    expect(box.get_by_text("Total")).to_be_hidden()
    box.get_by_role("checkbox", name="Stoneware mug").uncheck()
    expect(box.get_by_text("Total £58.95")).to_be_visible()


def test_two_currencies_have_no_total(page: Page, storefront: Storefront) -> None:
    storefront.recommend(MUG | {"price": {"amount": 1250, "currency": "EUR"}})

    page.goto(storefront.page())

    box = page.get_by_role("region")
    expect(box.get_by_role("listitem").nth(1)).to_contain_text("€12.50")
    expect(box.get_by_text("Total")).to_be_hidden()


def test_minor_units_follow_iso_4217_and_not_the_browsers_habits(page: Page, storefront: Storefront) -> None:
    currencies = ["EUR", "HUF", "IDR", "IQD", "ISK", "JPY", "KWD", "TND", "VND", "CLP"]
    storefront.recommend(
        *(
            recommendation(str(300 + index), currency, None, price={"amount": 1234567, "currency": currency})
            for index, currency in enumerate(currencies)
        )
    )

    page.goto(storefront.page(element={"variant-id": None, "limit": "10"}))

    prices = page.locator("pannier-bundle [part=price]")
    expect(prices).to_have_count(len(currencies))
    shown = [re.sub(r"[^\d.]", "", text) for text in prices.all_inner_texts()]
    assert shown == [to_major(1234567, currency) for currency in currencies]


def test_item_that_needs_a_choice_is_a_link_and_not_added(page: Page, storefront: Storefront) -> None:
    storefront.recommend(MUG, TRAY | {"variant_id": None})

    page.goto(storefront.page())

    box = page.get_by_role("region")
    options = box.get_by_role("link", name="Choose options Oak serving tray")
    expect(options).to_have_attribute("href", f"{storefront.shop.origin}/products/203")
    expect(box.get_by_role("checkbox")).to_have_count(1)
    expect(box.get_by_text("Total £46.50")).to_be_visible()
    expect(box.get_by_role("button")).to_have_text("Add 2 to cart")


def test_box_of_links_only_has_no_button(page: Page, storefront: Storefront) -> None:
    storefront.recommend(MUG | {"variant_id": None})

    page.goto(storefront.page(element={"variant-id": None}))

    expect(page.get_by_role("region").get_by_role("link", name="Choose options")).to_be_visible()
    expect(page.get_by_role("region").get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize(
    "image_url", [pytest.param(None, id="none"), pytest.param("/pictures/gone.svg", id="broken")]
)
def test_missing_picture_becomes_a_placeholder(
    page: Page, storefront: Storefront, image_url: str | None
) -> None:
    storefront.recommend(MUG | {"image_url": image_url})

    page.goto(storefront.page())

    row = page.get_by_role("region").get_by_role("listitem").nth(1)
    expect(row.locator("[part=placeholder]")).to_be_visible()
    expect(row.locator("img")).to_have_count(0)


def test_shopifys_picture_server_is_asked_for_the_shown_size(page: Page, storefront: Storefront) -> None:
    def serve_picture(route: Route) -> None:
        route.fulfill(body=picture("202"), content_type="image/svg+xml")

    page.route("https://cdn.shopify.com/**", serve_picture)
    storefront.recommend(MUG | {"image_url": "https://cdn.shopify.com/s/files/mug.jpg?v=17"})

    page.goto(storefront.page())

    expect(page.get_by_role("region").get_by_role("listitem").nth(1).locator("img")).to_have_attribute(
        "src", "https://cdn.shopify.com/s/files/mug.jpg?v=17&width=480"
    )


@pytest.mark.parametrize(
    ("language", "heading", "button", "total"),
    [
        pytest.param("de-AT", "Oft zusammen gekauft", "Alle 3 in den Warenkorb", "£ 71,45", id="de"),
        pytest.param("fr", "Souvent achetés ensemble", "Ajouter les 3 au panier", "71,45 £GB", id="fr"),
        pytest.param("es", "Often bought together", "Add all 3 to cart", "71,45 GBP", id="not spoken"),
        pytest.param("no_such!", "Often bought together", "Add all 3 to cart", "£71.45", id="nonsense"),
    ],
)
def test_language_follows_the_page(
    page: Page, storefront: Storefront, language: str, heading: str, button: str, total: str
) -> None:
    page.goto(storefront.page(html_attributes={"lang": language}))

    box = page.get_by_role("region", name=heading)
    expect(box.get_by_role("button")).to_have_text(button)
    expect(box.locator("[part=sum]")).to_have_text(total)


def test_language_of_the_words_is_marked_where_it_is_not_the_pages(
    page: Page, storefront: Storefront
) -> None:
    page.goto(storefront.page(html_attributes={"lang": "es"}))

    box = page.get_by_role("region")
    for part in ("heading", "total", "button", "badge"):
        expect(box.locator(f"[part={part}]")).to_have_attribute("lang", "en")
    expect(box.locator("[part=title]").first).not_to_have_attribute("lang", re.compile(".*"))


def test_heading_and_locale_can_be_set(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page(tag={"data-heading": "For the tea table"}, element={"locale": "de"}))

    box = page.get_by_role("region", name="For the tea table")
    expect(box.get_by_role("button")).to_have_text("Alle 3 in den Warenkorb")


def test_theme_reaches_in_by_properties_and_parts(page: Page, storefront: Storefront) -> None:
    storefront.shop.routes["GET /theme.css"].body += (  # type: ignore[union-attr]
        "pannier-bundle{--pannier-accent:rgb(120,20,60);--pannier-radius:0px}"
        "pannier-bundle::part(heading){text-transform:uppercase}"
    )

    page.goto(storefront.page())

    box = page.get_by_role("region")
    expect(box.get_by_role("button")).to_have_css("background-color", "rgb(120, 20, 60)")
    expect(box.get_by_role("button")).to_have_css("border-radius", "0px")
    expect(box.get_by_role("heading")).to_have_css("text-transform", "uppercase")
    expect(box.get_by_role("heading")).to_have_css("font-family", re.compile("Liberation Sans"))


def test_another_variant_changes_what_is_shown_and_keeps_the_choice(
    page: Page, storefront: Storefront
) -> None:
    page.goto(storefront.page())
    box = page.get_by_role("region")
    box.get_by_role("checkbox", name="Stoneware mug").uncheck()

    page.evaluate(
        "const box = document.querySelector('pannier-bundle');"
        "box.setAttribute('variant-id', '9777'); box.setAttribute('product-price', '3900');"
    )

    expect(box.get_by_role("listitem").first).to_contain_text("£39.00")
    expect(box.get_by_text("Total £63.95")).to_be_visible()
    expect(box.get_by_role("checkbox", name="Stoneware mug")).not_to_be_checked()
    box.get_by_role("button").click()
    expect(box.get_by_role("button")).to_have_text("Added to cart")
    [call] = storefront.shop.calls_to("POST /cart/add.js")
    assert [item["id"] for item in call.body["items"]] == [9777, 9203]
    assert len(storefront.api.calls_to("GET /v1/recommendations")) == 1


def test_another_product_is_asked_for_anew(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page())
    box = page.get_by_role("region")
    expect(box.get_by_role("listitem")).to_have_count(3)
    storefront.recommend(recommendation("204", "Linen napkins", 1800))

    page.evaluate("document.querySelector('pannier-bundle').setAttribute('product-id', '205')")

    expect(box.get_by_role("checkbox", name="Linen napkins")).to_be_checked()
    expect(box.get_by_role("listitem")).to_have_count(2)
    calls = storefront.api.calls_to("GET /v1/recommendations")
    assert [call.query["product_id"] for call in calls] == ["201", "205"]


def test_the_service_is_told_what_is_in_the_cart(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page(element={"cart": "205,206"}))
    page.get_by_role("region").wait_for()
    with page.expect_response("**/v1/recommendations?*"):
        page.evaluate("document.querySelector('pannier-bundle').setAttribute('cart', '205')")

    calls = storefront.api.calls_to("GET /v1/recommendations")
    assert [call.query["cart"] for call in calls] == ["205,206", "205"]
