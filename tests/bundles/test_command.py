"""``pannier offers``: listed, proposed, approved, ended."""

import json

import pytest

from app.bundles import making
from app.commerce.offers import Discount, DiscountKind
from app.commerce.store import Store
from tests.bundles.conftest import again
from tests.bundles.test_making import draft
from tests.command import Pannier


@pytest.fixture
def pannier(store: Store, pannier: Pannier) -> Pannier:
    """Run ``pannier offers`` for a store."""
    return pannier.within("offers", store=store)


def test_offers_are_listed_approved_and_ended(store: Store, pannier: Pannier) -> None:
    assert pannier("list").stdout == "There are no offers.\n"
    offer = making.create(store.id, "USD", draft(discount=Discount(DiscountKind.AMOUNT, 250)))
    key = offer.key

    listed = pannier("list", "--state", "proposed").stdout.splitlines()
    assert listed[1].split() == [key, "proposed", "Together", "2.50", "USD"]

    approved = pannier("approve", key, "--title", "Both for less", "--json")
    assert [(o["state"], o["title"]) for o in json.loads(approved.stdout)] == [("approved", "Both for less")]
    assert pannier("end", key).exit_code == 0
    assert again(offer).state == "ended"


def test_what_cannot_be_said_is_a_sentence(store: Store, pannier: Pannier) -> None:
    key = making.create(store.id, "USD", draft(), approve=True).key

    refused = pannier("approve", key)
    assert refused.exit_code == 1
    assert "This offer is approved: it does not wait for approval." in refused.stderr
    unknown = pannier("end", "o_nowhere")
    assert unknown.exit_code == 1
    assert "This store has no offer 'o_nowhere'." in unknown.stderr
    state = pannier("list", "--state", "dead")
    assert state.exit_code == 2
    assert "There is no state 'dead'" in state.stderr


def test_proposing_says_that_nothing_is_worth_it(pannier: Pannier) -> None:
    found = pannier("propose")

    assert (found.exit_code, found.stdout) == (0, "Nothing is worth an offer now.\n")
