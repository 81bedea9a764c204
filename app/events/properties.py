"""What is kept of an event's properties: no personal field, in the spec's words, and the products that they name."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from app.events.names import GA4_FIELDS, GA4_ITEM_FIELDS
from connectors.personal import PERSONAL_WORDS, Redaction, Verdict, Verdicts, clean, judge

# What cannot be another's in the shop's own words, and what names a browser, an account or a cart.
_WORDS: Final = PERSONAL_WORDS | {
    "surname", "firstname", "lastname", "fullname", "username", "nickname", "cookie", "cookies", "fingerprint", "birth",
    "customer", "visitor", "referrer", "referring", "card", "iban",
}  # fmt: skip
_FIELDS: Final = frozenset({
    "first_name", "last_name", "full_name", "display_name", "user_name", "name_on_card", "cart_id", "checkout_id",
    "session_id", "client_id", "ga_session_id", "ga_client_id", "user_id", "anonymous_id", "device_id", "distinct_id",
    "advertising_id", "idfa", "gaid", "traits", "url", "href", "search", "landing_page", "page_location",
    "page_referrer", "user_agent", "share_message", "recipient", "review_body", "wishlist_name",
})  # fmt: skip
# Where Pannier itself keeps what links an event's identifiers; nobody else writes it.
LINKS: Final = "$links"

MOST_PRODUCTS: Final = 250
_LONGEST_ID: Final = 100
_PRODUCT_IDS: Final = ("product_id", "productId", "item_id", "id")


def _judge(name: str) -> Verdict:
    return judge(name, words=_WORDS, fields=_FIELDS, signs_of_a_person=frozenset())


class _Properties(Redaction):
    """Drops personal fields wherever they stand, and e-mail addresses in texts."""

    __slots__ = ()

    verdicts: ClassVar[Verdicts] = Verdicts(_judge)
    kept_of_a_person: ClassVar[tuple[str, ...]] = ()


_redaction: Final = _Properties(lambda _identifier: "")


def kept(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties without personal fields and without what is Pannier's own."""
    found: dict[str, Any] = _redaction.redacted(dict(properties))
    found.pop(LINKS, None)
    return found


def without_addresses(text: str) -> str:
    """Return a text without e-mail addresses."""
    return clean(text) if "@" in text else text


def in_the_specs_words(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return properties as the spec has them, also where they are GA4's (``items``, alone or in ``ecommerce``)."""
    inner = properties.get("ecommerce")
    if isinstance(inner, Mapping) and isinstance(inner.get("items"), list):
        properties = {k: v for k, v in properties.items() if k != "ecommerce"} | dict(inner)
    items = properties.get("items")
    if not isinstance(items, list) or "products" in properties:
        return _renamed(properties, GA4_FIELDS) if "search_term" in properties else properties
    found = _renamed(properties, GA4_FIELDS)
    del found["items"]
    found["products"] = [
        _renamed(item, GA4_ITEM_FIELDS) if isinstance(item, dict) else item for item in items
    ]
    return found


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return fields under other names; one that has the other name already stays."""
    return {names.get(k, k) if names.get(k) not in fields else k: v for k, v in fields.items()}


def products_of(properties: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the platform ids of the products that an event names, each once, in its order, 250 at most."""
    listed = properties.get("products")
    entries: Iterable[Any] = listed if isinstance(listed, list) else ()
    found: dict[str, None] = {}
    for names, entry in ((_PRODUCT_IDS[:3], properties), *((_PRODUCT_IDS, entry) for entry in entries)):
        product = _product_of(entry, names) if isinstance(entry, Mapping) else None
        if product is not None:
            found[product] = None
        if len(found) == MOST_PRODUCTS:
            break
    return tuple(found)


def _product_of(entry: Mapping[str, Any], names: Iterable[str]) -> str | None:
    for name in names:
        value = entry.get(name)
        if type(value) is int:
            value = str(value)
        if type(value) is str and value and len(value) <= _LONGEST_ID and value.isprintable():
            return value
    return None


def more_entries_than(value: Any, limit: int) -> bool:
    """Return whether a JSON value holds more than ``limit`` fields and list entries in all."""
    count, waiting = 0, [value]
    while waiting:
        inner = waiting.pop()
        entries = inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ()
        count += len(entries)
        if count > limit:
            return True
        waiting += entries
    return False
