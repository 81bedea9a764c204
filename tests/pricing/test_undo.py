"""Undo restores every price, to the minor unit, and never over somebody else's change unseen."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.commerce.store import Store
from app.core.db import db, now
from app.core.errors import Conflict, NotFound, Unavailable
from app.pricing import ledger, undo, writing
from app.pricing.models import PriceRule
from connectors.errors import Unreachable
from tests.factories import new_store
from tests.pricing.scripted_prices import ScriptedPrices
from tests.pricing.selling import TODAY, add_change, add_rule, all_changes, put_on_sale, states


def live(store: Store, old: int, new: int, **fields: object) -> int:
    return add_change(store, old, new, state="live", rule="r", **fields).id  # type: ignore[arg-type]


def test_a_change_is_taken_back_with_what_it_was_compared_to(store: Store, prices: ScriptedPrices) -> None:
    put_on_sale(store)
    change = live(store, 1000, 1600, old_compare_at_price=1500)
    prices.stands = {"p1": {"v-p1": (1600, None)}}

    found = undo.undo_change(store, change, TODAY)
    assert [(made.state, made.undo_of) for made in found.made] == [("approved", change)]
    assert writing.write_due(store.id)

    undone, taken_back = all_changes(store)
    assert prices.stands == {"p1": {"v-p1": (1000, 1500)}}
    assert (undone.state, taken_back.state, taken_back.actor) == ("undone", "live", "merchant")
    assert undone.undone_at is not None
    periods = ledger.periods_of(db.session.connection(), store.id, ["p1"])["v-p1"]
    assert (periods[-1].price, periods[-1].change_id) == (1000, taken_back.id)


@pytest.mark.parametrize(
    "stands", [pytest.param((950, None), id="price"), pytest.param((900, 1200), id="compare-at")]
)
def test_somebody_elses_change_is_not_overwritten_without_force(
    store: Store, prices: ScriptedPrices, stands: tuple[int, int | None]
) -> None:
    change = live(store, 1000, 900)
    prices.stands = {"p1": {"v-p1": stands}}

    with pytest.raises(Conflict, match="Somebody changed this price in the shop since"):
        undo.undo_change(store, change, TODAY)
    assert states(store) == ["live"]

    undo.undo_change(store, change, TODAY, force=True)
    writing.write_due(store.id)
    assert prices.stands == {"p1": {"v-p1": (1000, None)}}
    assert states(store) == ["undone", "live"]


def test_the_later_change_goes_first(store: Store, prices: ScriptedPrices) -> None:
    first, second = live(store, 1000, 900), live(store, 900, 810)
    prices.stands = {"p1": {"v-p1": (810, None)}}

    with pytest.raises(Conflict, match="A later change of Pannier's stands over this one"):
        undo.undo_change(store, first, TODAY)
    for change in (second, first):
        undo.undo_change(store, change, TODAY)
        writing.write_due(store.id)

    assert prices.stands == {"p1": {"v-p1": (1000, None)}}
    assert states(store) == ["undone", "undone", "live", "live"]


@pytest.mark.parametrize("state", ["proposed", "failed", "undone", "expired"])
def test_only_what_is_live_can_be_taken_back(store: Store, prices: ScriptedPrices, state: str) -> None:
    change = add_change(store, state=state)

    with pytest.raises(Conflict, match=f"this change is {state}"):
        undo.undo_change(store, change.id, TODAY)
    assert prices.asked == 0


def test_an_undo_is_not_taken_back(store: Store, prices: ScriptedPrices) -> None:
    first = live(store, 1000, 900)
    back = live(store, 900, 1000, undo_of=first)

    with pytest.raises(Conflict, match="takes back another one"):
        undo.undo_change(store, back, TODAY)
    assert prices.asked == 0


def test_an_undo_under_way_is_not_begun_again(store: Store, prices: ScriptedPrices) -> None:
    change = live(store, 1000, 900)
    prices.stands = {"p1": {"v-p1": (900, None)}}
    undo.undo_change(store, change, TODAY)

    with pytest.raises(Conflict, match="is being written"):
        undo.undo_change(store, change, TODAY)
    assert states(store) == ["live", "approved"]


def test_a_proposal_that_waits_is_void_when_the_price_is_taken_back(
    store: Store, prices: ScriptedPrices
) -> None:
    change = live(store, 1000, 900)
    add_change(store, 900, 850, state="proposed", rule="r")
    prices.stands = {"p1": {"v-p1": (900, None)}}

    undo.undo_change(store, change, TODAY)

    assert states(store) == ["live", "expired", "approved"]


def test_without_the_shop_nothing_is_begun(store: Store, prices: ScriptedPrices) -> None:
    change = live(store, 1000, 900)
    prices.unreadable = Unreachable("The shop does not answer.")

    with pytest.raises(Unavailable, match="The shop does not answer"):
        undo.undo_change(store, change, TODAY)
    assert states(store) == ["live"]


def test_what_is_gone_cannot_be_taken_back(store: Store, prices: ScriptedPrices) -> None:
    change = live(store, 1000, 900)

    with pytest.raises(Conflict, match="not in the shop any more"):
        undo.undo_change(store, change, TODAY, force=True)
    assert prices.written == []


def test_a_rule_is_paused_and_all_its_prices_go_back(store: Store, prices: ScriptedPrices) -> None:
    rule = add_rule(store)
    for product, old, between, new in (("a", 1000, 950, 900), ("b", 2000, 1900, 1800)):
        live(store, old, between, product=product, old_compare_at_price=2500, new_compare_at_price=2500)
        live(store, between, new, product=product, old_compare_at_price=2500, new_compare_at_price=2500)
    live(store, 500, 450, product="c")
    add_change(store, product="d", rule="r", state="proposed")
    prices.stands = {
        "a": {"v-a": (900, 2500)},
        "b": {"v-b": (1800, 2500)},
        "c": {"v-c": (444, None)},
    }

    found = undo.undo_rule(store, "r", TODAY)
    writing.write_due(store.id)

    assert prices.stands == {
        "a": {"v-a": (1000, 2500)},
        "b": {"v-b": (2000, 2500)},
        "c": {"v-c": (444, None)},
    }
    assert [(each.variant_id, each.reason[:21]) for each in found.refused] == [
        ("v-c", "Somebody changed this")
    ]
    assert states(store) == [*["undone"] * 4, "live", "expired", "live", "live"]
    db.session.refresh(rule)
    assert not rule.active


def test_of_many_products_the_shops_news_tell_what_stands(
    store: Store, prices: ScriptedPrices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "MOST_ASKED", 1)
    add_rule(store)
    for product, price in (("a", 900), ("b", 900), ("c", 777)):
        put_on_sale(store, product, price=1000 if product == "a" else price)
        change = add_change(store, 1000, 900, product=product, state="live", rule="r")
        if product == "a":  # its echo has not come yet
            ledger.note_change(db.session.connection(), change, now())
        prices.stands[product] = {f"v-{product}": (price, None)}

    found = undo.undo_rule(store, "r", TODAY)

    assert prices.asked == 0
    assert sorted(made.variant_id for made in found.made) == ["v-a", "v-b"]
    assert [each.variant_id for each in found.refused] == ["v-c"]
    writing.write_due(store.id)
    assert prices.stands["a"] == {"v-a": (1000, None)}


def test_a_rule_that_is_not_there_cannot_be_undone(store: Store, prices: ScriptedPrices) -> None:
    with pytest.raises(NotFound):
        undo.undo_rule(store, "nowhere", TODAY)
    assert prices.asked == 0


def test_a_rule_goes_back_to_what_the_merchant_set_in_between(store: Store, prices: ScriptedPrices) -> None:
    add_rule(store)
    live(store, 1000, 900)
    live(store, 1200, 1100)  # the merchant set 1200 meanwhile
    prices.stands = {"p1": {"v-p1": (1100, None)}}

    undo.undo_rule(store, "r", TODAY)
    writing.write_due(store.id)

    assert prices.stands == {"p1": {"v-p1": (1200, None)}}
    assert states(store) == ["live", "undone", "live"]


@given(
    st.dictionaries(
        st.sampled_from(("a", "b", "c")),
        st.tuples(
            st.integers(1, 10**7),
            st.none() | st.integers(1, 10**7),
            st.lists(
                st.tuples(st.integers(1, 10**7), st.none() | st.integers(1, 10**7)), min_size=1, max_size=4
            ),
        ),
        min_size=1,
    )
)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_rule_wrote_undo_restores_every_price(
    store: Store,
    prices: ScriptedPrices,
    history: dict[str, tuple[int, int | None, list[tuple[int, int | None]]]],
) -> None:
    del store
    shop = new_store()
    db.session.add(PriceRule(store_id=shop.id, key="r", name="R", mode="approve", active=True, definition={}))
    db.session.commit()
    prices.stands = {product: {f"v-{product}": (price, was)} for product, (price, was, _) in history.items()}
    before = {product: dict(variants) for product, variants in prices.stands.items()}
    for product, (price, was, steps) in history.items():
        standing = price, was
        for new in steps:
            add_change(
                shop, standing[0], new[0], product=product,
                old_compare_at_price=standing[1], new_compare_at_price=new[1],
            )  # fmt: skip
            assert writing.write_due(shop.id)
            standing = new
    for change in all_changes(shop):
        change.rule_key = "r"
    db.session.commit()

    undo.undo_rule(shop, "r", TODAY)
    assert writing.write_due(shop.id)

    assert prices.stands == before
