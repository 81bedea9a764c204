"""The ledger of prices, the proof of was-prices, and competitors' prices, for the merchant's own server."""

from typing import Any

from flask import g

from app.commerce.access import SERVER_DOC, server_blueprint
from app.commerce.store import StoreAccess
from app.core.db import db, now
from app.core.fields import TimeCursor
from app.core.paging import page_of
from app.pricing import competitors, ledger, usual_price
from app.pricing.ledger_schemas import (
    CompetitorPrices,
    CompetitorsTaken,
    LedgerPage,
    LedgerQuery,
    UsualAnswer,
    UsualQuery,
)
from app.pricing.usual_price import Verdict

blueprint = server_blueprint(
    "price_ledger",
    __name__,
    url_prefix="/v1/prices",
    description="Every list price that was live, and what it proves.",
)


@blueprint.route("/ledger", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(LedgerQuery, location="query")
@blueprint.response(200, LedgerPage)
def list_periods(query: dict[str, Any]) -> dict[str, Any]:
    """Return a product's list prices, the newest first: from when to when, why and by whose decision."""
    access: StoreAccess = g.access
    found = ledger.page(
        db.session.connection(),
        access.store_id,
        query["product_id"],
        query.get("variant_id"),
        query["limit"] + 1,
        query.get("cursor"),
    )
    page, cursor = page_of(found, query["limit"], lambda row: TimeCursor.of(row[1].from_at, row[0]))
    return {
        "product_id": query["product_id"],
        "periods": [period for _, period in page],
        "next_cursor": cursor,
    }


@blueprint.route("/usual", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(UsualQuery, location="query")
@blueprint.response(200, UsualAnswer)
def prove_usual_price(query: dict[str, Any]) -> dict[str, Any]:
    """Say of each variant that can be bought whether its was-price can be proved, and why. No legal advice."""
    access: StoreAccess = g.access
    moment = now()
    found = usual_price.verdicts(
        db.session.connection(), access.store_id, query["product_id"], moment, query.get("was")
    )
    return {
        "product_id": query["product_id"],
        "checked_at": moment,
        "variants": [_state(verdict) for verdict in found],
    }


def _state(verdict: Verdict) -> dict[str, Any]:
    proof = verdict.proof
    return {
        "variant_id": verdict.variant_id,
        "price": verdict.price,
        "currency": verdict.currency,
        "usual_price": verdict.usual,
        "was": proof.was if proof else None,
        "proven": proof is not None and proof.proven,
        "proven_until": proof.until if proof else None,
        "proof": proof.sentences() if proof else ["The shop states no price before."],
    }


@blueprint.route("/competitors", methods=["PUT"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(CompetitorPrices)
@blueprint.response(200, CompetitorsTaken)
def put_competitor_prices(body: dict[str, Any]) -> dict[str, Any]:
    """Take in what competitors ask. Of a product and a competitor the newest price stands."""
    access: StoreAccess = g.access
    moment = now()
    prices = [
        competitors.Price(**{**entry, "seen_at": entry["seen_at"] or moment}) for entry in body["prices"]
    ]
    refused = competitors.take_in(db.session.connection(), access.store_id, prices, moment)
    db.session.commit()
    return {
        "accepted": len(prices) - len(refused),
        "refused": [{"index": place, "reason": reason} for place, reason in sorted(refused.items())],
    }
