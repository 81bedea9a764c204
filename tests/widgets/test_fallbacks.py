"""What the box shows where nothing is proven to be bought together: a plain row that says what it is."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.storefront import MUG, TRAY, Reply, Storefront, answer


def offer(storefront: Storefront, strategy: str | None, *reasons: str, **element: str) -> str:
    """Let the service answer by a strategy, with a reason for each of two products; return the page's address."""
    products: list[dict[str, Any]] = [
        {**product, "reason": reason} for product, reason in zip((MUG, TRAY), reasons, strict=True)
    ]
    storefront.reply(Reply(answer(*products, strategy=strategy)))
    return storefront.page(element=element)


@pytest.mark.parametrize(
    ("strategy", "reasons", "heading"),
    [
        ("best_sellers", ("best_seller", "best_seller"), "Best sellers"),
        ("related_products", ("similar", "similar"), "Similar products"),
        ("related_products", ("merchant_choice", "similar"), "You may also like"),
        ("complete_the_cart", ("bought_together", "goes_with"), "You may also like"),
        ("invented_tomorrow", ("x", "y"), "You may also like"),
        (None, ("x", "y"), "You may also like"),
    ],
)
def test_a_row_says_what_it_is_and_offers_no_bundle(
    page: Page, storefront: Storefront, strategy: str | None, reasons: tuple[str, str], heading: str
) -> None:
    page.goto(offer(storefront, strategy, *reasons))

    row = page.get_by_role("region", name=heading)
    expect(row.get_by_role("listitem")).to_have_text(
        ["Stoneware mug, oatmeal£12.50", "Oak serving tray with handles, oiled by hand£24.95"]
    )
    expect(row.get_by_role("link", name="Stoneware mug, oatmeal")).to_have_attribute(
        "href", f"{storefront.shop.origin}/products/202"
    )
    expect(row.get_by_role("button")).to_have_count(0)
    expect(row.get_by_role("checkbox")).to_have_count(0)
    expect(row.get_by_text("Total")).to_have_count(0)


@pytest.mark.parametrize(
    ("locale", "heading"), [("de-AT", "Meistgekauft"), ("fr", "Meilleures ventes"), ("nl", "Best sellers")]
)
def test_a_row_speaks_the_language_of_the_page(
    page: Page, storefront: Storefront, locale: str, heading: str
) -> None:
    page.goto(offer(storefront, "best_sellers", "best_seller", "best_seller", locale=locale))

    expect(page.get_by_role("region", name=heading)).to_be_visible()


def test_the_shops_heading_is_for_what_is_bought_together(page: Page, storefront: Storefront) -> None:
    reasons = ("best_seller", "best_seller")

    page.goto(offer(storefront, "best_sellers", *reasons, heading="Customers buy these together"))

    expect(page.get_by_role("heading", name="Best sellers")).to_be_visible()
    expect(page.get_by_text("Customers buy these together")).to_have_count(0)


def test_a_product_with_options_is_a_card_like_the_others(page: Page, storefront: Storefront) -> None:
    storefront.reply(
        Reply(answer({**MUG, "variant_id": None, "reason": "best_seller"}, strategy="best_sellers"))
    )

    page.goto(storefront.page())

    expect(page.get_by_role("region").get_by_role("listitem")).to_have_text(["Stoneware mug, oatmeal£12.50"])
