"""What a cart gets of offers: exact in every currency, never more than the pieces cost, every piece once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.commerce.offers import (
    Component,
    Discount,
    DiscountKind,
    Grant,
    Piece,
    Terms,
    discount_on,
    in_currency,
    reckon,
    share_out,
)
from app.core.money import to_major, to_minor

STARTS = datetime(2026, 1, 1, tzinfo=UTC)
# Whole carts are dear to generate.
over_carts = settings(max_examples=40)
PRODUCTS = ["1", "2", "3", "4", "5"]
VARIANTS = ["a", "b"]


def percent(value: int) -> Discount:
    return Discount(DiscountKind.PERCENT, value)


def amount(value: int) -> Discount:
    return Discount(DiscountKind.AMOUNT, value)


def offer(
    key: str, *products: str, on: Sequence[str] | None = None, discount: Discount | None = None
) -> Terms:
    """Return an offer on one piece of each product; without ``on`` the discount is on all of them."""
    return Terms(
        key=key,
        title="Together",
        components=tuple(Component(product) for product in products),
        discounted=tuple(on if on is not None else products),
        discount=discount or percent(1000),
        currency="EUR",
        starts_at=STARTS,
    )


def piece(line_id: str, product: str, price: int, quantity: int = 1, variant: str | None = None) -> Piece:
    return Piece(line_id, product, variant, quantity, price)


@st.composite
def terms(draw: st.DrawFn, key: str) -> Terms:
    products = draw(st.lists(st.sampled_from(PRODUCTS), min_size=2, max_size=4, unique=True))
    components = tuple(
        Component(
            product,
            draw(st.integers(1, 2)),
            draw(st.none() | st.lists(st.sampled_from(VARIANTS), unique=True).map(tuple)),
        )
        for product in products
    )
    discounted = draw(st.lists(st.sampled_from(products), min_size=1, unique=True))
    discount = draw(st.builds(percent, st.integers(1, 10_000)) | st.builds(amount, st.integers(1, 20_000)))
    return Terms(key, "Together", components, tuple(discounted), discount, "EUR", STARTS)


def any_variant(terms: Terms) -> Terms:
    """Return an offer whose components may be of any variant."""
    components = tuple(replace(component, variant_ids=None) for component in terms.components)
    return replace(terms, components=components)


offers_ = st.integers(0, 6).flatmap(lambda size: st.tuples(*(terms(f"o{n}") for n in range(size)))).map(list)


@st.composite
def carts(draw: st.DrawFn, distinct_prices: bool = False) -> list[Piece]:
    size = draw(st.integers(0, 7))
    prices = draw(st.lists(st.integers(0, 9_999), min_size=size, max_size=size, unique=distinct_prices))
    return [
        Piece(
            f"l{place}",
            draw(st.sampled_from(PRODUCTS)),
            draw(st.sampled_from(VARIANTS)),
            draw(st.integers(1, 3)),
            price,
        )
        for place, price in enumerate(prices)
    ]


def total(grants: Sequence[Grant]) -> int:
    return sum(grant.amount for grant in grants)


# --- properties -----------------------------------------------------------------------------------------


@over_carts
@given(cart=carts(), offers=offers_)
def test_no_line_gets_more_than_its_pieces_cost_and_the_shares_add_up(
    cart: list[Piece], offers: list[Terms]
) -> None:
    by_id = {line.line_id: line for line in cart}
    given_pieces: Counter[str] = Counter()

    for grant in reckon(cart, offers):
        assert grant.amount == sum(share for _, _, share in grant.lines) > 0
        for line_id, count, share in grant.lines:
            assert 0 < share <= count * by_id[line_id].price
            given_pieces[line_id] += count

    assert all(count <= by_id[line_id].quantity for line_id, count in given_pieces.items())


@over_carts
@given(cart=carts(), offers=offers_)
def test_a_piece_counts_for_one_offer_and_an_offer_once(cart: list[Piece], offers: list[Terms]) -> None:
    there: Counter[str] = Counter()
    for line in cart:
        there[line.product_id] += line.quantity
    by_key = {offer.key: offer for offer in offers}

    grants = reckon(cart, offers)

    needed: Counter[str] = Counter()
    for grant in grants:
        for component in by_key[grant.key].components:
            needed[component.product_id] += component.quantity
    assert needed <= there
    assert len({grant.key for grant in grants}) == len(grants)


@over_carts
@given(cart=carts(), offers=offers_.filter(bool), data=st.data())
def test_without_one_component_an_offer_gives_nothing(
    cart: list[Piece], offers: list[Terms], data: st.DataObject
) -> None:
    wanted = data.draw(st.sampled_from(offers))
    missing = data.draw(st.sampled_from(wanted.components)).product_id

    grants = reckon([line for line in cart if line.product_id != missing], offers)

    assert wanted.key not in {grant.key for grant in grants}


@over_carts
@given(cart=carts(), offers=offers_, data=st.data())
def test_the_order_of_offers_does_not_matter(
    cart: list[Piece], offers: list[Terms], data: st.DataObject
) -> None:
    assert reckon(cart, data.draw(st.permutations(offers))) == reckon(cart, offers)


@over_carts
@given(cart=carts(distinct_prices=True), offers=offers_, data=st.data())
def test_the_order_of_lines_matters_only_between_equal_prices(
    cart: list[Piece], offers: list[Terms], data: st.DataObject
) -> None:
    assert reckon(data.draw(st.permutations(cart)), offers) == reckon(cart, offers)


@over_carts
@given(cart=carts(), offers=offers_)
def test_the_first_offer_is_the_one_that_gives_most_and_each_gives_no_more_than_alone(
    cart: list[Piece], offers: list[Terms]
) -> None:
    alone = {offer.key: total(reckon(cart, [offer])) for offer in offers}

    grants = reckon(cart, offers)

    assert (grants[0].amount if grants else 0) == max(alone.values(), default=0)
    assert all(grant.amount <= alone[grant.key] for grant in grants)
    assert [grant.amount for grant in grants] == sorted((g.amount for g in grants), reverse=True)


@over_carts
@given(cart=carts(), offers=offers_.map(lambda offers: [any_variant(offer) for offer in offers]))
def test_what_is_left_over_fulfils_no_further_offer(cart: list[Piece], offers: list[Terms]) -> None:
    grants = reckon(cart, offers)
    granted = {grant.key for grant in grants}
    used: Counter[str] = Counter()
    for offer in offers:
        for component in offer.components if offer.key in granted else ():
            used[component.product_id] += component.quantity
    rest = []
    for line in sorted(cart, key=lambda line: -line.price):
        taken = min(line.quantity, used[line.product_id])
        used[line.product_id] -= taken
        if taken < line.quantity:
            rest.append(replace(line, quantity=line.quantity - taken))

    assert reckon(rest, [offer for offer in offers if offer.key not in granted]) == []


@given(
    value=st.integers(0, 10**12),
    weights=st.lists(st.integers(0, 10**12), min_size=1, max_size=8),
)
def test_what_is_shared_out_is_whole_and_in_proportion(value: int, weights: list[int]) -> None:
    whole = sum(weights)
    value = min(value, whole)

    parts = share_out(value, weights)

    assert sum(parts) == (value if whole else 0)
    for part, weight in zip(parts, weights, strict=True):
        assert part <= weight
        assert not whole or abs(part - Fraction(value * weight, whole)) < 1


@given(worth=st.integers(0, 10**12), value=st.integers(1, 10_000))
def test_a_percentage_is_within_half_a_minor_unit_of_the_exact_one(worth: int, value: int) -> None:
    given_amount = discount_on(worth, percent(value))

    assert abs(given_amount - Fraction(worth * value, 10_000)) <= Fraction(1, 2)
    assert given_amount <= worth


# --- single carts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "currency", "discount", "off"),
    [
        pytest.param("1995", "JPY", percent(1000), "200", id="no decimals, half rounds up"),
        pytest.param("1994", "JPY", percent(1000), "199", id="no decimals, less rounds down"),
        pytest.param("19.95", "EUR", percent(1000), "2.00", id="two decimals, half rounds up"),
        pytest.param("19.94", "EUR", percent(1000), "1.99", id="two decimals, less rounds down"),
        pytest.param("1.995", "KWD", percent(1000), "0.200", id="three decimals, half rounds up"),
        pytest.param("1.994", "KWD", percent(1000), "0.199", id="three decimals, less rounds down"),
        pytest.param("0.04", "EUR", percent(1000), None, id="less than half a unit is nothing"),
        pytest.param("0.05", "EUR", percent(1000), "0.01", id="half a unit is one"),
        pytest.param("0.01", "EUR", percent(10_000), "0.01", id="everything"),
        pytest.param("2500", "JPY", amount(300), "300", id="an amount without decimals"),
        pytest.param("2.500", "KWD", amount(300), "0.300", id="an amount with three decimals"),
        pytest.param("2.00", "EUR", amount(300), "2.00", id="an amount above the price"),
    ],
)
def test_the_discount_is_exact_to_the_minor_unit(
    price: str, currency: str, discount: Discount, off: str | None
) -> None:
    cart = [piece("l1", "1", 1), piece("l2", "2", to_minor(price, currency))]

    grants = reckon(cart, [replace(offer("o1", "1", "2", on=["2"], discount=discount), currency=currency)])

    assert [to_major(grant.amount, currency) for grant in grants] == ([] if off is None else [off])


def test_the_dearest_pieces_are_taken_and_of_equal_ones_the_first() -> None:
    cart = [piece("l1", "2", 500), piece("l2", "1", 100), piece("l3", "2", 900), piece("l4", "2", 900)]

    grants = reckon(cart, [offer("o1", "1", "2", on=["2"])])

    assert grants == [Grant("o1", 90, (("l3", 1, 90),))]


def test_a_component_may_take_pieces_of_several_lines() -> None:
    cart = [piece("l1", "1", 100), piece("l2", "2", 333), piece("l3", "2", 334)]
    wanted = replace(offer("o1", "1", "2", on=["2"]), components=(Component("1"), Component("2", 2)))

    assert reckon(cart, [wanted]) == [Grant("o1", 67, (("l3", 1, 34), ("l2", 1, 33)))]


def test_only_the_variants_of_the_offer_count() -> None:
    wanted = replace(offer("o1", "1", "2"), components=(Component("1"), Component("2", 1, ("b",))))

    assert reckon([piece("l1", "1", 100), piece("l2", "2", 100, variant="a")], [wanted]) == []
    assert total(reckon([piece("l1", "1", 100), piece("l2", "2", 100, variant="b")], [wanted])) == 20


def test_of_equal_offers_the_smaller_key_goes_first() -> None:
    cart = [piece("l1", "1", 100), piece("l2", "2", 100), piece("l3", "3", 100)]

    grants = reckon(cart, [offer("o2", "1", "2"), offer("o1", "1", "3")])

    assert grants == [Grant("o1", 20, (("l1", 1, 10), ("l3", 1, 10)))]


def test_an_offer_that_lost_its_dearest_piece_may_fall_behind_another() -> None:
    cart = [
        piece("l1", "1", 1000),
        piece("l2", "1", 100),
        piece("l3", "2", 500),
        piece("l4", "3", 400),
        piece("l5", "4", 300),
        piece("l6", "5", 300),
    ]
    first = offer("a", "1", "2", discount=percent(5000))
    behind = offer("b", "1", "3", discount=percent(5000))
    between = offer("c", "4", "5", discount=percent(9000))

    grants = reckon(cart, [first, behind, between])

    assert [(grant.key, grant.amount) for grant in grants] == [("a", 750), ("c", 540), ("b", 250)]


def test_free_pieces_count_as_components_and_get_nothing() -> None:
    cart = [piece("l1", "1", 0), piece("l2", "2", 1000)]

    assert reckon(cart, [offer("o1", "1", "2")]) == [Grant("o1", 100, (("l2", 1, 100),))]
    assert reckon(cart, [offer("o1", "1", "2", on=["1"])]) == []


# --- other currencies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("discount", "currency", "rate", "value"),
    [
        pytest.param(percent(1000), "JPY", "163.2", 1000, id="a percentage stays"),
        pytest.param(amount(250), "USD", "1.0842", 271, id="two decimals to two"),
        pytest.param(amount(250), "JPY", "163.2", 408, id="two decimals to none"),
        pytest.param(amount(250), "KWD", "0.3301", 825, id="two decimals to three"),
        pytest.param(amount(1), "USD", "1.5", 2, id="half a unit rounds up"),
        pytest.param(amount(250), "EUR", "7", 250, id="its own currency has no rate"),
    ],
)
def test_amounts_are_exchanged_and_percentages_are_not(
    discount: Discount, currency: str, rate: str, value: int
) -> None:
    there = in_currency(offer("o1", "1", "2", discount=discount), currency, Decimal(rate))

    assert there is not None
    assert (there.discount, there.currency) == (Discount(discount.kind, value), currency)


def test_an_amount_of_which_nothing_is_left_is_no_offer() -> None:
    assert in_currency(offer("o1", "1", "2", discount=amount(10)), "JPY", Decimal("1.1")) is None
