"""Offers on the Shopify peer: what is published is what a cart gets, to the minor unit, and nothing else is."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.commerce.checkout import digest
from app.commerce.offers import Component, Discount, DiscountKind, Piece, Terms, reckon
from app.pricing import quotes
from connectors.discounts import FUNCTION, NATIVE, LiveOffer, Published, QuoteKey
from connectors.errors import Rejected, Unreachable
from connectors.shopify import function_offers, native_offers
from connectors.shopify.discounts import ShopifyDiscounts
from demo.peers.shopify.app import DEFAULT_SCOPES, Served
from demo.peers.shopify.checkout import CartLine, Checkout
from demo.peers.shopify.function import DiscountFunction
from demo.peers.shopify.state import ShopifyState
from tests.connectors.shopify.peer import START, Clock, Market, cart, market, peer

Peer = tuple[Served, ShopifyState, Clock]
TEN = Discount(DiscountKind.PERCENT, 1000)
READ_ONCE = {"AccessScopes": 1, "AutomaticDiscounts": 1}


@pytest.fixture(scope="module")
def served() -> Iterator[Peer]:
    with peer() as running:
        yield running


@pytest.fixture(scope="module")
def function() -> Iterator[DiscountFunction]:
    with DiscountFunction() as running:
        yield running


@pytest.fixture
def shop(served: Peer) -> Market:
    """A shop with the products 1 to 8, of one variant each: product n costs n.95."""
    opened = market(*served)
    for number in range(1, 9):
        opened.stock(number, f"{number}.95")
    return opened


def discounts(opened: Market) -> ShopifyDiscounts:
    return ShopifyDiscounts(opened.client, opened.shop.currency, opened.shop.timezone)


def add_on(key: str, bought: int, got: int, percent: int = 1000, **said: Any) -> Terms:
    return offer(key, (bought, got), (got,), Discount(DiscountKind.PERCENT, percent), **said)


def offer(
    key: str,
    products: Sequence[int],
    discounted: Sequence[int] | None = None,
    discount: Discount = TEN,
    **said: Any,
) -> Terms:
    return Terms(
        **{
            "key": key,
            "title": f"Offer {key}",
            "components": tuple(Component(str(product)) for product in products),
            "discounted": tuple(map(str, products if discounted is None else discounted)),
            "discount": discount,
            "currency": "GBP",
            "starts_at": START - timedelta(days=1),
            **said,
        }
    )


def live(published: Published) -> dict[str, LiveOffer]:
    return {each.key: each for each in published.live}


def mechanisms(published: Published) -> dict[str, str]:
    return {each.key: each.mechanism for each in published.live}


def refused(published: Published) -> dict[str, str]:
    return {each.key: each.code for each in published.refused}


def promised(opened: Market, lines: Sequence[CartLine], offers: Sequence[Terms]) -> list[int]:
    """Return what the reference gives each line."""
    pieces = []
    for place, line in enumerate(lines):
        found = opened.shop.variant(line.variant)
        assert found is not None
        price = round(float(found[0]["price"]) * 100)
        pieces.append(Piece(str(place), str(found[1]["id"]), str(line.variant), line.quantity, price))
    amounts = [0] * len(lines)
    for grant in reckon(pieces, offers):
        for line_id, _, amount in grant.lines:
            amounts[int(line_id)] += amount
    return amounts


# --- published, in the cart, ended ----------------------------------------------------------------------


def test_an_add_on_is_a_discount_of_shopifys_own(shop: Market, function: DiscountFunction) -> None:
    # given
    wanted = [add_on("a", 1, 2)]
    checkout = Checkout(shop.shop, function)

    # when
    published = discounts(shop).publish(wanted, {})

    # then
    [made] = shop.shop.discounts.all()
    handle = f"gid://shopify/DiscountAutomaticNode/{made.id}"
    assert published == Published((LiveOffer("a", NATIVE, digest(wanted[0]), handle),))
    assert (made.title, made.percentage, made.uses) == ("Offer a", 0.1, 1)
    assert checkout.amounts(cart(10, 20)) == promised(shop, cart(10, 20), wanted) == [0, 30]
    assert checkout.amounts(cart((10, 3), (20, 3))) == [0, 30]
    assert checkout.amounts(cart(10)) == [0]
    assert checkout.amounts(cart(20, 30)) == [0, 0]

    # when
    ended = discounts(shop).publish([], live(published))

    # then
    assert ended == Published()
    assert shop.shop.discounts.all() == []
    assert checkout.amounts(cart(10, 20)) == [0, 0]


@pytest.mark.parametrize(
    ("terms", "full", "short"),
    [
        pytest.param(offer("a", (1, 2)), cart(10, 20), cart(10), id="a bundle of two"),
        pytest.param(offer("a", (1, 2, 3)), cart(30, 20, 10), cart(10, 30), id="a set of three"),
        pytest.param(offer("a", (1, 2, 3, 4)), cart(10, 20, 30, 40), cart(10, 20, 30), id="a set of four"),
        pytest.param(
            offer("a", (1, 2), (2,), Discount(DiscountKind.AMOUNT, 77)),
            cart(10, 20),
            cart(20),
            id="an amount",
        ),
        pytest.param(
            add_on("a", 1, 2, components=(Component("1", 2), Component("2"))),
            cart((10, 2), 20),
            cart(10, 20),
            id="two pieces",
        ),
    ],
)
def test_every_other_offer_is_reckoned_by_the_function(
    shop: Market, function: DiscountFunction, terms: Terms, full: list[CartLine], short: list[CartLine]
) -> None:
    # given
    checkout = Checkout(shop.shop, function)

    # when
    published = discounts(shop).publish([terms], {})

    # then
    [number] = shop.functions()
    handle = f"gid://shopify/DiscountAutomaticNode/{number}"
    assert published == Published((LiveOffer("a", FUNCTION, digest(terms), handle),))
    assert checkout.amounts(full) == promised(shop, full, [terms])
    assert sum(checkout.amounts(full)) > 0
    assert sum(checkout.amounts(short)) == 0

    # when
    ended = discounts(shop).publish([], live(published))

    # then
    assert ended == Published()
    assert shop.shop.discounts.all() == []
    assert all(
        shop.shop.metafields.get(f"gid://shopify/Product/{n}", "$app:pannier", "offers") is None
        for n in range(9)
    )
    assert sum(checkout.amounts(full)) == 0


def test_one_cart_gets_every_offer_that_it_fulfils(shop: Market, function: DiscountFunction) -> None:
    # given
    wanted = [add_on("a", 1, 2), add_on("b", 3, 4), offer("c", (5, 6)), add_on("d", 7, 8), add_on("e", 7, 5)]

    # when
    published = discounts(shop).publish(wanted, {})

    # then
    assert mechanisms(published) == {"a": NATIVE, "b": NATIVE, "c": FUNCTION, "d": FUNCTION, "e": FUNCTION}
    everything = cart(10, 20, 30, 40, 50, 60, 70, 80)
    assert Checkout(shop.shop, function).amounts(everything) == promised(shop, everything, wanted)


@pytest.mark.parametrize("seed", range(4))
def test_any_cart_gets_what_the_reference_says(served: Peer, function: DiscountFunction, seed: int) -> None:
    # given
    chance = random.Random(seed)
    opened = market(*served)
    prices = {
        n: [f"{chance.randrange(1, 4000) / 100:.2f}" for _ in range(chance.choice([1, 1, 2]))]
        for n in range(1, 31)
    }
    for number, each in prices.items():
        opened.stock(number, *each)
    wanted = []
    for place in range(14):
        members = chance.sample(sorted(prices), chance.choice([2, 2, 2, 2, 3, 4]))
        kind = chance.choice([DiscountKind.PERCENT, DiscountKind.PERCENT, DiscountKind.AMOUNT])
        terms = offer(f"o{place}", members, members[-1:] if chance.random() < 0.7 else None)
        terms = offer(
            terms.key, members, list(map(int, terms.discounted)), Discount(kind, chance.randrange(1, 2500))
        )
        wanted.append(terms)
    for place, number in enumerate((101, 103)):
        opened.stock(number, "3.35")
        opened.stock(number + 1, f"{chance.randrange(1, 4000) / 100:.2f}")
        wanted.append(add_on(f"p{place}", number, number + 1, chance.randrange(1, 10_001)))
        prices |= {number: ["3.35"], number + 1: [""]}
    published = discounts(opened).publish(wanted, {})
    checkout = Checkout(opened.shop, function)

    # then
    assert set(live(published)) == {terms.key for terms in wanted}
    assert set(mechanisms(published).values()) == {NATIVE, FUNCTION}
    for _ in range(25):
        members = {part.product_id for terms in chance.sample(wanted, 3) for part in terms.components}
        lines = cart(
            *(
                (10 * int(product) + chance.randrange(len(prices[int(product)])), chance.randint(1, 3))
                for product in members
            )
        )
        chance.shuffle(lines)
        assert checkout.amounts(lines) == promised(opened, lines, wanted)


def test_a_discount_whose_pieces_differ_in_price_is_left_to_the_function(shop: Market) -> None:
    # given
    shop.stock(2, "2.95", "3.95")

    # when
    published = discounts(shop).publish([add_on("a", 1, 2), add_on("b", 2, 3)], {})
    alone = discounts(shop).publish([add_on("a", 1, 2)], {})

    # then
    assert mechanisms(published) == {"a": FUNCTION, "b": FUNCTION}
    assert mechanisms(alone) == {"a": FUNCTION}


# --- many -----------------------------------------------------------------------------------------------


def test_the_most_valuable_are_native_while_there_is_room_and_the_rest_goes_together(
    served: Peer, function: DiscountFunction
) -> None:
    # given
    opened = market(*served)
    wanted = [add_on(f"o{place:02}", 2 * place + 1, 2 * place + 2) for place in range(26)]
    for number in range(1, 53):
        opened.stock(number, "19.99")

    # when
    published = discounts(opened).publish(wanted, {})

    # then
    kinds = mechanisms(published)
    assert [key for key, kind in kinds.items() if kind == FUNCTION] == ["o24", "o25"]
    assert len(kinds) == 26
    assert len(opened.shop.discounts.all()) == native_offers.MOST_AUTOMATIC == 25
    checkout = Checkout(opened.shop, function)
    for terms in (wanted[0], wanted[23], wanted[25]):
        bought, got = (10 * int(part.product_id) for part in terms.components)
        assert checkout.amounts(cart(bought, got)) == [0, 200]
        assert checkout.amounts(cart(bought)) == [0]


def test_a_thousand_offers_are_written_in_batches_and_never_twice(
    served: Peer, function: DiscountFunction
) -> None:
    # given
    opened = market(*served)
    for number in range(1, 501):
        opened.stock(number, "19.99")
    chance = random.Random(7)
    pairs = [chance.sample(range(1, 501), 2) for _ in range(1000)]
    wanted = [offer(f"o{place}", pair) for place, pair in enumerate(pairs)]
    carriers = function_offers.arrange(wanted).values

    # when
    first = discounts(opened).publish(wanted, {})
    asked = opened.client.taken()

    # then
    assert len(first.live) == 1000
    assert first.refused == ()
    batches = -(-len(carriers) // 25)
    assert asked == READ_ONCE | {"ProductsForOffers": 5, "CreateFunction": 1, "SetMetafields": batches + 2}
    lines = cart(*(10 * number for number in pairs[3]))
    assert Checkout(opened.shop, function).amounts(lines) == promised(opened, lines, wanted)
    assert sum(promised(opened, lines, wanted)) == 400

    # when
    again = discounts(opened).publish(wanted, live(first))

    # then
    assert again == first
    assert opened.client.taken() == READ_ONCE

    # when
    fewer = discounts(opened).publish(wanted[1:], live(first))

    # then
    assert len(fewer.live) == 999
    assert opened.client.taken()["SetMetafields"] == 3
    assert discounts(opened).granted(live(first)) == {terms.key for terms in wanted[1:]}

    # when
    none = discounts(opened).publish([], live(fewer))

    # then
    assert none == Published()
    assert opened.shop.discounts.all() == []
    assert discounts(opened).granted(live(fewer)) == frozenset()


def test_automatic_discounts_of_the_merchant_take_room(shop: Market) -> None:
    # given
    for place in range(23):
        shop.shop.discounts.by_merchant(f"Sale {place}", shop.clock())

    # when
    published = discounts(shop).publish([add_on("a", 1, 2), add_on("b", 3, 4), add_on("c", 5, 6)], {})

    # then
    assert mechanisms(published) == {"a": NATIVE, "b": FUNCTION, "c": FUNCTION}


def test_without_any_room_offers_are_refused_until_there_is_some(shop: Market) -> None:
    # given
    sales = [shop.shop.discounts.by_merchant(f"Sale {place}", shop.clock()) for place in range(25)]

    # when
    published = discounts(shop).publish([add_on("a", 1, 2)], {})

    # then
    assert refused(published) == {"a": "limit_reached"}
    assert published.refused[0].again
    assert "as many active automatic discounts as Shopify allows (25)" in published.refused[0].reason

    # when
    sales[0].ends_at = shop.clock()

    # then
    assert mechanisms(discounts(shop).publish([add_on("a", 1, 2)], {})) == {"a": NATIVE}


def test_room_that_is_taken_meanwhile_sends_an_offer_to_the_function(shop: Market) -> None:
    # given
    def sell() -> None:
        while len(shop.shop.discounts.all()) < 25:
            shop.shop.discounts.by_merchant("Sale", shop.clock())

    shop.client.before["CreateNative"] = sell

    # when
    published = discounts(shop).publish([add_on("a", 1, 2), offer("b", (3, 4))], {})

    # then
    assert mechanisms(published) == {"a": FUNCTION, "b": FUNCTION}


def test_a_full_shop_gives_up_a_discount_of_its_own_for_the_function(
    shop: Market, function: DiscountFunction
) -> None:
    # given
    shop.shop.functions.clear()
    for place in range(23):
        shop.shop.discounts.by_merchant(f"Sale {place}", shop.clock())
    wanted = [add_on("a", 1, 2), add_on("b", 3, 4)]
    first = discounts(shop).publish(wanted, {})
    assert mechanisms(first) == {"a": NATIVE, "b": NATIVE}
    shop.shop.functions.add(function_offers.HANDLE)

    # when
    wanted.append(offer("c", (5, 6)))
    second = discounts(shop).publish(wanted, live(first))

    # then
    assert mechanisms(second) == {"a": NATIVE, "b": FUNCTION, "c": FUNCTION}
    everything = cart(10, 20, 30, 40, 50, 60)
    assert Checkout(shop.shop, function).amounts(everything) == promised(shop, everything, wanted)


# --- changes --------------------------------------------------------------------------------------------


def test_new_terms_change_the_discount_that_is_there(shop: Market, function: DiscountFunction) -> None:
    # given
    first = discounts(shop).publish([add_on("a", 1, 2)], {})
    shop.client.taken()

    # when
    changed = discounts(shop).publish([add_on("a", 1, 2, 2000)], live(first))

    # then
    assert shop.client.taken() == READ_ONCE | {"ProductsForOffers": 1, "UpdateNative": 1}
    assert changed.live[0].handle == first.live[0].handle
    assert Checkout(shop.shop, function).amounts(cart(10, 20)) == [0, 59]


def test_other_products_make_another_discount(shop: Market, function: DiscountFunction) -> None:
    # given
    first = discounts(shop).publish([add_on("a", 1, 2)], {})

    # when
    discounts(shop).publish([add_on("a", 1, 3)], live(first))

    # then
    assert shop.natives() == ["Offer a"]
    assert Checkout(shop.shop, function).amounts(cart(10, 20, 30)) == [0, 0, 40]


def test_an_offer_that_comes_to_share_a_product_moves_to_the_function(
    shop: Market, function: DiscountFunction
) -> None:
    # given
    wanted = [add_on("a", 1, 2)]
    first = discounts(shop).publish(wanted, {})

    # when
    wanted.append(add_on("b", 1, 3))
    second = discounts(shop).publish(wanted, live(first))

    # then
    assert mechanisms(second) == {"a": FUNCTION, "b": FUNCTION}
    assert shop.natives() == []
    lines = cart(10, 20, 30)
    assert Checkout(shop.shop, function).amounts(lines) == promised(shop, lines, wanted) == [0, 0, 40]


def test_whoever_forgets_what_was_live_makes_nothing_twice(shop: Market) -> None:
    # given
    wanted = [add_on("a", 1, 2), offer("b", (3, 4))]
    first = discounts(shop).publish(wanted, {})

    # when
    again = discounts(shop).publish(wanted, {})
    fewer = discounts(shop).publish(wanted[:1], {})

    # then
    assert again == first
    assert fewer.live == first.live[:1]
    assert shop.natives() == ["Offer a"]
    assert shop.shop.metafields.get("gid://shopify/Product/3", "$app:pannier", "offers") is None


def test_a_second_function_discount_is_removed(shop: Market) -> None:
    # given
    first = discounts(shop).publish([offer("b", (3, 4))], {})
    twin = shop.shop.discounts.add(
        "DiscountAutomaticApp", "Bought together", shop.clock(), shop.clock(), None
    )
    other = shop.shop.discounts.add("DiscountAutomaticApp", "Another app's", shop.clock(), shop.clock(), None)
    owner = f"gid://shopify/DiscountAutomaticNode/{twin.id}"
    shop.shop.metafields.set(owner, "$app:pannier", "settings", "json", '{"v":1}', shop.clock())

    # when
    again = discounts(shop).publish([offer("b", (3, 4))], live(first))

    # then
    assert again == first
    assert shop.functions() == [int(str(first.live[0].handle).rpartition("/")[2]), other.id]


# --- refusals -------------------------------------------------------------------------------------------


def test_without_the_function_only_its_offers_are_refused(shop: Market, function: DiscountFunction) -> None:
    # given
    shop.shop.functions.clear()
    shop.stock(8, "8.95", "9.95")
    wanted = [add_on("a", 1, 2), add_on("b", 1, 3), offer("c", (4, 5)), add_on("d", 7, 8)]

    # when
    published = discounts(shop).publish(wanted, {})

    # then
    assert mechanisms(published) == {"a": NATIVE, "d": NATIVE}
    assert refused(published) == {"b": "not_allowed", "c": "not_allowed"}
    assert {each.reason for each in published.refused} == {
        "Pannier's discount function is not in this shop, and this offer needs it: deploy the app's extensions to "
        "Shopify (shopify app deploy)."
    }
    assert live(published)["d"].limits == (native_offers.SEVERAL_PRICES,)
    lines = cart(10, 20, 30)
    assert Checkout(shop.shop, function).amounts(lines) == promised(shop, lines, wanted[:1])


def test_a_function_discount_that_the_merchant_switched_off_stays_off(shop: Market) -> None:
    # given
    first = discounts(shop).publish([offer("a", (1, 2)), add_on("b", 3, 4)], {})
    [number] = shop.functions()
    found = shop.shop.discounts.find(number)
    assert found is not None
    found.ends_at = shop.clock()

    # when
    granted = discounts(shop).granted(live(first))
    second = discounts(shop).publish([offer("a", (1, 2)), add_on("b", 3, 4)], live(first))

    # then
    assert granted == {"b"}
    assert refused(second) == {"a": "not_allowed"}
    assert "switched off" in second.refused[0].reason
    assert mechanisms(second) == {"b": NATIVE}
    assert discounts(shop).publish([offer("a", (1, 2)), add_on("b", 3, 4)], live(second)) == second
    assert shop.functions() == [number]
    with pytest.raises(Rejected, match="switched off"):
        discounts(shop).publish_keys([key(0)])


def test_an_offer_of_a_product_that_is_gone_is_refused_alone(shop: Market) -> None:
    # given
    shop.shop.product_deleted(4)
    wanted = [add_on("a", 1, 2), add_on("b", 3, 4), offer("c", (4, 5)), offer("d", (5, 6))]

    # when
    published = discounts(shop).publish(wanted, {})

    # then
    assert mechanisms(published) == {"a": NATIVE, "d": FUNCTION}
    assert refused(published) == {"b": "product_gone", "c": "product_gone"}
    assert published.refused[0].reason == "Product 4 is not in the shop any more."
    assert not published.refused[0].again


def test_a_product_that_goes_at_the_last_moment_takes_only_its_offer_along(shop: Market) -> None:
    # given
    shop.client.before["SetMetafields"] = lambda: shop.shop.apply("products/delete", {"id": 3})
    shop.client.before["CreateNative"] = lambda: shop.shop.apply("products/delete", {"id": 2})

    # when
    published = discounts(shop).publish([add_on("a", 1, 2), offer("b", (3, 4)), offer("c", (5, 6))], {})

    # then
    assert mechanisms(published) == {"c": FUNCTION}
    assert refused(published) == {"a": "product_gone", "b": "product_gone"}
    assert discounts(shop).granted(live(published)) == {"c"}


def test_a_percentage_that_shopify_refuses_is_told_in_its_words(shop: Market) -> None:
    published = discounts(shop).publish([add_on("a", 1, 2, 10_001), add_on("b", 3, 4)], {})

    assert mechanisms(published) == {"b": NATIVE}
    assert refused(published) == {"a": "rejected"}
    assert published.refused[0].reason == "Shopify refused the discount: Value must be between 0.0 and 1.0"


@pytest.mark.parametrize("scope", ["write_discounts", "write_products"])
def test_without_a_permission_the_merchant_is_told_what_to_grant(served: Peer, scope: str) -> None:
    # given
    opened = market(*served)
    opened.stock(1, "1.95")
    opened.stock(2, "2.95")
    first = discounts(opened).publish([add_on("a", 1, 2)], {})
    opened.shop.install(tuple({*DEFAULT_SCOPES} - {scope}))

    # when
    published = discounts(opened).publish([add_on("b", 1, 2)], live(first))

    # then
    assert refused(published) == {"b": "not_allowed"}
    assert published.left == first.live
    assert f"grant {scope} (" in published.refused[0].reason


def test_an_offer_in_another_currency_is_refused(shop: Market) -> None:
    published = discounts(shop).publish([add_on("a", 1, 2, currency="USD")], {})

    assert refused(published) == {"a": "inexact"}
    assert shop.shop.discounts.all() == []


def test_more_offers_than_a_checkout_reads_of_a_product_are_refused(shop: Market) -> None:
    # given
    wanted = [offer(f"o{place:03}", (1, 2), title="x" * 100) for place in range(40)]

    # when
    published = discounts(shop).publish(wanted, {})

    # then
    found = shop.shop.metafields.get("gid://shopify/Product/1", "$app:pannier", "offers")
    assert found is not None
    assert found["size_in_bytes"] <= 2000
    assert [each.key for each in published.live] == [terms.key for terms in wanted[: len(published.live)]]
    assert len(published.live) == len(found["json_value"]) > 5
    assert set(refused(published).values()) == {"limit_reached"}


# --- the way to the shop --------------------------------------------------------------------------------


def broken() -> None:
    raise Unreachable("Shopify did not answer.")


def test_a_shop_that_does_not_answer_at_all_changes_nothing(shop: Market) -> None:
    shop.client.before["AutomaticDiscounts"] = broken

    with pytest.raises(Unreachable):
        discounts(shop).publish([add_on("a", 1, 2)], {})


def test_what_was_live_stays_live_when_the_way_breaks_off(shop: Market) -> None:
    # given
    wanted = [add_on("a", 1, 2), offer("b", (3, 4)), add_on("c", 5, 6), offer("d", (7, 8))]
    first = discounts(shop).publish(wanted[:2], {})
    shop.client.before["CreateNative"] = broken
    shop.client.taken()

    # when
    second = discounts(shop).publish(wanted, live(first))

    # then
    assert live(second) == live(first)
    assert refused(second) == {"c": "unreachable", "d": "unreachable"}
    assert all(each.again for each in second.refused)
    assert "SetMetafields" not in shop.client.taken()

    # when
    shop.client.before.clear()
    third = discounts(shop).publish(wanted, live(second))

    # then
    assert mechanisms(third) == {"a": NATIVE, "b": FUNCTION, "c": NATIVE, "d": FUNCTION}


@pytest.mark.parametrize("document", ["ProductsForOffers", "SetMetafields"])
def test_offers_at_the_same_product_stay_live_when_a_new_one_cannot_be_written(
    shop: Market, function: DiscountFunction, document: str
) -> None:
    # given
    wanted = [offer("a", (1, 2)), offer("b", (1, 2, 3))]
    first = discounts(shop).publish([*wanted, offer("z", (5, 6))], {})
    shop.client.before[document] = broken

    # when
    second = discounts(shop).publish([*wanted, offer("c", (1, 2, 4))], live(first))

    # then
    assert second.live == first.live[:2]
    assert refused(second) == {"c": "unreachable"}
    assert [each.key for each in second.left] == ["z"]
    lines = cart(10, 20, 30, 50, 60)
    ended = offer("z", (5, 6))
    assert Checkout(shop.shop, function).amounts(lines) == promised(shop, lines, [*wanted, ended])


@pytest.mark.parametrize("lost", [1, 2, 3], ids=["the note before", "the offers", "the note after"])
def test_writing_that_breaks_off_is_made_good_the_next_time(
    shop: Market, function: DiscountFunction, lost: int
) -> None:
    # given
    wanted = [offer("a", (1, 2))]
    count = iter(range(1, 10))

    def interrupt() -> None:
        if next(count) == lost:
            broken()

    shop.client.before["SetMetafields"] = interrupt

    # when
    first = discounts(shop).publish(wanted, {})
    second = discounts(shop).publish(wanted, live(first))

    # then
    assert set(mechanisms(second)) == {"a"}
    assert Checkout(shop.shop, function).amounts(cart(10, 20)) == [20, 29]
    assert discounts(shop).publish([], live(second)) == Published()
    assert Checkout(shop.shop, function).amounts(cart(10, 20)) == [0, 0]


@pytest.mark.parametrize("document", ["DeleteAutomatic", "DeleteMetafields"])
def test_what_cannot_be_ended_is_told_to_be_left(shop: Market, document: str) -> None:
    # given
    first = discounts(shop).publish([add_on("a", 1, 2), offer("b", (3, 4))], {})
    shop.client.before[document] = broken

    # when
    ended = discounts(shop).publish([], live(first))

    # then
    assert ended.live == ()
    assert {each.key for each in ended.left} >= {"a" if document == "DeleteAutomatic" else "b"}

    # when
    shop.client.before.clear()

    # then
    assert discounts(shop).publish([], {each.key: each for each in ended.left}) == Published()
    assert shop.shop.discounts.all() == []


def test_points_that_run_out_are_waited_for(shop: Market) -> None:
    # given
    shop.shop.bucket.drain(shop.clock())

    # when
    published = discounts(shop).publish([add_on("a", 1, 2), add_on("b", 3, 4), offer("c", (5, 6))], {})

    # then
    assert len(published.live) == 3
    assert shop.clock() > START


# --- what is still granted ------------------------------------------------------------------------------


def test_granted_leaves_out_what_somebody_ended_in_the_shop(shop: Market) -> None:
    # given
    wanted = [add_on("a", 1, 2), add_on("b", 3, 4), offer("c", (5, 6)), offer("d", (7, 8))]
    first = discounts(shop).publish(wanted, {})
    assert discounts(shop).granted(live(first)) == {"a", "b", "c", "d"}

    # when
    gone = live(first)["a"].handle
    assert gone is not None
    shop.shop.discounts.delete(int(gone.rpartition("/")[2]))
    shop.shop.product_deleted(5)

    # then
    assert discounts(shop).granted(live(first)) == {"b", "d"}

    # when
    healed = discounts(shop).publish(wanted, live(first))

    # then
    assert set(live(healed)) >= {"a", "b", "d"}
    assert shop.natives() == ["Offer a", "Offer b"]


# --- quotes ---------------------------------------------------------------------------------------------


def key(number: int) -> QuoteKey:
    ends = datetime(2026, 11, 23, 9, 5, tzinfo=UTC) + timedelta(minutes=5 * number)
    return QuoteKey(f"k{number}", bytes([number]) * 16, ends)


def test_keys_stand_with_the_function_as_local_times(served: Peer) -> None:
    # given
    opened = market(*served, timezone="America/New_York")
    reached = discounts(opened)

    # when
    reached.publish_keys([key(0), key(1)])

    # then
    [number] = opened.functions()
    found = opened.shop.metafields.get(
        f"gid://shopify/DiscountAutomaticNode/{number}", "$app:pannier", "settings"
    )
    assert found is not None
    assert found["json_value"] == {
        "v": 1,
        "keys": [
            {"id": "k0", "secret": "AAAAAAAAAAAAAAAAAAAAAA", "until": "2026-11-23T04:05:00"},
            {"id": "k1", "secret": "AQEBAQEBAQEBAQEBAQEBAQ", "until": "2026-11-23T04:10:00"},
        ],
        "until0": "2026-11-23T04:05:00",
        "until1": "2026-11-23T04:10:00",
        "until2": "2020-01-01T00:00:00",
        "until3": "2020-01-01T00:00:00",
    }

    # when
    opened.client.taken()
    reached.publish_keys([key(0), key(1)])

    # then
    assert opened.client.taken() == READ_ONCE


def test_a_quote_is_honoured_at_this_shops_checkout_until_its_window_ends(
    served: Peer, function: DiscountFunction
) -> None:
    # given
    opened = market(*served, timezone="America/New_York")
    opened.stock(1, "1.95")
    opened.stock(2, "12.95")
    window = quotes.window_at(START)
    keys = [quotes.window_key(b"r" * 32, window + ahead) for ahead in range(4)]
    reached = discounts(opened)
    reached.publish([offer("a", (1, 2))], {})
    reached.publish_keys(keys)
    checkout = Checkout(opened.shop, function)

    def bought(key: QuoteKey, customer: str | None = None) -> list[CartLine]:
        token = quotes.issue(key, "20", 1000, "GBP", customer, "abcdefghijkl")
        return [CartLine(10), CartLine(20, 2, {"_pannier_quote": token})]

    # then
    stranger = quotes.window_key(b"s" * 32, window)
    assert checkout.amounts(bought(keys[0])) == [0, 590]
    assert checkout.amounts(bought(keys[3], "7"), customer=7) == [0, 590]
    assert checkout.amounts(bought(keys[3], "7"), customer=8) == [20, 129]
    assert checkout.amounts(bought(stranger)) == [20, 129]

    # when
    opened.clock.sleep(300)

    # then
    assert checkout.amounts(bought(keys[0])) == [20, 129]
    assert checkout.amounts(bought(keys[1])) == [0, 590]
    reached.publish_keys([])
    assert checkout.amounts(bought(keys[1])) == [20, 129]


def test_offers_that_end_leave_the_keys_alone(shop: Market) -> None:
    # given
    reached = discounts(shop)
    first = reached.publish([offer("a", (1, 2))], {})
    reached.publish_keys([key(0)])

    # when
    reached.publish([], live(first))

    # then
    assert len(shop.functions()) == 1

    # when
    reached.publish_keys([])
    reached.publish([], {})

    # then
    assert shop.functions() == []


def test_keys_that_cannot_be_told_are_an_error(shop: Market) -> None:
    # given
    shop.shop.functions.clear()

    # then
    with pytest.raises(Rejected, match="deploy the app's extensions"):
        discounts(shop).publish_keys([key(0)])
    discounts(shop).publish_keys([])
    shop.shop.install(("read_products",))
    with pytest.raises(Rejected, match="grant write_discounts"):
        discounts(shop).publish_keys([key(0)])
