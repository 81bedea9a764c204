"""What the database knows of products whose prices may move."""

import ast
import inspect
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete

from app.commerce.store import Store
from app.core.db import db
from app.events.models import ProductActivity
from app.pricing import guards, ledger, loading, looking, proposing, rules, signals
from app.pricing.models import CompetitorPrice, PricePeriod
from app.pricing.proposing import Goods, Kind, Shop
from app.pricing.rules import Rule
from app.pricing.signals import PricePoint
from tests.factories import DAY, line, order_change, product_change, product_deletion, variant_state
from tests.pricing.selling import TODAY, add_change, add_rule, apply, put_on_sale, sell_daily
from tests.pricing.wanting import rule


def load(store: Store, *rules: Rule, **options: list[str]) -> dict[str, Goods]:
    connection = db.session.connection()
    chosen = loading.choose(connection, store.id, rules or [rule()], **options)
    found = loading.goods_of(connection, store.id, chosen, store.timezone, TODAY)
    return {goods.traits.product_id: goods for _, goods in found}


def test_a_product_is_loaded_with_what_it_sells(store: Store) -> None:
    put_on_sale(store, cost=400, stock=7, category="Mugs", tags=["blue"])
    sell_daily(store, days=30, quantity=2)

    goods = load(store)["p1"]

    assert (goods.traits.category, goods.traits.tags, goods.currency) == ("Mugs", frozenset({"blue"}), "USD")
    assert goods.kinds == (Kind("v-p1", 1000, None, 1000, 400, 7, True),)
    assert goods.pieces == [2.0] * 30
    assert goods.first_weekday == (TODAY - timedelta(days=30)).weekday()


def test_products_follow_their_rules_and_those_of_none_are_left_out(store: Store) -> None:
    for product, category in (("a", "Mugs"), ("b", "Bowls"), ("c", None)):
        put_on_sale(store, product, category=category)
    mugs, bowls = (
        rule(key="m", products={"categories": ["Mugs"]}),
        rule(key="b", products={"categories": ["Bowls"]}),
    )

    chosen = loading.choose(db.session.connection(), store.id, [mugs, bowls])

    assert {product: found.key for product, (found, _) in chosen.items()} == {"a": "m", "b": "b"}
    assert set(load(store, mugs, bowls, only=["b", "c"])) == {"b"}


def test_what_is_not_sold_is_not_looked_at(store: Store) -> None:
    put_on_sale(store, "gone")
    apply(store, product_deletion("gone"))
    put_on_sale(store, "gift", gift_card=True)
    put_on_sale(store, "free", price=0)
    put_on_sale(store, "mug")

    assert set(load(store)) == {"mug"}


def test_what_sold_out_cannot_be_bought(store: Store) -> None:
    put_on_sale(store, stock=0)

    assert [kind.buyable for kind in load(store)["p1"].kinds] == [False]


def test_a_product_without_variants_is_its_own(store: Store) -> None:
    apply(store, product_change("plain", price=700, available=True))

    assert load(store)["plain"].kinds == (Kind("plain", 700, None, 700, None, None, True),)


def test_the_base_is_what_the_merchant_set_last_and_every_change_is_known(store: Store) -> None:
    put_on_sale(store)
    change = add_change(store, 1000, 900, state="live", written_at=TODAY - timedelta(days=2))
    ledger.note_change(db.session.connection(), change, TODAY - timedelta(days=2))

    (kind,) = load(store)["p1"].kinds

    assert (kind.price, kind.base, kind.changed) == (900, 1000, (TODAY - timedelta(days=2),))


def test_without_a_price_of_the_merchants_in_the_ledger_the_base_is_what_stood_before_the_first_change(
    store: Store,
) -> None:
    put_on_sale(store, price=810)
    db.session.execute(delete(PricePeriod).where(PricePeriod.store_id == store.id))
    for number, (old, new) in enumerate(((1000, 900), (900, 810))):
        moment = TODAY - timedelta(days=20 - number)
        change = add_change(store, old, new, state="live", written_at=moment)
        ledger.note_change(db.session.connection(), change, moment)

    (kind,) = load(store)["p1"].kinds

    assert (kind.price, kind.base) == (810, 1000)


def test_nothing_of_a_person_is_read() -> None:
    modules = [guards, signals, rules, proposing, loading, looking]
    personal = {"app.privacy", "app.segments", "app.events", "app.commerce.customer", "app.decisions"}
    statements = [value for value in vars(loading).values() if isinstance(value, str) and "SELECT" in value]

    imported = {
        node.module
        for module in modules
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert not {name for name in imported if any(name.startswith(room) for room in personal)}
    assert len(statements) >= 10
    words = "customer|subject|visitor|segment|people|email|cart_token|consent"
    assert [each for each in statements if re.search(words, each)] == []


def test_earlier_prices_are_told_with_what_they_sold(store: Store) -> None:
    put_on_sale(store)
    put_on_sale(store, "other")
    sell_daily(store, days=40, quantity=3)
    sell_daily(store, "other", days=40, quantity=7)
    change = add_change(store, 1000, 900, state="live", written_at=TODAY - timedelta(days=10))
    ledger.note_change(db.session.connection(), change, TODAY - timedelta(days=10))

    # The day of the change, at noon ten days ago, belongs to neither price.
    assert load(store)["p1"].points == (PricePoint(900, 27, 90.0), PricePoint(1000, 90, 300.0))


def test_conversion_counts_from_the_first_day_with_views(store: Store) -> None:
    put_on_sale(store)
    sell_daily(store, days=20)
    day = TODAY.date()
    for ago, product, views in ((5, "p1", 60), (3, "p1", 40), (3, "p2", 300), (0, "p1", 9)):
        db.session.add(
            ProductActivity(
                store_id=store.id, day=day - timedelta(days=ago), product=product,
                people=9, views=views, adds=0, removes=0,
            )
        )  # fmt: skip
    db.session.commit()

    goods = load(store)["p1"]

    assert (goods.views, goods.bought) == (100, 5)
    assert loading.shop_of(db.session.connection(), store.id, "UTC", TODAY) == Shop(400, 5)


def test_without_views_there_is_no_conversion(store: Store) -> None:
    put_on_sale(store)
    sell_daily(store, days=20)

    assert (load(store)["p1"].views, load(store)["p1"].bought) == (0, 0)


def test_the_tax_that_prices_contain_is_read_from_orders(store: Store) -> None:
    put_on_sale(store, price=1150)
    put_on_sale(store, "untaxed")
    taxes = [150] * 9 + [0]  # one was sold abroad
    apply(
        store,
        *(
            order_change(f"o{n}", replace(line("p1", price=1150), tax_included=tax), placed=(n + 1) * DAY)
            for n, tax in enumerate(taxes)
        ),
        order_change("other", line("untaxed"), placed=DAY),
    )

    found = load(store)

    assert (found["p1"].tax, found["untaxed"].tax) == (1_500, 0)
    store.settings = {"included_tax_percent": 12.5}
    db.session.commit()
    assert {product: goods.tax for product, goods in load(store).items()} == {"p1": 1_500, "untaxed": 1_250}


def test_competitors_count_while_they_are_fresh_and_in_the_same_currency(store: Store) -> None:
    put_on_sale(store)
    for name, price, currency, ago in (
        ("a", 950, "USD", 1), ("b", 990, "USD", 13), ("old", 500, "USD", 15), ("abroad", 100, "EUR", 1),
    ):  # fmt: skip
        db.session.add(
            CompetitorPrice(
                store_id=store.id, product_id="p1", competitor=name, price=price, currency=currency,
                seen_at=TODAY - timedelta(days=ago),
            )
        )  # fmt: skip
    db.session.commit()
    listening = {"signal": "competitor", "weight_percent": 5}

    assert load(store, rule(listening))["p1"].competitors == (950, 990)
    assert load(store, rule({**listening, "fresh_days": 7}))["p1"].competitors == (950,)
    assert load(store, rule())["p1"].competitors == ()


@pytest.mark.parametrize("active", [True, False])
def test_only_active_rules_count(store: Store, active: bool) -> None:
    row = add_rule(store, mode="automatic")
    row.active = active
    db.session.commit()

    found = loading.active_rules(db.session.connection(), store.id)

    assert [each.mode for each in found] == (["automatic"] if active else [])


def test_a_product_with_two_variants_has_both(store: Store) -> None:
    apply(
        store,
        product_change(
            "p", variant_state("a", price=500), variant_state("b", price=800, position=2, stock=None)
        ),
    )

    assert [(kind.variant_id, kind.price, kind.stock) for kind in load(store)["p"].kinds] == [
        ("a", 500, 5),
        ("b", 800, None),
    ]
