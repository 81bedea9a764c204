"""``pannier prices``: rules listed, prices proposed, approved, listed and taken back."""

import json

import pytest

from app.commerce.store import Store
from tests.command import Pannier
from tests.pricing.scripted_prices import ScriptedPrices
from tests.pricing.selling import add_change, add_rule, put_on_sale, states

LIFT = {"signal": "demand", "weight_percent": 5}


@pytest.fixture
def pannier(store: Store, pannier: Pannier) -> Pannier:
    """Run ``pannier prices`` for the store."""
    return pannier.within("prices", store=store)


def test_prices_are_proposed_approved_and_taken_back(
    store: Store, prices: ScriptedPrices, pannier: Pannier
) -> None:
    assert pannier("rules").stdout == "There are no price rules.\n"
    put_on_sale(store)
    put_on_sale(store, "dear", price=1100)
    add_rule(store, LIFT, guards={"floor": 1020})
    prices.stands = {"p1": {"v-p1": (1000, None)}}
    assert pannier("rules").stdout.splitlines()[1].split() == ["r", "R", "approve", "yes", "demand", "5", "%"]

    proposed = pannier("propose")
    assert (proposed.exit_code, proposed.stderr) == (0, "1 keep their price: nothing_wanted\n")
    (change,) = json.loads(pannier("changes", "--state", "proposed", "--json").stdout)
    assert (change["price"], change["new_price"], change["rule"]) == ("10.00", "10.20", "r")
    assert pannier("propose", "--rule", "r", "--product", "p1").stderr == (
        "1 proposals still hold, 0 do not.\n"
    )

    assert pannier("approve", str(change["change"])).exit_code == 0
    assert prices.stands == {"p1": {"v-p1": (1020, None)}}

    undone = pannier("undo", str(change["change"]), "--json")
    assert (undone.exit_code, [each["state"] for each in json.loads(undone.stdout)]) == (0, ["live"])
    assert prices.stands == {"p1": {"v-p1": (1000, None)}}
    assert states(store) == ["undone", "live"]


def test_a_price_that_the_shop_does_not_take_is_a_failure(
    store: Store, prices: ScriptedPrices, pannier: Pannier
) -> None:
    change = add_change(store, state="proposed")
    prices.refuses = {"v-p1": ("Not in this shop.", "rejected")}

    found = pannier("approve", str(change.id))

    assert found.exit_code == 1
    assert "Not in this shop." in found.stdout
    assert found.stderr == "Error: Not every price stands in the shop; the column problem says why.\n"


def test_one_that_cannot_be_approved_keeps_the_others(
    store: Store, prices: ScriptedPrices, pannier: Pannier
) -> None:
    good, bad = add_change(store, state="proposed"), add_change(store, state="expired", product="p2")

    found = pannier("approve", str(good.id), str(bad.id))

    assert (found.exit_code, found.stderr) == (
        1,
        "Error: A price change that is expired cannot become approved.\n",
    )
    assert states(store) == ["proposed", "expired"]


def test_a_rule_is_undone_and_what_is_left_is_told(
    store: Store, prices: ScriptedPrices, pannier: Pannier
) -> None:
    add_rule(store)
    add_change(store, state="live", rule="r")
    left = add_change(store, state="live", rule="r", product="p2")
    prices.stands = {"p1": {"v-p1": (900, None)}, "p2": {"v-p2": (800, None)}}

    found = pannier("undo", "--rule", "r")

    assert found.exit_code == 1
    assert prices.stands == {"p1": {"v-p1": (1000, None)}, "p2": {"v-p2": (800, None)}}
    assert found.stderr.startswith(f"Change {left.id}, variant v-p2: Somebody changed this price")
    assert pannier("undo", "--rule", "r", "--force").exit_code == 0
    assert prices.stands["p2"] == {"v-p2": (1000, None)}


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        pytest.param(("undo",), 2, "Name either a change or a rule.", id="nothing to undo"),
        pytest.param(("undo", "1", "--rule", "r"), 2, "Name either a change or a rule.", id="both"),
        pytest.param(("undo", "--rule", "x"), 1, "This store has no price rule 'x'.", id="no such rule"),
        pytest.param(
            ("propose", "--rule", "x"), 1, "This store has no price rule 'x'.", id="no rule to look"
        ),
        pytest.param(("changes", "--state", "lost"), 2, "There is no state 'lost'", id="no such state"),
        pytest.param(
            ("approve", "999999999"), 1, "This store has no price change 999999999.", id="no change"
        ),
    ],
)
def test_bad_use_is_told_in_a_sentence(
    prices: ScriptedPrices, pannier: Pannier, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    found = pannier(*arguments)

    assert found.exit_code == code
    assert sentence in found.stderr
    assert prices.asked == 0
