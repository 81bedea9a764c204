"""Dropping personal fields from Shopify's bodies before anything is stored.

Safe by default: a field is judged by the words of its name wherever it stands, so that an object which
Shopify adds tomorrow loses its addresses too. What is about a person (an object with a name or an
address in it) keeps ids and times only. Tokens open carts, checkouts and order pages to whoever holds
them, so they go as well; a cart's token leaves its SHA-256, which joins the order to its cart.
"""

import re
from hashlib import sha256
from typing import Any, Final

from connectors.base import Pseudonym

# Deeper nesting than any body of Shopify's is cut off: it could only exhaust the stack.
_DEPTH_LIMIT: Final = 20
_VERDICTS_LIMIT: Final = 5_000

_PERSONAL_WORDS: Final = frozenset({
    "email", "emails", "mail", "phone", "phones", "mobile", "fax", "address", "addresses", "company",
    "zip", "postcode", "postal", "city", "latitude", "longitude", "ip", "birthday", "birthdate", "gender",
    "avatar", "note", "notes", "token", "password", "secret", "receipt", "referrer", "staff", "staffs",
})  # fmt: skip
_PERSONAL_FIELDS: Final = frozenset({
    "first_name", "last_name", "full_name", "display_name", "user_name", "username", "shop_owner",
    "billing_name", "shipping_name", "properties", "custom_attributes", "client_details", "user_agent",
    "accept_language", "landing_site", "landing_site_ref", "referring_site", "source_url",
    "order_status_url", "abandoned_checkout_url", "payment_details", "payment_terms", "transactions",
    "fulfillments", "returns", "multipass_identifier", "po_number", "reference", "confirmation_number",
    "date_of_birth", "identity_hash", "cart_token_hash",
})  # fmt: skip
# Only an object about a person or a place of business has these.
_SIGNS_OF_A_PERSON: Final = frozenset({
    "first_name", "last_name", "address1", "address2", "city", "zip", "verified_email", "default_address",
    "addresses", "shop_owner",
})  # fmt: skip
_KEPT_OF_A_PERSON: Final = (
    "id", "admin_graphql_api_id", "created_at", "updated_at", "myshopify_domain", "identity_hash",
)  # fmt: skip

# "shirt@2x.png" in an image's address is no e-mail address. The bounds keep the search linear.
_EMAIL_ADDRESS: Final = re.compile(r"[\w.+%'-]{1,64}@(?!\d[\d.]*x\.)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_EMAIL_LIMIT: Final = 320


# What happens to a field that is not simply kept. Plain numbers: looking up an enum's member costs more.
_DROP: Final = 1
_SIGN_OF_A_PERSON: Final = 2  # dropped, and tells what the object around it is
_CART: Final = 3
_CUSTOMER: Final = 4
_CATEGORY: Final = 5
_MONEY: Final = 6


_NAMED_VERDICTS: Final = {"cart_token": _CART, "customer": _CUSTOMER, "category": _CATEGORY}


class _Verdicts(dict[str, int | None]):
    """The verdict on each field name met so far, None to keep it: judging takes longer than looking up."""

    def __missing__(self, name: str) -> int | None:
        verdict = _judge(name)
        if len(self) < _VERDICTS_LIMIT:
            self[name] = verdict
        return verdict


def _judge(name: str) -> int | None:
    """Return what happens to a field called ``name``, None to keep it."""
    if name in _NAMED_VERDICTS:
        return _NAMED_VERDICTS[name]
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    if snake in _SIGNS_OF_A_PERSON:
        return _SIGN_OF_A_PERSON
    if snake in _PERSONAL_FIELDS or not name.isprintable():
        return _DROP
    if not _PERSONAL_WORDS.isdisjoint(re.split(r"[^a-z]+", snake)):
        return _DROP
    return _MONEY if name.endswith("_set") else None


_VERDICTS: Final = _Verdicts()
_CURRENCIES: Final = ("shop_money", "presentment_money")
_AMOUNT: Final = frozenset({"amount", "currency_code"})


def redact(body: Any, pseudonym: Pseudonym) -> Any:
    """Return ``body`` without personal fields; see ``connectors.base.Connector.redact``.

    A hash that ``body`` brings along is dropped: only this function writes them. So a redacted body
    must not be redacted again.
    """
    redacted = _redacted(body, pseudonym, 0)
    if type(body) is dict and type(redacted) is dict and "line_items" in redacted:
        _seal_cart(body, redacted)
    return redacted


def _redacted(value: Any, pseudonym: Pseudonym, depth: int) -> Any:
    """Return any JSON value without personal fields."""
    kind = type(value)
    if kind is dict:
        return _object(value, pseudonym, depth + 1)
    if kind is list:
        return _list(value, pseudonym, depth + 1)
    return _clean(value) if kind is str else value


def _list(value: list[Any], pseudonym: Pseudonym, depth: int) -> list[Any] | None:
    """Return a JSON array without personal fields, None where it lies too deep."""
    if depth > _DEPTH_LIMIT:
        return None
    return [
        _object(item, pseudonym, depth + 1) if type(item) is dict else _redacted(item, pseudonym, depth)
        for item in value
    ]


def _object(value: dict[str, Any], pseudonym: Pseudonym, depth: int) -> dict[str, Any] | None:
    """Return a JSON object without personal fields, None where it lies too deep.

    Every field of every order passes here within the request that receives it: texts are looked at in
    place, because a call for each would take longer than all the rest.
    """
    if depth > _DEPTH_LIMIT:
        return None
    kept: dict[str, Any] = {}
    about_a_person = False
    verdicts = _VERDICTS
    for name, inner in value.items():
        verdict = verdicts[name]
        if verdict is None:
            kind = type(inner)
            if kind is str:
                kept[name] = _clean(inner) if "@" in inner or "\x00" in inner else inner
            elif kind is dict:
                kept[name] = _object(inner, pseudonym, depth + 1)
            elif kind is list:
                kept[name] = _list(inner, pseudonym, depth + 1)
            else:
                kept[name] = inner
        elif verdict == _SIGN_OF_A_PERSON:
            about_a_person = True
        elif verdict == _CART:
            kept["cart_token_hash"] = _token_hash(inner) if type(inner) is str and inner else None
        elif verdict != _DROP:
            kept[name] = _PARTS[verdict](inner, pseudonym, depth)
    if "email" in value or "contact_email" in value:
        kept |= _identity(value, pseudonym)
    return _person(kept) if about_a_person and "line_items" not in kept else kept


def _money(value: Any, pseudonym: Pseudonym, depth: int) -> Any:
    """Return an amount in the currencies of shop and shopper as it is.

    Such amounts are the bulk of an order; looking at each of their fields would take twice as long.
    """
    if type(value) is dict and len(value) == len(_CURRENCIES):
        shop, shopper = value.get("shop_money"), value.get("presentment_money")
        if type(shop) is dict and type(shopper) is dict and shop.keys() == shopper.keys() == _AMOUNT:
            return value
    return _redacted(value, pseudonym, depth)


def _customer(value: Any, pseudonym: Pseudonym, depth: int) -> Any:
    """Return what may be kept of a customer, whatever fields it has."""
    kept = _redacted(value, pseudonym, depth)
    return _person(kept) if type(kept) is dict else None


def _category(value: Any, pseudonym: Pseudonym, depth: int) -> Any:
    """Return a category of Shopify's taxonomy: its ``full_name`` is a path, and nobody's name."""
    kept = _redacted(value, pseudonym, depth)
    if type(kept) is dict and type(value.get("full_name")) is str:
        kept["full_name"] = _clean(value["full_name"])
    return kept


_PARTS: Final = {_CUSTOMER: _customer, _CATEGORY: _category, _MONEY: _money}


def _person(kept: dict[str, Any]) -> dict[str, Any]:
    """Return what may be kept of an object about a person."""
    return {name: kept[name] for name in _KEPT_OF_A_PERSON if name in kept}


def _identity(value: dict[str, Any], pseudonym: Pseudonym) -> dict[str, str]:
    """Return the keyed hash of the shopper's e-mail address that stands in this object, if one does."""
    if "shop_owner" in value:
        return {}
    for name in ("email", "contact_email"):
        email = value.get(name)
        normal = email.strip().lower() if type(email) is str else ""
        if "@" in normal and len(normal) <= _EMAIL_LIMIT:
            return {"identity_hash": pseudonym(normal)}
    return {}


def _seal_cart(body: dict[str, Any], redacted: dict[str, Any]) -> None:
    """Drop what only the order's tags and a cart's own token may hold.

    Staff write into an order's tags what they like. The id of a cart *is* its token.
    """
    redacted.pop("tags", None)
    token = body.get("id")
    if type(token) is str:
        redacted.pop("id", None)
        redacted["cart_token_hash"] = _token_hash(token)


def _token_hash(token: str) -> str:
    """Return the SHA-256 of a cart's token, which some senders follow with ``?key=…``."""
    return sha256(token.partition("?")[0].encode()).hexdigest()


def _clean(text: str) -> str:
    """Return ``text`` without e-mail addresses and without NUL, which PostgreSQL cannot hold."""
    return _EMAIL_ADDRESS.sub("", text.replace("\x00", ""))
