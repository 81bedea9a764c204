"""Dropping personal fields from WooCommerce's bodies before anything is stored.

Safe by default: a field is judged by the words of its name wherever it stands, because plug-ins add
fields of their own. ``meta_data`` is where they put whatever they like: all of it goes but the few
marks that ``mapping`` reads. A customer keeps an id, a role and times. ``order_key`` and ``payment_url``
open an order's page to whoever holds them, so they go as well.
"""

import re
from typing import Any, Final

from connectors.base import Pseudonym

# WooCommerce's own eraser writes these in the place of what it erases.
_ERASED_EMAIL: Final = "deleted@site.invalid"
_ERASED_TEXT: Final = "[deleted]"

# The line belongs to a bundle or to a composite product; the value is the key of the line it belongs to.
BUNDLE_MARKS: Final = frozenset({"_bundled_by", "_composite_parent", "_woosb_parent_id"})

# Deeper nesting than any body of WooCommerce's is cut off: it could only exhaust the stack.
_DEPTH_LIMIT: Final = 20
_VERDICTS_LIMIT: Final = 5_000

_PERSONAL_WORDS: Final = frozenset({
    "email", "emails", "mail", "phone", "phones", "mobile", "fax", "address", "addresses", "company",
    "zip", "postcode", "postal", "city", "latitude", "longitude", "ip", "birthday", "birthdate", "gender",
    "avatar", "note", "notes", "token", "password", "secret", "vat",
})  # fmt: skip
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

# "shirt@2x.png" in an image's address is no e-mail address. The bounds keep the search linear.
_EMAIL_ADDRESS: Final = re.compile(r"[\w.+%'-]{1,64}@(?!\d[\d.]*x\.)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_EMAIL_LIMIT: Final = 320


# What happens to a field that is not simply kept. Plain numbers: looking up an enum's member costs more.
_DROP: Final = 1
_SIGN_OF_A_PERSON: Final = 2  # dropped, and tells what the object around it is
_META: Final = 3
_PROTECTION: Final = 4  # of a protected product page: that there is one matters


class _Verdicts(dict[str, int | None]):
    """The verdict on each field name met so far, None to keep it: judging takes longer than looking up."""

    def __missing__(self, name: str) -> int | None:
        verdict = _judge(name)
        if len(self) < _VERDICTS_LIMIT:
            self[name] = verdict
        return verdict


def _judge(name: str) -> int | None:
    """Return what happens to a field called ``name``, None to keep it."""
    if name == "meta_data":
        return _META
    if name == "post_password":
        return _PROTECTION
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    if snake in _SIGNS_OF_A_PERSON:
        return _SIGN_OF_A_PERSON
    if snake in _PERSONAL_FIELDS or not name.isprintable():
        return _DROP
    return None if _PERSONAL_WORDS.isdisjoint(re.split(r"[^a-z]+", snake)) else _DROP


_VERDICTS: Final = _Verdicts()


def redact(body: Any, pseudonym: Pseudonym) -> Any:
    """Return ``body`` without personal fields; see ``connectors.base.Connector.redact``.

    An order that the shop has erased is marked ``erased``. Marks and hashes that ``body`` brings along are
    dropped: only this function writes them. So a redacted body must not be redacted again.
    """
    return _redacted(body, pseudonym, 0)


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
        elif verdict == _META:
            kept[name] = _bundle_marks(inner)
        elif verdict == _SIGN_OF_A_PERSON:
            about_a_person = True
        elif verdict == _PROTECTION:
            kept["password_protected"] = inner not in ("", None)
    if "billing" in value or "email" in value:
        kept |= _identity(value, pseudonym)
    if "discount_type" in value:
        kept.pop("description", None)
    return _person(kept) if about_a_person and "line_items" not in kept else kept


def _person(kept: dict[str, Any]) -> dict[str, Any]:
    """Return what may be kept of a customer."""
    return {name: kept[name] for name in _KEPT_OF_A_PERSON if name in kept}


def _identity(value: dict[str, Any], pseudonym: Pseudonym) -> dict[str, Any]:
    """Return the keyed hash of the e-mail address of an order or a customer, or the mark of an erased one."""
    billing = value.get("billing")
    if type(billing) is not dict:
        billing = {}
    email = value.get("email") or billing.get("email")
    normal = email.strip().lower() if type(email) is str else ""
    if normal == _ERASED_EMAIL or _ERASED_TEXT in billing.values():
        return {"erased": True}
    if "@" in normal and len(normal) <= _EMAIL_LIMIT:
        return {"identity_hash": pseudonym(normal)}
    return {}


def _bundle_marks(meta_data: Any) -> list[dict[str, Any]]:
    """Return the marks of a bundle's line out of ``meta_data``, without their values."""
    if type(meta_data) is not list:
        return []
    marks = (meta.get("key") for meta in meta_data if type(meta) is dict and meta.get("value"))
    return [{"key": mark} for mark in marks if type(mark) is str and mark in BUNDLE_MARKS]


def _clean(text: str) -> str:
    """Return ``text`` without e-mail addresses and without NUL, which PostgreSQL cannot hold."""
    return _EMAIL_ADDRESS.sub("", text.replace("\x00", ""))
