"""A thousand decisions of all kinds come out of the log as they went in, and other rules are tried on them."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.commerce.store import StoreAccess, checked_settings
from app.core.db import db
from app.core.held import forget_everything
from app.decisions.log import DecisionLog
from app.decisions.reading import Found, find
from app.events.session import PRODUCT_CLICKED, PRODUCT_VIEWED
from app.privacy import consent
from app.privacy.consent import CHOICE, Signal
from app.privacy.purposes import Purposes
from app.privacy.subjects import VISITOR, digest
from app.recommendations import replay
from app.recommendations.asking import Circumstances, question_for_cart, question_for_slot
from app.recommendations.ready_lists import SIMILAR
from app.recommendations.serving import answer
from app.recommendations.strategies import BEST_SELLERS, COMPLETE_THE_CART, SLOTS
from app.recommendations.visitors import NOBODY, Asking, known
from app.rules.evaluation import RuleSet
from app.rules.models import RuleList
from tests.events.happenings import keep
from tests.recommendations.shops import Shop, state

PRODUCTS = [str(number) for number in range(1, 41)]
CATEGORIES = ("Mugs", "Trays", "Lamps", "Herbal Remedies")
DECISIONS = 1000
_B: dict[str, Any] = {
    "strategy": BEST_SELLERS,
    "rules": [{"id": "arm-hides", "name": "x", "then": [{"do": "hide", "filter": {"products": ["3", "4"]}}]}],
}


def rules() -> list[dict[str, Any]]:
    """Return rules of every kind that often fire."""
    mobile = {"fact": "device", "in": ["mobile"]}
    return [
        {"id": "pin", "name": "Pin", "if": mobile, "then": [{"do": "pin", "product": "17", "position": 2}]},
        {"id": "hide", "name": "Hide", "then": [{"do": "hide", "filter": {"categories": ["Lamps"]}}],
         "if": {"fact": "country", "in": ["NZ"]}},
        {"id": "boost", "name": "Boost", "if": {"not": {"fact": "country", "in": ["DE"]}}, "then": [
            {"do": "boost", "factor": 3.0, "filter": {"tags": ["new"]}},
            {"do": "bury", "factor": 0.2, "filter": {"price_at_least": 3000}}]},
        {"id": "promote", "name": "Half trays", "if": {"fact": "cart_size", "at_least": 2},
         "then": [{"do": "promote", "percent": 50, "filter": {"categories": ["Trays"]}}]},
        {"id": "fixed", "name": "Ours", "if": {"all": [{"fact": "slot", "in": ["home"]}, mobile]},
         "then": [{"do": "fixed", "products": ["9", "8", "39"]}]},
        {"id": "none", "name": "Not here", "if": {"fact": "slot", "in": ["thank_you"]}, "then": [{"do": "nothing"}]},
        {"id": "other", "name": "Sell", "if": {"fact": "cart_category", "in": ["Mugs"]},
         "then": [{"do": "strategy", "strategy": BEST_SELLERS}]},
    ]  # fmt: skip


class House(Shop):
    """A shop with a catalogue, lists, rules, experiments, and visitors who did things."""

    def __init__(self, client: FlaskClient, draw: random.Random) -> None:
        super().__init__(client)
        self.draw = draw
        self.store.settings = checked_settings(
            {"control_percent": 20, "holdout_percent": 15, "exploration_percent": 50, "most_impressions": 3}
        )
        self.hears(
            *(
                state(
                    product,
                    category=CATEGORIES[number % 4],
                    tags=("new",) if number % 3 == 0 else (),
                    price=500 * (1 + number % 9),
                    title=f"{CATEGORIES[number % 4]} thing {'abcdefghij'[number % 10] * 3} {number // 10}",
                )
                for number, product in enumerate(PRODUCTS)
            )
        )
        for product in PRODUCTS:
            self.together(product, *draw.sample(PRODUCTS, 6))
            self.publishes(
                SIMILAR, product, *({"id": other, "similarity": 0.5} for other in draw.sample(PRODUCTS, 12))
            )
        self.sells(*draw.sample(PRODUCTS, 30))
        db.session.add(RuleList(store_id=self.store_id, version=1, rules=rules(), note="first"))
        db.session.commit()
        self.has_experiment("arms", [{"key": "b", "settings": _B}], coverage=0.6)
        self.has_experiment(
            "strategies", [{"key": "c", "settings": {"copy": "x"}}], slots=["cart", "product_related"]
        )
        forget_everything()

    def has_experiment(self, key: str, arms: list[dict[str, Any]], **fields: Any) -> None:
        """Start an experiment."""
        headers = {"Authorization": f"Bearer {self.keys.secret}"}
        made = self.client.post(
            "/v1/experiments", json={"key": key, "name": key, "arms": arms, **fields}, headers=headers
        )
        assert made.status_code == 200, made.text
        started = self.client.post(f"/v1/experiments/{key}/start", headers=headers)
        assert started.status_code == 200, started.text

    def visited_by(self, visitor: str) -> None:
        """Let a visitor agree, look at things, and be shown some."""
        subject = digest(self.store_id, VISITOR, visitor)
        agreed = Signal(Purposes.ANALYTICS | Purposes.PREFERENCES, "test", CHOICE, None, None)
        consent.keep(db.session.connection(), self.store_id, subject, agreed)
        db.session.commit()
        seen = [(5.0 + n, "Product List Viewed", self.draw.sample(PRODUCTS, 6)) for n in range(4)]
        keep(self.store_id, subject, *seen, decision_id="d_x")
        looked = [(4.0, PRODUCT_VIEWED, [self.draw.choice(PRODUCTS)]) for _ in range(3)]
        keep(self.store_id, subject, *looked, (1.0, PRODUCT_CLICKED, [self.draw.choice(PRODUCTS)]))

    @property
    def access(self) -> StoreAccess:
        return StoreAccess(
            self.store_id, "shopify", "x.myshopify.com", "USD", frozenset(), "publishable", "Pacific/Auckland",
            self.store.settings,
        )  # fmt: skip

    def decides(self, visitor: str | None) -> str:
        """Answer one question drawn at random; return the decision's id."""
        draw = self.draw
        who = known(self.store_id, Asking(visitor=visitor)) if visitor else NOBODY
        told = Circumstances(
            country=draw.choice([None, "NZ", "DE"]), device=draw.choice([None, "mobile", "desktop"])
        )
        cart = draw.sample(PRODUCTS, draw.randrange(4))
        if draw.random() < 0.1:
            asked = question_for_cart(COMPLETE_THE_CART, cart, 4, known=who, told=told)
        else:
            slot = draw.choice(list(SLOTS))
            asked = question_for_slot(
                slot, draw.choice(PRODUCTS), cart, draw.choice([None, 1, 3, 8, 24]), known=who, told=told
            )
        return str(answer(self.access, asked)["decision_id"])


Logged = tuple[House, list[Found]]


@pytest.fixture(scope="module")
def decided(shared_app: Flask) -> Iterator[Logged]:
    """A house, and a thousand decisions of its log."""
    with shared_app.app_context():
        yield _decided(shared_app)


def _decided(app: Flask) -> Logged:
    draw = random.Random(20261122)
    house = House(app.test_client(), draw)
    visitors = [f"visitor-{number}" for number in range(25)]
    for visitor in visitors:
        house.visited_by(visitor)
    made = {house.decides(draw.choice([None, *visitors])) for _ in range(DECISIONS)}
    while len(made) < DECISIONS:
        made.add(house.decides(draw.choice(visitors)))
    log: DecisionLog = app.extensions["pannier_decisions"]
    assert log.flush()
    found = [find(db.session.connection(), house.store_id, id_) for id_ in sorted(made)]
    return house, [one for one in found if one is not None]


def test_a_thousand_decisions_come_out_of_the_log_as_they_went_in(decided: Logged) -> None:
    house, made = decided
    connection = db.session.connection()
    seen: Counter[str] = Counter()
    for found in made:
        again = replay.replay(connection, house.access, found)
        assert (again.same, again.differences, again.shown) == (True, [], list(found.shown))
        seen[found.reason] += 1
        seen.update(found.body["fired"])
        seen.update(f"{experiment}={arm}" for experiment, arm in found.arms.items())
        seen["silent"] += found.body["silent"] is not None
        seen["explored"] += (found.body["explored"] or {}).get("product") is not None
        seen["weary"] += bool(found.body["weariness"])

    assert len(made) == DECISIONS
    kinds = [
        "DEFAULT", "TARGETING_MATCH", "SPLIT", "pin", "hide", "boost", "promote", "fixed", "none", "other",
        "arm-hides", "arms=control", "arms=b", "holdout=out", "slot:cart=control", "silent", "explored", "weary",
    ]  # fmt: skip
    assert [kind for kind in kinds if not seen[kind]] == [], "every kind of decision was among them"


def test_a_control_shows_nothing_and_logs_what_it_would_have_shown(decided: Logged) -> None:
    _, made = decided
    controls = [one for one in made if one.arms.get(f"slot:{one.slot}") == "control"]

    assert len(controls) > 20
    assert all(one.shown == [] for one in controls)
    assert sum(bool(one.body["would_have_shown"]) for one in controls) > len(controls) / 2


def test_other_rules_change_those_decisions_that_they_are_about(decided: Logged) -> None:
    house, made = decided
    connection = db.session.connection()
    hides = {
        "id": "new", "name": "No mugs", "then": [{"do": "hide", "filter": {"categories": ["Mugs"]}}]
    }  # fmt: skip
    without_mugs = RuleSet.from_json([hides, *rules()], 2)
    for found in made[:200]:
        mugs = {
            entry["id"]
            for _, told in found.body["candidates"]
            for entry in told
            if entry.get("category") == "Mugs"
        }
        mugs |= {entry["id"] for entry in found.body["called"] if entry.get("category") == "Mugs"}
        touched = not mugs.isdisjoint(found.body["would_have_shown"])

        assert replay.redecide(connection, house.access, found, RuleSet.from_json(rules(), 2)) is False
        if touched:
            assert replay.redecide(connection, house.access, found, without_mugs) is True


def test_a_record_that_was_tampered_with_does_not_pass(decided: Logged) -> None:
    house, made = decided
    connection = db.session.connection()
    found = next(one for one in made if len(one.shown) > 2)
    turned = found.shown[::-1]
    tampered = replace(found, shown=turned, body={**found.body, "would_have_shown": turned})

    again = replay.replay(connection, house.access, tampered)

    assert again.same is False
    assert again.differences == [
        "Other products come out than were decided on.",
        "Other products are shown than were shown.",
    ]


def test_a_decision_is_told_and_replayed_over_http(decided: Logged) -> None:
    house, made = decided
    headers = {"Authorization": f"Bearer {house.keys.secret}"}

    for found in made[:5]:
        told = house.client.get(f"/v1/decisions/{found.id}", headers=headers).get_json()
        assert told["replay"]["same"] is True
        assert told["replay"]["shown"] == told["shown"]


def test_nothing_of_a_person_but_the_digest_is_in_a_record(decided: Logged) -> None:
    _, made = decided

    assert len({found.subject for found in made}) > 20
    assert not any("visitor-" in repr(found) for found in made)
