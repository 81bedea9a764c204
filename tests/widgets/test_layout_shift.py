"""The box moves nothing that somebody is looking at: cumulative layout shift 0, as Chromium measures it."""

import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.storefront import MUG, TRAY, Storefront

_WIDTH, _HEIGHT = 1200, 800
_UNRESERVED = {"class": None}
_TWO_FRAMES = "new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))"


@pytest.fixture
def shift(page: Page) -> Callable[[], float]:
    """Return a function that gives the page's layout shift so far, as web vitals count it."""
    page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})
    page.add_init_script(
        """window.shift = 0;
        const count = (entries) => entries.forEach((entry) => {
          if (!entry.hadRecentInput) shift += entry.value;
        });
        window.meter = new PerformanceObserver((list) => count(list.getEntries()));
        meter.observe({type: 'layout-shift', buffered: true});
        window.readShift = () => { count(meter.takeRecords()); return shift; };"""
    )

    def read() -> float:
        page.evaluate(_TWO_FRAMES)
        return float(page.evaluate("readShift()"))

    return read


def _answer_has_arrived(page: Page) -> None:
    """Give the widget the time to act on an answer that the browser has received."""
    page.wait_for_function("performance.getEntriesByType('resource').some((r) => r.name.includes('/v1/rec'))")
    page.evaluate(_TWO_FRAMES)


def test_meter_measures(page: Page, storefront: Storefront, shift: Callable[[], float]) -> None:
    page.goto(storefront.page(body=""))
    assert shift() == 0

    page.evaluate(
        "const block = document.createElement('div'); block.style.height = '200px';"
        "document.querySelector('.product').before(block)"
    )

    assert shift() > 0.05


def test_box_below_the_screen_is_there_before_it_is_scrolled_to(
    page: Page, storefront: Storefront, shift: Callable[[], float]
) -> None:
    page.goto(storefront.page(html_attributes=_UNRESERVED, spacer=500))
    box = page.get_by_role("region")
    box.wait_for(state="attached")

    for _ in range(10):
        page.mouse.wheel(0, 150)
        page.evaluate(_TWO_FRAMES)

    expect(box).to_be_in_viewport()
    assert shift() == 0


def test_box_in_view_waits_for_a_click_that_it_does_not_disturb(
    page: Page, storefront: Storefront, shift: Callable[[], float]
) -> None:
    page.goto(storefront.page(html_attributes=_UNRESERVED))
    box = page.get_by_role("region")
    assert page.locator("pannier-bundle").evaluate("(box) => box.getBoundingClientRect().top") < _HEIGHT
    _answer_has_arrived(page)
    expect(box).to_have_count(0)

    page.get_by_role("heading", name="Details").click()
    page.evaluate(_TWO_FRAMES)
    expect(box).to_have_count(0)
    page.evaluate("document.querySelector('.buy').click()")  # A script's click is nobody's.
    page.evaluate(_TWO_FRAMES)
    expect(box).to_have_count(0)
    before = page.locator(".buy").bounding_box()
    page.locator(".buy").click()

    expect(box).to_be_visible()
    assert page.locator(".buy").bounding_box() == before
    assert shift() == 0


def test_box_in_view_appears_when_its_place_has_left_the_screen_below(
    page: Page, storefront: Storefront, shift: Callable[[], float]
) -> None:
    gate = threading.Event()
    storefront.recommend(MUG, TRAY, gate=gate)
    page.goto(storefront.page(html_attributes=_UNRESERVED, spacer=600))
    box = page.get_by_role("region")
    page.mouse.wheel(0, 500)
    page.wait_for_function("scrollY === 500")
    gate.set()
    _answer_has_arrived(page)
    expect(box).to_have_count(0)

    page.mouse.wheel(0, -500)
    page.wait_for_function("scrollY === 0")

    box.wait_for(state="attached")
    assert shift() == 0


def test_box_scrolled_past_appears_after_a_jump_back_to_the_top(
    page: Page, storefront: Storefront, shift: Callable[[], float]
) -> None:
    gate = threading.Event()
    storefront.recommend(MUG, TRAY, gate=gate)
    # Asked before the jump: a box that was never near the screen does not ask at all.
    with page.expect_request("**/v1/recommendations*"):
        page.goto(
            storefront.page(
                html_attributes=_UNRESERVED,
                spacer=600,
                body='<pannier-bundle product-id="201"></pannier-bundle><div class="tall"></div>',
                head="<style>.tall{height:3000px}</style>",
            )
        )
    page.evaluate("scrollTo(0, 2500)")
    page.evaluate(_TWO_FRAMES)
    gate.set()
    _answer_has_arrived(page)
    expect(page.get_by_role("region")).to_have_count(0)

    page.evaluate("scrollTo(0, 0)")

    page.get_by_role("region").wait_for(state="attached")
    assert shift() == 0


def test_reserved_room_is_filled_at_once(
    page: Page, storefront: Storefront, shift: Callable[[], float]
) -> None:
    page.goto(storefront.page())

    expect(page.get_by_role("region")).to_be_visible()
    page.get_by_role("region").get_by_role("button").click()
    expect(page.get_by_role("region").get_by_role("status")).to_contain_text("Added to cart")
    assert shift() == 0


def test_reserved_room_is_given_back_out_of_sight(
    page: Page, storefront: Storefront, shift: Callable[[], float]
) -> None:
    storefront.recommend()
    page.goto(storefront.page(spacer=1500))
    element = page.locator("pannier-bundle")
    page.evaluate("scrollTo(0, 1500)")
    _answer_has_arrived(page)
    assert element.evaluate("(box) => box.offsetHeight") == 640

    page.evaluate("scrollTo(0, 0)")

    expect(element).to_have_css("min-height", "0px")
    assert element.evaluate("(box) => box.offsetHeight") == 0
    assert shift() == 0


def test_another_product_is_shown_in_the_room_of_the_first(
    page: Page, storefront: Storefront, shift: Callable[[], float]
) -> None:
    page.goto(storefront.page())
    page.get_by_role("region").wait_for()
    page.evaluate("document.documentElement.className = ''")  # From now on the box keeps its own room.
    page.evaluate("window.scrollTo(0, 0)")
    page.evaluate("meter.takeRecords(); window.shift = 0")
    page.evaluate(_TWO_FRAMES)
    baseline = shift()

    page.evaluate("document.querySelector('pannier-bundle').setAttribute('product-id', '205')")
    page.wait_for_function(
        "performance.getEntriesByType('resource').filter((r) => r.name.includes('/v1/rec')).length === 2"
    )
    page.get_by_role("region").wait_for()

    assert shift() == baseline


@pytest.mark.parametrize("width", [320, 1200])
def test_message_after_the_click_fits_into_the_box(
    page: Page, storefront: Storefront, shift: Callable[[], float], width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(storefront.page())
    box = page.get_by_role("region")
    box.wait_for()
    before = box.bounding_box()

    box.get_by_role("button").click()
    expect(box.get_by_role("status")).to_contain_text("Added to cart")

    after = box.bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] == before["height"]
