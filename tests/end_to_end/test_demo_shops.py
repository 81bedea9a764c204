"""The demo as it is started: both shops installed and fetched, the bundle on the page, an order that teaches."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import select

from app.commerce.order import Order
from app.commerce.store import find_store, publishable_key
from app.core import embedded
from app.core.config import load_settings
from app.core.crypto import keys_on_disk
from app.core.db import db
from app.factory import create_app
from app.processes import ROOT
from app.recommendations.report import pairs_of_product, strongest_pairs
from demo.messages import Platform
from demo.shops import SHOPIFY_DOMAIN
from tests.browser import launch_arguments
from tests.end_to_end.house import free_port, until

PLATFORMS: tuple[Platform, ...] = ("shopify", "woocommerce")
START_S = 240
ORDERS = "400"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the system's Chromium instead of a downloaded one (pytest-playwright's hook)."""
    return launch_arguments()


@dataclasses.dataclass(frozen=True)
class Connected:
    """A demo shop and its store."""

    url: str
    store_id: int
    publishable_key: str


@dataclasses.dataclass(frozen=True)
class Demo:
    """The demo that runs, what it and those before it printed, and an application to look into its database with."""

    printed: tuple[str, ...]
    url: str
    app: Flask
    shops: dict[Platform, Connected]


def free_ports(count: int) -> int:
    """Return the first of so many ports in a row on which nobody listens."""
    while True:
        first = free_port()
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.create_server(("127.0.0.1", port)))
            except (OSError, OverflowError):
                continue
            return first


@contextmanager
def started(directory: Path, port: int, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Run ``pannier demo`` with its data in ``directory``; what it prints is in ``directory/printed``."""
    own = ("DATABASE_URL", "REDIS_URL", "PANNIER_SECRET_KEYS")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    with (directory / "printed").open("w") as printed:
        demo = subprocess.Popen(
            [sys.executable, "-c", "from app.cli import main; main()", "demo", "--port", str(port), *options],
            cwd=ROOT,
            env={**environment, "PANNIER_VAR_DIR": str(directory)},
            stdout=printed,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield demo
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)


def wait_for(demo: "subprocess.Popen[str]", directory: Path, words: str) -> None:
    """Wait until the demo has printed ``words``."""

    def said() -> bool:
        printed = (directory / "printed").read_text()
        assert demo.poll() is None or words in printed, printed
        return words in printed

    until(said, START_S, f"the demo to print {words!r}")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo: interrupted once while it fetches, run to the end of learning, and started from what is there."""
    directory, port = tmp_path_factory.mktemp("demo"), free_ports(4)
    printed = []
    with started(directory, port, "--orders", ORDERS) as demo:
        wait_for(demo, directory, "Fetching the past")
    printed.append((directory / "printed").read_text())
    with started(directory, port, "--orders", ORDERS, "--once") as demo:
        assert demo.wait(START_S) == 0
    printed.append((directory / "printed").read_text())
    with started(directory, port, "--orders", ORDERS) as demo:
        wait_for(demo, directory, "Open in a browser")
        printed.append((directory / "printed").read_text())
        services = embedded.status(directory)
        assert services is not None
        app = create_app(
            dataclasses.replace(
                load_settings(),
                database_url=services.database_url,
                redis_url=services.redis_url,
                secret_keys=keys_on_disk(directory / "secret.key"),
                var_dir=directory,
            )
        )
        shops: dict[Platform, Connected] = {}
        with app.app_context():
            for number, platform in enumerate(PLATFORMS, 1):
                url = f"http://127.0.0.1:{port + number}"
                store = find_store(SHOPIFY_DOMAIN if platform == "shopify" else f"{url}/")
                shops[platform] = Connected(url, store.id, publishable_key(store.id) or "")
        yield Demo(tuple(printed), f"http://127.0.0.1:{port}", app, shops)
        with app.app_context():
            db.engine.dispose()


def strongest(house: Demo, platform: Platform) -> dict[str, Any]:
    """Return the surest pair of a shop."""
    with house.app.app_context():
        return strongest_pairs(house.shops[platform].store_id, 1)[0]


def product_url(house: Demo, platform: Platform, product_id: str) -> str:
    """Return the address of a product's page, as the shop itself told it."""
    with house.app.app_context():
        url: str = (
            db.session.connection()
            .exec_driver_sql(
                "SELECT url FROM product WHERE store_id = %(s)s AND platform_id = %(p)s",
                {"s": house.shops[platform].store_id, "p": product_id},
            )
            .scalar_one()
        )
    return url if url.startswith("http") else f"{house.shops[platform].url}{url}"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_bundle_goes_into_the_cart_and_its_order_is_learned(
    house: Demo, page: Page, platform: Platform
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
    page.goto(f"{connected.url}/cart")
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


def test_a_product_that_is_taken_down_leaves_the_box_until_it_is_back(house: Demo, page: Page) -> None:
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
    page.goto(f"{connected.url}/admin?q={pair['other']}")
    page.get_by_role("button", name="Hide").first.click()

    until(lambda: pair["other_id"] not in shown(), 20, "the hidden product to disappear")
    page.get_by_role("button", name="Show").first.click()

    until(lambda: pair["other_id"] in shown(), 20, "the product to come back")


def test_an_interrupted_run_goes_on_without_installing_again(house: Demo) -> None:
    interrupted, resumed, _ = house.printed

    assert "Everything is stopped." in interrupted
    assert resumed.count("Pannier is installed already.") == 2
    # Whichever of the two the interruption came before.
    for shop, products in (("Hearth & Bunting", "2,772"), ("Teacup Lane", "2,667")):
        known = f"{shop}: the past is known already." in resumed
        assert known != (f"{shop}: {products} products and {ORDERS} orders." in resumed)


def test_a_run_after_that_starts_from_what_is_there(house: Demo) -> None:
    again = house.printed[2]

    assert again.count("Pannier is installed already.") == 2
    assert again.count("the past is known already.") == 2
