"""The connector and the WordPress plugin together: what is published is what a cart in the shop costs."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import pytest

from app.commerce.offers import Component, Discount, DiscountKind, Terms
from app.pricing import quotes
from connectors.discounts import PLUGIN, QuoteKey
from connectors.woocommerce.client import Answer, WooCommerceClient
from connectors.woocommerce.discounts import WooCommerceDiscounts
from connectors.woocommerce.plugin import NAMESPACE

_SCRIPT: Final = Path(__file__).parents[2] / "widgets" / "wordpress" / "tests" / "talk.php"
_PRICES: Final = {"12": "8.50", "13": "19.99", "14": "3"}
_ROOT_SECRET: Final = bytes(range(32))
_OFFER: Final = Terms(
    key="o_0a1b2c",
    title="Tasse & Teller für “zwei”",
    components=(Component("12"), Component("13")),
    discounted=("13",),
    discount=Discount(DiscountKind.PERCENT, 1000),
    currency="EUR",
    starts_at=datetime(2026, 1, 1, tzinfo=UTC),
)


class _Shop:
    """A shop with the plugin: its REST API, as the connector's client speaks to it, and its carts."""

    store_url = "https://shop.example"

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def _ask(self, question: Mapping[str, Any]) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def beside(self, namespace: str) -> "_Shop":
        assert namespace == NAMESPACE
        return self

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        if path == "products":
            assert params
            return Answer([{"id": number} for number in _PRICES if number in params["include"]], None, {})
        return self.put(path, {})

    def put(self, path: str, body: Any) -> Answer:
        status, answer = self._ask({"call": [f"{NAMESPACE}/{path}", body]})
        assert status == 200, answer
        return Answer(answer, None, {})

    def cart(self, *lines: tuple[str, int, str | None], customer: int = 0, shopper: str = "t_1") -> Any:
        """Return what a new cart of (product, quantity, quote) costs."""
        return self._ask(
            {"cart": [[int(line[0]), *line[1:]] for line in lines], "customer": customer, "shopper": shopper}
        )


@pytest.fixture
def shop() -> Iterator[_Shop]:
    """A shop that sells, ended after the test."""
    php = shutil.which("php")
    if php is None:
        pytest.fail("the WordPress plugin's tests need php on the PATH: run scripts/php")
    command = [php, str(_SCRIPT), json.dumps(_PRICES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _Shop(process)
        finally:
            process.kill()


def _discounts(shop: _Shop) -> WooCommerceDiscounts:
    return WooCommerceDiscounts(cast(WooCommerceClient, shop), "EUR", plugin_secret=lambda: b"s" * 32)


def _keys() -> list[QuoteKey]:
    window = quotes.window_at(datetime.now(UTC))
    return [quotes.window_key(_ROOT_SECRET, number) for number in range(window, window + 4)]


def test_offer_is_granted_from_its_publication_to_its_end(shop: _Shop) -> None:
    discounts = _discounts(shop)

    published = discounts.publish([_OFFER], {})
    both = shop.cart(("12", 1, None), ("13", 2, None), ("14", 1, None))
    one_missing = shop.cart(("13", 2, None), ("14", 1, None))
    [live] = published.live
    ended = discounts.publish([], {live.key: live})
    afterwards = shop.cart(("12", 1, None), ("13", 2, None))

    assert (live.mechanism, published.refused, ended.live) == (PLUGIN, (), ())
    assert both == {"coupons": {"pannier-o_0a1b2c": 200}, "prices": [850, 1999, 300], "total": 4948}
    assert one_missing == {"coupons": {}, "prices": [1999, 300], "total": 4298}
    assert afterwards == {"coupons": {}, "prices": [850, 1999], "total": 4848}


def test_thousand_offers_are_live_at_once(shop: _Shop) -> None:
    offers = [
        replace(_OFFER, key=f"o_{place}", discount=Discount(DiscountKind.AMOUNT, place))
        for place in range(1, 1001)
    ]

    published = _discounts(shop).publish(offers, {})

    assert len(published.live) == 1000
    assert shop.cart(("12", 1, None), ("13", 1, None))["coupons"] == {"pannier-o_1000": 1000}


def test_quote_lowers_the_price_of_its_line_once_and_for_its_customer(shop: _Shop) -> None:
    discounts, keys = _discounts(shop), _keys()
    discounts.publish([_OFFER], {})
    discounts.publish_keys(keys)
    token = quotes.issue(keys[-1], "13", 1750, "EUR", "7", "n0nce-Abc_12")

    quoted = shop.cart(("12", 1, None), ("13", 2, token), customer=7)
    altered = shop.cart(("13", 2, token.replace(".1750.", ".1.")), customer=7)
    of_another = shop.cart(("13", 1, token), customer=8, shopper="t_2")
    replayed = shop.cart(("13", 1, token), customer=7, shopper="t_3")
    discounts.publish_keys([])
    without_keys = shop.cart(("13", 1, token), customer=7)

    assert quoted == {"coupons": {}, "prices": [850, 1750], "total": 4350}
    assert altered["prices"] == of_another["prices"] == replayed["prices"] == without_keys["prices"] == [1999]


def test_quote_of_another_store_does_not_count(shop: _Shop) -> None:
    _discounts(shop).publish_keys(_keys())
    key = _keys()[-1]
    forged = replace(
        key, secret=quotes.window_key(b"another store's", quotes.window_at(key.not_after)).secret
    )

    assert shop.cart(("13", 1, quotes.issue(forged, "13", 1, "EUR", None, "n0nce-Abc_12")))["prices"] == [
        1999
    ]
