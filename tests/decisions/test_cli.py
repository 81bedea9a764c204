"""``pannier decisions``."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.commerce.store import Store
from app.core.config import Settings
from app.decisions.log import DecisionLog
from tests.conftest import SECRET_KEY
from tests.decisions.making import BODY, NOON, record


@pytest.fixture
def pannier(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command on the services of this test."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("REDIS_URL", settings.redis_url or "")
    monkeypatch.setenv("PANNIER_SECRET_KEYS", SECRET_KEY)
    monkeypatch.setenv("PANNIER_LOG_LEVEL", "error")

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, words, catch_exceptions=False)

    return run


def test_a_decision_is_shown(store: Store, logbook: DecisionLog, pannier: Any) -> None:
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


def test_a_decision_that_is_not_there_is_said(store: Store, pannier: Any) -> None:
    result = pannier("decisions", "show", "d_none", "--store", store.domain)

    assert result.exit_code == 1
    assert "decisions.myshopify.com has no decision d_none." in result.output
