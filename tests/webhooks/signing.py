"""Headers as the platforms send them."""

import base64
import hashlib
import hmac
import uuid


def signature(raw: bytes, secret: str) -> str:
    """Return base64 of HMAC-SHA256, as both platforms sign."""
    return base64.b64encode(hmac.digest(secret.encode(), raw, hashlib.sha256)).decode()


def shopify_headers(
    raw: bytes, topic: str, domain: str, secret: str, webhook_id: str | None = None
) -> dict[str, str]:
    """Return the headers of a Shopify delivery."""
    return {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": domain,
        "X-Shopify-API-Version": "2026-07",
        "X-Shopify-Webhook-Id": webhook_id or str(uuid.uuid4()),
        "X-Shopify-Hmac-Sha256": signature(raw, secret),
    }
