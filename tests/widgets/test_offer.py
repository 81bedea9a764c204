"""What is saved together: the discount that the checkout gives, shown only while everything for it is ticked."""

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from app.commerce.offers import Component, Discount, DiscountKind, Piece, Terms, reckon
from tests.widgets.storefront import MUG, NONCE, TRAY, Call, Reply, Storefront
from tests.widgets.test_accessibility import _violations
from tests.widgets.test_layout_shift import shift  # noqa: F401 - a fixture

_ROOT = Path(__file__).parents[2]
_WOOCOMMERCE = {"data-platform": "woocommerce"}
_COUPON = "/wp-json/wc/store/v1/cart/apply-coupon"


def offer(**fields: Any) -> dict[str, Any]:
    """Return an offer on the teapot (£34.00), the mug (£12.50) and the tray (£24.95) of the page."""
    return {
        "id": "o1",
        "title": "Tea for two",
        "products": ["201", "202", "203"],
        "discounted": ["202", "203"],
        "discount": {"kind": "percent", "value": 1250},
        "currency": "GBP",
        "code": None,
        "was_proven": True,
        **fields,
    }


def offered(storefront: Storefront, *offers: Any) -> None:
    """Let mug and tray carry these offers: one both, two one each."""
    storefront.recommend(MUG | {"offer": offers[0]}, TRAY | {"offer": offers[-1]})


def _place_of_button(page: Page) -> list[float]:
    """Return where the button stands in the document."""
    found: list[float] = (
        page.get_by_role("region")
        .get_by_role("button")
        .evaluate(
            "(button) => [button.getBoundingClientRect().x, button.getBoundingClientRect().y + scrollY]"
        )
    )
    return found


def total(page: Page) -> Locator:
    return page.get_by_role("region").locator("[part=total]")


def test_everything_ticked_costs_less(page: Page, storefront: Storefront, complaints: list[str]) -> None:
    offered(storefront, offer())

    page.goto(storefront.page())

    # 12.5 % of 37.45 is 4.68125.
    expect(total(page)).to_have_text("Total £66.77instead of £71.45You save £4.68")
    expect(total(page).locator("del")).to_have_css("text-decoration-line", "line-through")
    expect(page.get_by_role("region").get_by_role("button")).to_have_accessible_description(
        "Total £66.77 instead of £71.45 You save £4.68"
    )
    assert _violations(page) == []
    assert complaints == []
    assert len(storefront.api.calls_to("GET /v1/widget-offers.js")) == 1


def test_the_old_total_is_struck_out_only_where_it_is_proven(page: Page, storefront: Storefront) -> None:
    offered(storefront, offer(was_proven=False))

    page.goto(storefront.page())

    expect(total(page)).to_have_text("Total £66.77You save £4.68")


def test_the_discount_goes_and_comes_with_a_tick(
    page: Page,
    storefront: Storefront,
    shift: Callable[[], float],  # noqa: F811
) -> None:
    offered(storefront, offer())
    page.goto(storefront.page())
    expect(total(page)).to_contain_text("You save £4.68")
    before = _place_of_button(page)

    page.get_by_role("checkbox", name="Stoneware mug").uncheck()

    expect(total(page)).to_have_text("Total £58.95Add Stoneware mug, oatmeal and save £4.68")
    assert _place_of_button(page) == before
    page.get_by_role("checkbox", name="Oak serving tray").uncheck()
    expect(total(page)).to_contain_text(f"Add Stoneware mug, oatmeal, {TRAY['title']} and save £4.68")
    for box in page.get_by_role("checkbox").all():
        box.check()
    expect(total(page)).to_contain_text("You save £4.68")
    assert shift() == 0


def test_of_two_offers_on_one_article_the_better_one_counts(page: Page, storefront: Storefront) -> None:
    less = offer(
        id="o0", products=["201", "202"], discounted=["202"], discount={"kind": "amount", "value": 300}
    )
    offered(storefront, less, offer())
    page.goto(storefront.page())
    expect(total(page)).to_contain_text("You save £4.68")

    page.get_by_role("checkbox", name="Oak serving tray").uncheck()

    expect(total(page)).to_have_text("Total £43.50instead of £46.50You save £3.00")


@pytest.mark.parametrize(
    ("language", "saved", "to_save"),
    [
        pytest.param(
            "de", "statt 71,45 £Sie sparen 4,68 £", "Mit Stoneware mug, oatmeal sparen Sie 4,68 £", id="de"
        ),
        pytest.param(
            "fr",
            "au lieu de 71,45 £GBVous économisez 4,68 £GB",
            "Ajoutez Stoneware mug, oatmeal et économisez 4,68 £GB",
            id="fr",
        ),
        pytest.param(
            "es",
            "instead of 71,45 GBPYou save 4,68 GBP",
            "Add Stoneware mug, oatmeal and save 4,68 GBP",
            id="not spoken",
        ),
    ],
)
def test_it_is_said_in_the_language_of_the_page(
    page: Page, storefront: Storefront, language: str, saved: str, to_save: str
) -> None:
    offered(storefront, offer())
    page.goto(storefront.page(html_attributes={"lang": language}))
    expect(total(page)).to_contain_text(saved)

    page.get_by_role("checkbox", name="Stoneware mug").uncheck()

    expect(total(page)).to_contain_text(to_save)


def test_without_an_offer_no_second_file_is_fetched(page: Page, storefront: Storefront) -> None:
    page.goto(storefront.page())

    expect(total(page)).to_have_text("Total £71.45")
    assert storefront.api.calls_to("GET /v1/widget-offers.js") == []


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(status=404), id="none"),
        pytest.param(Reply("nonsense", content_type="text/javascript"), id="nonsense"),
        pytest.param(Reply(gate=threading.Event()), id="never"),
    ],
)
def test_without_the_second_file_the_box_is_as_ever(page: Page, storefront: Storefront, reply: Reply) -> None:
    offered(storefront, offer())
    storefront.api.routes["GET /v1/widget-offers.js"] = reply

    page.goto(storefront.page())

    expect(total(page)).to_have_text("Total £71.45")
    page.get_by_role("region").get_by_role("button").click()
    expect(page.get_by_role("region").get_by_role("button")).to_have_text("Added to cart")


def test_what_is_no_offer_shows_nothing(page: Page, storefront: Storefront, complaints: list[str]) -> None:
    percent = {"kind": "percent", "value": 1000}
    wrong: list[Any] = [
        "free", 5, [], {}, {"id": "o1"}, offer(id=""), offer(products=[]), offer(products=["201", 202]),
        offer(products="202"), offer(discounted=["204"]), offer(discounted=[]), offer(discount=None),
        offer(discount={"kind": "gift", "value": 5}), offer(discount=percent | {"value": 0}),
        offer(discount=percent | {"value": 10_001}), offer(discount=percent | {"value": 10.5}),
        offer(discount=percent | {"value": "10"}), offer(currency="EUR"), offer(currency=None),
        offer(products=["201", "999"], discounted=["201"]),
    ]  # fmt: skip
    shown = [MUG | {"product_id": f"{300 + n}", "offer": wrong[n]} for n in range(len(wrong))]
    storefront.recommend(*[item | {"price": MUG["price"]} for item in shown[:10]])
    for part in (shown[:10], shown[10:]):
        storefront.recommend(MUG, TRAY, *part)
        page.goto(storefront.page(element={"limit": "10"}))
        expect(total(page)).to_have_text(f"Total £{(7145 + 1250 * min(len(part), 8)) / 100:.2f}")
    assert complaints == []


def test_nothing_is_saved_where_a_price_is_not_known(page: Page, storefront: Storefront) -> None:
    storefront.recommend(MUG | {"offer": offer()}, TRAY | {"price": None})

    page.goto(storefront.page())

    expect(page.get_by_role("region").get_by_role("button")).to_be_visible()
    expect(total(page)).to_be_hidden()
    expect(page.get_by_text("You save")).to_have_count(0)


def test_a_strict_content_security_policy_allows_it(
    page: Page, storefront: Storefront, complaints: list[str]
) -> None:
    offered(storefront, offer())
    service = storefront.api.origin
    policy = (
        f"default-src 'none'; script-src {service}; style-src 'self'; img-src 'self'; "
        f"connect-src 'self' {service}; require-trusted-types-for 'script'"
    )

    page.goto(storefront.page(headers={"Content-Security-Policy": policy}))

    expect(total(page)).to_contain_text("You save £4.68")
    assert complaints == []


def test_woocommerce_is_told_the_coupon_once_everything_is_in_the_cart(
    page: Page, storefront: Storefront
) -> None:
    offered(storefront, offer(code="tea-for-two"))
    storefront.shop.routes[f"POST {_COUPON}"] = Reply({})
    page.goto(storefront.page(tag=_WOOCOMMERCE))
    expect(total(page)).to_contain_text("You save £4.68")

    with page.expect_response(f"**{_COUPON}"):
        page.get_by_role("region").get_by_role("button").click()

    [call] = storefront.shop.calls_to(f"POST {_COUPON}")
    assert (call.body, call.headers["nonce"]) == ({"code": "tea-for-two"}, NONCE)
    order = [c.path.rpartition("/")[2] for c in storefront.shop.calls if c.method == "POST"]
    assert order == ["batch", "apply-coupon"]


@pytest.mark.parametrize("how", ["unticked", "refused"])
def test_no_coupon_is_entered_for_a_part(page: Page, storefront: Storefront, how: str) -> None:
    def one_is_gone(call: Call) -> Reply:
        statuses = [201] * (len(call.body["requests"]) - 1) + [400]
        return Reply({"responses": [{"status": status} for status in statuses]}, status=207)

    offered(storefront, offer(code="tea-for-two"))
    page.goto(storefront.page(tag=_WOOCOMMERCE))
    expect(total(page)).to_contain_text("You save £4.68")
    if how == "unticked":
        page.get_by_role("checkbox", name="Stoneware mug").uncheck()
    else:
        storefront.shop.routes["POST /wp-json/wc/store/v1/batch"] = one_is_gone

    page.get_by_role("region").get_by_role("button").click()

    expect(page.get_by_role("region").get_by_role("status")).to_contain_text("Added to cart")
    page.evaluate("new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))")
    assert storefront.shop.calls_to(f"POST {_COUPON}") == []


# --- the same sums as the checkout's -------------------------------------------------------------------


def _sums(rng: random.Random) -> tuple[dict[str, int], list[Terms]]:
    """Return prices of one piece of some products, and offers on them."""
    products = [str(n) for n in range(6)]
    prices = {
        p: rng.choice([1, 5, 999, 1250, rng.randrange(1, 10**12)]) for p in products if rng.random() < 0.8
    }
    offers = []
    for key in rng.sample("abcdefgh", rng.randrange(1, 6)):
        parts = rng.sample(products, rng.randrange(2, 5))
        kind = rng.choice(list(DiscountKind))
        value = rng.randrange(1, 10_001 if kind is DiscountKind.PERCENT else 3000)
        offers.append(
            Terms(
                key=key,
                title=key,
                components=tuple(Component(p) for p in parts),
                discounted=tuple(rng.sample(parts, rng.randrange(1, len(parts) + 1))),
                discount=Discount(kind, value),
                currency="GBP",
                starts_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
        )
    return prices, offers


def _as_answered(terms: Terms) -> dict[str, Any]:
    return offer(
        id=terms.key,
        products=[component.product_id for component in terms.components],
        discounted=list(terms.discounted),
        discount={"kind": terms.discount.kind.value, "value": terms.discount.value},
    )


def test_it_reckons_as_the_checkout_does(tmp_path: Path) -> None:
    rng = random.Random(7)
    cases = [_sums(rng) for _ in range(500)]
    built = tmp_path / "reckoning.mjs"
    node = str(Path(sys.executable).parent / "node")
    subprocess.run(
        [str(_ROOT / "node_modules/.bin/esbuild"), str(_ROOT / "widgets/src/reckoning.ts"), "--format=esm",
         "--log-level=error", f"--outfile={built}"],
        check=True, timeout=60, env={"PATH": str(Path(sys.executable).parent)},
    )  # fmt: skip
    asked = [[list(prices.items()), [_as_answered(o) for o in offers]] for prices, offers in cases]
    script = (
        f"import {{parseOffer, reckon}} from {json.dumps(built.as_uri())};"
        "let text = ''; for await (const part of process.stdin) text += part;"
        "console.log(JSON.stringify(JSON.parse(text).map(([prices, offers]) =>"
        " reckon(new Map(prices), offers.map(parseOffer)).map(({offer, amount}) => [offer.id, amount]))));"
    )

    said = subprocess.run(
        [node, "--input-type=module", "-e", script], input=json.dumps(asked), capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip

    expected = [
        [
            [grant.key, grant.amount]
            for grant in reckon([Piece(p, p, None, 1, price) for p, price in prices.items()], offers)
        ]
        for prices, offers in cases
    ]
    assert json.loads(said.stdout) == expected
    assert sum(map(len, expected)) > 100
