"""Where the function finds an offer, and what it is told of keys."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.commerce.checkout import config_to_terms
from app.commerce.offers import Component, Discount, DiscountKind, Terms
from connectors.discounts import QuoteKey
from connectors.shopify import function_offers

STARTS = datetime(2026, 11, 1, tzinfo=UTC)


def offer(key: str, *products: int, title: str = "Together") -> Terms:
    components = tuple(Component(str(product)) for product in products)
    discounted = tuple(map(str, products))
    return Terms(key, title, components, discounted, Discount(DiscountKind.PERCENT, 1000), "EUR", STARTS)


def test_a_product_in_every_offer_carries_none_of_them():
    arranged = function_offers.arrange([offer(f"o{place}", 1, place + 2) for place in range(40)])

    assert sorted(arranged.offers, key=int) == [str(place + 2) for place in range(40)]
    assert {len(parts) for parts in arranged.offers.values()} == {1}


@given(
    st.lists(st.lists(st.integers(1, 6), min_size=2, max_size=4, unique=True), max_size=60),
    st.text(min_size=1, max_size=60),
)
def test_every_offer_stands_with_one_of_its_products_or_is_told_to_be_crowded_out(baskets, title):
    # given
    wanted = [offer(f"o{place}", *products, title=title) for place, products in enumerate(baskets)]

    # when
    arranged = function_offers.arrange(wanted)

    # then
    placed = [terms for parts in arranged.offers.values() for terms in parts]
    assert sorted(terms.key for terms in (*placed, *arranged.crowded)) == sorted(
        terms.key for terms in wanted
    )
    assert arranged.offers.keys() == arranged.values.keys()
    for carrier, parts in arranged.offers.items():
        assert all(carrier in {part.product_id for part in terms.components} for terms in parts)
        value = arranged.values[carrier]
        assert len(value.encode()) <= function_offers.MOST_BYTES
        assert [config_to_terms(config) for config in json.loads(value)] == list(parts)
    for terms in arranged.crowded:
        # What has no room found its product fuller than half: it is itself far smaller than that.
        sizes = [
            len(arranged.values[part.product_id].encode())
            for part in terms.components
            if part.product_id in arranged.values
        ]
        assert max(sizes) > function_offers.MOST_BYTES / 2


def test_a_key_beyond_the_fourth_has_no_place_and_unused_places_are_over():
    # given
    ends = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    keys = [QuoteKey(f"k{place}", b"0" * 16, ends + timedelta(minutes=5 * place)) for place in range(5)]

    # when
    four, none = (function_offers.settings(some, "America/New_York") for some in (keys, []))

    # then
    assert [key["id"] for key in four["keys"]] == ["k0", "k1", "k2", "k3"]
    # The clocks of New York go back at 06:00 UTC that day: 05:45 is still summer time.
    assert [four[f"until{place}"] for place in range(4)] == [
        "2026-11-01T01:30:00",
        "2026-11-01T01:35:00",
        "2026-11-01T01:40:00",
        "2026-11-01T01:45:00",
    ]
    assert none == {"v": 1, "keys": [], **{f"until{place}": "2020-01-01T00:00:00" for place in range(4)}}
