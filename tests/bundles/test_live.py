"""What shoppers may be told: live offers within their dates, by product."""

from datetime import timedelta
from typing import Any

import pytest

from app.bundles import live, making
from app.bundles.live import LiveOffers
from app.bundles.models import Offer
from app.bundles.states import State
from app.commerce.store import Store
from app.core.db import db, now
from tests.bundles.conftest import again
from tests.bundles.makers import NOON, terms
from tests.bundles.test_making import draft

AB = terms("a", "b", key="ab")
BC = terms("b", "c", key="bc", ends_at=NOON.replace(hour=14))
CD = terms("c", "d", key="cd", starts_at=NOON.replace(hour=13))
ALL = LiveOffers((BC, AB, CD), {"bc": "pannier-bc"})


def keys(*products: str, offers: LiveOffers = ALL, at: Any = NOON, **how: Any) -> list[str]:
    return [offer.key for offer in offers.of(products, at=at, **how)]


def test_offers_are_found_by_any_component_in_their_order() -> None:
    assert keys("b") == ["bc", "ab"]
    assert keys("a", "b", "nowhere") == ["bc", "ab"]
    assert keys("nowhere") == keys() == []


@pytest.mark.parametrize(
    ("hour", "found"), [(12, ["bc"]), (13, ["bc", "cd"]), (14, ["cd"])], ids=["before", "both", "after"]
)
def test_offers_hold_within_their_dates(hour: int, found: list[str]) -> None:
    assert keys("c", at=NOON.replace(hour=hour)) == found


def test_without_a_time_it_is_now() -> None:
    assert ALL.of(["b"]) == (AB,)


def test_an_arm_is_told_of_its_own_offer_and_the_others_are_not() -> None:
    assert keys("b", only=frozenset({"ab"})) == ["ab"]
    others = ALL.without({"ab"})
    assert keys("a", "b", offers=others) == ["bc"]
    assert (others.keys, others.codes) == ({"bc", "cd"}, {"bc": "pannier-bc"})
    assert keys("b", offers=others.without({"bc"})) == []
    assert ALL.without(set()) is ALL


def test_there_is_nothing_in_the_empty_one() -> None:
    assert (LiveOffers.EMPTY.of(["a"]), LiveOffers.EMPTY.keys) == ((), frozenset())


@pytest.fixture
def offer(store: Store) -> Offer:
    return making.create(store.id, "USD", draft(), approve=True)


def put(offer: Offer, state: State, **changes: Any) -> None:
    found = again(offer)
    found.state = state.value
    found.version += 1
    for name, value in changes.items():
        setattr(found, name, value)
    db.session.commit()
    live.forget()


@pytest.mark.parametrize("state", State)
def test_only_live_ones_are_read(offer: Offer, state: State) -> None:
    put(offer, state)

    assert live.current(offer.store_id).keys == ({offer.key} if state is State.LIVE else frozenset())


def test_one_whose_time_is_over_is_not_read(offer: Offer) -> None:
    put(offer, State.LIVE, ends_at=now() - timedelta(seconds=1))

    assert live.current(offer.store_id) == LiveOffers.EMPTY


def test_terms_and_codes_are_those_of_the_row(offer: Offer) -> None:
    put(offer, State.LIVE, platform={"code": "pannier-x"})

    found = live.current(offer.store_id)

    assert found.offers == (live.terms_of(again(offer)),)
    assert found.codes == {offer.key: "pannier-x"}


def test_the_most_valuable_come_first(offer: Offer, store: Store) -> None:
    put(offer, State.LIVE)
    other = making.create(store.id, "USD", draft("a", "c"), approve=True)
    put(other, State.LIVE, profit={"expected": 7})

    assert [each.key for each in live.current(store.id).of(["a"])] == [other.key, offer.key]


def test_offers_are_held_for_a_while_and_read_again_only_if_they_changed(
    offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(offer, State.LIVE)
    passed = 0.0
    monkeypatch.setattr("time.monotonic", lambda: passed)
    live.forget()
    held = live.current(offer.store_id)

    # After its time the same is held on, where nothing has changed
    passed = 6.0
    assert live.current(offer.store_id) is held

    # and what another process has ended is told no longer than that
    with db.engine.begin() as other:
        other.exec_driver_sql("UPDATE offer SET state = 'ended' WHERE key = %s", (offer.key,))
    db.session.rollback()
    passed = 9.5
    assert live.current(offer.store_id) is held
    passed = 12.0
    assert live.current(offer.store_id) == LiveOffers.EMPTY
