"""Which model answers, as the merchant's programs read it."""

from datetime import timedelta

import time_machine

from app.core.db import db, now
from app.recommendations import holding, learning
from app.recommendations.promotion import SENTENCES, Outcome
from tests.factories import order_change
from tests.recommendations.histories import learn
from tests.recommendations.shops import Shop


def test_the_report_tells_of_tests_and_of_a_held_store(shop: Shop) -> None:
    secret = {"Authorization": f"Bearer {shop.keys.secret}"}
    nothing = shop.client.get("/v1/reports/models", headers=secret).json
    learn(shop.store_id, [[order_change(f"o{n}", "p1", "p2") for n in range(3)]])
    learning.rebuild(shop.store_id)
    holding.return_to_kept(shop.store_id, holding.WATCH, Outcome.WORSE_THAN_KEPT, {"asked": 60})

    found = shop.client.get("/v1/reports/models?limit=1", headers=secret).json
    public = shop.client.get("/v1/reports/models", headers=shop.headers)
    other = Shop(shop.client)
    of_another = other.client.get(
        "/v1/reports/models", headers={"Authorization": f"Bearer {other.keys.secret}"}
    ).json

    assert nothing == of_another == {"version": 0, "held": None, "checks": []}
    why = {"reason": "worse_than_kept", "explanation": SENTENCES[Outcome.WORSE_THAN_KEPT]}
    assert found is not None
    since = found["held"].pop("since")
    assert (found["version"], found["held"]) == (2, why)
    (check,) = found["checks"]
    assert check.pop("checked_at")
    assert since
    assert check == {"version": 2, "kind": "watch", "passed": False, "measures": {"asked": 60}, **why}
    assert public.status_code == 401


def test_tests_are_forgotten_after_180_days(shop: Shop) -> None:
    connection = db.session.connection()
    with time_machine.travel(now() - timedelta(days=181), tick=False):
        holding.record(connection, shop.store_id, holding.REBUILD, 1, Outcome.NOT_WORSE, {})
    with time_machine.travel(now() - timedelta(days=179), tick=False):
        holding.record(connection, shop.store_id, holding.REBUILD, 2, Outcome.NOT_WORSE, {})
    holding.record(connection, shop.store_id, holding.REBUILD, 3, Outcome.NOT_WORSE, {})
    assert [check["version"] for check in holding.checks(connection, shop.store_id, 9)] == [3, 2]
    db.session.rollback()
