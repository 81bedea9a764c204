"""Who may see what: every route of the application, so that a new one cannot be forgotten."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.bundles.limits import Limits
from app.bundles.models import Offer, OfferLimits
from app.commerce import ingest
from app.commerce.cart import Cart
from app.commerce.customer import Customer
from app.commerce.store import Store, StoreKey
from app.connections.models import Subscriptions
from app.core.crypto import key_digest
from app.core.db import db, now
from app.decisions.models import Decision, DecisionTally
from app.events.links import link, unlink
from app.events.models import Event, EventTally, IdentityLink
from app.experiments.models import Experiment
from app.experiments.schemas import ExperimentFields
from app.imports.models import OrderImport
from app.monitoring.models import Alert, AlertEndpoint
from app.pricing import ledger, undo
from app.pricing.models import CompetitorPrice, PriceChange, PriceQuote, PriceRule
from app.pricing.quote_keys import note_told
from app.pricing.quotes import KEYS_AHEAD, window_at
from app.privacy.models import PrivacyRequestRecord
from app.recommendations.models import ModelCheck, PublishedList, SensitiveWords, SlotPause
from app.rules.models import RuleList
from app.segments.models import Segment, SegmentMembership
from tests.factories import incoming, keep, order_change, product_change, variant_state
from tests.pricing.scripted_prices import ScriptedPrices
from webhooks.models import QUARANTINED, WebhookDelivery

Route = tuple[str, str]
# The states of my store's offers, and those of their proposals are made of what it has learned.
OFFERS = ("proposed", "approved", "suspended")
PROPOSING: Route = ("POST", "/v1/offers/proposals")
# Stands in everything that my store has.
MINE = "only-of-mine"
# Lifts every price to its floor.
PRICE_RULE: dict[str, Any] = {
    "name": "Another",
    "mode": "approve",
    "products": {"all": True},
    "signals": [{"signal": "demand", "weight_percent": 5}],
    "guards": {"floor": 1020},
}
ANNE = "customer:only-of-mine"
ANYBODY = {"fact": "orders", "at_least": 0}
RULE: dict[str, Any] = {"name": "Another", "then": [{"do": "pin", "product": "111", "position": 1}]}
OFFER = {"title": "Another", "discount": {"kind": "percent", "value": 1000}}
EXPERIMENT = {"name": "Another", "arms": [{"key": "b", "settings": {"strategy": "trending"}}]}

NOWHERE = "https://127.0.0.1:8443/only-of-mine"
# Routes that need no key, and why.
OPEN: dict[Route, str] = {
    ("GET", "/healthz"): "for machines that keep the process alive",
    ("GET", "/readyz"): "for machines that route to it",
    ("GET", "/metrics"): "for the operator's network, which the operator closes to others",
    ("GET", "/openapi.json"): "documentation",
    ("GET", "/docs"): "documentation",
    ("GET", "/docs/problems"): "documentation",
    ("GET", "/v1/widget.js"): "the same file for every page of every shop",
    ("GET", "/v1/widget-offers.js"): "the same file for every page of every shop",
    ("GET", "/install/woocommerce"): "a merchant begins; nothing is shown of any store",
    ("POST", "/install/woocommerce/callback"): "carries an unguessable state that is good once",
    ("GET", "/install/woocommerce/return"): "likewise",
    ("GET", "/install/shopify"): "carries a session token or Shopify's signature",
    ("GET", "/install/shopify/callback"): "signed by the platform",
    ("POST", "/install/shopify/session"): "carries a session token",
    ("GET", "/install/shopify/proxy"): "signed by the platform",
    ("GET", "/install/home.js"): "the same file for everybody",
    ("POST", "/webhooks/shopify"): "signed by the platform",
    ("POST", "/webhooks/woocommerce/<token>"): "signed by the shop",
}
# A good call of every route that needs a key, by what my store has. A new route must be added here.
CALLS: dict[Route, dict[str, Any]] = {
    ("GET", "/v1/recommendations"): {"query_string": {"slot": "product", "product_id": "111"}},
    ("POST", "/v1/recommendations"): {
        "json": {"requests": [{"slot": "cart", "cart": ["111"]}, {"slot": "home"}]}
    },
    ("POST", "/v1/upsell"): {"json": {"current_cart": ["111"], "strategy": "frequently_bought_together"}},
    ("POST", "/v1/carts"): {
        "json": {"token": "ab" * 32, "consent": True, "lines": [{"product_id": "111", "quantity": 1}]}
    },
    ("GET", "/v1/consent"): {"query_string": {"visitor_id": "somebody"}},
    ("PUT", "/v1/consent"): {"json": {"visitor_id": "somebody", "analytics": True}},
    **{
        ("POST", f"/v1/{kind}"): {
            "json": {
                "event": "Product Viewed",
                "anonymousId": "somebody",
                "previousId": "before",
                "groupId": "group",
                "messageId": kind,
                "context": {"consent": {"analytics": True}},
            }
        }
        for kind in ("track", "identify", "page", "screen", "group", "alias")
    },
    ("POST", "/v1/batch"): {"json": {"batch": [{"type": "teleport"}]}},
    ("GET", "/v1/reports/events"): {},
    ("GET", "/v1/reports/decisions"): {},
    ("GET", "/v1/decisions"): {},
    ("GET", "/v1/decisions/<id>"): {},
    ("GET", "/v1/identity"): {"query_string": {"customer_id": "only-of-mine"}},
    ("DELETE", "/v1/identity/links"): {"query_string": {"node": ANNE, "other": "customer:2"}},
    ("PUT", "/v1/identity/links"): {"query_string": {"node": ANNE, "other": "customer:3"}},
    ("POST", "/v1/privacy/exports"): {"json": {"customer_id": "7"}},
    ("GET", "/v1/privacy/exports/<id>"): {},
    ("POST", "/v1/privacy/erasures"): {"json": {"order_ids": ["7"]}},
    ("GET", "/v1/privacy/erasures/<id>"): {},
    ("GET", "/v1/privacy/requests"): {},
    ("GET", "/v1/privacy/notice"): {},
    ("GET", "/v1/segments"): {},
    ("POST", "/v1/segments"): {"json": {"key": "another", "name": "Another", "definition": ANYBODY}},
    ("POST", "/v1/segments/preview"): {"json": {"definition": ANYBODY}},
    ("GET", "/v1/segments/overlap"): {},
    ("GET", "/v1/segments/<key>"): {},
    ("PUT", "/v1/segments/<key>"): {"json": {"name": "Another", "definition": ANYBODY}},
    ("DELETE", "/v1/segments/<key>"): {},
    ("GET", "/v1/segments/<key>/members"): {},
    ("GET", "/v1/rules"): {},
    ("PUT", "/v1/rules"): {"json": {"rules": [], "version": 2}},
    ("POST", "/v1/rules"): {"json": {**RULE, "id": "another"}},
    ("GET", "/v1/rules/lint"): {},
    ("POST", "/v1/rules/preview"): {"json": {"question": {"slot": "home"}}},
    ("POST", "/v1/rules/impact"): {"json": {"rules": []}},
    ("POST", "/v1/rules/move"): {"json": {"id": "of-mine", "position": 2}},
    ("POST", "/v1/rules/undo"): {},
    ("GET", "/v1/rules/versions"): {},
    ("GET", "/v1/rules/versions/<version>"): {},
    ("POST", "/v1/rules/versions/<version>/restore"): {},
    ("GET", "/v1/rules/<id>"): {},
    ("PUT", "/v1/rules/<id>"): {"json": {"name": "Another", "then": RULE["then"]}},
    ("DELETE", "/v1/rules/<id>"): {},
    ("GET", "/v1/experiments"): {},
    ("POST", "/v1/experiments"): {"json": {"key": "another", **EXPERIMENT}},
    ("GET", "/v1/experiments/<key>"): {},
    ("PUT", "/v1/experiments/<key>"): {"json": EXPERIMENT},
    ("DELETE", "/v1/experiments/<key>"): {},
    ("POST", "/v1/experiments/<key>/start"): {},
    ("POST", "/v1/experiments/<key>/stop"): {},
    ("POST", "/v1/experiments/<key>/decide"): {"json": {"arm": "b"}},
    ("POST", "/v1/experiments/<key>/copy"): {"json": {"key": "another"}},
    ("GET", "/v1/experiments/<key>/report"): {},
    ("GET", "/v1/experiments/power"): {},
    ("GET", "/v1/reports/attribution"): {},
    ("GET", "/v1/offers"): {},
    ("POST", "/v1/offers"): {"json": {**OFFER, "components": [{"product_id": p} for p in ("111", "113")]}},
    ("GET", "/v1/offers/limits"): {},
    ("PUT", "/v1/offers/limits"): {"json": {"automatic": True}},
    ("POST", "/v1/offers/proposals"): {},
    ("GET", "/v1/offers/<key>"): {},
    **{
        ("POST", f"/v1/offers/<key>/{word}"): {} for word in ("approve", "reject", "suspend", "resume", "end")
    },
    ("GET", "/v1/prices/rules"): {},
    ("POST", "/v1/prices/rules"): {"json": {"key": "another", **PRICE_RULE}},
    ("GET", "/v1/prices/rules/<key>"): {},
    ("PUT", "/v1/prices/rules/<key>"): {"json": PRICE_RULE},
    ("DELETE", "/v1/prices/rules/<key>"): {},
    ("POST", "/v1/prices/rules/<key>/undo"): {},
    ("GET", "/v1/prices/proposals"): {},
    ("POST", "/v1/prices/proposals"): {"json": {"products": ["113"]}},
    ("POST", "/v1/prices/proposals/<id>/approve"): {},
    ("POST", "/v1/prices/proposals/<id>/reject"): {},
    ("GET", "/v1/prices/changes"): {},
    ("GET", "/v1/prices/changes/<id>"): {},
    ("POST", "/v1/prices/changes/<id>/undo"): {},
    ("POST", "/v1/prices/quote"): {
        "json": {"product_id": "111", "variant_id": f"{MINE}-111", "price": 900, "reason": "A regular"}
    },
    ("POST", "/v1/prices/quote/verify"): {"json": {"quote": "pq1", "variant_id": "111"}},
    ("GET", "/v1/prices/ledger"): {"query_string": {"product_id": "111"}},
    ("GET", "/v1/prices/usual"): {"query_string": {"product_id": "111"}},
    ("PUT", "/v1/prices/competitors"): {
        "json": {"prices": [{"product_id": "111", "competitor": "A", "price": 1, "currency": "USD"}]}
    },
    ("GET", "/v1/freshness"): {},
    ("GET", "/v1/reports/drift"): {},
    ("GET", "/v1/alerts"): {},
    ("GET", "/v1/alerts/endpoint"): {},
    ("PUT", "/v1/alerts/endpoint"): {"json": {"url": "https://93.184.215.14/"}},
    ("DELETE", "/v1/alerts/endpoint"): {},
    ("POST", "/v1/alerts/test"): {},
    ("GET", "/v1/guard"): {},
    ("PUT", "/v1/guard"): {"json": {"words": []}},
    ("GET", "/v1/slots"): {},
    ("POST", "/v1/slots/<slot>/resume"): {},
    ("GET", "/v1/connection"): {},
    ("GET", "/v1/reports/channels"): {"query_string": {"product_id": "111", "days": 3650}},
    ("GET", "/v1/reports/models"): {"query_string": {"limit": 100}},
    ("GET", "/v1/reports/readiness"): {"query_string": {"product_id": "111"}},
    ("GET", "/v1/webhooks/deliveries"): {},
    ("POST", "/v1/webhooks/deliveries/replay"): {"json": {"status": "quarantined"}},
}
# Where what my store has is found by its id.
FOUND_AT = {
    "/v1/privacy/exports/<id>": "/v1/privacy/exports/1",
    "/v1/privacy/erasures/<id>": "/v1/privacy/erasures/2",
    "/v1/decisions/<id>": "/v1/decisions/d_only-of-mine",
    "/v1/segments/<key>": "/v1/segments/only_of_mine",
    "/v1/segments/<key>/members": "/v1/segments/only_of_mine/members",
    "/v1/slots/<slot>/resume": "/v1/slots/cart/resume",
    "/v1/rules/<id>": "/v1/rules/of-mine",
    "/v1/rules/versions/<version>": "/v1/rules/versions/1",
    "/v1/rules/versions/<version>/restore": "/v1/rules/versions/1/restore",
    "/v1/experiments/<key>": "/v1/experiments/draft_of_mine",
    "/v1/experiments/<key>/start": "/v1/experiments/draft_of_mine/start",
    "/v1/experiments/<key>/stop": "/v1/experiments/running_of_mine/stop",
    "/v1/experiments/<key>/decide": "/v1/experiments/stopped_of_mine/decide",
    "/v1/experiments/<key>/copy": "/v1/experiments/draft_of_mine/copy",
    "/v1/experiments/<key>/report": "/v1/experiments/draft_of_mine/report",
    "/v1/prices/rules/<key>": "/v1/prices/rules/of-mine",
    "/v1/prices/rules/<key>/undo": "/v1/prices/rules/of-mine/undo",
    "/v1/prices/proposals/<id>/approve": "/v1/prices/proposals/1/approve",
    "/v1/prices/proposals/<id>/reject": "/v1/prices/proposals/1/reject",
    "/v1/prices/changes/<id>": "/v1/prices/changes/1",
    "/v1/prices/changes/<id>/undo": "/v1/prices/changes/2/undo",
    "/v1/offers/<key>": "/v1/offers/o_proposed",
    "/v1/offers/<key>/approve": "/v1/offers/o_proposed/approve",
    "/v1/offers/<key>/reject": "/v1/offers/o_proposed/reject",
    "/v1/offers/<key>/suspend": "/v1/offers/o_approved/suspend",
    "/v1/offers/<key>/resume": "/v1/offers/o_suspended/resume",
    "/v1/offers/<key>/end": "/v1/offers/o_approved/end",
}
# Below these the merchant's servers alone may ask.
SERVER_SIDE = (
    "/v1/webhooks/",
    "/v1/prices/",
    "/v1/freshness",
    "/v1/alerts",
    "/v1/connection",
    "/v1/reports/",
    "/v1/segments",
    "/v1/rules",
    "/v1/experiments",
    "/v1/offers",
    "/v1/privacy/",
    "/v1/identity",
    "/v1/guard",
    "/v1/slots",
    "/v1/decisions",
)
SERVER = {route for route in CALLS if route[1].startswith(SERVER_SIDE)}
STOREFRONT = set(CALLS) - SERVER
# Begins what takes longer than an answer.
LASTING: Route = ("POST", "/v1/privacy/erasures")
# Takes something and says nothing.
TAKING: Route = ("POST", "/v1/carts")
# Says only what the same caller told.
ECHOING: set[Route] = {("GET", "/v1/consent"), ("PUT", "/v1/consent")}
# Says of each event what became of it.
EVENTS = {
    ("POST", f"/v1/{kind}") for kind in ("track", "identify", "page", "screen", "group", "alias", "batch")
}
# Says what would be, and changes nothing.
TRYING: Route = ("POST", "/v1/segments/preview")
# Say what other rules would do, and change nothing.
TRYING_RULES = {("POST", "/v1/rules/preview"), ("POST", "/v1/rules/impact")}
# Are asked for by the version that counts, or need one to go back to: a store that has none has a conflict.
BY_VERSION = {("PUT", "/v1/rules"), ("POST", "/v1/rules/undo")}
# Says what a quote is good for; one that is none is good for nothing.
JUDGING: Route = ("POST", "/v1/prices/quote/verify")
# Says only how many visitors there are.
COUNTING: Route = ("GET", "/v1/experiments/power")


def routes(app: Flask) -> set[Route]:
    """Return every method and rule, without those that Flask adds by itself."""
    return {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in set(rule.methods or ()) - {"HEAD", "OPTIONS"}
    }


@pytest.fixture
def two(client: FlaskClient, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two stores; mine has products, lists and a delivery in quarantine."""
    store: Store = keys["mine"][0]
    store.settings = {"price_quotes": 1, "margin_percent": 50}
    note_told(store.id, window_at(now()) + KEYS_AHEAD)
    changes = [
        product_change(p, variant_state(f"{MINE}-{p}"), title=f"{MINE} {p}") for p in ("111", "112", "113")
    ]
    ingest.apply(db.session.connection(), store.id, [*changes, order_change("o1", "111", "112")])
    ledger.note_shop_prices(db.session.connection(), store.id, ["111"], now())
    for strategy, subject in (("frequently_bought_together", "111"), ("best_sellers", "")):
        items = [
            {"id": p, "orders": 5, "confidence": 0.5, "lift": 2.0, "llr": 20.0, "score": 1.0}
            for p in ("112", "113")
        ]
        db.session.add(
            PublishedList(
                store_id=store.id, strategy=strategy, subject=subject, items=items, published_at=now()
            )
        )
    db.session.add(Subscriptions(store_id=store.id, active=[], mended=[], problems=[MINE], checked_at=now()))
    link(
        db.session.connection(), store.id, [(ANNE, f"customer:{n}", "platform_merge") for n in (2, 3)], now()
    )
    unlink(db.session.connection(), store.id, ANNE, "customer:3", now())
    for kind in ("data_request", "redact_customer"):
        db.session.add(
            PrivacyRequestRecord(
                store_id=store.id, request_id=kind, kind=kind, visitors=[], orders=[], requested_at=now(),
                due_at=now(), completed_at=now(), receipt={"note": MINE},
            )
        )  # fmt: skip
        db.session.flush()
    db.session.add(
        OrderImport(
            store_id=store.id, digest=b"d", source="till", channel="pos", collected_by=MINE, done_rows=0,
            orders=0, rejected_rows=0,
        )
    )  # fmt: skip
    definition = {**PRICE_RULE, "currency": "USD"}
    db.session.add(
        PriceRule(
            store_id=store.id, key="of-mine", name=MINE, mode="approve", active=True,
            definition={name: definition[name] for name in ("products", "signals", "guards", "currency")},
        )
    )  # fmt: skip
    for product, state in (("111", "proposed"), ("112", "live")):
        db.session.add(
            PriceChange(
                store_id=store.id, product_id=product, variant_id=f"{MINE}-{product}", currency="USD",
                old_price=900, new_price=1000, state=state, reason=MINE, signals={}, actor="merchant",
            )
        )  # fmt: skip
        db.session.flush()
    standing = ScriptedPrices({"112": {f"{MINE}-112": (1000, None)}})
    monkeypatch.setattr(undo, "prices_for", lambda _store: standing)
    db.session.add(Segment(store_id=store.id, key="only_of_mine", name=MINE, definition=ANYBODY))
    db.session.add(SensitiveWords(store_id=store.id, words=[f"{MINE}-words"]))
    db.session.add(SlotPause(store_id=store.id, slot="cart", paused_at=now(), reason=MINE, measures={}))
    for status, slot in (("draft", "home"), ("running", "cart"), ("stopped", "cart")):
        definition = ExperimentFields().load({**EXPERIMENT, "slots": [slot]})
        definition.pop("name")
        key = f"{status}_of_mine"
        db.session.add(
            Experiment(store_id=store.id, key=key, name=MINE, status=status, definition=definition)
        )
    for state in OFFERS:
        db.session.add(offer_row(store.id, state))
    limits = Limits(excluded_tags=(MINE,)).to_json()
    db.session.add(OfferLimits(store_id=store.id, limits=limits))
    test = {"kind": "watch", "reason": "not_worse", "measures": {MINE: 1}}
    db.session.add(ModelCheck(store_id=store.id, version=1, passed=True, checked_at=now(), **test))
    db.session.add(Alert(store_id=store.id, source="orders", level="warn", message=MINE, raised_at=now()))
    # Not on the public internet: it is refused before anything is sent.
    db.session.add(AlertEndpoint(store_id=store.id, url=NOWHERE, secret={"current": "whsec_AAAA"}))
    mine = {"id": "of-mine", "name": MINE, "then": [{"do": "pin", "product": MINE, "position": 1}]}
    for version, rules in enumerate(([mine], [mine, {"id": "second", **RULE}]), 1):
        db.session.add(RuleList(store_id=store.id, version=version, rules=rules, note=MINE))
    customer = Customer(store_id=store.id, platform_id=MINE)
    db.session.add(customer)
    db.session.flush()
    db.session.add(
        SegmentMembership(
            store_id=store.id, segment="only_of_mine", customer_id=customer.id, since=now(), as_of=now(),
            reason={},
        )
    )  # fmt: skip
    made = {"slot": MINE, "reason": "DEFAULT", "cache": "made", "latency_us": 1, "answers": 1}
    db.session.add(
        Decision(
            store_id=store.id, id=f"d_{MINE}", day=now().date(), made_at=now(), strategy="best_sellers", arms={},
            model_version="1", shown=[], **made,
        )
    )  # fmt: skip
    db.session.add(DecisionTally(store_id=store.id, day=now().date(), empty=0, **made))
    for days in (0, 10):  # so many that they are compared
        tally = {**made, "reason": "STATIC", "answers": 500, "day": (now() - timedelta(days=days)).date()}
        db.session.add(DecisionTally(store_id=store.id, empty=0, **tally))
    for subject in (b"a" * 16, b"b" * 16):
        db.session.add(
            Event(
                store_id=store.id, received_at=now() - timedelta(hours=1), occurred_at=now() - timedelta(hours=1),
                subject=subject, type="track", name="Product List Viewed", products=[], purposes=1, source="page",
                properties={"decision_id": f"d_{MINE}"}, message=subject,
            )
        )  # fmt: skip
    db.session.add(EventTally(store_id=store.id, day=now().date(), outcome="rejected", reason=MINE, events=1))
    db.session.commit()
    keep(incoming(store.id, topic="orders/create", quarantine=MINE))
    return keys


def offer_row(store_id: int, state: str) -> Offer:
    """Return an offer of my store; of its suspended ones the merchant said so."""
    return Offer(
        store_id=store_id, key=f"o_{state}", state=state, title=MINE, origin="manual", currency="USD",
        components=[{"product_id": p, "quantity": 1, "variant_ids": None} for p in ("111", "112")],
        discounted=["112"], discount_kind="percent", discount_value=1000, starts_at=now(), evidence={},
        reason_code="merchant" if state == "suspended" else None,
        prices={p: {f"{MINE}-{p}": 1000} for p in ("111", "112")}, version=1, attempts=0,
    )  # fmt: skip


def call(client: FlaskClient, route: Route, headers: dict[str, str]) -> TestResponse:
    return client.open(FOUND_AT.get(route[1], route[1]), method=route[0], headers=headers, **CALLS[route])


def publishable(key: str) -> dict[str, str]:
    return {"X-Pannier-Key": key}


def secret(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def good(route: Route, keys: Any) -> dict[str, str]:
    return publishable(keys.publishable) if route in STOREFRONT else secret(keys.secret)


def assert_refused(response: TestResponse, route: Route | None = None) -> None:
    assert response.status_code == 401, route
    assert response.content_type == "application/problem+json"
    body = response.get_json()
    assert (body["type"], body["title"], body["status"]) == (
        "/docs/problems#unauthorized",
        "Unauthorized",
        401,
    )
    assert body["detail"].startswith("No valid key was given.")
    assert set(body) == {"type", "title", "status", "detail"}
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="pannier"'


def accepted(route: Route) -> int:
    return 202 if route in (TAKING, LASTING) else 200


def carts_of(store: Store) -> int:
    return len(db.session.scalars(select(Cart).where(Cart.store_id == store.id)).all())


def untouched() -> bool:
    db.session.rollback()
    links = db.session.scalars(
        select(IdentityLink).join(Store, Store.id == IdentityLink.store_id)
        .where(Store.domain == "mine.myshopify.com").order_by(IdentityLink.left_node)
    )  # fmt: skip
    if [each.revoked_at is None for each in links] not in ([], [True, False]):
        return False
    asked = db.session.scalars(
        select(PrivacyRequestRecord.id).join(Store, Store.id == PrivacyRequestRecord.store_id)
        .where(Store.domain == "mine.myshopify.com").order_by(PrivacyRequestRecord.id)
    ).all()  # fmt: skip
    if asked not in ([], [1, 2]):
        return False
    segments = db.session.scalars(
        select(Segment.name)
        .join(Store, Store.id == Segment.store_id)
        .where(Store.domain == "mine.myshopify.com")
    ).all()
    if segments != [MINE]:
        return False
    words = db.session.scalars(select(SensitiveWords.words).order_by(SensitiveWords.store_id)).all()
    if words[:1] != [[f"{MINE}-words"]]:
        return False
    if db.session.scalars(select(SlotPause.ended_at)).all() != [None]:
        return False
    experiments = db.session.execute(
        select(Experiment.name, Experiment.status)
        .join(Store, Store.id == Experiment.store_id)
        .where(Store.domain == "mine.myshopify.com")
        .order_by(Experiment.id)
    ).all()
    if experiments != [(MINE, "draft"), (MINE, "running"), (MINE, "stopped")]:
        return False
    versions = db.session.scalars(
        select(RuleList.version)
        .join(Store, Store.id == RuleList.store_id)
        .where(Store.domain == "mine.myshopify.com")
        .order_by(RuleList.version)
    ).all()
    if versions != [1, 2]:
        return False
    if db.session.scalars(select(PriceQuote.id)).all():
        return False
    offers = db.session.execute(
        select(Offer.key, Offer.state, Offer.version)
        .join(Store, Store.id == Offer.store_id)
        .where(Store.domain == "mine.myshopify.com")
        .order_by(Offer.id)
    ).all()
    if offers != [(f"o_{state}", state, 1) for state in OFFERS]:
        return False
    limits = db.session.scalars(
        select(OfferLimits.limits)
        .join(Store, Store.id == OfferLimits.store_id)
        .where(Store.domain == "mine.myshopify.com")
    ).all()
    if [each["excluded_tags"] for each in limits] != [[MINE]]:
        return False
    price_rules = db.session.execute(
        select(PriceRule.name, PriceRule.active)
        .join(Store, Store.id == PriceRule.store_id)
        .where(Store.domain == "mine.myshopify.com")
    ).all()
    if price_rules != [(MINE, True)]:
        return False
    price_changes = db.session.scalars(
        select(PriceChange.state)
        .join(Store, Store.id == PriceChange.store_id)
        .where(Store.domain == "mine.myshopify.com")
        .order_by(PriceChange.id)
    ).all()
    if price_changes != ["proposed", "live"]:
        return False
    if db.session.scalars(select(CompetitorPrice.competitor)).all():
        return False
    endpoints = db.session.execute(
        select(AlertEndpoint.url, AlertEndpoint.problem)
        .join(Store, Store.id == AlertEndpoint.store_id)
        .where(Store.domain == "mine.myshopify.com")
    ).all()
    if endpoints != [(NOWHERE, None)]:
        return False
    return not db.session.scalars(select(Cart)).all() and [
        d.status for d in db.session.scalars(select(WebhookDelivery))
    ] == [QUARANTINED]


def test_every_route_is_open_for_a_reason_or_needs_a_key(app: Flask) -> None:
    """A route that is new must be put into one of the two lists, and is tested from then on."""
    assert routes(app) == set(OPEN) | set(CALLS)


def test_the_openapi_document_says_the_same(app: Flask, client: FlaskClient) -> None:
    document: dict[str, Any] = client.get("/openapi.json").json or {}
    said = {
        (method.upper(), re.sub(r"{(\w+)}", r"<\1>", path)): [
            name for s in operation["security"] for name in s
        ]
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }

    assert set(said) == set(CALLS)
    for route, schemes in said.items():
        if route in STOREFRONT:
            basic = ["writeKey"] if route in EVENTS else []
            assert schemes == ["publishableKey", "publishableKeyInQuery", "secretKey", *basic]
        else:
            assert schemes == ["secretKey"]


@pytest.mark.parametrize("route", sorted(CALLS), ids=" ".join)
def test_my_key_opens_what_is_mine(client: FlaskClient, two: dict[str, Any], route: Route) -> None:
    response = call(client, route, good(route, two["mine"][1]))

    assert response.status_code == accepted(route)
    if route == TAKING:
        assert (response.get_json(), carts_of(two["mine"][0])) == ({}, 1)
    elif route in ECHOING:
        assert response.get_json()["analytics"] is (route[0] == "PUT")
    elif route == TRYING:
        assert (response.get_json()["size"], untouched()) == (1, True)
    elif route in TRYING_RULES:
        found = response.get_json()
        assert untouched()
        assert (found.get("fired"), found.get("not_replayable")) in ((["of-mine", "second"], None), (None, 1))
    elif route in EVENTS:
        assert response.get_json()["accepted"] == (route[1] != "/v1/batch")
    elif route == JUDGING:
        assert (response.get_json()["reason"], untouched()) == ("malformed", True)
    elif route == PROPOSING:
        assert response.get_json() == {"offers": [], "left_out": {}}
    elif route == COUNTING:
        assert response.get_json()["visitors_per_week"] == 0.5
    elif route[0] == "GET" or route in STOREFRONT:
        assert MINE in response.text
    else:
        assert not untouched()


@pytest.mark.parametrize("route", sorted(STOREFRONT), ids=" ".join)
def test_a_secret_key_opens_the_storefront_too(
    client: FlaskClient, two: dict[str, Any], route: Route
) -> None:
    response = call(client, route, secret(two["mine"][1].secret))

    if route in ECHOING | EVENTS:
        assert response.status_code == 200
    else:
        assert MINE in response.text or (route == TAKING and carts_of(two["mine"][0]) == 1)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        publishable(""),
        publishable("pk_guess"),
        publishable("sk_guess"),
        publishable("x" * 5000),
        publishable("ünïcode"),
        secret(""),
        secret("sk_guess"),
        {"Authorization": "Bearer"},
        {"Authorization": "Basic c2s6"},
        {"Authorization": ""},
        {"Cookie": "key=pk_guess"},
    ],
    ids=["none", "empty", "guessed", "guessed secret", "long", "umlauts", "empty bearer", "guessed bearer",
         "no bearer", "basic", "empty authorization", "cookie"],
)  # fmt: skip
def test_without_a_key_every_route_is_401(
    client: FlaskClient, two: dict[str, Any], headers: dict[str, str]
) -> None:
    for route in sorted(CALLS):
        # There are more routes than failures that one address may have in a minute.
        client.application.extensions["pannier_failures"]._counts.clear()
        assert_refused(call(client, route, headers), route)
    assert untouched()


@pytest.mark.parametrize("route", sorted(CALLS), ids=" ".join)
def test_nothing_is_said_of_parameters_before_the_key_is_right(client: FlaskClient, route: Route) -> None:
    for wrong in ({"data": b"{", "content_type": "application/json"}, {"query_string": {"limit": "x"}}):
        assert_refused(client.open(route[1], method=route[0], **wrong))


@pytest.mark.parametrize("route", sorted(SERVER), ids=" ".join)
def test_a_publishable_key_opens_no_route_of_servers(
    client: FlaskClient, two: dict[str, Any], route: Route
) -> None:
    key = two["mine"][1].publishable

    for headers in (publishable(key), secret(key), {"Authorization": key}):
        assert_refused(call(client, route, headers))
    query = {**CALLS[route].get("query_string", {}), "key": key}
    assert_refused(client.open(route[1], method=route[0], **{**CALLS[route], "query_string": query}))
    assert untouched()


@pytest.mark.parametrize("route", sorted(CALLS), ids=" ".join)
def test_the_key_of_another_store_gets_nothing_of_mine(
    client: FlaskClient, two: dict[str, Any], route: Route
) -> None:
    response = call(client, route, good(route, two["other"][1]))

    assert response.status_code in (accepted(route), 409 if route in BY_VERSION else 404)
    assert MINE not in response.text
    if response.status_code == 200:
        found = [v for v in json.loads(response.text).values() if isinstance(v, list)]
        for entry in (entry for entries in found for entry in entries):
            assert entry.get("recommendations", []) == []
    assert untouched()


@pytest.mark.parametrize("route", sorted(CALLS), ids=" ".join)
def test_a_rotated_key_whose_time_is_over_opens_nothing(
    app: Flask, client: FlaskClient, two: dict[str, Any], route: Route
) -> None:
    keys = two["mine"][1]
    digests = [key_digest(keys.publishable), key_digest(keys.secret)]
    over = update(StoreKey).where(StoreKey.digest.in_(digests))
    db.session.execute(over.values(expires_at=now() + timedelta(minutes=1)))
    db.session.commit()
    assert call(client, route, good(route, keys)).status_code == accepted(route)

    db.session.execute(over.values(expires_at=now() - timedelta(seconds=1)))
    db.session.commit()
    app.extensions["pannier_access"].forget()

    assert_refused(call(client, route, good(route, keys)))


@pytest.mark.parametrize("route", sorted(CALLS), ids=" ".join)
def test_an_uninstalled_store_gets_nothing(
    app: Flask, client: FlaskClient, two: dict[str, Any], route: Route
) -> None:
    store, keys = two["mine"]
    store.uninstalled_at = now()
    db.session.commit()

    assert_refused(call(client, route, good(route, keys)))
    assert_refused(call(client, route, secret(keys.secret)))
    assert untouched()


@pytest.mark.parametrize("route", sorted(CALLS), ids=" ".join)
def test_a_key_that_was_taken_away_opens_for_some_seconds_more(
    app: Flask, client: FlaskClient, two: dict[str, Any], route: Route
) -> None:
    """The price of not asking the database on every call."""
    store, keys = two["mine"]
    assert call(client, route, good(route, keys)).status_code == accepted(route)

    store.uninstalled_at = now()
    db.session.commit()
    # Still let in; what the call before has deleted is gone, and what it has made is there.
    assert call(client, route, good(route, keys)).status_code in (accepted(route), 404, 409)

    assert app.extensions["pannier_access"].ttl_s <= 5
    app.extensions["pannier_access"].forget()
    assert_refused(call(client, route, good(route, keys)))
