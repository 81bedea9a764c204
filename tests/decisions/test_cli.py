"""``pannier decisions``."""

import json

from app.commerce.store import Store
from app.decisions.log import DecisionLog
from tests.command import Pannier
from tests.decisions.making import BODY, NOON, record


def test_a_decision_is_shown(store: Store, logbook: DecisionLog, pannier: Pannier) -> None:
    body = {**BODY, "fired": ["rule-7"]}
    logbook.note(record(store.id, "d_shown", made_at=NOON, arms={"checkout": "b"}, body=body, keep=True))
    logbook.flush()
    words = ("decisions", "show", "d_shown", "--store", store.domain)

    shown, as_json = pannier(*words), pannier(*words, "--json")

    assert (shown.exit_code, as_json.exit_code) == (0, 0)
    told = dict(line.split(None, 1) for line in shown.output.splitlines() if len(line.split(None, 1)) == 2)
    assert (told["arms"], told["shown"], told["fired"]) == ("checkout: b", "11 12", "rule-7")
    found = json.loads(as_json.output)
    assert (found["decision_id"], found["record"], found["made_at"]) == ("d_shown", body, NOON.isoformat())
    assert set(found["replay"]) == {"same", "differences", "shown"}


def test_a_decision_that_is_not_there_is_said(store: Store, pannier: Pannier) -> None:
    result = pannier("decisions", "show", "d_none", "--store", store.domain)

    assert result.exit_code == 1
    assert "decisions.myshopify.com has no decision d_none." in result.output
