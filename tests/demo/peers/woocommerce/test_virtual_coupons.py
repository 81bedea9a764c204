"""What coupons take off a cart of the stand-in: virtual ones as promised, the shop's own as WooCommerce has them."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from app.commerce.checkout import offer_to_config
from app.commerce.offers import Component, Discount, DiscountKind, Piece, Terms, reckon
from demo.orders import Applied
from demo.peers.woocommerce.coupon_rules import CouponRefusedError, reckoned
from demo.peers.woocommerce.virtual_coupons import CartLine, granted

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STAMP = "2026-11-22T12:00:00"
PRODUCTS = ["12", "13", "14", "15", "16"]


def cart(*prices: int, quantity: int = 1) -> list[CartLine]:
    """Return a cart of products 12, 13, … at these prices."""
    return [CartLine(f"l{n}", str(12 + n), None, quantity, price) for n, price in enumerate(prices)]


def coupon(kind: str, amount: str, *product_ids: int, **fields: Any) -> dict[str, Any]:
    return {
        "code": "pair",
        "description": "",
        "discount_type": kind,
        "amount": amount,
        "product_ids": list(product_ids),
        "limit_usage_to_x_items": None,
        "usage_limit": None,
        "usage_count": 0,
        "date_expires_gmt": None,
        **fields,
    }


# -- virtual ones --


def some_offers(random: Random) -> list[Terms]:
    """Return up to six offers of every shape."""
    drawn = []
    for number in range(random.randint(1, 6)):
        products = random.sample(PRODUCTS, random.randint(2, 4))
        kind = random.choice(list(DiscountKind))
        most = 10_000 if kind is DiscountKind.PERCENT else 30_000
        components = tuple(
            Component(
                product_id,
                random.choice([1, 1, 2, 3]),
                random.choice([None, None, ("a",), ("a", "b"), ("b",)]),
            )
            for product_id in products
        )
        discounted = tuple(random.sample(products, random.randint(1, len(products))))
        discount = Discount(kind, random.choice([1, random.randint(1, most), most]))
        drawn.append(Terms(f"o{number}", f"Set {number}", components, discounted, discount, "EUR", NOW))
    return drawn


def some_cart(random: Random) -> list[Piece]:
    """Return a cart of up to nine lines, some of the same product and some of the same price."""
    return [
        Piece(
            f"l{number}",
            random.choice(PRODUCTS),
            random.choice([None, "a", "b"]),
            random.randint(1, 4),
            random.choice([0, 1, 999, random.randint(1, 100_000)]),
        )
        for number in range(random.randint(1, 9))
    ]


def test_a_cart_gets_what_is_promised_line_by_line() -> None:
    random = Random(20261122)
    fulfilled = 0
    for _ in range(1000):
        wanted, pieces = some_offers(random), some_cart(random)
        lines = [CartLine(p.line_id, p.product_id, p.variant_id, p.quantity, p.price) for p in pieces]

        found = granted(lines, [offer_to_config(offer) for offer in wanted], "EUR", NOW)

        promised = reckon(pieces, wanted)
        assert [(applied.code, applied.total, dict(applied.amounts)) for applied in found] == [
            (f"pannier-{grant.key}", grant.amount, {line: amount for line, _, amount in grant.lines})
            for grant in promised
        ]
        fulfilled += bool(promised)
    assert fulfilled > 200


@pytest.mark.parametrize(
    ("changes", "currency", "amount"),
    [
        ({}, "EUR", [200]),
        ({}, "USD", []),
        ({"s": int(NOW.timestamp()) + 1}, "EUR", []),
        ({"e": int(NOW.timestamp())}, "EUR", []),
        ({"e": int(NOW.timestamp()) + 1}, "EUR", [200]),
    ],
    ids=["holds", "other currency", "begins later", "ended", "ends in a second"],
)
def test_an_offer_counts_from_its_beginning_until_its_end(
    changes: dict[str, Any], currency: str, amount: list[int]
) -> None:
    terms = Terms(
        "a", "A", (Component("12"), Component("13")), ("12", "13"),
        Discount(DiscountKind.PERCENT, 1000), "EUR", NOW - timedelta(days=1),
    )  # fmt: skip

    found = granted(cart(1000, 1000), [{**offer_to_config(terms), **changes}], currency, NOW)

    assert [applied.total for applied in found] == amount


# -- those of the shop --


@pytest.mark.parametrize(
    ("given_", "lines", "amounts"),
    [
        # Any of its products, never all: the other one is not even in the cart.
        (coupon("percent", "10.00", 12, 13), cart(1000), {"l0": 100}),
        (coupon("percent", "10.00", 12, 13), cart(1000, 500, 700), {"l0": 100, "l1": 50}),
        (coupon("percent", "10.00"), cart(1000, 500), {"l0": 100, "l1": 50}),
        # 3.3 and 3.3 are 6.6: three each, and the seventh goes to the dearest line.
        (coupon("percent", "10.00", 12, 13), cart(33, 33), {"l0": 4, "l1": 3}),
        (coupon("percent", "10", limit_usage_to_x_items=1), cart(500, 1000), {"l1": 100}),
        (
            coupon("percent", "10", limit_usage_to_x_items=3),
            cart(1000, 500, quantity=2),
            {"l0": 200, "l1": 50},
        ),
        (coupon("fixed_cart", "3.00", 12), cart(1000, 500), {"l0": 150, "l1": 150}),
        (coupon("fixed_cart", "0.01", 12), cart(1000, 500), {"l0": 1}),
        (coupon("fixed_cart", "10.00", 12), cart(900, 40), {"l0": 900, "l1": 40}),
        (coupon("fixed_cart", "8.00", 12), cart(900, 40), {"l0": 760, "l1": 40}),
        (coupon("fixed_product", "2.00", 12), cart(1000, 500, quantity=3), {"l0": 600}),
        (coupon("fixed_product", "2.00", limit_usage_to_x_items=1), cart(150, 100), {"l0": 150}),
    ],
    ids=[
        *("any of them", "only its own", "for all", "rounding", "one piece", "three pieces", "spread"),
        *("a cent", "more than there is", "spread again", "each piece", "never below nothing"),
    ],
)
def test_a_coupon_takes_what_woocommerce_takes(
    given_: dict[str, Any], lines: list[CartLine], amounts: dict[str, int]
) -> None:
    found = reckoned(given_, lines, [], STAMP)

    assert (found.code, found.kind) == ("pair", given_["discount_type"])
    assert dict(found.amounts) == amounts


def test_a_coupon_takes_from_what_others_have_left() -> None:
    before = Applied("pannier-a", "pannier", 10.0, "A", {"l0": 950})

    found = reckoned(coupon("percent", "10.00"), cart(1000), [before], STAMP)

    assert dict(found.amounts) == {"l0": 50}


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        (coupon("percent", "10", 15), 'Sorry, coupon "pair" is not applicable to the products in your cart.'),
        (coupon("percent", "10", date_expires_gmt="2026-11-22T11:59:59"), 'Coupon "pair" has expired.'),
        (
            coupon("percent", "10", usage_limit=2, usage_count=2),
            'Usage limit for coupon "pair" has been reached.',
        ),
    ],
    ids=["no product", "expired", "used up"],
)
def test_a_coupon_that_cannot_be_used_says_why(given_: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CouponRefusedError) as caught:
        reckoned(given_, cart(1000, 500), [], STAMP)

    assert str(caught.value) == sentence
