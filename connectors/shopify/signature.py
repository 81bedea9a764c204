"""Who sent a Shopify webhook: its headers and its signature.

https://shopify.dev/docs/apps/build/webhooks/delivery-structure lists the headers. Only the body is
signed: base64 of HMAC-SHA256 under the app's client secret. During a rotation deliveries come signed
with either secret, so both are tried.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from connectors.base import DeliveryHeaders, clean_headers, matching, signature_matches

_SIGNATURE: Final = "x-shopify-hmac-sha256"
_DOMAIN: Final = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_TOPIC: Final = re.compile(r"[a-z0-9_]{1,50}(/[a-z0-9_]{1,50}){1,2}")
_VERSION: Final = re.compile(r"[a-z0-9-]{1,20}")
_ID: Final = re.compile(r"[!-~]{1,100}")


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[bytes]) -> bool:
    """Return whether ``raw`` was signed with one of ``secrets``."""
    return signature_matches(raw, clean_headers(headers).get(_SIGNATURE, ""), secrets)


def read_headers(headers: Mapping[str, str]) -> DeliveryHeaders | None:
    """Return what the headers say, or None where one is missing that every Shopify delivery carries.

    The event id and the time are optional, as in Shopify's own libraries: an unreadable one counts as
    absent, since a delivery must not be lost for it.
    """
    clean = clean_headers(headers)
    topic = matching(_TOPIC, clean.get("x-shopify-topic"))
    domain = matching(_DOMAIN, clean.get("x-shopify-shop-domain", "").lower())
    version = matching(_VERSION, clean.get("x-shopify-api-version"))
    webhook_id = matching(_ID, clean.get("x-shopify-webhook-id"))
    if not (topic and domain and version and webhook_id and clean.get(_SIGNATURE)):
        return None
    return DeliveryHeaders(
        topic=topic,
        source=domain,
        delivery_id=webhook_id,
        event_id=matching(_ID, clean.get("x-shopify-event-id")),
        triggered_at=_instant(clean.get("x-shopify-triggered-at")),
        api_version=version,
        webhook_id=webhook_id,
    )


def _instant(value: str | None) -> datetime | None:
    """Return an RFC 3339 time as UTC, or None where it is absent or is none."""
    try:
        moment = datetime.fromisoformat(value or "")
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
