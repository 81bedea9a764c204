"""What a visitor did with what they were shown: read from their events, bounded, in one question."""

from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from app.core.db import db
from app.core.db import now as clock
from app.events import feedback, recent, session
from app.events.feedback import NO_FEEDBACK, PRODUCT_DISMISSED, Feedback, from_events
from app.events.names import canonical
from app.events.recent import load
from app.events.session import LIST_VIEWED, PRODUCT_ADDED, PRODUCT_CLICKED
from app.events.spec import MISSING_PRODUCT, Accepted, parse
from tests.events.happenings import NOW, event, happenings, keep
from tests.factories import new_store
from tests.recommendations.shops import counted_statements

VISITOR, OTHER, STRANGER = b"v" * 16, b"o" * 16, b"s" * 16
DAY_S = 86_400


# --- what events tell -----------------------------------------------------------------------------------


def test_without_events_there_is_no_feedback() -> None:
    assert from_events([]) == NO_FEEDBACK


def test_events_tell_when_a_product_was_seen_followed_added_and_dismissed() -> None:
    found = from_events(
        [
            event(9, LIST_VIEWED, "1", "2"),
            event(8, PRODUCT_CLICKED, "1"),
            event(5, PRODUCT_CLICKED, "1"),
            event(4, PRODUCT_ADDED, "1"),
            event(3, LIST_VIEWED, "2", "2"),
            event(2, PRODUCT_DISMISSED, "2"),
            event(1, "Product Viewed", "3"),
        ]
    )

    def ago(minutes: int) -> object:
        return NOW - timedelta(minutes=minutes)

    assert found == Feedback(
        impressions={"1": (ago(9),), "2": (ago(3), ago(9))},
        clicked={"1": ago(5)},
        added={"1": ago(4)},
        dismissed={"2": ago(2)},
    )


@given(st.lists(happenings, max_size=15), st.randoms())
def test_the_order_in_which_events_are_read_does_not_matter(events: list, random: object) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert from_events(shuffled) == from_events(events)


@pytest.mark.parametrize("name", ["Product Dismissed", "product dismissed", "PRODUCT DISMISSED"])
def test_a_dismissal_is_a_name_of_one_product(name: str) -> None:
    named = parse(
        {"event": name, "anonymousId": "v", "properties": {"product_id": 7}}, received_at=NOW, kind="track"
    )
    unnamed = parse({"event": name, "anonymousId": "v"}, received_at=NOW, kind="track")

    assert isinstance(named, Accepted)
    assert (named.name, named.products, named.notes) == (PRODUCT_DISMISSED, ("7",), ())
    assert isinstance(unnamed, Accepted)
    assert unnamed.notes == (MISSING_PRODUCT,)
    assert canonical(name) == PRODUCT_DISMISSED


# --- what is read ---------------------------------------------------------------------------------------


def _load(store_id: int, *also: bytes) -> Feedback:
    return load(db.session.connection(), store_id, VISITOR, clock(), also=also)[1]


def _seen(found: Feedback) -> dict[str, int]:
    return {product: len(times) for product, times in found.impressions.items()}


def test_only_lists_of_ours_are_impressions(shared_app: Flask) -> None:
    with shared_app.app_context():
        store = new_store()
        keep(store.id, VISITOR, (60, LIST_VIEWED, ["1", "2"]), decision_id="d_1")
        keep(store.id, VISITOR, (50, LIST_VIEWED, ["2", "3"]), list_id="category")

        assert _seen(_load(store.id)) == {"1": 1, "2": 1}


def test_nothing_older_than_thirty_days_is_read_but_dismissals(shared_app: Flask) -> None:
    with shared_app.app_context():
        store = new_store()
        for days in (29, 31):
            keep(store.id, VISITOR, (days * DAY_S, LIST_VIEWED, [f"seen {days}"]), decision_id="d_1")
            keep(store.id, VISITOR, (days * DAY_S, PRODUCT_ADDED, [f"added {days}"]))
        for days in (119, 121):
            keep(store.id, VISITOR, (days * DAY_S, PRODUCT_DISMISSED, [f"dismissed {days}"]))

        found = _load(store.id)

        assert (list(found.impressions), list(found.added)) == (["seen 29"], ["added 29"])
        assert list(found.dismissed) == ["dismissed 119"]


def test_others_count_only_where_they_are_named(shared_app: Flask) -> None:
    with shared_app.app_context():
        store, elsewhere = new_store(), new_store()
        for subject, product in ((VISITOR, "1"), (OTHER, "2"), (STRANGER, "3")):
            keep(store.id, subject, (60, PRODUCT_DISMISSED, [product]))
        keep(elsewhere.id, VISITOR, (60, PRODUCT_DISMISSED, ["4"]))

        assert sorted(_load(store.id).dismissed) == ["1"]
        assert sorted(_load(store.id, OTHER).dismissed) == ["1", "2"]


def test_the_work_is_bounded(shared_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with shared_app.app_context():
        store_id = new_store().id
        keep(
            store_id,
            VISITOR,
            *((second, LIST_VIEWED, [str(second)]) for second in range(1, 6)),
            decision_id="d_1",
        )
        keep(store_id, VISITOR, *((60 * DAY_S + n, PRODUCT_DISMISSED, [str(n)]) for n in range(1, 6)))
        monkeypatch.setattr(feedback, "MOST_EVENTS", 3)
        monkeypatch.setattr(feedback, "MOST_DISMISSALS", 2)

        found = _load(store_id)

        assert sorted(found.impressions) == ["1", "2", "3"]
        assert sorted(found.dismissed) == ["1", "2"]


@pytest.mark.parametrize("age_s", [30 * DAY_S + offset for offset in (-3602, -3598, -300, -2, 2)])
def test_a_dismissal_that_grows_old_is_not_lost(shared_app: Flask, age_s: int) -> None:
    with shared_app.app_context():
        store_id = new_store().id
        keep(store_id, VISITOR, (age_s, PRODUCT_DISMISSED, ["1"]))
        assert list(_load(store_id).dismissed) == ["1"]

        _, later = load(db.session.connection(), store_id, VISITOR, clock() + timedelta(minutes=9))

        assert list(later.dismissed) == ["1"]


def test_a_visitor_without_feedback_costs_one_question(shared_app: Flask) -> None:
    with shared_app.app_context():
        store_id = new_store().id
        _load(store_id)

        with counted_statements(shared_app) as statements:
            assert _load(store_id) == NO_FEEDBACK

        assert len(statements) == 1


@pytest.mark.parametrize("query", [recent._SQL, feedback._OLD_DISMISSALS], ids=["events", "dismissals"])
def test_it_is_read_by_the_index_of_subjects(shared_app: Flask, query: str) -> None:
    with shared_app.app_context():
        connection = db.session.connection()
        # A store with traffic: of an empty table the planner takes any index that begins with the store.
        connection.exec_driver_sql(
            "INSERT INTO event (store_id, received_at, occurred_at, subject, type, products, properties, purposes,"
            " source, message) SELECT 1, now() - n * interval '1 minute', now(), decode(md5(mod(n, 500)::text), 'hex'),"
            " 'track', '{}', '{}', 1, 'browser', decode(md5(n::text), 'hex') FROM generate_series(1, 5000) n"
        )
        connection.exec_driver_sql("ANALYZE event")
        # Weeks without an event have nothing to look up.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = connection.exec_driver_sql(
            "EXPLAIN " + query,
            {
                "store": 1, "subjects": [VISITOR], "since": clock() - feedback.REACH, "until": clock(),
                "visit_since": clock() - session.REACH, "most_of_visit": 100, "shown_since": clock() - feedback.REACH,
                "names": feedback.REACTIONS, "listed": LIST_VIEWED, "most_shown": 400,
                "dismissed": PRODUCT_DISMISSED, "most": 100,
            },
        ).scalars().all()  # fmt: skip
        db.session.rollback()

        text = "\n".join(plan)
        assert "store_id_subject_received_at" in text
        assert "(subject = s.subject)" in text
        assert "Seq Scan" not in text
