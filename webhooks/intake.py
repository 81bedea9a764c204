"""From a delivery's bytes to its row in the inbox.

Checks the signature over the raw bytes, drops personal fields, writes, and says what became of it. Nothing
else happens while the sender waits.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import orjson
import structlog
from flask import current_app
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.commerce.store import SHOPIFY, WOOCOMMERCE, Store
from app.core import metrics
from app.core.crypto import vault
from app.core.db import now
from app.core.held import Held
from app.core.queues import HintSender
from connectors.base import CleanHeaders, Connector, DeliveryHeaders, clean_headers
from connectors.registry import PLATFORMS, connector_for
from webhooks.inbox import Inbox, Incoming
from webhooks.models import FOREIGN_SOURCE

log = structlog.get_logger()

_MOST_STORES: Final = 10_000
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Outcome(Enum):
    """What became of a delivery; the value is its name in the metrics."""

    ACCEPTED = "accepted"
    UNKNOWN_STORE = "unknown_store"
    BAD_SIGNATURE = "bad_signature"
    NOT_JSON = "not_json"
    PING = "ping"


# Looked up once: finding a labelled counter costs more than counting.
_COUNTERS: Final = {
    (platform, outcome): metrics.WEBHOOKS.labels(platform, outcome.value)
    for platform in PLATFORMS
    for outcome in Outcome
}


@dataclass(frozen=True, slots=True)
class Receiver:
    """What intake needs to know of a store."""

    store_id: int
    source: str
    secrets: tuple[bytes, ...]


class ReceiverCache:
    """Receiving stores by domain or webhook token, held for a few seconds: bursts ask for one store.

    That there is none is not held: a shop may be connected at any moment, and what it sends next is not sent again.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: Held[tuple[str, str], Receiver] = Held(most=_MOST_STORES)

    def get(self, platform: str, name: str) -> Receiver | None:
        """Return the store of ``platform`` whose domain (Shopify) or webhook token (WooCommerce) is ``name``."""
        held = self._held.find((platform, name))
        if held is not None:
            return held
        column = Store.domain if platform == SHOPIFY else Store.webhook_token
        with Session(self._engine) as session:
            store = session.scalar(select(Store).where(Store.platform == platform, column == name))
            if store is None:
                return None
            receiver = Receiver(store.id, store.domain, store.webhook_secrets)
        self._held.hold((platform, name), receiver)
        return receiver


class Intake:
    """The intake of one web process. It needs no request context, so that nothing stands before it."""

    def __init__(self, engine: Engine, shopify_secrets: tuple[bytes, ...], hints: HintSender) -> None:
        """Write to ``engine``; mark stores that received something in ``hints``."""
        self.receivers = ReceiverCache(engine)
        self.inbox = Inbox(engine)
        self._shopify_secrets = shopify_secrets
        self.hints = hints

    def shopify(self, sent: Mapping[str, str], raw: bytes) -> Outcome:
        """Take a Shopify delivery with the ``X-`` headers ``sent`` and the body ``raw``.

        Raises:
            sqlalchemy.exc.SQLAlchemyError, psycopg.Error: if the database does not take it.
        """
        outcome = self._shopify(sent, raw)
        _COUNTERS[SHOPIFY, outcome].inc()
        return outcome

    def woocommerce(self, token: str, sent: Mapping[str, str], raw: bytes) -> Outcome:
        """Take a WooCommerce delivery to the address of the store whose webhook token is ``token``.

        Raises:
            sqlalchemy.exc.SQLAlchemyError, psycopg.Error: if the database does not take it.
        """
        outcome = self._woocommerce(token, sent, raw)
        _COUNTERS[WOOCOMMERCE, outcome].inc()
        return outcome

    def _shopify(self, sent: Mapping[str, str], raw: bytes) -> Outcome:
        connector = connector_for(SHOPIFY)
        headers = connector.read_headers(sent)
        if headers is None or not connector.verify(raw, sent, self._shopify_secrets):
            return Outcome.BAD_SIGNATURE
        receiver = self.receivers.get(SHOPIFY, headers.source or "")
        if receiver is None:
            return Outcome.UNKNOWN_STORE
        return self._keep(connector, receiver.store_id, headers, raw)

    def _woocommerce(self, token: str, sent: Mapping[str, str], raw: bytes) -> Outcome:
        receiver = self.receivers.get(WOOCOMMERCE, token) if _TOKEN.fullmatch(token) else None
        if receiver is None:
            return Outcome.UNKNOWN_STORE
        connector = connector_for(WOOCOMMERCE)
        headers = connector.read_headers(sent)
        if headers is None and _is_ping(raw):
            return Outcome.PING
        if headers is None or not connector.verify(raw, sent, receiver.secrets):
            return Outcome.BAD_SIGNATURE
        if (headers.source or "").rstrip("/").lower() == receiver.source.lower():
            return self._keep(connector, receiver.store_id, headers, raw)
        # A cloned site keeps the addresses and secrets of its original.
        metrics.WEBHOOKS.labels(WOOCOMMERCE, "foreign_source").inc()
        log.warning("webhook_from_foreign_source", store_id=receiver.store_id)
        return self._keep(connector, receiver.store_id, headers, raw, quarantine=FOREIGN_SOURCE)

    def _keep(
        self,
        connector: Connector,
        store_id: int,
        headers: DeliveryHeaders,
        raw: bytes,
        *,
        quarantine: str | None = None,
    ) -> Outcome:
        try:
            body: Any = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return Outcome.NOT_JSON
        redacted = connector.redact(body, lambda identifier: vault().pseudonym(store_id, identifier))
        dedupe_key = connector.dedupe_key(headers, body, raw)
        incoming = Incoming(
            store_id=store_id,
            topic=headers.topic,
            # Apart, so that a clone's delivery never stands for one of the store's own.
            dedupe_key=f"{quarantine}:{dedupe_key}" if quarantine else dedupe_key,
            event_id=headers.event_id,
            api_version=headers.api_version,
            triggered_at=headers.triggered_at,
            received_at=now(),
            body=orjson.dumps(redacted),
            raw=raw,
            quarantine=quarantine,
        )
        self.inbox.write(incoming.row())
        self.hints.mark(store_id)
        return Outcome.ACCEPTED


def current_intake() -> Intake:
    """Return the current application's intake."""
    intake: Intake = current_app.extensions["pannier_intake"]
    return intake


def platform_headers(environ: Mapping[str, Any]) -> CleanHeaders:
    """Return the ``X-`` headers of a WSGI request, cleaned once: all that platforms say of a delivery."""
    return clean_headers(
        {name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_X_")}
    )


def _is_ping(raw: bytes) -> bool:
    """Return whether this is WooCommerce's ping: an unsigned form body of one field, ``webhook_id=N``."""
    name, _, number = raw.partition(b"=")
    return name == b"webhook_id" and number.isdigit() and len(number) < 20
