"""The demo shops in a browser: the bundle on the page, everything into the cart, an order that teaches."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from app.commerce.order import Order
from app.core.db import db
from app.recommendations.report import pairs_of_product, strongest_pairs
from demo.delivery import send
from demo.messages import Platform
from demo.shops import deliveries
from demo.storefront import create_storefront, serve
from tests.browser import launch_arguments
from tests.end_to_end.house import SECRET, House, open_house, until

PLATFORMS: tuple[Platform, ...] = ("shopify", "woocommerce")
pytestmark = pytest.mark.xdist_group("demo-shops")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the system's Chromium instead of a downloaded one (pytest-playwright's hook)."""
    return launch_arguments()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Two shops whose past is learned, being served."""
    with ExitStack() as stack:
        house = stack.enter_context(open_house(tmp_path_factory.mktemp("demo"), PLATFORMS, 700))
        for platform, connected in house.shops.items():
            summary = send(deliveries(connected.shop, secret=SECRET), connected.webhook_url)
            assert summary.accepted == summary.sent
            storefront = create_storefront(
                connected.shop,
                pannier_url=house.url,
                publishable_key=connected.publishable_key,
                webhook_url=connected.webhook_url,
                secret=SECRET,
            )
            stack.callback(serve(storefront, connected.port).shutdown)
            assert platform == connected.shop.platform
        house.settle()
        yield house


def strongest(house: House, platform: Platform) -> dict[str, Any]:
    """Return the surest pair of a shop."""
    with house.app.app_context():
        return strongest_pairs(house.shops[platform].store_id, 1)[0]


def product_url(house: House, platform: Platform, product_id: str) -> str:
    """Return the address of a product's page, as the shop itself told it."""
    with house.app.app_context():
        url = (
            db.session.connection()
            .exec_driver_sql(
                "SELECT url FROM product WHERE store_id = %(s)s AND platform_id = %(p)s",
                {"s": house.shops[platform].store_id, "p": product_id},
            )
            .scalar_one()
        )
    base = house.shops[platform].shop.base_url
    return url if url.startswith("http") else f"{base}{url}"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_bundle_goes_into_the_cart_and_its_order_is_learned(
    house: House, page: Page, platform: Platform
) -> None:
    pair = strongest(house, platform)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    connected = house.shops[platform]
    with house.app.app_context():
        before = {
            row["other_id"]: row["orders"]
            for row in pairs_of_product(connected.store_id, pair["product_id"], 50)
        }
        orders = set(
            db.session.scalars(select(Order.platform_id).where(Order.store_id == connected.store_id))
        )

    page.goto(product_url(house, platform, pair["product_id"]))
    box = page.locator("pannier-bundle")
    box.scroll_into_view_if_needed()
    expect(box.get_by_role("link", name=pair["other"])).to_be_visible()
    box.get_by_role("button").last.click()
    expect(box).to_contain_text("Added")
    page.goto(f"{connected.shop.base_url}/cart")
    expect(page.get_by_text(pair["product"]).first).to_be_visible()
    expect(page.get_by_text(pair["other"]).first).to_be_visible()
    page.get_by_role("button", name="Place order").click()

    def learned() -> bool:
        with house.app.app_context():
            now = {
                row["other_id"]: row["orders"]
                for row in pairs_of_product(connected.store_id, pair["product_id"], 50)
            }
        return now.get(pair["other_id"]) == before[pair["other_id"]] + 1

    until(learned, 30, "the order to be learned")
    with house.app.app_context():
        fresh = set(db.session.scalars(select(Order.platform_id).where(Order.store_id == connected.store_id)))
    assert len(fresh - orders) == 1
    assert complaints == []


def test_a_product_that_is_taken_down_leaves_the_box(house: House, page: Page) -> None:
    pair = strongest(house, "shopify")
    connected = house.shops["shopify"]
    path = (
        f"{house.url}/v1/recommendations?slot=product&product_id={pair['product_id']}"
        f"&key={connected.publishable_key}"
    )

    def shown() -> set[str]:
        answer = page.request.get(path)
        assert answer.status == 200
        return {r["product_id"] for r in answer.json()["recommendations"]}

    assert pair["other_id"] in shown()
    page.goto(f"{connected.shop.base_url}/admin?q={pair['other']}")
    page.get_by_role("button", name="Hide").first.click()

    until(lambda: pair["other_id"] not in shown(), 20, "the hidden product to disappear")
