"""Hostile content and a strict page: nothing from outside is ever run."""

from playwright.sync_api import Page, expect

from tests.widgets.storefront import Storefront, recommendation

_MARKUP = "<img src=x onerror=\"window.pwned='title'\"><script>window.pwned='script'</script>"


_ADDRESSES = (
    "javascript:window.pwned='url'",
    " JaVaScRiPt:window.pwned='url'",
    "java\nscript:window.pwned='url'",
    "data:text/html,<script>window.pwned='url'</script>",
    "http://[",
)


def test_hostile_answer_is_inert(page: Page, storefront: Storefront, complaints: list[str]) -> None:
    storefront.recommend(
        *(
            recommendation(str(300 + index), _MARKUP, 100, url=address, image_url=address)
            for index, address in enumerate(_ADDRESSES)
        )
    )

    page.goto(storefront.page(element={"product-title": _MARKUP, "heading": _MARKUP, "limit": "10"}))

    box = page.get_by_role("region")
    expect(box.get_by_role("heading")).to_have_text(_MARKUP)
    titles = box.locator("[part=title]")
    expect(titles).to_have_text([_MARKUP] * (1 + len(_ADDRESSES)))
    rows = box.locator("li[data-chosen]")
    expect(rows).to_have_count(len(_ADDRESSES))
    expect(rows.locator("a, img, script")).to_have_count(0)
    for row in rows.all():
        row.locator("[part=title]").click()
        row.locator("[part=picture]").click()
    assert page.evaluate("window.pwned") is None
    assert complaints == []


def test_hostile_answer_of_the_cart_is_inert(page: Page, storefront: Storefront) -> None:
    page.add_init_script(
        f"window.Shopify = {{actions: {{updateCart: async () => ({{userErrors: [{{message: {_MARKUP!r}}}]}})}}}};"
    )
    page.goto(storefront.page(tag={"data-cart-url": "javascript:window.pwned='cart'"}))
    box = page.get_by_role("region")

    box.get_by_role("button").click()

    expect(box.get_by_role("status")).to_have_text(f"Sorry, this could not be added: {_MARKUP}")
    assert page.evaluate("window.pwned") is None


def test_hostile_cart_address_is_no_link(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page(tag={"data-cart-url": "javascript:window.pwned='cart'"}))

    page.get_by_role("region").get_by_role("button").click()

    expect(page.get_by_role("region").get_by_role("status")).to_have_text("Added to cart")
    expect(page.get_by_role("region").get_by_role("status").get_by_role("link")).to_have_count(0)


def test_strict_content_security_policy_has_nothing_to_refuse(
    page: Page, storefront: Storefront, complaints: list[str]
) -> None:
    service = storefront.api.origin
    policy = (
        f"default-src 'none'; script-src {service}; style-src 'self'; img-src 'self'; "
        f"connect-src 'self' {service}; require-trusted-types-for 'script'"
    )

    page.goto(storefront.page(headers={"Content-Security-Policy": policy}))

    box = page.get_by_role("region")
    expect(box.get_by_role("list")).to_have_css("display", "grid")
    expect(box.get_by_role("button")).to_have_css("background-color", "rgb(29, 29, 33)")
    box.get_by_role("button").click()
    expect(box.get_by_role("button")).to_have_text("Added to cart")
    assert complaints == []


def test_nothing_is_stored_in_the_browser_without_leave(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page())
    page.get_by_role("region").get_by_role("button").click()
    expect(page.get_by_role("region").get_by_role("button")).to_have_text("Added to cart")

    assert page.context.cookies() == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
