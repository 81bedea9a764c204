"""``pannier rules``: listed, checked, taken back."""

import json
from collections.abc import Iterator

import pytest
from flask import Flask

from app.core.db import db
from app.rules import versions
from tests.command import Pannier
from tests.recommendations.shops import Shop
from tests.rules.lists import NOTHING, rule


@pytest.fixture
def shop(shared_app: Flask) -> Iterator[Shop]:
    with shared_app.app_context():
        yield Shop(shared_app.test_client())
        db.session.rollback()


@pytest.fixture
def pannier(shop: Shop, pannier: Pannier) -> Pannier:
    """Run ``pannier rules`` for a store."""
    return pannier.within("rules", store=shop.store)


def test_rules_are_listed_checked_and_taken_back(shop: Shop, pannier: Pannier) -> None:
    assert pannier("list").stdout == "There are no rules.\n"
    first = rule("first", NOTHING)
    for rules in ([first], [first, rule("second", NOTHING, enabled=False)], [first, rule("third", NOTHING)]):
        versions.change(db.session.connection(), shop.store_id, lambda _, rules=rules: rules, "Written.")
    db.session.commit()

    listed = pannier("list")
    assert listed.stderr == "Version 3. Written.\n"
    assert listed.stdout.splitlines()[1:] == [
        "1      first  first  yes  nothing",
        "2      third  third  yes  nothing",
    ]
    kept = json.loads(pannier("list", "--json").stdout)
    assert (kept["version"], [each["id"] for each in kept["rules"]]) == (3, ["first", "third"])

    checked = pannier("lint", "--json")
    assert (checked.exit_code, checked.stderr) == (1, "Error: Some rules never work.\n")
    assert [(f["rule"], f["other"], f["code"]) for f in json.loads(checked.stdout)] == [
        ("third", "first", "shadowed")
    ]

    undone = pannier("undo")
    assert (undone.exit_code, undone.stdout) == (0, "Version 4 has the 2 rules of version 2.\n")
    assert json.loads(pannier("undo", "--json").stdout)["restored_version"] == 1
    assert (pannier("lint").exit_code, pannier("lint").stdout) == (0, "Nothing is odd about the rules.\n")
    assert pannier("undo").exit_code == 0
    nothing_left = pannier("undo")
    assert (nothing_left.exit_code, nothing_left.stderr) == (
        1,
        "Error: There is no change left to take back.\n",
    )
