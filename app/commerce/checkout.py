"""What an offer is told to a checkout: the same compact JSON for Shopify's function and WooCommerce's plugin. Pure.

A configuration is ``{"k": key, "t": title, "c": [[product id, quantity, [variant ids] or null], ...],
"d": [discounted product ids], "p": hundredths of a percent or "a": minor units, "u": currency, "s": starts,
"e": ends or null}``; times are whole seconds since 1970. Names are one letter long because a checkout has little
room: Shopify hands a function no metafield above 10,000 bytes
(https://shopify.dev/changelog/shopify-functions-input-limit-updates).
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from app.commerce.offers import (
    FEWEST_COMPONENTS,
    MOST_COMPONENTS,
    WHOLE,
    Component,
    Discount,
    DiscountKind,
    Terms,
)

_AMOUNT_FIELDS: Final = {DiscountKind.PERCENT: "p", DiscountKind.AMOUNT: "a"}


def offer_to_config(terms: Terms) -> dict[str, Any]:
    """Return the configuration of an offer; ``config_to_terms`` reads it.

    Times lose what is below a second: ``starts_at`` and ``ends_at`` are rounded down.
    """
    return {
        "k": terms.key,
        "t": terms.title,
        "c": [
            [part.product_id, part.quantity, None if part.variant_ids is None else list(part.variant_ids)]
            for part in terms.components
        ],
        "d": list(terms.discounted),
        _AMOUNT_FIELDS[terms.discount.kind]: terms.discount.value,
        "u": terms.currency,
        "s": _seconds(terms.starts_at),
        "e": None if terms.ends_at is None else _seconds(terms.ends_at),
    }


def config_to_terms(config: Mapping[str, Any]) -> Terms:
    """Return the terms that ``offer_to_config`` wrote.

    Raises:
        ValueError: if it is no configuration of an offer: fields missing or of another kind, components too few, too
            many or of one product twice, discounted products that are no components, a discount outside its range.
    """
    try:
        components = tuple(_component(entry) for entry in config["c"])
        kinds = [kind for kind, field in _AMOUNT_FIELDS.items() if field in config]
        terms = Terms(
            key=_text(config["k"]),
            title=_text(config["t"]),
            components=components,
            discounted=tuple(_text(product_id) for product_id in config["d"]),
            discount=Discount(kinds[0], _whole(config[_AMOUNT_FIELDS[kinds[0]]])),
            currency=_text(config["u"]),
            starts_at=_moment(config["s"]),
            ends_at=None if config["e"] is None else _moment(config["e"]),
        )
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, OSError) as error:
        raise ValueError("not the configuration of an offer") from error
    if len(kinds) != 1 or not _sound(terms):
        raise ValueError("not the configuration of an offer")
    return terms


def compact(value: Any) -> str:
    """Return ``value`` as the shortest JSON: no spaces, no escapes that are not needed, fields in their order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def digest(terms: Terms) -> str:
    """Return what changes when the configuration of an offer does: SHA-256 of its sorted JSON, as hex digits."""
    canonical = json.dumps(offer_to_config(terms), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _sound(terms: Terms) -> bool:
    """Tell whether the parts of an offer fit each other."""
    products = [part.product_id for part in terms.components]
    value = terms.discount.value
    return (
        FEWEST_COMPONENTS <= len(products) <= MOST_COMPONENTS
        and len(set(products)) == len(products)
        and all(part.quantity > 0 for part in terms.components)
        and 0 < len(set(terms.discounted)) == len(terms.discounted)
        and set(terms.discounted) <= set(products)
        and value > 0
        and (terms.discount.kind is DiscountKind.AMOUNT or value <= WHOLE)
    )


def _component(entry: Any) -> Component:
    """Return a component of its configuration."""
    product_id, quantity, variant_ids = entry
    variants = None if variant_ids is None else tuple(_text(variant_id) for variant_id in variant_ids)
    return Component(_text(product_id), _whole(quantity), variants)


def _text(value: Any) -> str:
    """Return ``value``, which must be text with something in it."""
    if not isinstance(value, str) or not value:
        raise TypeError("text expected")
    return value


def _whole(value: Any) -> int:
    """Return ``value``, which must be a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("whole number expected")
    return value


def _seconds(moment: datetime) -> int:
    """Return the whole seconds from 1970 to ``moment``."""
    return int(moment.timestamp() // 1)


def _moment(seconds: Any) -> datetime:
    """Return the moment that many seconds after 1970."""
    return datetime.fromtimestamp(_whole(seconds), UTC)
