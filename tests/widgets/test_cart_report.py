"""Reporting a WooCommerce cart: with the visitor's consent, and otherwise not even looking into it."""

import base64
import hashlib
import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.storefront import KEY, NONCE, Reply, Storefront

_TAG = {"data-platform": "woocommerce"}
_CART = "GET /wp-json/wc/store/v1/cart"
_REPORT = "POST /v1/carts"
# A guest's session is called t_ and 30 hexadecimal digits.
_SESSION = "t_77b1d0f2c95e41a8836b0d4ce1f9a2"
_HASH = hashlib.sha256(f"pannier:{_SESSION}".encode()).hexdigest()
_AGREED = "window.wp_has_consent = (category) => category === 'statistics';"
_REFUSED = "window.wp_has_consent = () => false;"
_GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true});"
_ITEMS = [
    {"key": "c20a", "id": 12, "quantity": 2, "name": "Teapot", "variation": []},
    {"key": "c51c", "id": 9202, "quantity": 0.5, "name": "Cord", "variation": [{"attribute": "Size"}]},
]
_LINES = [
    {"product_id": "12", "quantity": 2},
    {"product_id": "9202", "quantity": 1},
]


def _token(session: Any) -> str:
    """Write a Cart-Token, JWT without padding (RFC 7515, section 2)."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"user_id": session, "exp": 1795500000, "iss": "store-api"})
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part, ensure_ascii=True).encode()).decode().rstrip("=")
        for part in parts
    ]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


def _cart(*items: dict[str, Any], session: Any = _SESSION) -> Reply:
    return Reply({"items": list(items)}, headers={"Nonce": NONCE, "Cart-Token": _token(session)})


@pytest.fixture
def woocommerce(storefront: Storefront) -> Storefront:
    """A shop with two articles in the cart, and a service that takes reports as ours does."""
    storefront.shop.routes[_CART] = _cart(*_ITEMS)
    origin = {"Access-Control-Allow-Origin": storefront.shop.origin}
    storefront.api.routes["OPTIONS /v1/carts"] = Reply(
        status=204, headers={**origin, "Access-Control-Allow-Headers": "Content-Type"}
    )
    storefront.api.routes[_REPORT] = Reply({}, status=202, headers=origin)
    storefront.take_events()
    return storefront


def _open(page: Page, storefront: Storefront, script: str, tag: dict[str, str] | None = None) -> None:
    """Open the page and wait until everything that it starts by itself is over."""
    page.add_init_script(script)
    page.goto(storefront.page(tag=tag or _TAG))
    expect(page.get_by_role("region")).to_be_visible()
    page.wait_for_load_state("networkidle")


def test_cart_is_reported_once_the_page_has_loaded(
    page: Page, woocommerce: Storefront, complaints: list[str]
) -> None:
    _open(page, woocommerce, _AGREED)

    [call] = woocommerce.api.calls_to(_REPORT)
    assert call.body == {"token": _HASH, "consent": True, "lines": _LINES}
    assert call.query == {"key": KEY}
    assert call.headers["content-type"] == "application/json"
    assert "cookie" not in call.headers
    assert len(woocommerce.shop.calls_to(_CART)) == 1
    assert complaints == []


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("", id="no consent API"),
        pytest.param(_REFUSED, id="refused"),
        pytest.param("window.wp_has_consent = (category) => category === 'marketing';", id="something else"),
        pytest.param("window.wp_has_consent = () => 'no';", id="no clear yes"),
        pytest.param(_AGREED + _GPC, id="Global Privacy Control"),
    ],
)
def test_without_consent_the_cart_is_neither_read_nor_sent(
    page: Page, woocommerce: Storefront, script: str
) -> None:
    _open(page, woocommerce, script)

    assert woocommerce.shop.calls_to(_CART) == []
    assert [call.method for call in woocommerce.api.calls if call.path == "/v1/carts"] == []


def test_other_platforms_report_nothing(page: Page, woocommerce: Storefront) -> None:
    _open(page, woocommerce, _AGREED, {"data-platform": "shopify"})

    assert woocommerce.shop.calls_to(_CART) == []
    assert woocommerce.api.calls_to(_REPORT) == []


@pytest.mark.parametrize(
    "cart",
    [
        pytest.param(_cart(), id="empty"),
        pytest.param(_cart(*_ITEMS, session="7"), id="signed in"),
        pytest.param(_cart(*_ITEMS, session=7), id="signed in, as number"),
        pytest.param(Reply({"items": _ITEMS}), id="no token"),
        pytest.param(_cart(*_ITEMS, session=None), id="a token of nobody"),
        pytest.param(Reply({"items": _ITEMS}, headers={"Cart-Token": "a.b.c"}), id="no JWT"),
        pytest.param(Reply("<html>", status=403), id="firewall"),
    ],
)
def test_what_cannot_be_reported_is_left_alone(page: Page, woocommerce: Storefront, cart: Reply) -> None:
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    woocommerce.shop.routes[_CART] = cart

    _open(page, woocommerce, _AGREED)

    assert len(woocommerce.shop.calls_to(_CART)) == 1
    assert woocommerce.api.calls_to(_REPORT) == []
    assert thrown == []


def test_refused_report_changes_nothing(page: Page, woocommerce: Storefront) -> None:
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    woocommerce.api.routes["OPTIONS /v1/carts"] = Reply(status=204)

    _open(page, woocommerce, _AGREED)

    expect(page.get_by_role("region").get_by_role("button")).to_be_enabled()
    assert thrown == []


def test_cart_is_reported_after_adding(page: Page, woocommerce: Storefront) -> None:
    _open(page, woocommerce, _AGREED)
    woocommerce.shop.routes[_CART] = _cart(_ITEMS[0])

    with page.expect_response("**/v1/carts?*"):
        page.get_by_role("region").get_by_role("button").click()

    reports = woocommerce.api.calls_to(_REPORT)
    assert [call.body["lines"] for call in reports] == [_LINES, _LINES[:1]]


def test_cart_that_was_reported_is_reported_empty(page: Page, woocommerce: Storefront) -> None:
    _open(page, woocommerce, _AGREED)
    woocommerce.shop.routes[_CART] = _cart()

    with page.expect_response("**/v1/carts?*"):
        page.evaluate("document.dispatchEvent(new CustomEvent('pannier:added'))")

    assert woocommerce.api.calls_to(_REPORT)[-1].body == {"token": _HASH, "consent": True, "lines": []}


def test_consent_that_comes_later_counts_from_then_on(page: Page, woocommerce: Storefront) -> None:
    _open(page, woocommerce, _REFUSED)
    assert woocommerce.api.calls_to(_REPORT) == []

    with page.expect_response("**/v1/carts?*"):
        page.evaluate(_AGREED + "document.dispatchEvent(new CustomEvent('wp_listen_for_consent_change'))")

    assert len(woocommerce.api.calls_to(_REPORT)) == 1


def test_consent_that_is_withdrawn_while_the_shop_answers_counts(page: Page, woocommerce: Storefront) -> None:
    # given a shop that takes its time to say what is in the cart
    gate = threading.Event()
    woocommerce.shop.routes[_CART] = replace(_cart(*_ITEMS), gate=gate)
    page.add_init_script(_AGREED)
    with page.expect_request("**/wc/store/v1/cart"):
        page.goto(woocommerce.page(tag=_TAG), wait_until="commit")

    # when the visitor says no meanwhile
    page.evaluate(_REFUSED)
    with page.expect_response("**/wc/store/v1/cart"):
        gate.set()
    page.wait_for_load_state("networkidle")

    # then it is not told to anybody
    assert woocommerce.api.calls_to(_REPORT) == []
