"""Dropping personal fields from Shopify's bodies before anything is stored.

Safe by default: a field is judged by the words of its name wherever it stands, so that an object which
Shopify adds tomorrow loses its addresses too. What is about a person (an object with a name or an
address in it) keeps ids and times only. Tokens open carts, checkouts and order pages to whoever holds
them, so they go as well; a cart's token leaves its SHA-256, which joins the order to its cart.
"""

from hashlib import sha256
from typing import Any, Final

from connectors import personal
from connectors.base import Pseudonym
from connectors.personal import PERSONAL_WORDS, Fate, Redaction, Verdict, Verdicts, clean, email_address

_PERSONAL_WORDS: Final = PERSONAL_WORDS | {"receipt", "referrer", "staff", "staffs"}
_PERSONAL_FIELDS: Final = frozenset({
    "first_name", "last_name", "full_name", "display_name", "user_name", "username", "shop_owner",
    "billing_name", "shipping_name", "properties", "custom_attributes", "client_details", "user_agent",
    "accept_language", "landing_site", "landing_site_ref", "referring_site", "source_url",
    "order_status_url", "abandoned_checkout_url", "payment_details", "payment_terms", "transactions",
    "fulfillments", "returns", "multipass_identifier", "po_number", "reference", "confirmation_number",
    "date_of_birth", "identity_hash", "cart_token_hash",
    "errors",  # "John Doe is currently being merged."
})  # fmt: skip
# Only an object about a person or a place of business has these.
_SIGNS_OF_A_PERSON: Final = frozenset({
    "first_name", "last_name", "address1", "address2", "city", "zip", "verified_email", "default_address",
    "addresses", "shop_owner",
})  # fmt: skip
_KEPT_OF_A_PERSON: Final = (
    "id", "admin_graphql_api_id", "created_at", "updated_at", "myshopify_domain", "identity_hash",
)  # fmt: skip

_CURRENCIES: Final = ("shop_money", "presentment_money")
_AMOUNT: Final = ("amount", "currency_code")


def redact(body: Any, pseudonym: Pseudonym) -> Any:
    """Return ``body`` without personal fields; see ``connectors.base.Connector.redact``.

    A hash that ``body`` brings along is dropped: only this function writes them. So a redacted body
    must not be redacted again.
    """
    redacted = _ShopifyRedaction(pseudonym).redacted(body)
    if type(body) is dict and type(redacted) is dict and "line_items" in redacted:
        _seal_cart(body, redacted)
    return redacted


def _money(redaction: Redaction, value: Any, depth: int) -> Any:
    """Return an amount in the currencies of shop and shopper as it is.

    Such amounts are the bulk of an order; looking at each of their fields would take twice as long.
    """
    if type(value) is dict and len(value) == len(_CURRENCIES):
        shop, shopper = value.get("shop_money"), value.get("presentment_money")
        if (
            type(shop) is dict
            and type(shopper) is dict
            and tuple(shop) == tuple(shopper) == _AMOUNT
            and type(shop["amount"]) is type(shop["currency_code"]) is str
            and type(shopper["amount"]) is type(shopper["currency_code"]) is str
        ):
            return value
    return redaction.redacted(value, depth)


def _customer(redaction: Redaction, value: Any, depth: int) -> Any:
    """Return what may be kept of a customer, whatever fields it has."""
    kept = redaction.redacted(value, depth)
    return redaction.person(kept) if type(kept) is dict else None


def _category(redaction: Redaction, value: Any, depth: int) -> Any:
    """Return a category of Shopify's taxonomy: its ``full_name`` is a path, and nobody's name."""
    kept = redaction.redacted(value, depth)
    if type(kept) is dict and type(value.get("full_name")) is str:
        kept["full_name"] = clean(value["full_name"])
    return kept


_NAMED: Final[dict[str, Verdict]] = {
    "customer": _customer,
    "category": _category,
    "email": Fate.TELLING,
    "contact_email": Fate.TELLING,
    "cart_token": Fate.TELLING,
}


def _judge(name: str) -> Verdict:
    """Return what happens to a field called ``name``."""
    if name in _NAMED:
        return _NAMED[name]
    fate = personal.judge(
        name, words=_PERSONAL_WORDS, fields=_PERSONAL_FIELDS, signs_of_a_person=_SIGNS_OF_A_PERSON
    )
    return _money if fate is None and name.endswith("_set") else fate


class _ShopifyRedaction(Redaction):
    """The walk through one of Shopify's bodies."""

    __slots__ = ()

    verdicts = Verdicts(_judge)
    kept_of_a_person = _KEPT_OF_A_PERSON

    def complete(self, value: dict[str, Any], kept: dict[str, Any], depth: int) -> None:  # noqa: ARG002
        """Leave hashes: of a cart's token, and keyed of the shopper's e-mail address."""
        if "cart_token" in value:
            token = value["cart_token"]
            kept["cart_token_hash"] = _token_hash(token) if type(token) is str and token else None
        if "shop_owner" not in value:
            email = email_address(value.get("email")) or email_address(value.get("contact_email"))
            if email:
                kept["identity_hash"] = self.pseudonym(email)


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
