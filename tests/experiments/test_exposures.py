"""Who came upon which arm: by one occasion in every arm, once, and gone with the person."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from app.core.db import db, now
from app.experiments import exposures, jobs
from app.experiments.exposures import ExposuresRoom
from app.privacy import choices, consent
from app.privacy.consent import Signal
from app.privacy.purposes import Purposes
from app.privacy.rooms import Person
from tests.experiments.story import Story, day
from tests.factories import BEGIN

HOUR = timedelta(hours=1)


@pytest.fixture
def story(shared_app: Flask) -> Iterator[Story]:
    with shared_app.app_context():
        yield Story()


def collect(story: Story, since: float = -1, until: float = 400) -> int:
    found = exposures.collect(db.session.connection(), story.id, day(since), day(until))
    db.session.commit()
    return found


def test_the_first_render_of_every_arm_is_an_exposure(story: Story) -> None:
    story.decide("d1", "ann", arms={"one": "b", "slot:product": "shown"})
    story.decide("d2", "bob", arms={"one": "control"})
    story.view("ann", "d1", BEGIN + HOUR, products=["p1"])
    story.view("bob", "d2", BEGIN + HOUR)  # nothing was shown

    assert collect(story) == 3
    assert story.exposures() == [
        ("one", "b", story.subject("ann"), BEGIN + HOUR),
        ("one", "control", story.subject("bob"), BEGIN + HOUR),
        ("slot:product", "shown", story.subject("ann"), BEGIN + HOUR),
    ]


def test_the_earliest_stands_in_whatever_order_and_however_often(story: Story) -> None:
    for number in (2, 1, 3):
        story.decide(f"d{number}", "ann", day(number), arms={"one": "b"})
        story.view("ann", f"d{number}", day(number))

    assert [collect(story, 1.5), collect(story), collect(story)] == [1, 0, 0]
    assert [at for *_, at in story.exposures()] == [day(1)]


def test_two_arms_of_one_visitor_are_two_rows(story: Story) -> None:
    for arm in ("b", "control"):
        story.decide(arm, "ann", arms={"one": arm})
        story.view("ann", arm)

    collect(story)

    assert [arm for _, arm, *_ in story.exposures()] == ["b", "control"]


@pytest.mark.parametrize(
    ("decision", "event"),
    [
        ({"visitor": "bob", "arms": {"one": "b"}}, {"decision": "d1"}),
        ({"visitor": None, "arms": {}}, {"decision": "d1"}),
        ({"visitor": "ann", "arms": {}}, {"decision": "d1"}),
        ({"visitor": "ann", "arms": {"one": "b"}}, {"decision": "d2"}),
        ({"visitor": "ann", "arms": {"one": "b"}, "at": day(-3)}, {"decision": "d1"}),
        ({"visitor": "ann", "arms": {"one": "b"}, "at": day(1)}, {"decision": "d1"}),
    ],
    ids=["of another", "of nobody", "in no experiment", "unknown", "days ago", "not given yet"],
)
def test_what_is_no_exposure(story: Story, decision: dict[str, object], event: dict[str, str]) -> None:
    story.decide("d1", **decision)  # type: ignore[arg-type]
    story.view("ann", **event)

    assert (collect(story), story.exposures()) == (0, [])


def test_nobody_is_exposed_before_the_answer_was_given(story: Story) -> None:
    story.decide("d1", "ann", BEGIN + HOUR, arms={"one": "b"})
    story.view("ann", "d1", BEGIN - HOUR, received=BEGIN + 2 * HOUR)

    collect(story)

    assert [at for *_, at in story.exposures()] == [BEGIN + HOUR]


def test_an_answer_of_another_store_exposes_nobody(story: Story) -> None:
    other = Story()
    other.decide("d1", "ann", arms={"one": "b"})
    story.view("ann", "d1")

    assert (collect(story), collect(other)) == (0, 0)


def test_who_takes_the_yes_back_is_gone_and_stays_so(story: Story) -> None:
    subject = story.subject("ann")
    for visitor in ("ann", "bob"):
        story.decide(visitor, visitor, arms={"one": "b"})
        story.view(visitor, visitor)
    connection = db.session.connection()
    consent.record(connection, story.id, subject, Signal(Purposes.ANALYTICS, "test", "choice", None, None))
    db.session.commit()
    collect(story)

    person = Person(story.id, frozenset([story.node("ann")]), frozenset([subject]))
    choices.take(db.session.connection(), person, Signal(Purposes.NONE, "test", "choice", None, None))
    db.session.commit()
    story.view("ann", "ann")  # as if it had been written meanwhile
    collect(story)

    assert [who for _, _, who, _ in story.exposures()] == [story.subject("bob")]


def test_the_room_tells_and_removes_what_is_of_the_person_and_the_store(story: Story) -> None:
    other = Story()
    for each, visitor in ((story, "ann"), (story, "bob"), (other, "ann")):
        each.expose(visitor, "b")
    person = Person(story.id, subjects=frozenset([story.subject("ann"), other.subject("ann")]))
    room, connection = ExposuresRoom(), db.session.connection()

    told = room.export(connection, person)
    removed = room.erase(connection, person)

    assert told == {"exposures": [{"experiment": "one", "arm": "b", "first_at": BEGIN.isoformat()}]}
    assert removed == {"exposures": 1}
    assert room.export(connection, person) == {}
    assert [len(each.exposures()) for each in (story, other)] == [1, 1]


def test_the_clock_collects_the_last_minutes_and_by_night_what_was_missed(story: Story) -> None:
    for visitor, ago in (("soon", 1), ("missed", 60)):
        at = now() - timedelta(minutes=ago)
        story.decide(visitor, visitor, at, arms={"one": "b"})
        story.view(visitor, visitor, at)
    story.expose("old", "b", now() - timedelta(days=300))

    jobs.collect_exposures()
    by_the_minute = {subject for *_, subject, _ in story.exposures()}
    jobs.tidy_exposures()

    assert by_the_minute == {story.subject("soon"), story.subject("old")}
    assert {subject for *_, subject, _ in story.exposures()} == {
        story.subject("soon"),
        story.subject("missed"),
    }
