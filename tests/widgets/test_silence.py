"""When there is nothing to show, or the service is slow or ill, the page is as if we were not there."""

import socket
import threading

import pytest
from playwright.sync_api import Page, Request

from tests.widgets.storefront import MUG, Reply, Storefront, answer

_STATE = """() => {
  const box = document.querySelector('pannier-bundle');
  return [box.shadowRoot.childNodes.length, box.childNodes.length, box.getAttribute('style'), box.offsetHeight];
}"""
_UNTOUCHED = [0, 0, None, 0]


def _bare_page(storefront: Storefront, tag: dict[str, str | None] | None = None) -> str:
    """Publish a page that reserves no room for the box."""
    return storefront.page(tag=tag, html_attributes={"class": None})


def _own(complaints: list[str]) -> list[str]:
    """Return the complaints without the line the browser itself writes for every failed request."""
    return [text for text in complaints if not text.startswith("Failed to load resource")]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(answer()), id="empty list"),
        pytest.param(Reply(answer(MUG | {"available": False})), id="all sold out"),
        pytest.param(Reply({"status": 401, "title": "Unauthorized"}, status=401), id="401"),
        pytest.param(Reply("down", status=503), id="503"),
        pytest.param(Reply("", status=204), id="204"),
        pytest.param(Reply("<html>", content_type="text/html"), id="not JSON"),
        pytest.param(Reply('{"recommendations": [{"product'), id="cut off"),
        pytest.param(Reply([]), id="a list"),
        pytest.param(Reply("null"), id="null"),
        pytest.param(Reply({"recommendations": "none"}), id="text for a list"),
        pytest.param(Reply(answer({}, {"product_id": 7, "title": {}})), id="wrong types"),
        pytest.param(Reply({"recommendations": [None, 3, "x", []], "decision_id": 7}), id="not objects"),
    ],
)
def test_page_is_untouched(page: Page, storefront: Storefront, complaints: list[str], reply: Reply) -> None:
    storefront.reply(reply)

    with page.expect_console_message(lambda message: message.text.startswith("pannier:")):
        page.goto(_bare_page(storefront, tag={"data-debug": ""}))

    assert page.evaluate(_STATE) == _UNTOUCHED
    assert _own(complaints) == []


def test_page_is_untouched_when_the_service_is_unreachable(
    page: Page, storefront: Storefront, complaints: list[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound and not listening: connections are refused.
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}/v1/"
        with page.expect_console_message(lambda message: message.text.startswith("pannier:")):
            page.goto(_bare_page(storefront, tag={"data-debug": "", "data-api": nowhere}))

    assert page.evaluate(_STATE) == _UNTOUCHED
    assert _own(complaints) == []


def test_without_debug_nothing_is_logged(page: Page, storefront: Storefront) -> None:
    logged: list[str] = []
    page.on("console", lambda message: logged.append(message.text))
    storefront.recommend()

    with page.expect_response("**/v1/recommendations?*"):
        page.goto(_bare_page(storefront))
    page.evaluate("new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))")

    assert logged == []


def test_answer_later_than_the_deadline_is_not_waited_for(
    page: Page, storefront: Storefront, complaints: list[str]
) -> None:
    storefront.recommend(MUG, gate=threading.Event())
    failed: list[Request] = []
    page.on("requestfailed", lambda request: failed.append(request))  # noqa: PLW0108 - no built-ins here
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    with page.expect_request("**/v1/recommendations?*"):
        page.goto(_bare_page(storefront, tag={"data-timeout": None}))

    page.clock.run_for(1499)
    page.wait_for_load_state("load")
    assert failed == []
    with page.expect_event("requestfailed"):
        page.clock.run_for(1)

    assert page.evaluate(_STATE) == _UNTOUCHED
    assert complaints == []


def test_missing_key_asks_nobody(page: Page, storefront: Storefront, complaints: list[str]) -> None:
    page.goto(_bare_page(storefront, tag={"data-key": None}), wait_until="load")
    page.evaluate("new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))")

    assert page.evaluate(_STATE) == _UNTOUCHED
    assert storefront.api.calls_to("GET /v1/recommendations") == []
    assert complaints == []
