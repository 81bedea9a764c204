"""The shops' own question: behind their platform's interface, unanswered until somebody answers."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from demo.shops import Shop
from demo.storefront import serve
from tests.browser import launch_arguments
from tests.demo.front import opened
from tests.demo.sink import Sink

# What a page's script reads of the platform's interface.
READ = {
    "shopify": """() => new Promise((done) => Shopify.loadFeatures(
        [{ name: "consent-tracking-api", version: "0.1" }],
        () => done(Shopify.customerPrivacy.analyticsProcessingAllowed())))""",
    "woocommerce": "() => wp_has_consent('statistics')",
}
LISTEN = {
    "shopify": """() => { window.heard = []; document.addEventListener("visitorConsentCollected",
        ({ detail }) => heard.push(detail.analyticsAllowed)); }""",
    "woocommerce": """() => { window.heard = []; document.addEventListener("wp_listen_for_consent_change",
        ({ detail }) => { if ("statistics" in detail) heard.push(detail.statistics === "allow"); }); }""",
}


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the system's Chromium (pytest-playwright's hook)."""
    return launch_arguments()


@pytest.fixture
def home(page: Page, shop: Shop, sink: Sink) -> Iterator[Page]:
    """The shop's home, in the browser of somebody who was never there; no widget runs."""
    with opened(shop, sink) as front:
        server = serve(front.app, 0)
        page.route("**/v1/**", lambda route: route.abort())
        page.goto(server.url)
        yield page
        server.shutdown()


def test_an_answer_is_heard_kept_and_can_be_changed(home: Page, shop: Shop) -> None:
    banner = home.locator("[data-consent-banner]")
    footer = home.locator("footer")
    home.evaluate(LISTEN[shop.platform])
    assert banner.is_visible()
    assert home.evaluate(READ[shop.platform]) is False

    banner.get_by_role("button", name="Allow").click()
    assert banner.is_hidden()
    assert home.evaluate(READ[shop.platform]) is True

    home.reload()
    home.evaluate(LISTEN[shop.platform])
    assert banner.is_hidden()
    assert footer.get_by_text("You allowed it.").is_visible()

    footer.get_by_role("button", name="Decline").click()
    assert home.evaluate(READ[shop.platform]) is False
    assert home.evaluate("heard") == [False]
    assert footer.get_by_text("You declined.").is_visible()
