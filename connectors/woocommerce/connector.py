"""WooCommerce behind the connector protocol."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import orjson

from connectors.base import Connector, DeliveryContext, DeliveryHeaders, Pseudonym, Translation
from connectors.woocommerce import redaction, signature, topics

# ``related_ids`` is another random sample each time; ``_links`` says nothing.
_VOLATILE: Final = frozenset({"related_ids", "_links"})


class WooCommerce:
    """See ``connectors.base.Connector`` for what each method promises."""

    platform = "woocommerce"

    def read_headers(self, headers: Mapping[str, str]) -> DeliveryHeaders | None:
        """Return what the headers say, or None for a ping, which has none."""
        return signature.read_headers(headers)

    def verify(self, raw: bytes, headers: Mapping[str, str], secrets: Sequence[bytes]) -> bool:
        """Return whether ``raw`` was signed with one of the webhook's ``secrets``."""
        return signature.verify(raw, headers, secrets)

    def redact(self, body: Any, pseudonym: Pseudonym) -> Any:
        """Return ``body`` without personal fields."""
        return redaction.redact(body, pseudonym)

    def dedupe_key(self, headers: DeliveryHeaders, body: Any, raw: bytes) -> str:
        """Return a digest of topic, resource and its state.

        The delivery id is no key: WooCommerce makes one per webhook and second, for up to dozens of
        different orders. It only joins the digest where the body is no state of a resource, as an order
        can be put into the bin twice.
        """
        content = _content(body, raw)
        whole = isinstance(body, dict) and "id" in body and len(body) > 1
        delivery_id = "" if whole else headers.delivery_id or ""
        return sha256(b"\n".join((headers.topic.encode(), delivery_id.encode(), content))).hexdigest()

    def translate(self, body: Any, context: DeliveryContext) -> Translation:
        """Return what a redacted ``body`` means; raises PayloadError where it has the wrong shape."""
        return topics.translate(body, context)


def _content(body: Any, raw: bytes) -> bytes:
    """Return the same bytes for the same state of a resource."""
    if not isinstance(body, dict):
        return raw
    state = {name: value for name, value in body.items() if name not in _VOLATILE}
    try:
        return orjson.dumps(state, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return raw


WOOCOMMERCE: Final[Connector] = WooCommerce()
