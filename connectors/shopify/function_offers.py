"""Offers as the configuration of the store's one discount function. Pure.

The configuration of an offer stands in a metafield of one of its products, where the function finds it with the cart's
lines. Of its products that is the one with the fewest offers, so that none carries many.

Which products carry one stands in a metafield of the function's discount, with a mark of what was written: so what is
unchanged is not sent again, and what nobody wants any more is found whatever was forgotten.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.commerce.checkout import compact, offer_to_config
from app.commerce.offers import Terms
from connectors.discounts import QuoteKey
from connectors.shopify.discount_documents import NAMESPACE, OFFERS, OWNERS, SETTINGS, TAG
from connectors.shopify.native_offers import COMBINES

HANDLE: Final = "pannier-discounts"
# https://shopify.dev/docs/api/admin-graphql/latest/mutations/metafieldsSet
MOST_METAFIELDS: Final = 25
# A function is given no metafield above 10,000 bytes, and nothing at all where its whole input is above 64,000
# (https://shopify.dev/changelog/shopify-functions-input-limit-updates). Reading costs it effort, too: of its eleven
# million instructions about 0.3 million for a kilobyte. A cart of fifteen such products is still read.
MOST_BYTES: Final = 2_000
_SLOTS: Final = 4
_LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Arranged:
    """Which product carries which offers, the most valuable first.

    Attributes:
        offers: the offers by the id of the product that carries them.
        values: what the product's metafield says, JSON text.
        crowded: offers that no longer found room with their product.
    """

    offers: Mapping[str, tuple[Terms, ...]]
    values: Mapping[str, str]
    crowded: tuple[Terms, ...]


def arrange(wanted: Iterable[Terms]) -> Arranged:
    """Return where the configuration of every offer stands."""
    every = list(wanted)
    counted = Counter(part.product_id for terms in every for part in terms.components)
    offers: dict[str, list[Terms]] = {}
    texts: dict[str, list[str]] = {}
    sizes: dict[str, int] = {}
    crowded = []
    for terms in every:
        carrier = min((part.product_id for part in terms.components), key=counted.__getitem__)
        text = compact(offer_to_config(terms))
        size = len(text.encode()) + 1
        if sizes.get(carrier, 1) + size > MOST_BYTES:
            crowded.append(terms)
            continue
        sizes[carrier] = sizes.get(carrier, 1) + size
        offers.setdefault(carrier, []).append(terms)
        texts.setdefault(carrier, []).append(text)
    values = {carrier: f"[{','.join(parts)}]" for carrier, parts in texts.items()}
    return Arranged({carrier: tuple(parts) for carrier, parts in offers.items()}, values, tuple(crowded))


def mark(value: str) -> str:
    """Return a short mark of what a metafield says."""
    return hashlib.sha256(value.encode()).hexdigest()[:8]


def discount_input() -> dict[str, Any]:
    """Return the ``DiscountAutomaticAppInput`` of the one discount that runs the function."""
    return {
        "title": "Bought together",
        "functionHandle": HANDLE,
        "discountClasses": ["PRODUCT"],
        "startsAt": _LONG_AGO.isoformat(),
        "combinesWith": COMBINES,
        "tags": [TAG],
        "metafields": [
            {"namespace": NAMESPACE, "key": SETTINGS, "type": "json", "value": compact(settings([], "UTC"))}
        ],
    }


def settings(keys: Sequence[QuoteKey], timezone: str) -> dict[str, Any]:
    """Return what the function is told of ``keys``, the first four of them.

    A function has no clock, but may ask whether the shop's local time is before a moment that its settings name: so
    the ends of keys stand there as local times of the shop, without a zone.
    """
    zone = ZoneInfo(timezone)
    told = [(key, f"{key.not_after.astimezone(zone):%Y-%m-%dT%H:%M:%S}") for key in keys[:_SLOTS]]
    ends = [end for _, end in told] + [f"{_LONG_AGO:%Y-%m-%dT%H:%M:%S}"] * (_SLOTS - len(told))
    return {
        "v": 1,
        "keys": [{"id": key.id, "secret": _base64url(key.secret), "until": end} for key, end in told],
        **{f"until{place}": end for place, end in enumerate(ends)},
    }


def offers_field(product_id: str, value: str) -> dict[str, str]:
    """Return the ``MetafieldsSetInput`` of a product's offers."""
    return {**offers_place(product_id), "type": "json", "value": value}


def offers_place(product_id: str) -> dict[str, str]:
    """Return the ``MetafieldIdentifierInput`` of a product's offers."""
    return {"ownerId": product_gid(product_id), "namespace": NAMESPACE, "key": OFFERS}


def owners_field(discount: str, owners: Mapping[str, str]) -> dict[str, str]:
    """Return the ``MetafieldsSetInput`` that remembers which products carry offers."""
    value = compact(dict(owners))
    return {"ownerId": discount, "namespace": NAMESPACE, "key": OWNERS, "type": "json", "value": value}


def settings_field(discount: str, said: Mapping[str, Any]) -> dict[str, str]:
    """Return the ``MetafieldsSetInput`` of the function's settings."""
    value = compact(dict(said))
    return {"ownerId": discount, "namespace": NAMESPACE, "key": SETTINGS, "type": "json", "value": value}


def product_gid(product_id: str) -> str:
    """Return the global id of a product."""
    return f"gid://shopify/Product/{product_id}"


def _base64url(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
