"""Answers that follow what a visitor made of earlier ones, leave alone what is sensitive, and rest with their slot."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert

from app.core.db import db, now
from app.events.feedback import PRODUCT_DISMISSED
from app.events.session import LIST_VIEWED, PRODUCT_CLICKED
from app.privacy.subjects import VISITOR, digest
from app.recommendations import paused, ready_lists
from app.recommendations.models import SlotPause
from tests.events.happenings import keep
from tests.recommendations.shops import ids, state
from tests.recommendations.test_visitors import ANALYTICS, ANNA, BEN, NAMES, Visited

DAY_S = 86_400


@pytest.fixture
def shop(shared_app: Flask) -> Any:
    """Seven products, all alike, without chance: 1 is like 2, 3, … in this order."""
    with shared_app.app_context():
        visited = Visited(shared_app.test_client())
        visited.store.settings = {"exploration_percent": 0, "control_percent": 0}
        db.session.commit()
        visited.hears(*(state(p, title=title) for p, title in NAMES.items()))
        visited.publishes(
            ready_lists.SIMILAR, "1", *({"id": p, "similarity": 0.9, "score": 1 / int(p)} for p in "234567")
        )
        visited.allows(ANALYTICS)
        yield visited


def happened(shop: Visited, days_ago: float, name: str, *products: str, visitor: str = ANNA) -> None:
    """Store an event of so many days ago that belongs to a decision."""
    subject = digest(shop.store_id, VISITOR, visitor)
    keep(shop.store_id, subject, (days_ago * DAY_S, name, list(products)), decision_id="d_1")


def asked(shop: Visited, visitor: str = ANNA, limit: int = 3) -> list[str]:
    return ids(shop.ask(visitor=visitor, product_id="1", limit=limit))


def test_what_was_seen_in_vain_stands_further_back_and_a_click_brings_it_forward(shop: Visited) -> None:
    assert asked(shop) == ["2", "3", "4"]
    for hours in (1, 2, 3):
        happened(shop, hours / 24, LIST_VIEWED, "2")

    assert asked(shop) == ["3", "4", "5"]
    happened(shop, 0.5 / 24, PRODUCT_CLICKED, "2")
    assert asked(shop) == ["2", "3", "4"]


def test_what_was_seen_long_ago_is_forgiven(shop: Visited) -> None:
    for hours in (1, 2, 3):
        happened(shop, 28 + hours / 24, LIST_VIEWED, "2")

    assert asked(shop) == ["2", "3", "4"]


def test_a_dismissal_counts_for_the_next_answer_and_for_nobody_else(shop: Visited) -> None:
    shop.allows(ANALYTICS, BEN)
    happened(shop, 0, PRODUCT_DISMISSED, "3")

    assert asked(shop) == ["2", "4", "5"]
    assert asked(shop, BEN) == ["2", "3", "4"]


def test_without_consent_nothing_counts(shop: Visited) -> None:
    happened(shop, 0, PRODUCT_DISMISSED, "3", visitor=BEN)

    assert asked(shop, BEN) == ["2", "3", "4"]


def test_what_was_shown_often_enough_this_week_is_not_shown(shop: Visited, shared_app: Flask) -> None:
    shop.store.settings = {**shop.store.settings, "most_impressions": 2}
    db.session.commit()
    shared_app.extensions["pannier_access"].forget()
    for days in (1, 2):
        happened(shop, days, LIST_VIEWED, "2")
        happened(shop, days, PRODUCT_CLICKED, "2")

    assert asked(shop) == ["3", "4", "5"]


def test_a_sensitive_product_stands_nowhere_but_on_pages_of_its_category(shop: Visited) -> None:
    shop.hears(
        state("3", title="Pregnancy test", category="Care", seconds=1),
        state("4", title="Prenatal vitamins", category="Care", seconds=1),
    )
    shop.publishes(ready_lists.SIMILAR, "4", {"id": "3", "similarity": 0.9, "score": 1.0})

    assert asked(shop, limit=6) == ["2", "5", "6", "7"]
    assert "3" in ids(shop.ask(product_id="4", limit=6))


def test_a_sensitive_product_is_not_among_what_was_looked_at(shop: Visited) -> None:
    shop.hears(state("3", title="Pregnancy test", seconds=1))
    shop.views("3", "5")

    assert ids(shop.ask("recently_viewed")) == ["5"]


@pytest.mark.parametrize(
    ("trial", "expected"), [(False, []), (True, ["2", "3", "4"])], ids=["paused", "on trial"]
)
def test_a_slot_that_rests_shows_nothing_and_on_trial_something_to_a_few(
    shop: Visited, monkeypatch: pytest.MonkeyPatch, trial: bool, expected: list[str]
) -> None:
    slot = {"slot": "product_related", "reason": "harm", "measures": {}}
    values = {"store_id": shop.store_id, "paused_at": now(), "trial_at": now() if trial else None, **slot}
    db.session.execute(insert(SlotPause).values(values))
    db.session.commit()
    paused.forget()
    monkeypatch.setattr(paused, "_bucket", lambda _slot, _unit: paused.TRIAL_SHARE - 0.01)

    assert asked(shop) == expected
    assert asked(shop, "somebody-without-consent") == []
    monkeypatch.setattr(paused, "_bucket", lambda _slot, _unit: paused.TRIAL_SHARE)
    assert asked(shop) == []
