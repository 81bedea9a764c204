"""Fixtures of the widget's tests: the built script, a storefront, the system's browser."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Page

from tests.browser import launch_arguments
from tests.widgets.storefront import Storefront, serve

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the system's Chromium instead of a downloaded one (pytest-playwright's hook)."""
    return launch_arguments()


@pytest.fixture(scope="session")
def widget_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the widget from its sources and return the script's path; the file of offers lies beside it."""
    built = tmp_path_factory.mktemp("widget") / "pannier.js"
    node = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
    assert node, "the widget's tests need Node: install the development dependencies"
    assert (ROOT / "node_modules" / "esbuild").is_dir(), "run `npm ci` first"
    subprocess.run(
        [node, str(ROOT / "widgets" / "build.mjs"), "--outfile", str(built)], check=True, timeout=60
    )
    return built


@pytest.fixture(scope="session")
def widget_script(widget_build: Path) -> str:
    """The widget's script."""
    return widget_build.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def offers_script(widget_build: Path) -> str:
    """The second file, which shows offers."""
    return widget_build.with_name("pannier-offers.js").read_text(encoding="utf-8")


@pytest.fixture
def storefront(widget_script: str, offers_script: str) -> Iterator[Storefront]:
    """A shop and a service on two loopback origins, with the widget on offer."""
    with serve() as shop, serve() as api:
        yield Storefront(shop, api, widget_script, offers_script)


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """Everything the page logs as an error or throws, in order."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


@pytest.fixture
def added_events(page: Page) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that lists the details of the ``pannier:added`` events the document has seen."""
    page.add_init_script(
        "window.addedEvents = [];"
        "document.addEventListener('pannier:added', (event) => addedEvents.push(event.detail));"
    )
    return lambda: cast(list[dict[str, Any]], page.evaluate("addedEvents"))
