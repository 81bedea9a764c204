"""What the merchant says of an offer, and how the shop answers by itself."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import current_app

from app.bundles import deciding, keeping, looking, making
from app.bundles.limits import Limits
from app.bundles.models import Offer
from app.bundles.states import State
from app.commerce.store import Store
from app.core.db import db, now
from app.core.errors import Conflict, NotFound
from tests.bundles.conftest import again, change_product, change_variant
from tests.bundles.test_making import draft, told


@pytest.fixture
def proposal(store: Store) -> Offer:
    return making.create(store.id, "USD", draft())


@pytest.fixture
def offer(proposal: Offer) -> Offer:
    """An approved offer."""
    return deciding.approve(proposal.store_id, proposal.key)


def by_machine(offer: Offer) -> None:
    """Let an offer have been approved automatically."""
    again(offer).approved_by = keeping.AUTOMATIC
    db.session.commit()


def look(offer: Offer) -> Offer:
    looking.look(offer.store_id, now())
    return again(offer)


def test_an_approval_may_change_what_shoppers_read(store: Store, proposal: Offer) -> None:
    found = again(deciding.approve(store.id, proposal.key, title="Better together"))

    assert (found.title, found.state, found.approved_by) == ("Better together", "approved", "merchant")
    assert found.approved_at is not None


def test_an_approval_remembers_the_prices_of_its_day(store: Store, proposal: Offer) -> None:
    change_variant(store.id, "a", price=1200)

    assert again(deciding.approve(store.id, proposal.key)).prices["a"] == {"a-v": 1200}


def test_an_approval_keeps_to_what_the_costs_are_now(store: Store, proposal: Offer) -> None:
    change_variant(store.id, "a", cost=1300)

    with pytest.raises(Conflict, match="would leave less than 10 %"):
        deciding.approve(store.id, proposal.key)
    db.session.rollback()
    assert deciding.approve(store.id, proposal.key, beyond_limits=True).state == "approved"


def test_no_more_are_approved_than_may_be_live(store: Store, offer: Offer) -> None:
    keeping.set_limits(store.id, Limits(most_live=1))
    other = making.create(store.id, "USD", draft("c", "d"))

    with pytest.raises(Conflict, match="1 offers are live or about to be"):
        deciding.approve(store.id, other.key)
    db.session.rollback()

    # A suspended one counts, because it comes back; one that is over does not.
    deciding.suspend(store.id, offer.key)
    with pytest.raises(Conflict):
        deciding.approve(store.id, other.key)
    db.session.rollback()
    deciding.end(store.id, offer.key)
    assert deciding.approve(store.id, other.key).state == "approved"


@pytest.mark.parametrize(
    "word", [deciding.approve, deciding.reject, deciding.suspend, deciding.end, deciding.resume]
)
def test_a_word_on_what_was_seen_otherwise_is_refused(
    store: Store, offer: Offer, word: Callable[..., Any]
) -> None:
    with pytest.raises(Conflict, match="it is at version 2"):
        word(store.id, offer.key, version=1)


def test_offers_of_another_store_are_not_there(proposal: Offer) -> None:
    with pytest.raises(NotFound):
        deciding.approve(proposal.store_id + 1, proposal.key)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (deciding.approve, "This offer is ended: it does not wait for approval."),
        (deciding.reject, "This offer is ended: it cannot become rejected."),
        (deciding.suspend, "This offer is ended: it cannot become suspended."),
        (deciding.end, "This offer is ended: it cannot become ended."),
        (deciding.resume, "This offer is ended: there is nothing to resume."),
    ],
    ids=["approve", "reject", "suspend", "end", "resume"],
)
def test_what_has_ended_stays_so(store: Store, offer: Offer, word: Callable[..., Any], sentence: str) -> None:
    deciding.end(store.id, offer.key, note="Season over.")

    with pytest.raises(Conflict) as refused:
        word(store.id, offer.key)

    assert refused.value.detail == sentence
    found = again(offer)
    assert (found.reason, found.reason_code) == ("Season over.", "merchant")
    assert found.ended_at is not None


def test_a_suspended_offer_comes_back_by_the_merchants_word_alone(store: Store, offer: Offer) -> None:
    deciding.suspend(store.id, offer.key)

    assert look(offer).state == "suspended"
    assert deciding.resume(store.id, offer.key).state == "approved"
    assert told(again(offer))[-2:] == [("merchant", "suspended"), ("merchant", "resumed")]


def test_what_does_not_hold_cannot_be_resumed_into_holding(store: Store, offer: Offer) -> None:
    change_variant(store.id, "a", stock=0)
    assert look(offer).state == "suspended"

    with pytest.raises(Conflict, match="It does not hold now: 'Title a' is out of stock"):
        deciding.resume(store.id, offer.key)


def test_resuming_looks_at_once_whether_it_holds(store: Store, offer: Offer) -> None:
    deciding.suspend(store.id, offer.key)
    change_variant(store.id, "a", stock=0)

    found = deciding.resume(store.id, offer.key)

    assert (found.state, found.reason_code) == ("suspended", "out_of_stock")


@pytest.mark.parametrize(
    ("breaks", "mends", "code"),
    [
        ({"stock": 0}, {"stock": 9}, "out_of_stock"),
        ({"price": 1100}, {"price": 1000}, "price_changed"),
    ],
    ids=["stock", "price"],
)
def test_an_offer_comes_back_when_the_shop_is_as_before(
    store: Store, offer: Offer, breaks: dict[str, int], mends: dict[str, int], code: str
) -> None:
    change_variant(store.id, "a", **breaks)
    found = look(offer)
    assert (found.state, found.reason_code) == ("suspended", code)

    change_variant(store.id, "a", **mends)

    found = look(offer)
    assert (found.state, found.reason_code, found.reason) == ("approved", None, None)
    assert told(found)[-2:] == [("clock", "suspended"), ("clock", "holds_again")]


def test_a_suspended_offer_says_why_it_still_is(store: Store, offer: Offer) -> None:
    change_variant(store.id, "a", stock=0)
    look(offer)
    change_product(store.id, "a", status="archived")

    assert look(offer).reason_code == "product_gone"
    assert told(again(offer))[-1] == ("clock", "still_suspended")


def test_other_prices_are_approved_anew(store: Store, offer: Offer) -> None:
    change_variant(store.id, "a", price=1100)
    look(offer)

    found = again(deciding.approve(store.id, offer.key))

    assert (found.state, found.prices["a"]) == ("approved", {"a-v": 1100})
    assert look(offer).state == "approved"


def test_what_was_approved_automatically_follows_prices_within_the_limits(store: Store, offer: Offer) -> None:
    by_machine(offer)
    keeping.set_limits(store.id, Limits(automatic=True))
    change_variant(store.id, "a", price=1100)

    found = look(offer)

    assert (found.state, found.prices["a"]) == ("approved", {"a-v": 1100})
    assert told(found)[-1] == ("automatic", "followed_prices")


def test_it_waits_for_the_merchant_where_nothing_is_automatic_any_more(store: Store, offer: Offer) -> None:
    by_machine(offer)
    change_variant(store.id, "a", price=1100)

    assert look(offer).reason_code == "price_changed"


def test_what_was_approved_automatically_keeps_to_the_limits(store: Store, offer: Offer) -> None:
    by_machine(offer)
    keeping.set_limits(store.id, Limits(automatic=True))
    change_variant(store.id, "a", cost=1300)

    found = look(offer)

    assert (found.state, found.reason_code) == ("suspended", "limits")
    change_variant(store.id, "a", cost=400)
    assert look(offer).state == "approved"


def test_a_merchants_own_approval_stands_beyond_the_limits(store: Store, offer: Offer) -> None:
    change_variant(store.id, "a", cost=1300)

    assert look(offer).state == "approved"


def test_an_offer_ends_with_its_time(store: Store, offer: Offer) -> None:
    again(offer).ends_at = now() - timedelta(seconds=1)
    db.session.commit()

    found = look(offer)

    assert (found.state, found.reason_code) == ("ended", "expired")


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"status": "archived"}, "product_gone"), ({"available": False}, None)],
    ids=["gone", "out of stock"],
)
def test_a_proposal_ends_with_its_products_and_outlives_their_stock(
    store: Store, proposal: Offer, changes: dict[str, Any], code: str | None
) -> None:
    change_product(store.id, "b", **changes)

    found = look(proposal)

    assert (found.state, found.reason_code) == ("ended" if code else "proposed", code)


def test_a_proposal_that_nobody_decides_on_ends(store: Store, proposal: Offer) -> None:
    again(proposal).created_at = now() - timedelta(days=30)
    db.session.commit()

    assert look(proposal).reason_code == "not_decided"


def test_what_stays_as_it_is_is_not_written(store: Store, offer: Offer) -> None:
    version = again(offer).version

    assert looking.look(store.id, now()) == 0
    assert again(offer).version == version


def test_what_was_decided_while_it_was_looked_at_stands(
    store: Store, offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given that an offer does not hold, and that it is touched between being looked at and being locked
    change_variant(store.id, "a", stock=0)
    unchanged = keeping.unchanged

    def late(seen: Offer) -> bool:
        with db.engine.begin() as other:
            other.exec_driver_sql("UPDATE offer SET version = version + 1 WHERE id = %s", (seen.id,))
        return unchanged(seen)

    monkeypatch.setattr(keeping, "unchanged", late)

    # Then nothing is done to it in this round
    assert looking.look(store.id, now()) == 0
    assert again(offer).state == State.APPROVED


def test_two_merchants_at_once_approve_no_more_than_may_be_live(store: Store) -> None:
    keeping.set_limits(store.id, Limits(most_live=1))
    keys = [making.create(store.id, "USD", draft(*pair)).key for pair in ("ab", "cd")]
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    store_id = store.id
    ready = threading.Barrier(2)

    def work(key: str) -> str:
        with app.app_context():
            ready.wait(10)
            try:
                return deciding.approve(store_id, key).state
            except Conflict:
                return "refused"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(work, keys)) == ["approved", "refused"]
