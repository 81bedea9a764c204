"""The widget and the service understand each other: a yes, what was seen, and a no that takes it back."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page
from sqlalchemy import select

from app.commerce.store import add_store
from app.core.db import db
from app.privacy.models import ConsentState
from app.privacy.purposes import Purposes
from tests.browser import launch_arguments
from tests.end_to_end.connections import served
from tests.events.sending import kept
from tests.widgets.conftest import widget_build, widget_script  # noqa: F401 - fixtures
from tests.widgets.storefront import Reply, Storefront, serve

_SHOPIFY = """
    window.allowed = true;
    window.Shopify = {customerPrivacy: {
      analyticsProcessingAllowed: () => allowed,
      preferencesProcessingAllowed: () => allowed,
      marketingAllowed: () => false,
      saleOfDataAllowed: () => false,
      currentVisitorConsent: () => ({analytics: allowed ? 'yes' : 'no'}),
      getRegion: () => 'USCA',
    }};"""


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the system's Chromium (pytest-playwright's hook)."""
    return launch_arguments()


def _until(page: Page, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def test_service_takes_what_the_widget_tells_and_forgets_it_on_a_no(
    page: Page,
    app: Flask,
    widget_script: str,  # noqa: F811
) -> None:
    with serve() as shop, serve() as script, served(app) as url:
        # given a visitor who said yes
        store, keys = add_store("shopify", "tea.myshopify.com", origins=[shop.origin])
        db.session.commit()
        storefront = Storefront(shop, script, widget_script)
        shop.routes["GET /cart.js"] = Reply({"token": "Z2NwLWV1?key=5f1c", "items": []})
        page.add_init_script(_SHOPIFY)

        # when they look at a product
        page.goto(storefront.page(tag={"data-key": keys.publishable, "data-api": f"{url}/v1/"}))
        _until(page, lambda: len(kept(store)) > 0)

        # then it is kept, by the choice that was recorded
        assert [(event.name, event.products) for event in kept(store)] == [("Product Viewed", ["201"])]
        assert list(db.session.scalars(select(ConsentState.purposes))) == [
            Purposes.ANALYTICS | Purposes.PREFERENCES
        ]

        # and when they take it back, nothing is kept of them
        page.evaluate("allowed = false; document.dispatchEvent(new Event('visitorConsentCollected'))")
        _until(page, lambda: kept(store) == [])
        assert list(db.session.scalars(select(ConsentState.purposes))) == [Purposes.NONE]
