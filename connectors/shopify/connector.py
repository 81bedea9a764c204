"""Shopify behind the connector protocol."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.base import Connector, DeliveryContext, DeliveryHeaders, Pseudonym, Translation
from connectors.shopify import redaction, signature, topics


class Shopify:
    """See ``connectors.base.Connector`` for what each method promises."""

    platform = "shopify"

    def read_headers(self, headers: Mapping[str, str]) -> DeliveryHeaders | None:
        """Return what the headers say, or None where they are not those of a Shopify webhook."""
        return signature.read_headers(headers)

    def verify(self, raw: bytes, headers: Mapping[str, str], secrets: Sequence[bytes]) -> bool:
        """Return whether ``raw`` was signed with one of the app's ``secrets``."""
        return signature.verify(raw, headers, secrets)

    def redact(self, body: Any, pseudonym: Pseudonym) -> Any:
        """Return ``body`` without personal fields."""
        return redaction.redact(body, pseudonym)

    def dedupe_key(self, headers: DeliveryHeaders, body: Any, raw: bytes) -> str:  # noqa: ARG002
        """Return the webhook id: Shopify's own key, one per delivery and the same on a retry."""
        return headers.webhook_id or headers.delivery_id or ""

    def translate(self, body: Any, context: DeliveryContext) -> Translation:
        """Return what a redacted ``body`` means; raises PayloadError where it has the wrong shape."""
        return topics.translate(body, context)


SHOPIFY: Final[Connector] = Shopify()
