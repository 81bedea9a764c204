"""Handing out quotes, and taking them in: what a price may be, and that each counts once."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import delete, select, text

from app.commerce.catalog import ELIGIBLE_SQL, LISTED_SQL
from app.commerce.offers import Discount, discount_on
from app.commerce.store import StoreAccess
from app.core.db import db
from app.pricing.guards import WHOLE, lowest_with_margin
from app.pricing.models import PriceQuote
from app.pricing.quote_keys import QUOTES_LOCK, window_keys
from app.pricing.quotes import LARGEST_PRICE, Refusal, issue, read, window_for
from app.privacy.subjects import CUSTOMER, digest
from app.privacy.suppression import suppressed
from connectors.discounts import QuoteKey

# How long a quote is kept after its end, so that the merchant can tell why somebody paid what.
KEPT: Final = timedelta(days=30)
# Nine bytes are the twelve characters that a quote has for its id.
_NONCE_BYTES: Final = 9
_HUNDREDTHS: Final = 100

_WARE: Final = f"""
    SELECT COALESCE(v.price, p.price) AS price, COALESCE(v.cost, p.cost) AS cost, p.currency
    FROM product p
    LEFT JOIN variant v ON v.store_id = p.store_id AND v.product_id = p.id AND v.platform_id = %(variant)s
        AND {LISTED_SQL}
    WHERE p.store_id = %(store)s AND p.platform_id = %(product)s AND {ELIGIBLE_SQL}
        AND (v.id IS NOT NULL OR (p.platform_id = %(variant)s AND NOT EXISTS (
            SELECT FROM variant v WHERE v.store_id = p.store_id AND v.product_id = p.id AND {LISTED_SQL})))
"""


class Bound(StrEnum):
    """What kept a quote from being the price that was asked for."""

    LIST_PRICE = "list_price"  # a quote is never dearer than the list price
    FLOOR = "floor"  # the cost of the piece with the least margin


class Void(StrEnum):
    """Why a quote that is well signed does not count any more."""

    REDEEMED = "redeemed"
    WITHDRAWN = "withdrawn"  # nobody has it on record: the customer was erased


@dataclass(frozen=True, slots=True)
class Ware:
    """What is quoted: prices and cost of one piece in minor units, None where that is unknown."""

    product_id: str
    variant_id: str
    list_price: int
    cost: int | None
    currency: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What a merchant's server asks for. Either ``price``, in minor units, or ``discount`` on the list price."""

    price: int | None
    discount: Discount | None
    customer_id: str | None
    lasting: timedelta
    reason: str


@dataclass(frozen=True, slots=True)
class Handed:
    """A quote as it is handed out. ``again`` says that it is the customer's earlier one, at its own price."""

    token: str
    row: PriceQuote
    bound: Bound | None
    again: bool


def ware(store_id: int, product_id: str, variant_id: str) -> Ware | None:
    """Return a variant that shoppers can buy now; None where there is none of that name.

    A product without variants is its own one (WooCommerce).
    """
    row = (
        db.session.connection()
        .exec_driver_sql(_WARE, {"store": store_id, "product": product_id, "variant": variant_id})
        .one_or_none()
    )
    if row is None or not row.price or row.currency is None:
        return None
    return Ware(product_id, variant_id, row.price, row.cost, row.currency)


def floor_of(piece: Ware, access: StoreAccess) -> int | None:
    """Return the lowest price that a quote may name; None where the cost is unknown.

    The cost of the piece with the setting ``quote_margin_percent`` on top, tax included (``included_tax_percent``).
    Where the shop does not tell the cost it follows from ``margin_percent``, if that is set: rounded up.
    """
    tax = _hundredths(access, "included_tax_percent")
    usual = _hundredths(access, "margin_percent")
    cost = piece.cost
    if cost is None and usual:
        cost = -(-piece.list_price * (WHOLE - usual) // (WHOLE + tax))
    return (
        None if cost is None else lowest_with_margin(cost, _hundredths(access, "quote_margin_percent"), tax)
    )


def price_within(wanted: int, list_price: int, floor: int) -> tuple[int, Bound | None]:
    """Return the price nearest to ``wanted`` that may be quoted, and what kept it from being that.

    The list price wins over the floor: nobody is asked for more than the shop asks of everybody.
    """
    lowest = min(max(floor, 1), list_price)
    if wanted < lowest:
        return lowest, Bound.FLOOR
    if wanted > list_price:
        return list_price, Bound.LIST_PRICE
    return wanted, None


def hand_out(access: StoreAccess, piece: Ware, floor: int, wish: Wish, at: datetime) -> Handed:
    """Return a quote for ``piece``, in the caller's transaction.

    A customer who has one for the same variant gets the same again until it is redeemed or expires, at the same price
    and whatever is asked for now: nobody watches a price move while deciding.
    """
    connection = db.session.connection()
    customer = _customer(access.store_id, wish.customer_id)
    if customer is not None:
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:room, hashtext(:whose))"),
            {"room": QUOTES_LOCK, "whose": f"{access.store_id} {customer.hex()} {piece.variant_id}"},
        )
        earlier = _running(access.store_id, customer, piece.variant_id, at)
        if earlier is not None:
            return Handed(_token(earlier, wish.customer_id, at), earlier, None, again=True)
    price, bound = price_within(_wanted(wish, piece.list_price), piece.list_price, floor)
    row = PriceQuote(
        store_id=access.store_id,
        id=secrets.token_urlsafe(_NONCE_BYTES),
        product_id=piece.product_id,
        variant_id=piece.variant_id,
        price=price,
        list_price=piece.list_price,
        currency=piece.currency,
        customer=customer,
        reason=wish.reason,
        issued_at=at,
        expires_at=key_for(access.store_id, at, wish.lasting).not_after,
    )
    db.session.add(row)
    db.session.flush()
    return Handed(_token(row, wish.customer_id, at), row, bound, again=False)


def key_for(store_id: int, at: datetime, lasting: timedelta) -> QuoteKey:
    """Return the key that signs a quote of ``at`` which is to hold for ``lasting``."""
    keys = window_keys(store_id, at)
    return keys[window_for(at, lasting) - window_for(at, timedelta(0))]


def take_in(
    access: StoreAccess, token: str, variant_id: str, customer_id: str | None, at: datetime, *, redeem: bool
) -> PriceQuote | Refusal | Void:
    """Return the quote if it counts, in the caller's transaction; with ``redeem`` it counts no more afterwards."""
    found = read(
        token,
        window_keys(access.store_id, at),
        at,
        variant_id=variant_id,
        currency=access.currency,
        customer_id=customer_id,
    )
    if isinstance(found, Refusal):
        return found
    # Of two that redeem it together, the second waits here and finds it redeemed.
    row = db.session.scalar(
        select(PriceQuote)
        .where(PriceQuote.store_id == access.store_id, PriceQuote.id == found.nonce)
        .with_for_update()
    )
    if row is None:
        return Void.WITHDRAWN
    if row.redeemed_at is not None:
        return Void.REDEEMED
    if redeem:
        row.redeemed_at = at
        db.session.flush()
    return row


def forget_old(at: datetime) -> int:
    """Delete quotes whose time is long over, in the caller's transaction; return how many."""
    removed = db.session.connection().execute(delete(PriceQuote).where(PriceQuote.expires_at < at - KEPT))
    return removed.rowcount


def _customer(store_id: int, customer_id: str | None) -> bytes | None:
    """Return the digest under which a quote is kept; None for guests, and for who was erased."""
    if customer_id is None:
        return None
    found = digest(store_id, CUSTOMER, customer_id)
    return None if suppressed(db.session.connection(), store_id, [found]) else found


def _running(store_id: int, customer: bytes, variant_id: str, at: datetime) -> PriceQuote | None:
    return db.session.scalar(
        select(PriceQuote)
        .where(
            PriceQuote.store_id == store_id,
            PriceQuote.customer == customer,
            PriceQuote.variant_id == variant_id,
            PriceQuote.redeemed_at.is_(None),
            PriceQuote.expires_at > at,
        )
        .order_by(PriceQuote.expires_at.desc())
        .limit(1)
    )


def _token(row: PriceQuote, customer_id: str | None, at: datetime) -> str:
    key = next(key for key in window_keys(row.store_id, at) if key.not_after == row.expires_at)
    return issue(key, row.variant_id, row.price, row.currency, customer_id, row.id)


def _wanted(wish: Wish, list_price: int) -> int:
    if wish.discount is not None:
        return list_price - discount_on(list_price, wish.discount)
    return list_price if wish.price is None else min(wish.price, LARGEST_PRICE)


def _hundredths(access: StoreAccess, setting: str) -> int:
    return round(access.setting(setting) * _HUNDREDTHS)
