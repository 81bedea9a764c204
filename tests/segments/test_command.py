"""``pannier segments``: good use, bad use, and what it prints."""

import json
from pathlib import Path

import pytest

from app.commerce import ingest
from app.commerce.store import Store
from app.core.db import db, try_lock_store
from app.segments.refreshing import REFRESH_LOCK
from tests.command import Pannier
from tests.factories import customer_ref, order_change

OFTEN = {"fact": "orders", "at_least": 2}


@pytest.fixture
def pannier(store: Store, pannier: Pannier) -> Pannier:
    """Run ``pannier segments`` for a store with two customers, one of whom ordered twice."""
    people = [customer_ref(f"c{n}", f"c{n}@example.com") for n in range(2)]
    orders = [order_change(f"o{n}", "p", customer=people[n % 2], placed=n) for n in range(3)]
    ingest.apply(db.session.connection(), store.id, orders)
    db.session.commit()
    return pannier.within("segments", store=store)


def test_segments_are_computed_listed_shown_and_compared(pannier: Pannier) -> None:
    assert pannier("list").stderr == "Not computed yet: run `pannier segments refresh`.\n"

    refreshed = pannier("refresh")
    assert refreshed.stdout.startswith("2 customers, 2 of whom are scored, in ")
    assert "Computing" in refreshed.stderr

    listed = json.loads(pannier("list", "--json").stdout)
    sizes = {each["key"]: each["size"] for each in listed["segments"] if each["kind"] == "exclusive"}
    assert sum(sizes.values()) == 2
    largest = max(sizes, key=lambda key: sizes[key])

    shown = json.loads(pannier("show", largest, "--json").stdout)
    assert {row["customer_id"] for row in shown} <= {"c0", "c1"}
    assert "monetary 2000" in pannier("show", largest).stdout + pannier(
        "show", "high_spender"
    ).stdout + "".join(pannier("show", key).stdout for key in sizes)

    overlap = pannier("overlap")
    assert overlap.stderr == "55 pairs of segments are distinct by their rules; --all shows them.\n"
    assert "Discount seeker" in overlap.stdout
    assert len(json.loads(pannier("overlap", "--all", "--json").stdout)["pairs"]) == 14 * 13 // 2


def test_conditions_are_tried(pannier: Pannier, tmp_path: Path) -> None:
    file = tmp_path / "often.json"
    file.write_text(json.dumps(OFTEN))

    tried = pannier("preview", str(file))

    assert (tried.exit_code, tried.stderr) == (0, "")
    assert tried.stdout == "Customers with at least 2 orders.\n1 of 2 customers.\n  orders 2\n"
    found = json.loads(pannier("preview", "--json", "-", given=json.dumps(OFTEN)).stdout)
    assert (found["size"], found["looked_at"]) == (1, 2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "FILE is not JSON."),
        ('{"all": [{"fact": "orders"}]}', "definition.all.0: Say at_least, at_most, or both."),
        ("[]", "definition: Invalid input type."),
        ("[" * 100_000, "FILE is not JSON."),
    ],
    ids=["cut off", "no range", "list", "deep"],
)
def test_what_is_no_definition_is_bad_use(pannier: Pannier, text: str, reason: str) -> None:
    refused = pannier("preview", "-", given=text)

    assert (refused.exit_code, refused.stdout, refused.stderr) == (2, "", f"Error: {reason}\n")


def test_a_segment_that_is_none_and_a_refresh_that_runs_are_failures(pannier: Pannier, store: Store) -> None:
    unknown = pannier("show", "nothing")
    with try_lock_store(store.id, REFRESH_LOCK):
        busy = pannier("refresh", "--json")

    assert unknown.exit_code == 1
    assert unknown.stderr.startswith(
        f"Error: Store {store.id} has no segment nothing; it has champions, loyal, "
    )
    assert (busy.exit_code, busy.stdout) == (1, "")
    assert busy.stderr.endswith("Error: The store's segments are being computed already.\n")
