"""Products, variants, stock levels: what stands, and whether it can be bought."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete

from app.commerce.catalog import ELIGIBLE_SQL, Product
from app.commerce.changes import CommerceChange, ProductChange, ProductStatus
from app.commerce.store import Store
from app.core.db import db
from app.recommendations.cache import load_cards
from tests.commerce.conftest import Apply, Tables
from tests.factories import (
    inventory_change,
    order_change,
    product_change,
    product_deletion,
    variant_change,
    variant_state,
)


def product(tables: Tables) -> dict[str, Any]:
    """Return the only product."""
    (found,) = tables()["product"]
    return found


def variants(tables: Tables, column: str) -> dict[str, Any]:
    """Return one column of the variants that their products list, by platform id."""
    listed = {row["platform_id"]: row["variant_ids"] for row in tables()["product"]}
    return {
        row["platform_id"]: row[column]
        for row in tables()["variant"]
        if listed[row["product_id"]] is None or row["platform_id"] in listed[row["product_id"]]
    }


def sold(store: Store, product_id: str = "p1") -> tuple[bool, str | None]:
    """Return whether a product is available, and which variant its card offers."""
    connection = db.session.connection()
    card = load_cards(connection, store.id, [product_id])[product_id]
    return eligible(store) == [product_id], card.variant_id


def eligible(store: Store) -> list[str]:
    """Return the platform ids of the products that may be shown."""
    rows = db.session.connection().exec_driver_sql(
        f"SELECT platform_id FROM product p WHERE store_id = %(store)s AND {ELIGIBLE_SQL} ORDER BY 1",
        {"store": store.id},
    )
    return [row[0] for row in rows]


def test_a_product_is_written_with_all_that_it_says(apply: Apply, tables: Tables) -> None:
    change = product_change(
        "p1",
        variant_state("v1", title="Red", price=900, stock=3, sells_when_out=True, item="i1", position=2),
        seconds=60,
        title="Mug",
        tags=["new", "red"],
        price=900,
    )

    applied = apply(change)

    assert applied.products == {"p1"}
    assert product(tables) == {
        "platform_id": "p1",
        "status": "active",
        "visible": True,
        "stated_available": None,
        "available": True,
        "title": "Mug",
        "url": None,
        "image_url": None,
        "category": None,
        "vendor": None,
        "tags": ["new", "red"],
        "gift_card": False,
        "cross_sell_ids": None,
        "upsell_ids": None,
        "variant_ids": ["v1"],
        "price": 900,
        "compare_at_price": None,
        "currency": "USD",
        "cost": None,
        "source_updated_at": "2026-01-05T12:01:00+00:00",
        "state_digest": product(tables)["state_digest"],
        "deleted_at": None,
    }
    (variant,) = tables()["variant"]
    assert variant == {
        "product_id": "p1",
        "platform_id": "v1",
        "title": "Red",
        "sku": None,
        "price": 900,
        "compare_at_price": None,
        "stock": 3,
        "sells_when_out": True,
        "stated_available": None,
        "inventory_item_id": "i1",
        "position": 2,
        "image_url": None,
        "cost": None,
        "source_updated_at": "2026-01-05T12:01:00+00:00",
        "state_digest": variant["state_digest"],
    }


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))), ids=str)
@pytest.mark.parametrize("together", [False, True], ids=["apart", "one batch"])
def test_the_newest_state_of_a_product_stands(
    apply: Apply, tables: Tables, arrival: tuple[int, ...], together: bool
) -> None:
    states = [
        product_change("p1", variant_state("v1", price=1), seconds=1, title="Old"),
        product_change("p1", variant_state("v1", price=3), variant_state("v2"), seconds=3, title="New"),
        product_change("p1", variant_state("v1", price=2), variant_state("v3"), seconds=2, title="Middle"),
    ]

    arriving = [states[index] for index in arrival]
    for batch in [arriving] if together else [[state] for state in arriving]:
        apply(*batch)

    assert product(tables)["title"] == "New"
    assert variants(tables, "price") == {"v1": 3, "v2": 1000}


def test_states_of_one_second_are_settled_alike_in_any_order(
    apply: Apply, tables: Tables, store: Store
) -> None:
    states = [
        product_change("p1", *(variant_state(f"v{m}", price=n * 10 + m) for m in range(4)), title=str(n))
        for n in range(3)
    ]
    stood = []

    for arrival in itertools.permutations(states):
        db.session.execute(delete(Product).where(Product.store_id == store.id))
        for change in arrival:
            apply(change)
        stood.append((product(tables)["title"], variants(tables, "price")))

    title = stood[0][0]
    assert stood == [(title, {f"v{m}": int(title) * 10 + m for m in range(4)})] * 6


@pytest.mark.parametrize("swapped", [False, True], ids=["in order", "swapped"])
def test_of_two_lists_of_one_second_one_stands_whole(apply: Apply, tables: Tables, swapped: bool) -> None:
    states = [
        product_change("p1", variant_state("v1"), variant_state("v2"), title="Two"),
        product_change("p1", variant_state("v1"), variant_state("v3"), title="Three"),
    ]

    for change in states[::-1] if swapped else states:
        apply(change)

    other = {"Two": "v2", "Three": "v3"}[product(tables)["title"]]
    assert set(variants(tables, "price")) == {"v1", other}


def test_an_older_state_changes_nothing_that_is_shown(apply: Apply, tables: Tables, store: Store) -> None:
    apply(product_change("p1", variant_state("v1", stock=0), seconds=2))
    before = product(tables)

    apply(product_change("p1", variant_state("v2"), seconds=1, title="Old"))

    assert product(tables) == before
    assert sold(store) == (False, "v1")


def test_an_older_state_that_says_nothing_new_changes_no_card(apply: Apply, tables: Tables) -> None:
    apply(product_change("p1", variant_state("v1"), seconds=2))
    before = tables()

    applied = apply(product_change("p1", variant_state("v1", price=1), seconds=1, title="Old"))

    assert applied.products == set()
    assert tables() == before


def test_a_variant_that_a_newer_list_lacks_is_not_sold(apply: Apply, tables: Tables, store: Store) -> None:
    apply(product_change("p1", variant_state("v1", position=1), variant_state("v2", position=2), seconds=1))
    apply(product_change("p2", variant_state("other"), seconds=1, status=ProductStatus.DRAFT))
    assert sold(store) == (True, "v1")

    apply(product_change("p1", variant_state("v2", position=2), seconds=2))

    assert sorted(variants(tables, "product_id").items()) == [("other", "p2"), ("v2", "p1")]
    assert sold(store) == (True, "v2")


def test_a_product_whose_only_variant_in_stock_was_deleted_is_not_available(
    apply: Apply, store: Store
) -> None:
    sold_out = variant_state("v1", stock=0)
    apply(product_change("p1", sold_out, variant_state("v2"), seconds=1))
    assert sold(store) == (True, "v2")

    apply(product_change("p1", sold_out, seconds=2))

    assert sold(store) == (False, "v1")


def test_an_empty_list_leaves_no_variant(apply: Apply, tables: Tables, store: Store) -> None:
    apply(product_change("p1", variant_state("v1"), seconds=1))

    apply(product_change("p1", seconds=2))

    assert variants(tables, "price") == {}
    assert sold(store) == (False, None)


def test_a_state_that_names_no_variants_leaves_them(apply: Apply, tables: Tables, store: Store) -> None:
    apply(variant_change("p1", variant_state("v1"), seconds=1))

    apply(product_change("p1", seconds=2, lists_variants=False))

    assert variants(tables, "product_id") == {"v1": "p1"}
    assert sold(store) == (True, "v1")


def test_a_variation_that_its_product_no_longer_names_is_not_sold(apply: Apply, store: Store) -> None:
    apply(product_change("p1", seconds=1, lists_variants=False, variant_ids=["v1", "v2"]))
    for number in (1, 2):
        apply(variant_change("p1", variant_state(f"v{number}", position=number), seconds=2))
    assert sold(store) == (True, "v1")

    apply(product_change("p1", seconds=3, lists_variants=False, variant_ids=["v2"]))

    assert sold(store) == (True, "v2")


def test_a_variation_that_arrives_before_its_product_names_it_waits(apply: Apply, store: Store) -> None:
    apply(product_change("p1", seconds=1, lists_variants=False, variant_ids=[]))

    apply(variant_change("p1", variant_state("v1"), seconds=2))
    assert sold(store) == (False, None)

    apply(product_change("p1", seconds=2, lists_variants=False, variant_ids=["v1"]))
    assert sold(store) == (True, "v1")


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(4))), ids=str)
@pytest.mark.parametrize("together", [False, True], ids=["apart", "one batch"])
@pytest.mark.parametrize(
    ("last", "offered"),
    [
        (product_change("p1", variant_state("v2", price=4, position=2), seconds=4), {"v2": 4}),
        (
            product_change("p1", seconds=4, lists_variants=False),
            {"v1": 1, "v2": 2, "v3": 3},
        ),
        (
            product_change("p1", seconds=4, lists_variants=False, variant_ids=["v1", "v3"]),
            {"v1": 1, "v3": 3},
        ),
        (product_change("p1", seconds=4), {}),
    ],
    ids=["a list", "no list", "names alone", "an empty list"],
)
def test_a_list_none_and_a_list_again_end_alike_in_any_order(
    apply: Apply,
    tables: Tables,
    store: Store,
    arrival: tuple[int, ...],
    together: bool,
    last: ProductChange,
    offered: dict[str, int],
) -> None:
    states = [
        product_change(
            "p1",
            variant_state("v1", price=1, position=1),
            variant_state("v2", price=2, position=2),
            seconds=1,
        ),
        product_change("p1", seconds=2, lists_variants=False),
        variant_change("p1", variant_state("v3", price=3, position=3), seconds=3),
        last,
    ]

    arriving = [states[index] for index in arrival]
    for batch in [arriving] if together else [[state] for state in arriving]:
        apply(*batch)

    assert variants(tables, "price") == offered
    assert sold(store) == (bool(offered), min(offered, default=None))


@pytest.mark.parametrize("swapped", [False, True], ids=["in order", "swapped"])
def test_the_newest_state_of_a_lone_variant_stands(apply: Apply, tables: Tables, swapped: bool) -> None:
    old = variant_change("p1", variant_state("v1", price=1), seconds=1)
    new = variant_change("p1", variant_state("v1", price=2), seconds=2)

    for change in (new, old) if swapped else (old, new):
        apply(change)

    assert variants(tables, "price") == {"v1": 2}
    assert product(tables)["status"] == "unknown"


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (product_change("p1", variant_state("v1")), True),
        (product_change("p1", variant_state("v1"), status=ProductStatus.DRAFT), False),
        (product_change("p1", variant_state("v1"), status=ProductStatus.ARCHIVED), False),
        (product_change("p1", variant_state("v1"), visible=False), False),
        (product_change("p1", variant_state("v1"), gift_card=True), False),
        (product_change("p1", variant_state("v1"), title=""), False),
        (product_change("p1"), False),
        (product_change("p1", variant_state("v1", stock=0)), False),
        (product_change("p1", variant_state("v1", stock=-1)), False),
        (product_change("p1", variant_state("v1", stock=0), variant_state("v2", stock=1)), True),
        (product_change("p1", variant_state("v1", stock=None)), True),
        (product_change("p1", variant_state("v1", stock=0, sells_when_out=True)), True),
        (product_change("p1", available=True), True),
        (product_change("p1", variant_state("v1"), available=False), False),
    ],
    ids=[
        "on sale",
        "draft",
        "archived",
        "not visible",
        "gift card",
        "without a title",
        "without variants",
        "sold out",
        "oversold",
        "one variant left",
        "stock not counted",
        "backorders",
        "the shop says yes",
        "the shop says no",
    ],
)
def test_what_may_be_shown(apply: Apply, store: Store, change: CommerceChange, shown: bool) -> None:
    apply(change)

    assert eligible(store) == (["p1"] if shown else [])


@pytest.mark.parametrize("available", [True, False], ids=["available", "not available"])
def test_the_shops_word_on_a_lone_variant_decides(apply: Apply, tables: Tables, available: bool) -> None:
    stock = 0 if available else 5
    apply(product_change("p1", lists_variants=False))

    apply(variant_change("p1", variant_state("v1", stock=stock), available=available))

    assert product(tables)["available"] is available


@pytest.mark.parametrize(
    ("levels", "available"),
    [
        ([inventory_change("i1", 0, seconds=2)], False),
        ([inventory_change("i1", 0, seconds=1)], True),
        ([inventory_change("i1", 0, seconds=2), inventory_change("i1", 3, location="there")], True),
        ([inventory_change("i1", -3, seconds=2), inventory_change("i1", 3, location="there")], False),
        ([inventory_change("i1", 0, seconds=3), inventory_change("i1", 7, seconds=2)], False),
        ([inventory_change("i1", 0, seconds=2), inventory_change("i1", 7, seconds=3)], True),
        ([inventory_change("i2", 0, seconds=2)], True),
    ],
    ids=[
        "newer level",
        "level of the product's second",
        "another location",
        "sum of the locations",
        "older level later",
        "newer level later",
        "another item",
    ],
)
@pytest.mark.parametrize("product_last", [False, True], ids=["product first", "levels first"])
@pytest.mark.parametrize("together", [False, True], ids=["apart", "one batch"])
def test_a_level_newer_than_the_product_decides(
    apply: Apply,
    tables: Tables,
    levels: list[CommerceChange],
    available: bool,
    product_last: bool,
    together: bool,
) -> None:
    described: list[CommerceChange] = [
        product_change("p1", variant_state("v1", stock=5, item="i1"), seconds=1)
    ]
    arriving = [*levels, *described] if product_last else [*described, *levels]

    for batch in [arriving] if together else [[change] for change in arriving]:
        apply(*batch)

    assert product(tables)["available"] is available


def test_a_product_newer_than_the_levels_decides(apply: Apply, tables: Tables) -> None:
    apply(inventory_change("i1", 0, seconds=2))

    apply(product_change("p1", variant_state("v1", stock=5, item="i1"), seconds=3))

    assert product(tables)["available"] is True


def test_levels_of_one_second_are_settled_by_the_number(apply: Apply, tables: Tables) -> None:
    apply(inventory_change("i1", 3, seconds=2), inventory_change("i1", 5, seconds=2))
    apply(inventory_change("i1", 4, seconds=2))

    assert [row["available"] for row in tables()["inventory_level"]] == [5]


def test_a_level_touches_the_cards_of_its_product(apply: Apply) -> None:
    apply(product_change("p1", variant_state("v1", item="i1")), product_change("p2", variant_state("v2")))

    applied = apply(inventory_change("i1", 0))

    assert applied.products == {"p1"}


@pytest.mark.parametrize("deletion_first", [False, True], ids=["state first", "deletion first"])
@pytest.mark.parametrize(
    ("seconds", "shown"), [(4, False), (5, False), (6, True)], ids=["older", "same second", "newer"]
)
def test_only_a_newer_state_brings_a_deleted_product_back(
    apply: Apply, store: Store, deletion_first: bool, seconds: int, shown: bool
) -> None:
    state, deletion = (
        product_change("p1", variant_state("v1"), seconds=seconds),
        product_deletion("p1", 5),
    )

    for change in (deletion, state) if deletion_first else (state, deletion):
        apply(change)

    assert eligible(store) == (["p1"] if shown else [])


def test_a_deleted_product_keeps_its_row_for_the_orders_that_name_it(apply: Apply, tables: Tables) -> None:
    apply(order_change("order", "p1"))

    applied = apply(product_deletion("p1", 5))

    assert applied.products == {"p1"}
    assert product(tables)["deleted_at"] == "2026-01-05T12:00:05+00:00"
    assert tables()["orders"][0]["basket"] == ["p1"]


def test_an_older_deletion_does_not_shorten_a_newer_one(apply: Apply, tables: Tables) -> None:
    apply(product_deletion("p1", 5))

    apply(product_deletion("p1", 3))

    assert product(tables)["deleted_at"] == "2026-01-05T12:00:05+00:00"


@pytest.mark.parametrize("together", [False, True], ids=["apart", "one batch"])
@pytest.mark.parametrize(
    ("arrival", "shown"),
    [("deleted restored", True), ("restored deleted", False), ("deleted restored deleted", False)],
    ids=["restored last", "deleted last", "deleted again"],
)
def test_the_bin_follows_the_order_of_arrival(
    apply: Apply, store: Store, together: bool, arrival: str, shown: bool
) -> None:
    known: dict[str, CommerceChange] = {
        "deleted": product_deletion("p1", 5),
        "restored": product_change("p1", variant_state("v1"), seconds=1, revives=True),
    }
    changes = [product_change("p1", variant_state("v1"), seconds=1), *(known[w] for w in arrival.split())]

    for batch in [changes] if together else [[change] for change in changes]:
        apply(*batch)

    assert eligible(store) == (["p1"] if shown else [])


def test_a_described_product_takes_over_its_placeholder(apply: Apply, tables: Tables, store: Store) -> None:
    apply(order_change("order", "p1"))
    assert eligible(store) == []

    apply(product_change("p1", variant_state("v1"), seconds=-100))

    assert eligible(store) == ["p1"]
    assert tables()["orders"][0]["basket"] == ["p1"]


# --- what the merchant chose ----------------------------------------------------------------------------


def companions(tables: Tables) -> tuple[Any, Any]:
    """Return what the merchant chose to show beside the only product."""
    found = product(tables)
    return found["cross_sell_ids"], found["upsell_ids"]


def test_a_state_that_says_nothing_of_companions_leaves_them(apply: Apply, tables: Tables) -> None:
    apply(product_change(seconds=10, cross_sells=["p2", "p3"], upsells=["p4"]))
    apply(product_change(seconds=20, title="Cup"))
    assert product(tables)["title"] == "Cup"
    assert companions(tables) == (["p2", "p3"], ["p4"])


def test_a_merchant_takes_back_what_was_chosen(apply: Apply, tables: Tables) -> None:
    apply(product_change(seconds=10, cross_sells=["p2"], upsells=["p4"]))
    apply(product_change(seconds=20, cross_sells=[], upsells=[]))
    assert companions(tables) == ([], [])


def test_older_companions_do_not_replace_newer_ones(apply: Apply, tables: Tables) -> None:
    apply(product_change(seconds=20, cross_sells=["p2"], upsells=[]))
    assert apply(product_change(seconds=10, cross_sells=["p3"], upsells=["p3"])).products == set()
    assert companions(tables) == (["p2"], [])


def test_companions_stand_whichever_message_of_the_same_state_came_first(
    apply: Apply, tables: Tables
) -> None:
    told, silent = product_change(seconds=10, cross_sells=["p2"], upsells=[]), product_change(seconds=10)
    for number, order in enumerate(((told, silent), (silent, told))):
        for change in order:
            apply(replace(change, platform_id=f"p{number}"))
    assert [row["cross_sell_ids"] for row in tables()["product"]] == [["p2"], ["p2"]]


def test_companions_that_are_heard_of_first_stand_though_the_state_is_old(
    apply: Apply, tables: Tables
) -> None:
    apply(product_change(seconds=20, title="Cup"))
    assert apply(product_change(seconds=10, title="Mug", cross_sells=["p2"], upsells=[])).products == {"p1"}
    assert product(tables)["title"] == "Cup"
    assert companions(tables) == (["p2"], [])


def costs(tables: Tables) -> list[Any]:
    """Return the costs of the product and of its variant."""
    return [tables()[table][0]["cost"] for table in ("product", "variant")]


def costing(cost: int | None, seconds: float) -> ProductChange:
    """Return a state that tells what a piece costs, or does not."""
    return replace(
        product_change("p1", replace(variant_state("v1"), cost=cost), seconds=seconds), cost=cost and cost + 1
    )


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([(400, 10)], [401, 400]),
        ([(400, 10), (None, 20)], [401, 400]),
        ([(None, 20), (400, 10)], [401, 400]),
        ([(400, 10), (None, 10)], [401, 400]),
        ([(None, 10), (400, 10)], [401, 400]),
        ([(400, 10), (300, 20)], [301, 300]),
        ([(300, 20), (400, 10)], [301, 300]),
    ],
    ids=[
        "told",
        "then silent",
        "first heard of late",
        "same state silent",
        "same state tells",
        "newer",
        "older",
    ],
)
def test_the_newest_cost_that_was_told_stands(
    apply: Apply, tables: Tables, states: list[tuple[int | None, float]], expected: list[int]
) -> None:
    for cost, seconds in states:
        apply(costing(cost, seconds))

    assert costs(tables) == expected


def test_a_lone_variant_tells_its_cost(apply: Apply, tables: Tables) -> None:
    apply(variant_change("p1", replace(variant_state("v1"), cost=250), seconds=10))

    assert costs(tables) == [None, 250]


def test_of_one_batch_the_newest_companions_stand(apply: Apply, tables: Tables) -> None:
    apply(
        product_change(seconds=20, cross_sells=["p2"], upsells=[]),
        product_change(seconds=10, cross_sells=["p3"], upsells=[]),
        product_change(seconds=15),
    )
    assert companions(tables) == (["p2"], [])


@pytest.mark.parametrize(
    ("change", "described"),
    [
        (product_change(seconds=20), set()),
        (product_change(seconds=20, price=900), set()),
        (product_change(seconds=20, title="Cup"), {"p1"}),
        (product_change(seconds=20, tags=["new"]), {"p1"}),
        (product_change(seconds=20, visible=False), {"p1"}),
        (product_change(seconds=20, status=ProductStatus.DRAFT), {"p1"}),
        (product_change(seconds=20, cross_sells=["p2"]), {"p1"}),
        (product_change(seconds=5, title="Cup"), set()),
        (product_change("p2", title="Cup"), {"p2"}),
    ],
    ids=["nothing", "price", "title", "tags", "visible", "status", "companions", "old news", "new"],
)
def test_what_is_described_otherwise_is_told(
    apply: Apply, change: CommerceChange, described: set[str]
) -> None:
    apply(product_change(seconds=10))
    assert apply(change).described == described
