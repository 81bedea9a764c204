"""Without a yes nothing is kept: no table, no key of Redis and no line of the log knows of the visit."""

import io
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.db import db
from app.privacy.subjects import VISITOR, digest
from tests.privacy.searching import everything

VISITOR_ID = "9f0c3c6e-5d0e-4f0b-a6d1-consentless"
PRODUCT = "odd-product-991"
QUERY = "a very odd search"
YES = {"analytics": True, "preferences": True, "marketing": True, "sale_of_data": False}
NO = dict.fromkeys(YES, False)


class Visit:
    """A visitor's browser on the pages of one shop."""

    def __init__(self, client: FlaskClient, keys: dict[str, Any]) -> None:
        store, both = keys["mine"]
        self._client = client
        self._key = {"X-Pannier-Key": both.publishable}
        self.digest = digest(store.id, VISITOR, VISITOR_ID)

    def do(self, consent: Any, **headers: str) -> list[str]:
        """View, search, log in and be renamed; return what became of each event."""
        said = {"context": {"consent": consent}} if consent is not None else {}
        events: list[dict[str, Any]] = [
            {"type": "track", "event": "Product Viewed", "properties": {"product_id": PRODUCT}},
            {"type": "track", "event": "Products Searched", "properties": {"query": QUERY}},
            {"type": "page", "name": "Home", "properties": {"path": "/"}},
            {"type": "identify", "userId": "4711"},
            {"type": "alias", "previousId": VISITOR_ID, "userId": "4711"},
        ]
        batch = [
            {**event, **said, "anonymousId": VISITOR_ID, "messageId": f"odd message {number}"}
            for number, event in enumerate(events)
        ]
        answer = self._client.post("/v1/batch", json={"batch": batch}, headers={**self._key, **headers})
        return [result["status"] for result in answer.get_json()["results"]]

    def choose(self, choice: dict[str, bool], **headers: str) -> None:
        """Tell the service what the shop's banner was told."""
        body = {"visitor_id": VISITOR_ID, "source": "shopify", "basis": "choice", "region": "NZ", **choice}
        assert self._client.put("/v1/consent", json=body, headers={**self._key, **headers}).status_code == 200

    def ask(self, **headers: str) -> dict[str, Any]:
        """Ask for what was viewed lately."""
        named = {**self._key, "X-Pannier-Visitor": VISITOR_ID, **headers}
        answer: dict[str, Any] = self._client.get(
            "/v1/recommendations?slot=recently_viewed", headers=named
        ).get_json()
        return answer


@pytest.fixture
def visit(client: FlaskClient, keys: dict[str, Any]) -> Visit:
    return Visit(client, keys)


def traces(app: Flask, visit: Visit, log: io.StringIO) -> set[str]:
    """Return the places that know of the visit or of the visitor; what a product looks like is nobody's."""
    app.extensions["pannier_events"].tallies.flush()
    db.session.rollback()
    names = (VISITOR_ID, visit.digest.hex(), PRODUCT, QUERY, "odd message")
    found = (*everything(app), ("log", log.getvalue()))
    places = {place for place, text in found if any(name in text for name in names)}
    return {place for place in places if ":card:" not in place}


@pytest.mark.parametrize(
    ("consent", "headers"),
    [
        (None, {}),
        (NO, {}),
        ({**YES, "analytics": False}, {}),
        ({**YES, "analytics": "true"}, {}),
        ({**YES, "gpc": True}, {}),
        ({**YES, "basis": "default"}, {}),
        ({"categoryPreferences": {"Advertising": True}}, {}),
        (YES, {"Sec-GPC": "1"}),
    ],
    ids=["nothing said", "no", "all but analytics", "text", "gpc stated", "nobody chose", "other", "Sec-GPC"],
)
def test_without_a_yes_nothing_is_kept(
    app: Flask, visit: Visit, everything_logged: io.StringIO, consent: Any, headers: dict[str, str]
) -> None:
    assert visit.do(consent, **headers) == ["rejected"] * 5
    visit.choose(NO, **headers)
    visit.ask(**headers)

    assert traces(app, visit, everything_logged) == set()


def test_a_yes_is_found(app: Flask, visit: Visit, everything_logged: io.StringIO) -> None:
    """The search finds what there is: else the others would prove nothing."""
    visit.choose(YES)
    assert visit.do(YES) == ["accepted"] * 5

    assert {"event", "consent_choice", "consent_state"} <= traces(app, visit, everything_logged)


def test_a_withdrawal_leaves_its_own_evidence_and_nothing_else(
    app: Flask, visit: Visit, everything_logged: io.StringIO
) -> None:
    visit.choose(YES)
    visit.do(YES)
    visit.ask()

    visit.choose(NO)

    assert visit.do(YES) == ["rejected"] * 5  # a page that was open still says yes
    assert visit.ask()["intent"] is None
    assert traces(app, visit, everything_logged) == {"consent_choice", "consent_state"}
    assert not any(VISITOR_ID in text for _, text in everything(app))
