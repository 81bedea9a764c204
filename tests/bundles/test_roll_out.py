"""The platform made equal to what is wanted, whatever the platform does."""

import threading
from datetime import timedelta

import pytest
import time_machine
from flask import current_app

from app.bundles import deciding, jobs, keeping, live, making, roll_out
from app.bundles.models import Offer
from app.bundles.showing import offer_state, reason_of
from app.commerce.store import Store
from app.core.db import db, now
from connectors.discounts import NATIVE, PLUGIN, LiveOffer, RefusedOffer
from connectors.errors import PlatformError, ReconnectNeeded, Rejected, Throttled, Unreachable
from tests.bundles.conftest import Platform, again, change_variant
from tests.bundles.test_making import draft, told

MINUTE = timedelta(minutes=1)


@pytest.fixture
def offer(store: Store, platform: Platform) -> Offer:
    """An approved offer of a store whose platform knows nothing yet."""
    return making.create(store.id, "USD", draft(), approve=True)


def roll(offer: Offer, *, check: bool = False) -> Offer:
    assert roll_out.roll_out(offer.store_id, check=check)
    return again(offer)


def later(offer: Offer) -> None:
    """Let the time of the next try have come."""
    again(offer).retry_at = now() - MINUTE
    db.session.commit()


def waits(offer: Offer) -> int:
    """Return after how many minutes an offer is tried again."""
    assert offer.retry_at is not None
    return round((offer.retry_at - now()) / MINUTE)


def shown(offer: Offer) -> frozenset[str]:
    """Return what shoppers are told now."""
    live.forget()
    return live.current(offer.store_id).keys


def test_what_is_published_is_live_and_told(offer: Offer, platform: Platform) -> None:
    assert shown(offer) == frozenset()

    found = roll(offer)

    assert (found.state, found.reason, found.attempts, found.retry_at) == ("live", None, 0, None)
    assert LiveOffer.from_json(found.platform) == platform.grants[offer.key]
    assert found.live_at is not None
    assert told(found)[-1] == ("platform", "live")
    assert shown(offer) == {offer.key}


def test_what_is_as_wanted_is_not_told_again(offer: Offer, platform: Platform) -> None:
    roll(offer)
    version = again(offer).version

    assert roll(offer).version == version
    assert platform.asked == [[offer.key]]


@pytest.mark.parametrize(
    ("refusal", "minutes"),
    [
        (("rejected", "The shop says: the title is taken.", False), 360),
        (("limit_reached", "25 automatic discounts are active: end one first.", True), 1),
        (("product_gone", "The shop does not have this product any more.", False), 360),
    ],
    ids=["user error", "limit", "gone"],
)
def test_what_is_refused_is_not_live_and_says_why(
    offer: Offer, platform: Platform, refusal: tuple[str, str, bool], minutes: int
) -> None:
    platform.refuses[offer.key] = RefusedOffer(offer.key, *refusal)

    found = roll(offer)

    assert (found.state, found.reason_code, found.reason) == ("not_live", *refusal[:2])
    assert (found.platform, found.attempts, waits(found)) == (None, 1, minutes)
    assert shown(offer) == frozenset()
    # and nothing happens before its time
    roll(offer)
    assert len(platform.asked) == 1


def test_what_was_refused_is_live_once_it_is_granted(offer: Offer, platform: Platform) -> None:
    platform.refuses[offer.key] = RefusedOffer(offer.key, "limit_reached", "Full.", True)
    roll(offer)
    platform.refuses.clear()
    later(offer)

    found = roll(offer)

    assert (found.state, found.reason, found.attempts) == ("live", None, 0)


def test_each_wait_is_twice_as_long_up_to_an_hour(offer: Offer, platform: Platform) -> None:
    platform.fails = Unreachable("The shop does not answer.")
    minutes = []
    for _ in range(8):
        minutes.append(waits(roll(offer)))
        later(offer)

    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60]
    # The same reason is noted once.
    assert [action for _, action in told(again(offer))].count("not_live") == 1


def test_one_that_is_refused_does_not_keep_the_others(offer: Offer, platform: Platform) -> None:
    other = making.create(offer.store_id, "USD", draft("c", "d"), approve=True)
    platform.refuses[offer.key] = RefusedOffer(offer.key, "rejected", "No.")

    assert roll(offer).state == "not_live"
    assert again(other).state == "live"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unreachable("The shop does not answer."), "unreachable"),
        (Rejected("The shop refuses."), "rejected"),
        (ReconnectNeeded("Connect the shop again."), "not_connected"),
        (RuntimeError("a defect"), "failed"),
    ],
    ids=["network", "refusal", "key", "defect"],
)
def test_an_approved_offer_is_not_live_where_nothing_could_be_done(
    offer: Offer, platform: Platform, error: Exception, code: str
) -> None:
    platform.fails = error

    found = roll(offer)

    assert (found.state, found.reason_code) == ("not_live", code)
    assert found.reason == (str(error) if isinstance(error, PlatformError) else found.reason)
    assert "a defect" not in str(found.reason)


def test_a_platform_that_asks_for_patience_gets_it(offer: Offer, platform: Platform) -> None:
    platform.fails = Throttled("Slower, please.", 1800)

    assert waits(roll(offer)) == 30


def test_what_is_live_stays_live_while_nobody_answers_and_not_for_ever(
    offer: Offer, platform: Platform
) -> None:
    roll(offer)
    platform.fails = Unreachable("The shop does not answer.")
    states = [roll(offer, check=True).state for _ in range(roll_out.TRUSTED_FAILURES)]

    assert states == ["live"] * (roll_out.TRUSTED_FAILURES - 1) + ["not_live"]
    assert again(offer).platform is not None
    assert shown(offer) == frozenset()


def test_what_is_live_is_not_where_the_shop_lets_nobody_in(offer: Offer, platform: Platform) -> None:
    roll(offer)
    platform.fails = ReconnectNeeded("Connect the shop again.")

    found = roll(offer, check=True)

    assert (found.state, found.reason_code, waits(found)) == ("not_live", "not_connected", 15)


@pytest.mark.parametrize("column", ["uninstalled_at", "connection_problem"])
def test_nothing_is_live_in_a_shop_that_is_cut_off(
    offer: Offer, store: Store, platform: Platform, column: str
) -> None:
    roll(offer)
    setattr(store, column, now() if column == "uninstalled_at" else "The key is dead.")
    db.session.commit()

    found = roll(offer)

    assert (found.state, found.reason_code) == ("not_live", "not_connected")
    assert len(platform.asked) == 1  # nobody was asked again

    # and it is back when the shop is
    setattr(store, column, None)
    db.session.commit()
    later(offer)
    assert roll(offer).state == "live"


def test_what_ended_is_gone(offer: Offer, platform: Platform) -> None:
    roll(offer)
    deciding.end(offer.store_id, offer.key)

    found = roll(offer)

    assert (found.state, found.platform, platform.grants) == ("ended", None, {})
    assert told(found)[-1] == ("platform", "withdrawn")
    assert platform.known[-1] == {offer.key}


def test_what_ended_is_granted_as_long_as_a_page_may_have_been_told_of_it(
    offer: Offer, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "TOLD_FOR", live.TOLD_FOR)
    roll(offer)
    deciding.end(offer.store_id, offer.key)

    assert shown(offer) == frozenset()
    roll_out.roll_out(offer.store_id, check=True)
    assert set(platform.grants) == {offer.key}
    with time_machine.travel(now() + live.TOLD_FOR, tick=False):
        found = roll(offer)
    assert (found.state, found.platform, platform.grants) == ("ended", None, {})


def test_what_ended_is_not_told_before_the_platform_knows(offer: Offer, platform: Platform) -> None:
    roll(offer)
    assert shown(offer) == {offer.key}

    deciding.end(offer.store_id, offer.key)

    assert live.current(offer.store_id).keys == frozenset()


@pytest.mark.parametrize("by", ["left", "network"])
def test_what_ended_and_is_still_granted_says_so_until_it_is_gone(
    offer: Offer, platform: Platform, by: str
) -> None:
    roll(offer)
    deciding.end(offer.store_id, offer.key)
    if by == "left":
        platform.keeps = {offer.key}
    else:
        platform.fails = Unreachable("The shop does not answer.")

    found = roll(offer)

    assert offer_state(found)["on_platform"] is True
    assert reason_of(found) == (
        "The merchant ended it. The shop still grants it; it is taken away as soon as the shop lets us."
    )
    assert waits(found) == 1
    platform.keeps, platform.fails = set(), None
    later(offer)
    found = roll(offer)
    assert (offer_state(found)["on_platform"], reason_of(found)) == (False, "The merchant ended it.")


def test_what_does_not_hold_leaves_the_platform_and_comes_back(offer: Offer, platform: Platform) -> None:
    roll(offer)
    change_variant(offer.store_id, "a", stock=0)
    found = roll(offer)
    assert (found.state, found.platform, platform.grants) == ("suspended", None, {})

    change_variant(offer.store_id, "a", stock=5)

    assert roll(offer).state == "live"


def test_an_offer_is_published_when_its_time_has_come(store: Store, platform: Platform) -> None:
    offer = making.create(store.id, "USD", draft(starts_at=now() + timedelta(days=1)), approve=True)
    assert roll(offer).state == "approved"
    assert platform.asked == []

    again(offer).starts_at = now() - MINUTE
    db.session.commit()

    assert roll(offer).state == "live"


def test_the_most_valuable_are_published_first(offer: Offer, platform: Platform) -> None:
    other = making.create(offer.store_id, "USD", draft("c", "d"), approve=True)
    again(other).profit = {"expected": 500}
    db.session.commit()

    roll(offer)

    assert platform.asked == [[other.key, offer.key]]


def test_what_somebody_deleted_in_the_shop_is_not_made_again_by_itself(
    offer: Offer, platform: Platform
) -> None:
    platform.mechanism = NATIVE
    other = making.create(offer.store_id, "USD", draft("c", "d"), approve=True)
    roll(offer)
    del platform.grants[offer.key]

    found = roll(offer, check=True)

    assert (found.state, found.reason_code, found.platform) == ("not_live", "removed", None)
    assert found.retry_at is None
    assert again(other).state == "live"
    assert platform.asked[-1] == [other.key]

    # nor when its products are out of stock and come back
    for stock in (0, 5):
        change_variant(offer.store_id, "a", stock=stock)
        assert roll(offer).reason_code == "removed"

    deciding.resume(offer.store_id, offer.key)
    assert roll(offer).state == "live"


def test_a_plugin_that_was_reset_is_told_again(offer: Offer, platform: Platform) -> None:
    platform.mechanism = PLUGIN
    roll(offer)
    platform.grants.clear()

    found = roll(offer, check=True)

    assert found.state == "live"
    assert [action for _, action in told(found)][-3:] == ["live", "not_live", "live"]


def test_a_check_tells_everything_anew(offer: Offer, platform: Platform) -> None:
    roll(offer)
    version = again(offer).version

    assert roll(offer, check=True).version == version
    assert platform.asked == [[offer.key], [offer.key]]


def test_what_ends_while_it_is_published_is_taken_away_at_once(offer: Offer, platform: Platform) -> None:
    def end() -> None:
        platform.meanwhile = lambda: None
        deciding.end(offer.store_id, offer.key)

    platform.meanwhile = end

    found = roll(offer)

    assert (found.state, found.platform, found.live_at) == ("ended", None, None)
    assert platform.asked == [[offer.key], []]


def test_what_is_approved_while_others_are_published_follows_at_once(
    offer: Offer, platform: Platform
) -> None:
    made: list[Offer] = []

    def approve() -> None:
        platform.meanwhile = lambda: None
        made.append(making.create(offer.store_id, "USD", draft("c", "d"), approve=True))

    platform.meanwhile = approve
    roll(offer)

    assert again(made[0]).state == "live"


def test_an_offer_of_which_the_platform_says_nothing_is_not_live(
    offer: Offer, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "refuses", {offer.key: RefusedOffer("o_another", "rejected", "No.")})

    assert roll(offer).reason == "The shop did not say what became of this offer; it is tried again."


@pytest.mark.parametrize(
    ("code", "kept"), [("not_allowed", True), ("unreachable", True), ("product_gone", False)]
)
def test_a_refusal_that_proves_nothing_leaves_the_discount_to_be_taken_away(
    offer: Offer, platform: Platform, code: str, kept: bool
) -> None:
    roll(offer)
    platform.refuses[offer.key] = RefusedOffer(offer.key, code, "No.")

    found = roll(offer, check=True)

    assert (found.state, found.platform is not None) == ("not_live", kept)
    platform.refuses.clear()
    deciding.end(offer.store_id, offer.key)
    assert roll(offer).platform is None


def test_two_workers_never_publish_past_each_other(offer: Offer, platform: Platform) -> None:
    # Given a worker that is in the middle of publishing
    inside, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        assert go_on.wait(10)

    platform.meanwhile = wait
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    store_id = offer.store_id
    answers: list[bool] = []

    def work() -> None:
        with app.app_context():
            answers.append(roll_out.roll_out(store_id))

    worker = threading.Thread(target=work)
    worker.start()
    assert inside.wait(10)

    # When another comes
    second = roll_out.roll_out(store_id)
    go_on.set()
    worker.join(10)

    # Then it leaves the work to the first
    assert (second, answers) == (False, [True])
    assert platform.asked == [[offer.key]]
    assert again(offer).state == "live"


def test_a_thousand_offers_are_live(store: Store, platform: Platform) -> None:
    first = making.create(store.id, "USD", draft(), approve=True)
    columns = {c.name: getattr(first, c.name) for c in Offer.__table__.columns if c.name not in ("id", "key")}
    db.session.execute(Offer.__table__.insert(), [{**columns, "key": f"o_{n:04}"} for n in range(999)])
    db.session.commit()

    roll(first)

    counted = db.session.query(Offer).filter_by(store_id=store.id, state="live").count()
    assert counted == len(platform.grants) == len(shown(first)) == 1000


def test_the_jobs_find_what_is_behind(
    offer: Offer, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueued: list[tuple[str, int]] = []

    def enqueue(_queue: str, function: str, store_id: int, **_: int) -> bool:
        enqueued.append((function, store_id))
        return True

    monkeypatch.setattr(jobs, "enqueue", enqueue)
    mine = offer.store_id

    def of_mine() -> list[str]:
        found = [function for function, store_id in enqueued if store_id == mine]
        enqueued.clear()
        return found

    jobs.look_everywhere()
    assert of_mine() == [keeping.ROLL_OUT]
    jobs.roll_out(mine)
    jobs.look_everywhere()
    assert of_mine() == []
    jobs.check_everywhere()
    assert of_mine() == [jobs.CHECK]
    jobs.check(mine)
    assert len(platform.asked) == 2
    change_variant(mine, "a", stock=0)
    jobs.look_everywhere()
    assert of_mine() == [keeping.ROLL_OUT]
    assert again(offer).state == "suspended"
    jobs.propose_everywhere()
    assert jobs.PROPOSE in of_mine()
    jobs.propose(mine)


def test_a_store_that_cannot_be_looked_at_does_not_keep_the_others(
    offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    def look(store_id: int, _at: object) -> None:
        looked.append(store_id)
        raise RuntimeError

    monkeypatch.setattr(jobs.looking, "look", look)
    jobs.look_everywhere()

    assert offer.store_id in looked
