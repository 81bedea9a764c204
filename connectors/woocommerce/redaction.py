"""Dropping personal fields from WooCommerce's bodies before anything is stored.

Safe by default: a field is judged by the words of its name wherever it stands, because plug-ins add
fields of their own. ``meta_data`` is where they put whatever they like: all of it goes but the few
marks that ``mapping`` reads. A customer keeps an id, a role and times. ``order_key`` and ``payment_url``
open an order's page to whoever holds them, so they go as well.
"""

import re
from typing import Any, Final

from connectors import personal
from connectors.base import Pseudonym
from connectors.personal import PERSONAL_WORDS, Fate, Redaction, Verdict, Verdicts, email_address

# WooCommerce's own eraser writes these in the place of what it erases.
_ERASED_EMAIL: Final = "deleted@site.invalid"
_ERASED_TEXT: Final = "[deleted]"

# The line belongs to a bundle or to a composite product; the value is the key of the line it belongs to.
BUNDLE_MARKS: Final = frozenset({"_bundled_by", "_composite_parent", "_woosb_parent_id"})

# Written by the plug-in at checkout: the hash under which the shopper's browser reported the cart.
CART_MARK: Final = "_pannier_cart"
_CART_HASH: Final = re.compile(r"[0-9a-f]{64}")

_PERSONAL_WORDS: Final = PERSONAL_WORDS | {"vat"}
_PERSONAL_FIELDS: Final = frozenset({
    "billing", "shipping", "full_name", "display_name", "user_name", "user_login", "user_nicename",
    "nickname", "user_agent", "customer_user_agent", "order_key", "payment_url", "transaction_id",
    "payment_details", "used_by", "downloads", "reason", "arg", "date_of_birth", "_links",
    "identity_hash", "erased", "password_protected",
})  # fmt: skip
# Only a customer has these.
_SIGNS_OF_A_PERSON: Final = frozenset({
    "first_name", "last_name", "username", "avatar_url", "is_paying_customer",
})  # fmt: skip
_KEPT_OF_A_PERSON: Final = (
    "id", "role", "date_created", "date_created_gmt", "date_modified", "date_modified_gmt", "identity_hash",
    "erased",
)  # fmt: skip


def redact(body: Any, pseudonym: Pseudonym) -> Any:
    """Return ``body`` without personal fields; see ``connectors.base.Connector.redact``.

    An order that the shop has erased is marked ``erased``. Marks and hashes that ``body`` brings along are
    dropped: only this function writes them. So a redacted body must not be redacted again.
    """
    return _WooCommerceRedaction(pseudonym).redacted(body)


def _marks(_redaction: Redaction, meta_data: Any, _depth: int) -> list[dict[str, Any]]:
    """Return out of ``meta_data`` the marks of a bundle's line, without their values, and the hash of a cart."""
    if type(meta_data) is not list:
        return []
    marks = (_mark(meta.get("key"), meta.get("value")) for meta in meta_data if type(meta) is dict)
    return [mark for mark in marks if mark]


def _mark(key: Any, value: Any) -> dict[str, Any] | None:
    """Return what is kept of one entry of ``meta_data``, None for nothing."""
    if type(key) is not str or not value:
        return None
    if key == CART_MARK and type(value) is str and _CART_HASH.fullmatch(value):
        return {"key": key, "value": value}
    return {"key": key} if key in BUNDLE_MARKS else None


_NAMED: Final[dict[str, Verdict]] = {
    "meta_data": _marks,
    "email": Fate.TELLING,
    "billing": Fate.TELLING,
    "post_password": Fate.TELLING,
    "discount_type": Fate.TELLING,
}


def _judge(name: str) -> Verdict:
    """Return what happens to a field called ``name``."""
    return _NAMED.get(name) or personal.judge(
        name, words=_PERSONAL_WORDS, fields=_PERSONAL_FIELDS, signs_of_a_person=_SIGNS_OF_A_PERSON
    )


class _WooCommerceRedaction(Redaction):
    """The walk through one of WooCommerce's bodies."""

    __slots__ = ()

    verdicts = Verdicts(_judge)
    kept_of_a_person = _KEPT_OF_A_PERSON

    def complete(self, value: dict[str, Any], kept: dict[str, Any], depth: int) -> None:
        """Leave who it was as a keyed hash and that a page is protected; drop what a coupon tells staff."""
        if "email" in value or "billing" in value:
            kept |= _identity(value, self.pseudonym)
        if "post_password" in value:
            kept["password_protected"] = value["post_password"] not in ("", None)
        if "discount_type" in value:
            kept["discount_type"] = self.redacted(value["discount_type"], depth)
            kept.pop("description", None)


def _identity(value: dict[str, Any], pseudonym: Pseudonym) -> dict[str, Any]:
    """Return the keyed hash of the e-mail address of an order or a customer, or the mark of an erased one."""
    billing = value.get("billing")
    if type(billing) is not dict:
        billing = {}
    address = email_address(value.get("email") or billing.get("email"))
    if address == _ERASED_EMAIL or _ERASED_TEXT in billing.values():
        return {"erased": True}
    return {"identity_hash": pseudonym(address)} if address else {}
