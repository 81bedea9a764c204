"""Keyboard, screen reader, small screens, forced colours, no motion."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.storefront import MUG, TRAY, Reply, Storefront

_AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
_FOCUSED = """() => {
  let focused = document.activeElement;
  while (focused.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
  const label = focused.getAttribute('aria-labelledby');
  const named = label ? focused.getRootNode().getElementById(label) : focused;
  return `${focused.localName} ${named.textContent}`;
}"""

_EVERYTHING_INSIDE = """() => {
  const root = document.querySelector('pannier-bundle').shadowRoot;
  const box = root.querySelector('[part=box]').getBoundingClientRect();
  return [...root.querySelectorAll('img, input, [part=title], [part=price], [part=sum], button')]
    .map((node) => node.getBoundingClientRect())
    .every(({left, right}) => left >= box.left && right <= box.right);
}"""


def _violations(page: Page) -> list[str]:
    """Return the rules that axe finds broken in the box; the contrast rule must have been applied."""
    page.evaluate(_AXE.read_text(encoding="utf-8"))
    result: dict[str, Any] = page.evaluate(
        "axe.run('pannier-bundle', {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',"
        " 'best-practice']})"
    )
    assert "color-contrast" in [rule["id"] for rule in result["passes"]]
    return [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in result["violations"]]


def test_axe_finds_no_fault(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page())
    page.get_by_role("region").wait_for()

    assert _violations(page) == []


def test_axe_finds_no_fault_in_a_box_with_gaps(page: Page, storefront: Storefront) -> None:
    storefront.recommend(MUG | {"image_url": None, "price": None}, TRAY | {"variant_id": None})
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(storefront.page(html_attributes={"lang": "es"}))
    page.get_by_role("region").wait_for()

    assert _violations(page) == []


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        pytest.param(Reply({"items": []}), "Added to cart", id="added"),
        pytest.param(Reply({"description": "Sold out."}, status=422), "Sold out.", id="refused"),
    ],
)
def test_axe_finds_no_fault_after_the_click(
    page: Page, storefront: Storefront, reply: Reply, text: str
) -> None:
    storefront.shop.routes["POST /cart/add.js"] = reply
    page.goto(storefront.page())
    page.get_by_role("region").get_by_role("button").click()
    expect(page.get_by_role("region").get_by_role("status")).to_contain_text(text)

    assert _violations(page) == []


def test_keyboard_alone_is_enough(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page())
    box = page.get_by_role("region")
    box.wait_for()
    page.locator(".buy").focus()

    stops = []
    for _ in range(5):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(_FOCUSED))
    assert stops == [
        "input Stoneware mug, oatmeal",
        "a Stoneware mug, oatmeal",
        "input Oak serving tray with handles, oiled by hand",
        "a Oak serving tray with handles, oiled by hand",
        "button Add all 3 to cart",
    ]

    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(_FOCUSED) == "button Add 2 to cart"
    page.keyboard.press("Enter")

    expect(box.get_by_role("status")).to_contain_text("Added to cart")
    assert page.evaluate(_FOCUSED) == "button Added to cart"
    [call] = storefront.shop.calls_to("POST /cart/add.js")
    assert [item["id"] for item in call.body["items"]] == [9201, 9202]


def test_focus_is_visible(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page())
    page.get_by_role("region").wait_for()
    page.locator(".buy").focus()

    for control in ("input", "a"):
        page.keyboard.press("Tab")
        focused = page.locator(f"pannier-bundle {control}:focus-visible")
        expect(focused).to_have_css("outline-style", "solid")
        expect(focused).to_have_css("outline-width", "2px")


def test_button_is_described_by_the_total(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page())

    expect(page.get_by_role("region").get_by_role("button")).to_have_accessible_description("Total £71.45")


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_no_width_overflows(page: Page, storefront: Storefront, direction: str) -> None:
    storefront.recommend(MUG | {"title": "Donaudampfschifffahrtsgesellschaftskapitänskajüte" * 2}, TRAY)
    page.goto(storefront.page(html_attributes={"dir": direction}))
    page.get_by_role("region").wait_for()

    for width in (320, 360, 600, 900, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(_EVERYTHING_INSIDE)


def test_pictures_are_square_at_every_width(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page())
    page.get_by_role("region").wait_for()

    for width in (320, 600, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        for picture in page.locator("pannier-bundle img").all():
            frame = picture.bounding_box()
            assert frame is not None
            assert abs(frame["width"] - frame["height"]) < 0.5
            assert frame["width"] >= 80


def test_button_keeps_an_edge_in_forced_colours(page: Page, storefront: Storefront) -> None:
    page.emulate_media(forced_colors="active")
    page.goto(storefront.page())
    button = page.get_by_role("region").get_by_role("button")

    edge, ground = button.evaluate(
        "(node) => [getComputedStyle(node).borderTopColor, getComputedStyle(node).backgroundColor]"
    )
    assert edge != ground
    assert edge != "rgba(0, 0, 0, 0)"


def test_nothing_moves_by_itself(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page())
    page.get_by_role("region").wait_for()

    assert page.evaluate("document.getAnimations().length") == 0
    expect(page.get_by_role("region").get_by_role("button")).to_have_css("transition-duration", "0s")
