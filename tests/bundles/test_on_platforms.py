"""Offers on the stand-ins of both platforms, by the real connectors: what is live is what a cart gets."""

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Protocol

import pytest

from app.bundles import deciding, keeping, making, roll_out
from app.bundles.limits import Limits
from app.bundles.live import terms_of
from app.bundles.models import Offer
from app.bundles.showing import offer_state
from app.commerce.offers import Discount, DiscountKind, Piece, reckon
from app.commerce.store import Store
from app.core.db import db, now
from connectors.discounts import Discounts
from connectors.shopify.discounts import ShopifyDiscounts
from connectors.woocommerce.discounts import WooCommerceDiscounts
from demo.peers.shopify.app import DEFAULT_SCOPES
from demo.peers.shopify.checkout import CartLine, Checkout
from demo.peers.shopify.function import DiscountFunction
from demo.peers.woocommerce import virtual_coupons
from tests.bundles.conftest import again, stock_up
from tests.bundles.test_making import draft
from tests.connectors.shopify.peer import Market, market, peer
from tests.connectors.woocommerce.peered import SECRET, Peer, peered
from tests.connectors.woocommerce.shop import product

PRODUCTS = tuple(str(number) for number in range(11, 19))
PRICE = 1000
# The shops' clocks stand still: offers that a test makes have begun.
AHEAD = timedelta(hours=1)


class Shop(Protocol):
    """A shop with the products 11 to 18 for 10.00 each."""

    discounts: Discounts

    def off(self, *products: str) -> int:
        """Return what a cart with a piece of each gets, in minor units."""
        ...

    def forbid(self) -> None:
        """Let the shop grant no offers from now on."""
        ...


class ShopifyShop:
    """One of Shopify, with the real function."""

    def __init__(self, opened: Market, function: DiscountFunction) -> None:
        self._market = opened
        for number in PRODUCTS:
            opened.stock(int(number), "10.00")
        self._checkout = Checkout(opened.shop, function)
        self.discounts = ShopifyDiscounts(opened.client, "USD", opened.shop.timezone)

    def off(self, *products: str) -> int:
        return sum(self._checkout.amounts([CartLine(int(number) * 10) for number in products]))

    def forbid(self) -> None:
        self._market.shop.install(tuple(s for s in DEFAULT_SCOPES if not s.endswith("_discounts")))


class WooShop:
    """One of WooCommerce, with the plugin's rules."""

    def __init__(self, found: Peer) -> None:
        self._peer = found
        found.clock.now = now() + AHEAD
        for number in PRODUCTS:
            found.state.add_product(product(int(number)))
        found.state.install_plugin()
        self.discounts = WooCommerceDiscounts(
            found.client, "USD", plugin_secret=lambda: SECRET, clock=found.clock
        )

    def off(self, *products: str) -> int:
        plugin, site = self._peer.state.plugin, self._peer.state.site
        assert plugin is not None
        lines = [virtual_coupons.CartLine(number, number, None, 1, PRICE) for number in products]
        return sum(c.total for c in virtual_coupons.granted(lines, plugin.offers(), "USD", site.now()))

    def forbid(self) -> None:
        self._peer.state.remove_plugin()


@pytest.fixture(scope="module")
def function() -> Iterator[DiscountFunction]:
    with DiscountFunction() as running:
        yield running


@pytest.fixture(scope="module")
def peers() -> Iterator[Callable[[], Market]]:
    with peer() as served:
        yield lambda: market(*served, currency="USD", at=now() + AHEAD)


@pytest.fixture(params=["shopify", "woocommerce"])
def shop(request: pytest.FixtureRequest, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """The shop of the store."""
    for number in PRODUCTS:
        stock_up(store.id, number)
    db.session.commit()
    if request.param == "shopify":
        opened = request.getfixturevalue("peers")()
        made: Shop = ShopifyShop(opened, request.getfixturevalue("function"))
        monkeypatch.setattr(roll_out, "discounts_for", lambda _: made.discounts)
        yield made
        return
    with peered("USD") as found:
        monkeypatch.setattr("woocommerce.api.time", lambda: found.clock().timestamp())
        made = WooShop(found)
        monkeypatch.setattr(roll_out, "discounts_for", lambda _: made.discounts)
        yield made


def offered(store: Store, *products: str, percent: int = 1000, amount: int | None = None) -> Offer:
    discount = (
        Discount(DiscountKind.PERCENT, percent) if amount is None else Discount(DiscountKind.AMOUNT, amount)
    )
    return making.create(store.id, "USD", draft(*products, discount=discount), approve=True)


def rolled(offer: Offer) -> Offer:
    assert roll_out.roll_out(offer.store_id)
    return again(offer)


def promised(offer: Offer) -> int:
    terms = terms_of(offer)
    pieces = [Piece(c.product_id, c.product_id, None, 1, PRICE) for c in terms.components]
    return sum(grant.amount for grant in reckon(pieces, [terms]))


@pytest.mark.parametrize(
    ("products", "how"),
    [(PRODUCTS[:2], {"percent": 1250}), (PRODUCTS[:3], {"percent": 333}), (PRODUCTS[:4], {"amount": 499})],
    ids=["pair", "three", "amount off four"],
)
def test_an_offer_from_approval_to_its_end(
    store: Store, shop: Shop, products: tuple[str, ...], how: dict[str, int]
) -> None:
    # Given an approved offer that the shop does not know yet
    offer = offered(store, *products, **how)
    assert shop.off(*products) == 0

    # When it is live, then a cart with all components gets exactly what was promised, one with one missing nothing
    assert rolled(offer).state == "live"
    assert shop.off(*products) == promised(offer) > 0
    assert shop.off(*products[:-1], PRODUCTS[-1]) == 0

    # When it has ended, then it is gone
    deciding.end(store.id, offer.key)
    assert offer_state(rolled(offer))["on_platform"] is False
    assert shop.off(*products) == 0


def test_more_offers_than_a_platform_has_discounts_for(store: Store, shop: Shop) -> None:
    keeping.set_limits(store.id, Limits(most_live=26))
    pairs = list(itertools.combinations(PRODUCTS, 2))[:26]
    offers = [
        making.create(
            store.id,
            "USD",
            draft(*pair, discounted=pair[1:], discount=Discount(DiscountKind.PERCENT, 500 + 10 * place)),
            approve=True,
        )
        for place, pair in enumerate(pairs)
    ]

    rolled(offers[0])

    assert [again(offer).state for offer in offers] == ["live"] * 26
    assert [shop.off(*pair) for pair in pairs] == [promised(offer) for offer in offers]


def test_a_shop_that_may_grant_nothing_says_what_to_do(store: Store, shop: Shop) -> None:
    shop.forbid()
    offer = offered(store, *PRODUCTS[:3])

    found = rolled(offer)

    assert (found.state, found.platform) == ("not_live", None)
    assert found.reason_code in ("not_allowed", "inexact")
    assert found.reason
