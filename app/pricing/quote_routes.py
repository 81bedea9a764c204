"""Quotes for the merchant's own server: have a price signed, and have one that came back judged."""

from datetime import timedelta
from typing import Any, Final

from flask import g

from app.commerce.access import NOT_FOUND_OR_CONFLICT, SERVER_DOC, server_blueprint
from app.commerce.offers import Discount, DiscountKind
from app.commerce.store import StoreAccess
from app.core.db import db, now
from app.core.errors import Conflict, NotFound, Unavailable
from app.pricing.models import PriceQuote
from app.pricing.quote_keys import checkout_accepts, problem_of
from app.pricing.quote_schemas import QuoteCheck, QuoteRequest, QuoteState, QuoteVerdict
from app.pricing.quoting import Ware, Wish, floor_of, hand_out, key_for, take_in, ware

blueprint = server_blueprint(
    "quotes",
    __name__,
    url_prefix="/v1/prices/quote",
    description="Signed prices, for one customer and a few minutes.",
)
_RETRY_S: Final = 60
_SHOWN: Final = (
    "product_id",
    "variant_id",
    "price",
    "list_price",
    "currency",
    "expires_at",
    "redeemed_at",
)


@blueprint.route("", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(QuoteRequest)
@blueprint.response(200, QuoteState)
def quote_price(body: dict[str, Any]) -> dict[str, Any]:
    """Sign a price that is not above the list price and not below the floor.

    A customer who asks again gets the same quote until it is redeemed or expires. Nothing is signed that the checkout
    would not accept.
    """
    access: StoreAccess = g.access
    piece = ware(access.store_id, body["product_id"], body["variant_id"])
    if piece is None:
        raise NotFound("No such variant of such a product can be bought now.")
    if not access.setting("price_quotes"):
        raise Conflict("Quotes are switched off: set the store's price_quotes to 1.")
    if piece.currency != access.currency:
        raise Conflict(f"The product is priced in {piece.currency} and the store sells in {access.currency}.")
    floor = floor_of(piece, access)
    if floor is None:
        raise Conflict(
            "What the product costs you is not known: send costs, or set the store's margin_percent."
        )
    return _hand_out(access, piece, floor, _wish(body))


@blueprint.route("/verify", methods=["POST"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(QuoteCheck)
@blueprint.response(200, QuoteVerdict)
def verify_quote(body: dict[str, Any]) -> dict[str, Any]:
    """Say whether a quote counts for a cart line, and redeem it: a second time it does not count.

    For checkouts of one's own; Shopify's and WooCommerce's check by themselves.
    """
    access: StoreAccess = g.access
    found = take_in(
        access, body["quote"], body["variant_id"], body["customer_id"], now(), redeem=body["redeem"]
    )
    if not isinstance(found, PriceQuote):
        db.session.commit()
        return {"valid": False, "reason": found, **dict.fromkeys(_SHOWN)}
    shown = {"valid": True, "reason": None, **{name: getattr(found, name) for name in _SHOWN}}
    db.session.commit()
    return shown


def _hand_out(access: StoreAccess, piece: Ware, floor: int, wish: Wish) -> dict[str, Any]:
    at = now()
    key = key_for(access.store_id, at, wish.lasting)
    if not checkout_accepts(access.store_id, key):
        db.session.commit()  # the root secret, if this was its first use: the keys that are told now follow from it
        problem = problem_of(access.store_id)
        if problem is not None:
            raise Conflict(problem)
        raise Unavailable(
            "The shop's checkout does not have the keys of quotes yet; it is being told.",
            retry_after_seconds=_RETRY_S,
        )
    handed = hand_out(access, piece, floor, wish, at)
    row = handed.row
    shown = {
        "quote": handed.token,
        "product_id": row.product_id,
        "variant_id": row.variant_id,
        "price": row.price,
        "list_price": row.list_price,
        "currency": row.currency,
        "expires_at": row.expires_at,
        "bound": handed.bound,
        "again": handed.again,
    }
    db.session.commit()
    return shown


def _wish(body: dict[str, Any]) -> Wish:
    percent: float | None = body.get("discount_percent")
    return Wish(
        price=body.get("price"),
        discount=None if percent is None else Discount(DiscountKind.PERCENT, round(percent * 100)),
        customer_id=body["customer_id"],
        lasting=timedelta(minutes=body["minutes"]),
        reason=body["reason"],
    )
