"""Webhooks of a WooCommerce store: each topic once, and nobody else's touched."""

import pytest

from connectors.errors import NotFound, ReconnectNeeded, Rejected, Unreachable
from connectors.source import SubscriptionReport
from connectors.woocommerce import topics
from connectors.woocommerce.subscriptions import TOPICS, ensure, remove
from tests.connectors.woocommerce.shop import Answer

OURS = "https://pannier.example/webhooks/woocommerce/t0"
SECRET = "s3cret" * 6


class Hooks:
    """The webhooks of a store: what it has, and what was done to it."""

    def __init__(self, *hooks):
        self.rows = {id_: hook | {"id": id_} for id_, hook in enumerate(hooks, start=1)}
        self.calls = []
        self.failing = {}

    def get(self, path, params=None):
        assert path == "webhooks"
        self._maybe_fail("get")
        rows = [self.rows[id_] for id_ in sorted(self.rows)]
        start = (params["page"] - 1) * params["per_page"]
        return Answer(rows[start : start + params["per_page"]], len(rows))

    def post(self, path, body):
        assert path == "webhooks"
        self._maybe_fail(f"post {body['topic']}")
        self.calls.append(("post", body["topic"]))
        id_ = max(self.rows, default=0) + 1
        self.rows[id_] = {**body, "id": id_}
        return Answer(self.rows[id_])

    def put(self, path, body):
        self._maybe_fail(f"put {path}")
        self.calls.append(("put", path, dict(body)))
        self.rows[self._id(path)].update(body)
        return Answer(self.rows[self._id(path)])

    def delete(self, path):
        self._maybe_fail(f"delete {path}")
        self.calls.append(("delete", path))
        return Answer(self.rows.pop(self._id(path)))

    def _maybe_fail(self, call):
        if call in self.failing:
            raise self.failing[call]

    def _id(self, path):
        name, id_ = path.split("/")
        if name != "webhooks" or int(id_) not in self.rows:
            raise NotFound("There is nothing at this address.")
        return int(id_)


def hook(topic, status="active", url=OURS):
    return {"topic": topic, "status": status, "delivery_url": url, "name": topic}


def all_but(*missing):
    return [hook(topic) for topic in TOPICS if topic not in missing]


def test_every_subscribed_topic_is_translated():
    assert [topic for topic in TOPICS if topic not in topics.READ] == []
    assert len(set(TOPICS)) == len(TOPICS)


def test_a_new_store_gets_every_topic_with_the_known_secret():
    shop = Hooks()

    assert ensure(shop, OURS, SECRET) == SubscriptionReport(active=(), created=TOPICS)

    assert list(shop.rows.values()) == [
        {
            "id": id_,
            "name": f"Pannier {topic}",
            "topic": topic,
            "delivery_url": OURS,
            "secret": SECRET,
            "status": "active",
        }
        for id_, topic in enumerate(TOPICS, start=1)
    ]


def test_a_second_time_changes_nothing():
    shop = Hooks()
    ensure(shop, OURS, SECRET)
    shop.calls.clear()

    assert ensure(shop, OURS, SECRET) == SubscriptionReport(active=TOPICS)
    assert shop.calls == []


@pytest.mark.parametrize(
    ("statuses", "calls", "outcome"),
    [
        (["active"], [], "active"),
        ([], [("post", "order.updated")], "created"),
        (["paused"], [("put", "webhooks/10", {"status": "active", "secret": SECRET})], "reactivated"),
        (["disabled"], [("post", "order.updated"), ("delete", "webhooks/10")], "reactivated"),
        (["odd"], [("post", "order.updated"), ("delete", "webhooks/10")], "reactivated"),
        (["active", "active", "active"], [("delete", "webhooks/11"), ("delete", "webhooks/12")], "active"),
        (["disabled", "active"], [("delete", "webhooks/10")], "active"),
        (["paused", "active"], [("delete", "webhooks/10")], "active"),
        (
            ["disabled", "paused"],
            [("put", "webhooks/11", {"status": "active", "secret": SECRET}), ("delete", "webhooks/10")],
            "reactivated",
        ),
        (
            ["disabled", "disabled"],
            [("post", "order.updated"), ("delete", "webhooks/10"), ("delete", "webhooks/11")],
            "reactivated",
        ),
    ],
    ids=[
        "well", "missing", "paused", "disabled", "unknown-state", "doubles", "disabled-and-well", "paused-and-well",
        "disabled-and-paused", "all-disabled",
    ],
)  # fmt: skip
def test_one_topic(statuses, calls, outcome):
    # given a store whose other topics are well
    shop = Hooks(*all_but("order.updated"), *(hook("order.updated", status) for status in statuses))

    report = ensure(shop, OURS, SECRET)

    assert shop.calls == calls
    assert "order.updated" in getattr(report, outcome)
    assert [len(part) for part in (report.active, report.created, report.reactivated)] == [
        9 + (outcome == "active"), int(outcome == "created"), int(outcome == "reactivated")
    ]  # fmt: skip
    assert report.removed == ("order.updated",) * max(0, len(statuses) - 1)
    live = [row["status"] for row in shop.rows.values() if row["topic"] == "order.updated"]
    assert live == ["active"]


def test_webhooks_of_others_are_neither_counted_nor_touched():
    others = [
        hook("order.updated", url="https://erp.example/hook"),
        hook("order.updated", "disabled", url=f"{OURS}x"),
        hook("order.updated", "paused", url=f"{OURS}/"),
        hook("coupon.created", url="https://erp.example/hook"),
    ]
    shop = Hooks(*others)
    before = {id_: dict(row) for id_, row in shop.rows.items()}

    assert ensure(shop, OURS, SECRET).created == TOPICS
    remove(shop, OURS)

    assert shop.rows == before


def test_ours_are_found_behind_a_hundred_others():
    shop = Hooks(*[hook("order.updated", url="https://erp.example/hook")] * 150, *all_but())

    assert ensure(shop, OURS, SECRET) == SubscriptionReport(active=TOPICS)


def test_a_topic_of_ours_that_is_not_used_any_more_is_removed():
    shop = Hooks(*all_but(), hook("coupon.created"), hook("coupon.created", "disabled"))

    assert ensure(shop, OURS, SECRET).removed == ("coupon.created", "coupon.created")
    assert sorted(row["topic"] for row in shop.rows.values()) == sorted(TOPICS)


def test_a_refused_topic_is_a_problem_and_the_others_are_made():
    shop = Hooks()
    shop.failing["post product.restored"] = Rejected("The shop refused.")

    report = ensure(shop, OURS, SECRET)

    assert report.problems == ("product.restored: The shop refused.",)
    assert report.created == tuple(topic for topic in TOPICS if topic != "product.restored")


def test_a_disabled_webhook_stays_where_none_can_be_made_in_its_place():
    shop = Hooks(*all_but("order.updated"), hook("order.updated", "disabled"))
    shop.failing["post order.updated"] = Rejected("The shop refused.")

    report = ensure(shop, OURS, SECRET)

    assert report.problems == ("order.updated: The shop refused.",)
    assert shop.rows[10]["status"] == "disabled"


def test_a_paused_webhook_that_is_gone_meanwhile_is_made_anew():
    shop = Hooks(*all_but("order.updated"), hook("order.updated", "paused"))
    shop.failing["put webhooks/10"] = NotFound("There is nothing at this address.")

    assert ensure(shop, OURS, SECRET).created == ("order.updated",)


def test_a_double_that_is_gone_meanwhile_is_well():
    shop = Hooks(*all_but(), hook("order.updated"))
    shop.failing["delete webhooks/11"] = NotFound("There is nothing at this address.")

    assert ensure(shop, OURS, SECRET).active == TOPICS


@pytest.mark.parametrize("call", ["get", "post order.created"])
@pytest.mark.parametrize("error", [ReconnectNeeded("The key is dead."), Unreachable("Silent.")])
def test_a_store_that_cannot_be_asked_says_so(call, error):
    shop = Hooks()
    shop.failing[call] = error

    with pytest.raises(type(error)):
        ensure(shop, OURS, SECRET)


@pytest.mark.parametrize(
    "secret", ["", "short", "with&entity" * 3, "with space" * 3, "ümlaut" * 6, SECRET + "\n"]
)
def test_a_secret_that_woocommerce_would_change_is_refused(secret):
    shop = Hooks()

    with pytest.raises(ValueError, match="letters and digits"):
        ensure(shop, OURS, secret)
    assert shop.calls == []


def test_removal_takes_back_what_was_made():
    shop = Hooks(hook("order.updated", url="https://erp.example/hook"))
    ensure(shop, OURS, SECRET)
    shop.rows[5]["status"] = "disabled"

    remove(shop, OURS)
    remove(shop, OURS)

    assert list(shop.rows) == [1]


@pytest.mark.parametrize("body", [{"code": "x"}, None, ["x"]])
def test_an_answer_that_is_no_list_is_no_reason_to_make_doubles(body):
    shop = Hooks()
    shop.get = lambda *_: Answer(body)

    with pytest.raises(Unreachable, match="list of webhooks"):
        ensure(shop, OURS, SECRET)
    assert shop.calls == []
