"""The commands about events."""

import json

import pytest
from flask.testing import FlaskClient

from app.commerce.store import NewKeys, Store
from app.core.db import db
from app.events.models import IdentityLink
from app.events.routes import current_events
from tests.command import Pannier
from tests.events.sending import message, send


def test_the_status_says_what_to_do(
    client: FlaskClient, store: Store, send_keys: NewKeys, pannier: Pannier
) -> None:
    send(client, send_keys, message(), message("identify"), message(anonymousId="null"))
    current_events().tallies.flush()
    name = store.domain

    shown, as_json = pannier("events", "status", name), pannier("events", "status", name, "--json")

    assert shown.exit_code == as_json.exit_code == 0
    assert ": 2 accepted, 0 sent again." in shown.output
    assert "Rejected: 1 junk_id. The sender fills missing ids" in shown.output
    assert "Accepted, and yet: 1 missing_user_context. These calls should have named a user" in shown.output
    assert json.loads(as_json.output)["missing_user_context"] == 1


def test_a_replay_says_what_it_did(
    client: FlaskClient, store: Store, send_keys: NewKeys, pannier: Pannier
) -> None:
    send(client, send_keys, message(userId="5"), message(event="Cart Viewed"), server=True)
    db.session.query(IdentityLink).delete()
    db.session.commit()
    words = ("events", "replay", "--store", store.domain)

    outputs = [
        pannier(*words).output,
        pannier(*words, "--name", "Cart Viewed", "--since", "2026-01-01").output,
    ]

    assert outputs == [
        "2 events read: 1 links were missing, 1 days counted anew.\n",
        "1 events read: 0 links were missing, 1 days counted anew.\n",
    ]


@pytest.mark.usefixtures("app")
def test_a_store_that_is_none_is_bad_use(pannier: Pannier) -> None:
    assert pannier("events", "status", "nowhere").exit_code == 2
