"""The merchant sees who is who and why, and can take a link back."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.core.db import db
from app.events.links import link

T0 = datetime(2026, 11, 2, 10, tzinfo=UTC)
A, B = f"visitor:{'a' * 32}", f"visitor:{'b' * 32}"
CART = f"cart:{'c' * 32}"
ANNE, BEN = "customer:1001", "customer:1002"


@pytest.fixture
def ask(client: FlaskClient, keys: dict[str, Any]) -> Callable[..., Any]:
    store, mine = keys["mine"]
    pairs = [(A, ANNE, "logged_in"), (B, BEN, "server"), (A, CART, "cart"), (A, B, "alias")]
    link(db.session.connection(), store.id, pairs, T0)
    db.session.commit()

    def call(method: str, path: str = "", **query: str) -> Any:
        return client.open(
            f"/v1/identity{path}",
            method=method,
            query_string=query,
            headers={"Authorization": f"Bearer {mine.secret}"},
        )

    return call


def test_person_is_shown_with_the_links_that_count_and_those_that_do_not(ask: Callable[..., Any]) -> None:
    answer = ask("GET", customer_id="1001")

    # The alias made Anne's and Ben's browsers one, which both use.
    assert answer.status_code == 200
    assert answer.json == {
        "person": ANNE,
        "nodes": {"customer": [ANNE], "visitor": [], "cart": [], "contact": []},
        "links": [
            {"nodes": [ANNE, A], "reason": "logged_in", "first_seen_at": T0.isoformat(), "revoked_at": None}
        ],
        "more_links": False,
    }
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert ask("GET", node=A).json["nodes"] == {
        "customer": [], "visitor": [A, B], "cart": [CART], "contact": [],
    }  # fmt: skip


def test_somebody_without_links_is_404(ask: Callable[..., Any]) -> None:
    answer = ask("GET", customer_id="7")

    assert (answer.status_code, answer.json["detail"]) == (404, "Nothing is linked to it.")


def test_revoking_a_link_says_what_changed_and_can_be_taken_back(ask: Callable[..., Any]) -> None:
    shared, parted = [[CART, A, B]], [[CART, ANNE, A], [BEN, B]]

    revoked = ask("DELETE", "/links", node=B, other=A)

    assert (revoked.status_code, revoked.json) == (200, {"before": shared, "after": parted})
    assert ask("DELETE", "/links", node=B, other=A).json == {"before": parted, "after": parted}
    assert ask("GET", customer_id="1001").json["nodes"]["visitor"] == [A]
    links = ask("GET", node=B).json["links"]
    assert [(each["nodes"], each["revoked_at"] is None) for each in links] == [
        ([BEN, B], True),
        ([A, B], False),
    ]
    restored = ask("PUT", "/links", node=A, other=B)
    assert (restored.status_code, restored.json) == (200, {"before": parted, "after": shared})


@pytest.mark.parametrize("method", ["DELETE", "PUT"])
def test_a_link_that_is_not_there_is_404(ask: Callable[..., Any], method: str) -> None:
    answer = ask(method, "/links", node=A, other=BEN)

    assert (answer.status_code, answer.json["detail"]) == (404, "There is no link between these two.")


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        pytest.param({}, {"body": "Name either a customer_id or a node."}, id="nobody"),
        pytest.param(
            {"customer_id": "1", "node": ANNE}, {"body": "Name either a customer_id or a node."}, id="two"
        ),
        pytest.param({"node": "visitor:me"}, {"node": "Not a node, such as customer:1."}, id="a raw id"),
        pytest.param({"customer_id": "a b"}, {"customer_id": "Not the id of a customer."}, id="no id"),
    ],
)
def test_a_wrong_question_is_refused(
    ask: Callable[..., Any], query: dict[str, str], wrong: dict[str, str]
) -> None:
    answer = ask("GET", **query)

    assert answer.status_code == 422
    assert {each["name"]: each["reason"] for each in answer.json["invalid_params"]} == wrong
