"""Whatever a merchant can set, style or listen to stands in the documentation."""

import re
from pathlib import Path

from playwright.sync_api import Page

from tests.widgets.storefront import MUG, TRAY, Storefront

_ROOT = Path(__file__).parents[2]
_SOURCES = _ROOT / "widgets" / "src"


def _documentation() -> str:
    return (_ROOT / "docs" / "widget.md").read_text(encoding="utf-8")


def _undocumented(names: set[str]) -> set[str]:
    assert names
    text = _documentation()
    return {name for name in names if f"`{name}`" not in text}


def test_every_setting_is_documented() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in _SOURCES.glob("*.ts"))
    settings = set(re.findall(r'\bread\("([a-z-]+)"\)', sources)) | {"debug"}

    assert {"product-id", "platform", "wc-root", "mount", "timeout"} <= settings
    assert _undocumented(settings) == set()


def test_every_theme_property_is_documented() -> None:
    style = (_SOURCES / "style.css").read_text(encoding="utf-8")

    assert _undocumented(set(re.findall(r"var\((--pannier-[a-z-]+)", style))) == set()


def test_every_part_is_documented(page: Page, storefront: Storefront) -> None:
    storefront.recommend(MUG | {"image_url": None}, TRAY | {"variant_id": None})
    page.goto(storefront.page())
    page.get_by_role("region").get_by_role("button").click()
    page.get_by_role("link", name="View cart").wait_for()

    parts = page.evaluate(
        "[...document.querySelector('pannier-bundle').shadowRoot.querySelectorAll('[part]')]"
        ".map((node) => node.getAttribute('part'))"
    )
    assert {"badge", "options", "placeholder", "cart-link", "message"} <= set(parts)
    assert _undocumented(set(parts)) == set()
