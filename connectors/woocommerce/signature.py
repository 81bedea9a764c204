"""Who sent a WooCommerce webhook: its headers and its signature.

Only the body is signed: base64 of HMAC-SHA256 under the webhook's secret. Neither a time nor the headers
are, so the topic is checked against the body and a delivery address belongs to one webhook. The ping that
WooCommerce sends when a webhook is saved carries none of these headers.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from connectors.base import DeliveryHeaders, clean_headers, matching, signature_matches

_SIGNATURE: Final = "x-wc-webhook-signature"
_TOPIC: Final = re.compile(r"[a-z]{1,20}\.[a-z0-9_]{1,100}")
_SOURCE: Final = re.compile(r"https?://[!-~]{1,300}")
_ID: Final = re.compile(r"[!-~]{1,100}")


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[bytes]) -> bool:
    """Return whether ``raw`` was signed with one of ``secrets``."""
    return signature_matches(raw, clean_headers(headers).get(_SIGNATURE, ""), secrets)


def read_headers(headers: Mapping[str, str]) -> DeliveryHeaders | None:
    """Return what the headers say, or None where one is missing, as in a ping."""
    clean = clean_headers(headers)
    topic = matching(_TOPIC, clean.get("x-wc-webhook-topic"))
    source = matching(_SOURCE, clean.get("x-wc-webhook-source"))
    webhook_id = matching(_ID, clean.get("x-wc-webhook-id"))
    delivery_id = matching(_ID, clean.get("x-wc-webhook-delivery-id"))
    if not (topic and source and webhook_id and delivery_id and clean.get(_SIGNATURE)):
        return None
    return DeliveryHeaders(topic=topic, source=source, delivery_id=delivery_id, webhook_id=webhook_id)
