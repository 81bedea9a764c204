"""``pannier freshness``: what it prints, and what its exit code says."""

import json
from datetime import timedelta

import pytest
from flask import Flask

from app.commerce.store import Store
from app.core.db import db, now
from app.recommendations.models import LearnedModel
from tests.command import Pannier
from tests.factories import new_store


@pytest.fixture
def pannier(app: Flask, pannier: Pannier) -> Pannier:
    """Run ``pannier freshness`` on an empty database."""
    return pannier.within("freshness")


def rebuilt(store: Store, hours_ago: float) -> None:
    """Let the store's model be so old."""
    db.session.add(
        LearnedModel(
            store_id=store.id, epoch=now().date(), half_life_days=180, basket_cap=100, orders=1, version=1,
            rebuilt_at=now() - timedelta(hours=hours_ago),
        )
    )  # fmt: skip
    db.session.commit()


@pytest.mark.parametrize(
    ("hours", "level", "code"),
    [(1, "ok", 0), (40, "warn", 0), (80, "error", 1)],
    ids=["fresh", "late", "lost"],
)
def test_the_exit_code_says_whether_something_is_lost(
    pannier: Pannier, hours: float, level: str, code: int
) -> None:
    store = new_store()
    rebuilt(store, hours)

    result = pannier("--store", store.domain, "--json")

    (found,) = json.loads(result.stdout)["stores"]
    assert (found["store"], found["level"], result.exit_code) == (store.domain, level, code)
    (model,) = (source for source in found["sources"] if source["source"] == "model")
    assert (model["level"], model["error_after_seconds"]) == (level, 72 * 3600)


def test_all_stores_are_shown_and_one_that_is_lost_is_enough(pannier: Pannier) -> None:
    lost, well, gone = new_store(), new_store(), new_store()
    rebuilt(lost, 80.1)
    rebuilt(well, 1.02)
    gone.uninstalled_at = now()
    db.session.commit()

    result = pannier()

    assert result.exit_code == 1
    rows = [line.split() for line in result.stdout.splitlines()]
    models = {row[0]: row[2:6] for row in rows if row[1] == "model"}
    assert models == {lost.domain: ["error", "3", "d", "8"], well.domain: ["ok", "1", "h", "1"]}
    assert gone.domain not in result.stdout


def test_without_a_store_there_is_nothing_to_show(pannier: Pannier) -> None:
    result = pannier()

    assert (result.stdout, result.exit_code) == ("There is no store.\n", 0)


def test_a_store_that_is_none_is_bad_use(pannier: Pannier) -> None:
    assert pannier("--store", "nobody").exit_code == 2
