"""What the widget tells of a visitor: with a yes of the platform's consent interface, and otherwise nothing."""

import json
import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.storefront import KEY, Call, Reply, Storefront

_CONSENT = "PUT /v1/consent"
_BATCH = "POST /v1/batch"
_ASK = "GET /v1/recommendations"
_CART = "GET /cart.js"
_TOKEN = "Z2NwLWV1cm9wZS13ZXN0"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_ALL = {"analytics": True, "preferences": True, "marketing": True, "saleOfData": True}
_GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true});"
_WORDPRESS = "window.wp_has_consent = (category) => ['statistics', 'preferences'].includes(category);"


def _shopify(*, chose: str = "yes", region: str = "NZ", **allowed: bool) -> str:
    """Write a script that is Shopify's Customer Privacy API, which comes when it is loaded and no sooner."""
    return f"""
        window.allowed = {json.dumps(dict.fromkeys(_ALL, False) | allowed)};
        window.Shopify = {{loadFeatures: (features, then) => {{
          if (features[0].name !== 'consent-tracking-api' || features[0].version !== '0.1') return;
          Shopify.customerPrivacy = {{
            analyticsProcessingAllowed: () => allowed.analytics,
            preferencesProcessingAllowed: () => allowed.preferences,
            marketingAllowed: () => allowed.marketing,
            saleOfDataAllowed: () => allowed.saleOfData,
            currentVisitorConsent: () => ({{analytics: '{chose}'}}),
            getRegion: () => '{region}',
          }};
          then();
        }}}};"""


def _cart(**quantities: int) -> Reply:
    """Answer as cart.js does; names are products, an underscore before them."""
    items = [
        {"id": int(f"9{name[1:]}"), "product_id": int(name[1:]), "quantity": quantity}
        for name, quantity in quantities.items()
    ]
    return Reply({"token": f"{_TOKEN}?key=5f1c", "items": items})


@pytest.fixture
def shop(storefront: Storefront) -> Storefront:
    """A Shopify shop with an empty cart, and a service that takes events."""
    storefront.take_events()
    storefront.shop.routes[_CART] = _cart()
    return storefront


def _open(page: Page, storefront: Storefront, script: str, least: int = 0, **wishes: Any) -> None:
    """Open a page and leave it, which sends what it has to tell: at least so many messages."""
    page.add_init_script(script)
    page.goto(storefront.page(**wishes))
    page.wait_for_load_state("networkidle")
    page.evaluate("new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))")
    _leave(page, storefront, least)


def _leave(page: Page, storefront: Storefront, least: int = 0) -> None:
    """Let the page believe that it is being left, and wait until the service has so many messages.

    A beacon is no request that the browser waits for or tells of: without a number, one that was sent after it is
    waited for.
    """
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    deadline = time.monotonic() + 10
    while len(_events(storefront)) < least:
        assert time.monotonic() < deadline, f"{len(_events(storefront))} messages instead of {least}"
        page.wait_for_timeout(20)
    page.evaluate("fetch('/theme.css', {cache: 'no-store'})")
    page.wait_for_load_state("networkidle")


def _events(storefront: Storefront) -> list[dict[str, Any]]:
    """Return the messages of all batches."""
    return [message for call in storefront.api.calls_to(_BATCH) for message in call.body["batch"]]


def _told(storefront: Storefront) -> list[tuple[str, dict[str, Any]]]:
    """Return names and properties of the events so far."""
    return [
        (message["event"], message["properties"])
        for message in _events(storefront)
        if message["type"] == "track"
    ]


def _named(storefront: Storefront, *names: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, properties) for name, properties in _told(storefront) if name in names]


def _stored(page: Page) -> Any:
    return page.evaluate("Object.entries(localStorage).concat(Object.entries(sessionStorage))")


def _id(page: Page) -> str:
    """Return the identifier that the browser keeps."""
    [(key, value)] = _stored(page)
    assert key == "pannier"
    found = json.loads(value)["id"]
    assert _UUID.fullmatch(found)
    return str(found)


def _everything(call: Call) -> str:
    return json.dumps([call.query, call.headers, call.body])


@pytest.mark.parametrize(
    ("script", "tag"),
    [
        pytest.param("", {}, id="no interface"),
        pytest.param("window.Shopify = {loadFeatures: (features, then) => then('failed')};", {}, id="failed"),
        pytest.param("window.Shopify = {loadFeatures() { throw 1; }};", {}, id="thrown"),
        pytest.param(_shopify(), {}, id="refused"),
        pytest.param(_shopify(preferences=True, marketing=True), {}, id="other purposes"),
        pytest.param(_shopify(chose="", **_ALL), {}, id="nobody chose"),
        pytest.param(_shopify(**_ALL) + _GPC, {}, id="Global Privacy Control"),
        pytest.param(_WORDPRESS, {}, id="another platform's yes"),
        pytest.param(
            _WORDPRESS + "window.wp_consent_type = 'optout';",
            {"data-platform": "woocommerce"},
            id="WordPress: nobody was asked",
        ),
        pytest.param(
            "window.wp_has_consent = () => 'yes';", {"data-platform": "woocommerce"}, id="no clear yes"
        ),
    ],
)
def test_without_a_yes_nothing_is_kept_or_sent(
    page: Page, shop: Storefront, complaints: list[str], script: str, tag: dict[str, str | None]
) -> None:
    _open(page, shop, script, tag=tag)

    assert _stored(page) == []
    assert page.context.cookies() == []
    # the box is there, and nobody is named for it
    expect(page.get_by_role("region").get_by_role("listitem")).to_have_count(3)
    assert {f"{call.method} {call.path}" for call in shop.api.calls} == {"GET /v1/widget.js", _ASK}
    assert not any(_UUID.search(_everything(call)) for call in shop.api.calls)
    assert shop.shop.calls_to(_CART) == []
    assert complaints == []


def test_a_yes_is_told_once_and_the_page_in_one_batch(
    page: Page, shop: Storefront, complaints: list[str]
) -> None:
    # when a visitor of a product page allows all but marketing
    _open(page, shop, _shopify(**_ALL | {"marketing": False}), 2)

    # then the choice is told once, under an identifier that is random
    visitor = _id(page)
    choice = {
        "analytics": True,
        "preferences": True,
        "marketing": False,
        "sale_of_data": True,
        "source": "shopify",
        "basis": "choice",
        "region": "NZ",
    }
    [told] = shop.api.calls_to(_CONSENT)
    assert told.body == {"visitor_id": visitor, **choice}
    # and what the page shows in one batch, which needs no preflight and carries no cookie
    [batch] = shop.api.calls_to(_BATCH)
    assert batch.query == {"key": KEY}
    assert batch.headers["content-type"].startswith("text/plain")
    assert "cookie" not in batch.headers
    assert batch.body["context"] == {"consent": choice}
    assert shop.api.calls_to("OPTIONS /v1/batch") == []
    assert _told(shop) == [
        ("Product Viewed", {"product_id": "201"}),
        (
            "Product List Viewed",
            {
                "list_id": "pannier",
                "decision_id": "dec_01J9",
                "products": [
                    {"product_id": product_id, "position": position}
                    for position, product_id in enumerate(["202", "203"])
                ],
            },
        ),
    ]
    messages = batch.body["batch"]
    assert {message["type"] for message in messages} == {"track"}
    assert {message["anonymousId"] for message in messages} == {visitor}
    assert len({message["messageId"] for message in messages}) == len(messages)
    assert all(message["timestamp"] <= batch.body["sentAt"] for message in messages)
    assert complaints == []

    # and on the next page neither is told again, and the answer is the visitor's own
    page.reload()
    page.wait_for_load_state("networkidle")
    with page.expect_response("**/v1/recommendations?*limit=2*"):
        page.evaluate("document.querySelector('pannier-bundle').setAttribute('limit', '2')")
    assert _id(page) == visitor
    assert len(shop.api.calls_to(_CONSENT)) == 1
    assert shop.api.calls_to(_ASK)[-1].headers["x-pannier-visitor"] == visitor
    assert all("visitor_id" not in call.query for call in shop.api.calls_to(_ASK))


def test_wordpress_is_asked_in_its_own_words(page: Page, shop: Storefront) -> None:
    _open(page, shop, _WORDPRESS, 2, tag={"data-platform": "woocommerce"})

    [told] = shop.api.calls_to(_CONSENT)
    assert told.body == {
        "visitor_id": _id(page),
        "analytics": True,
        "preferences": True,
        "marketing": False,
        "sale_of_data": False,
        "source": "wp_consent_api",
        "basis": "choice",
    }
    assert _named(shop, "Product Viewed") == [("Product Viewed", {"product_id": "201"})]


def test_a_platforms_default_counts_where_the_shop_says_so(page: Page, shop: Storefront) -> None:
    _open(page, shop, _shopify(chose="", region="USCA", **_ALL), tag={"data-consent": "region"})

    [told] = shop.api.calls_to(_CONSENT)
    assert (told.body["basis"], told.body["region"]) == ("default", "USCA")


def test_a_yes_that_comes_later_counts_from_then_on(page: Page, shop: Storefront) -> None:
    _open(page, shop, _shopify())
    assert _stored(page) == []

    page.evaluate("allowed.analytics = true; document.dispatchEvent(new Event('visitorConsentCollected'))")
    _leave(page, shop, 1)

    assert _told(shop) == [("Product Viewed", {"product_id": "201"})]


@pytest.mark.parametrize(
    "no",
    [
        pytest.param(
            "allowed.analytics = false; document.dispatchEvent(new Event('visitorConsentCollected'))",
            id="withdrawn",
        ),
        pytest.param(_GPC + "document.dispatchEvent(new Event('visibilitychange'))", id="GPC"),
    ],
)
def test_a_withdrawal_forgets_at_once_and_stops_what_waits(page: Page, shop: Storefront, no: str) -> None:
    # given a visitor with events that wait: the page's clock stands still
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.add_init_script(_shopify(analytics=True, preferences=True))
    with page.expect_response("**/v1/consent?*"):
        page.goto(shop.page())
    visitor = _id(page)

    # when they take their word back
    with page.expect_response("**/v1/consent?*"):
        page.evaluate(no)
    _leave(page, shop)

    # then nothing is kept, nothing is sent, and the service knows
    assert _stored(page) == []
    assert _events(shop) == []
    last = shop.api.calls_to(_CONSENT)[-1].body
    assert (last["visitor_id"], last["analytics"]) == (visitor, False)
    with page.expect_response("**/v1/recommendations?*limit=2*"):
        page.evaluate("document.querySelector('pannier-bundle').setAttribute('limit', '2')")
    assert "x-pannier-visitor" not in shop.api.calls_to(_ASK)[-1].headers


def test_leaving_the_page_sends_what_waits(page: Page, shop: Storefront) -> None:
    # given a page whose clock stands still, so that nothing is sent by the clock
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.add_init_script(_shopify(**_ALL))
    with page.expect_response("**/cart.js"):
        page.goto(shop.page())
    assert _events(shop) == []

    page.goto(f"{shop.shop.origin}/theme.css")
    _leave(page, shop, 1)

    assert _named(shop, "Product Viewed") == [("Product Viewed", {"product_id": "201"})]


def test_changes_of_the_cart_are_told_once_each(page: Page, shop: Storefront) -> None:
    # given a cart that was full before the widget saw it for the first time
    shop.shop.routes[_CART] = _cart(_205=1)
    _open(page, shop, _shopify(**_ALL), 2)
    assert _named(shop, "Product Added", "Product Removed") == []

    # when the shop's own button adds, and tells it twice before it is done
    shop.shop.routes[_CART] = _cart(_205=1, _201=2)
    with page.expect_response("**/cart.js"):
        page.evaluate(
            "for (let i = 0; i < 2; i++) document.dispatchEvent("
            "Object.assign(new Event('shopify:cart:lines-update'), {promise: Promise.reject(new Error('slow'))}))"
        )
    # and the box adds
    _leave(page, shop, 3)
    shop.shop.routes[_CART] = _cart(_205=1, _201=2, _202=1)
    with page.expect_response("**/cart.js"):
        page.get_by_role("region").get_by_role("button").click()
    _leave(page, shop, 4)
    # and one article is taken out before the next page, and all that is left is bought
    shop.shop.routes[_CART] = _cart(_201=2, _202=1)
    page.reload()
    page.wait_for_load_state("networkidle")
    _leave(page, shop, 7)
    shop.shop.routes[_CART] = _cart()
    page.reload()
    page.wait_for_load_state("networkidle")
    _leave(page, shop, 9)

    # then each change was told once, the recommended one with its decision
    cart = {"cart_id": f"{_TOKEN}?key=5f1c"}
    assert _named(shop, "Product Added", "Product Removed") == [
        ("Product Added", {"product_id": "201", "quantity": 2, **cart}),
        ("Product Added", {"product_id": "202", "quantity": 1, "decision_id": "dec_01J9", **cart}),
        ("Product Removed", {"product_id": "205", "quantity": 1, **cart}),
    ]


@pytest.mark.parametrize(
    ("path", "tag", "event"),
    [
        pytest.param("/search?q=tea%20pot", {}, ("Products Searched", {"query": "tea pot"}), id="search"),
        pytest.param(
            "/?s=tea",
            {"data-platform": "woocommerce"},
            ("Products Searched", {"query": "tea"}),
            id="WordPress search",
        ),
        pytest.param("/cart", {}, ("Cart Viewed", {}), id="cart"),
        pytest.param("/basket/", {"data-cart-url": "/basket/"}, ("Cart Viewed", {}), id="cart elsewhere"),
    ],
)
def test_page_without_a_product_tells_what_it_is(
    page: Page, shop: Storefront, path: str, tag: dict[str, str | None], event: tuple[str, dict[str, Any]]
) -> None:
    page.add_init_script(_WORDPRESS if tag.get("data-platform") else _shopify(**_ALL))
    path, _, query = path.partition("?")
    page.goto(f"{shop.page(tag=tag, body='', path=path)}?{query}")
    page.wait_for_load_state("networkidle")
    _leave(page, shop, 1)

    assert _told(shop) == [event]


def test_box_of_a_cart_is_no_view_of_a_product(page: Page, shop: Storefront) -> None:
    _open(page, shop, _shopify(**_ALL), 1, element={"cart": "201,205"})

    assert [name for name, _ in _told(shop)] == ["Product List Viewed"]


def test_nothing_to_show_is_told_when_its_place_comes_on_screen(page: Page, shop: Storefront) -> None:
    shop.recommend()
    page.add_init_script(_shopify(**_ALL))
    page.goto(shop.page(spacer=3000))
    top = "document.querySelector('pannier-bundle').getBoundingClientRect().top"

    # when it is asked for, near the screen, and then comes on screen
    with page.expect_response("**/v1/recommendations?*"):
        page.evaluate(f"scrollBy(0, {top} - innerHeight - 200)")
    page.evaluate("new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))")
    _leave(page, shop, 1)
    before = [name for name, _ in _told(shop)]
    page.evaluate(f"scrollBy(0, {top} - innerHeight / 2)")
    page.evaluate("new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))")
    _leave(page, shop, 2)

    assert before == ["Product Viewed"]
    assert _told(shop)[1:] == [
        ("Product List Viewed", {"list_id": "pannier", "decision_id": "dec_01J9", "products": []})
    ]


def test_followed_link_is_told(page: Page, shop: Storefront) -> None:
    _open(page, shop, _shopify(**_ALL), 2)
    shop.shop.routes["GET /products/202"] = Reply("", content_type="text/html")

    page.get_by_role("link", name="Stoneware mug, oatmeal").click()
    _leave(page, shop, 3)

    assert _named(shop, "Product Clicked") == [
        ("Product Clicked", {"list_id": "pannier", "decision_id": "dec_01J9", "product_id": "202"})
    ]


@pytest.mark.parametrize("agreed", [True, False])
def test_shop_says_who_is_logged_in_where_preferences_allow_it(
    page: Page, shop: Storefront, agreed: bool
) -> None:
    shop.shop.routes["GET /apps/pannier"] = Reply({"customer_token": "v1.token"})

    script = _shopify(analytics=True, preferences=agreed)
    _open(page, shop, script, 2 + int(agreed), tag={"data-identity": "/apps/pannier"})
    page.reload()
    page.wait_for_load_state("networkidle")
    _leave(page, shop, 4 + int(agreed))

    identified = [message["context"] for message in _events(shop) if message["type"] == "identify"]
    assert identified == ([{"pannier": {"customerToken": "v1.token"}}] if agreed else [])
    assert len(shop.shop.calls_to("GET /apps/pannier")) == int(agreed)


_BAD = [
    pytest.param(Reply({"status": 500}, status=500), id="500"),
    pytest.param(Reply("<html>", content_type="text/html"), id="not JSON"),
    pytest.param(Reply("null"), id="null"),
]


@pytest.mark.parametrize("bad", _BAD)
def test_hostile_answers_harm_nothing(page: Page, shop: Storefront, bad: Reply) -> None:
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    shop.api.routes |= {_CONSENT: bad, _BATCH: bad}
    shop.shop.routes |= {_CART: bad, "GET /apps/pannier": bad}

    _open(page, shop, _shopify(**_ALL), 2, tag={"data-identity": "/apps/pannier"})
    page.get_by_role("region").get_by_role("button").click()

    expect(page.get_by_role("region").get_by_role("button")).to_have_text("Added to cart")
    assert _named(shop, "Product Viewed") == [("Product Viewed", {"product_id": "201"})]
    assert thrown == []


@pytest.mark.parametrize(
    "storage",
    [
        pytest.param("Object.defineProperty(window, 'localStorage', {get() { throw 1; }});", id="refused"),
        pytest.param("localStorage.setItem('pannier', '{');", id="nonsense"),
    ],
)
def test_browser_that_keeps_nothing_tells_nothing(
    page: Page, shop: Storefront, complaints: list[str], storage: str
) -> None:
    page.add_init_script(storage + _shopify(**_ALL))
    page.goto(shop.page())
    expect(page.get_by_role("region")).to_be_visible()
    page.wait_for_load_state("networkidle")

    assert shop.api.calls_to(_CONSENT) == shop.api.calls_to(_BATCH) == []
    assert complaints == []
