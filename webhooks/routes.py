"""Where the platforms deliver.

A request checks the signature over the raw bytes, drops personal fields, writes the delivery to the inbox,
commits and answers 200. Nothing else happens here. Nothing is answered in detail to a sender whose
signature does not fit.
"""

import re
import threading
import time
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from flask import Blueprint, Response, current_app, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.commerce.store import SHOPIFY, WOOCOMMERCE, Store
from app.core import metrics
from app.core.api import read_body
from app.core.config import Settings
from app.core.crypto import vault
from app.core.db import db, now
from app.core.errors import BadRequest, NotFound, Unauthorized
from app.core.limits import PINGS, SIGNATURES, count_failure
from app.core.queues import HintSender
from connectors.base import Connector, DeliveryHeaders
from connectors.registry import PLATFORMS, connector_for
from webhooks.inbox import Incoming, keep
from webhooks.models import FOREIGN_SOURCE

log = structlog.get_logger()
blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")

_STORE_TTL_S = 5.0
# Looked up once: finding a labelled counter costs more than counting.
_ACCEPTED = {platform: metrics.WEBHOOKS.labels(platform, "accepted") for platform in PLATFORMS}
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")


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

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[float, Receiver]] = {}
        self._lock = threading.Lock()

    def get(self, platform: str, name: str) -> Receiver | None:
        """Return the store of ``platform`` whose domain (Shopify) or webhook token (WooCommerce) is ``name``."""
        hit = self._found.get((platform, name))
        if hit and hit[0] > time.monotonic():
            return hit[1]
        column = Store.domain if platform == SHOPIFY else Store.webhook_token
        # A session of its own: the request's would hold its connection while it waits for the group's commit, which
        # needs one too.
        with Session(db.engine) as session:
            store = session.scalar(select(Store).where(Store.platform == platform, column == name))
            if store is None:
                return None
            receiver = Receiver(store.id, store.domain, store.webhook_secrets)
        with self._lock:
            if len(self._found) > 10_000:
                self._found.clear()
            self._found[platform, name] = (time.monotonic() + _STORE_TTL_S, receiver)
        return receiver


@blueprint.post("/shopify")
def shopify() -> Response:
    """Take a Shopify delivery: 200 kept, 401 not signed by us, 400 no JSON, 413 too large, 503 try again."""
    raw = _raw_body()
    connector = connector_for(SHOPIFY)
    sent = _headers()
    headers = connector.read_headers(sent)
    settings: Settings = current_app.extensions["pannier_settings"]
    if headers is None or not connector.verify(raw, sent, settings.shopify_secrets):
        raise _refused(SHOPIFY)
    receiver = _receivers().get(SHOPIFY, headers.source or "")
    if receiver is None:
        # Signed by Shopify for a shop that is not (or no longer) here: there is nothing to retry.
        metrics.WEBHOOKS.labels(SHOPIFY, "unknown_store").inc()
        return Response(status=200)
    return _accept(connector, receiver.store_id, headers, raw)


@blueprint.post("/woocommerce/<token>")
def woocommerce(token: str) -> Response:
    """Take a WooCommerce delivery at the store's own address; its unsigned ping gets exactly 200."""
    raw = _raw_body()
    receiver = _receivers().get(WOOCOMMERCE, token) if _TOKEN.fullmatch(token) else None
    if receiver is None:
        metrics.WEBHOOKS.labels(WOOCOMMERCE, "unknown_store").inc()
        count_failure(SIGNATURES)
        raise NotFound("There is no such webhook address.")
    connector = connector_for(WOOCOMMERCE)
    sent = _headers()
    headers = connector.read_headers(sent)
    if headers is None and _is_ping(raw):
        metrics.WEBHOOKS.labels(WOOCOMMERCE, "ping").inc()
        count_failure(PINGS)
        return Response(status=200)
    if headers is None or not connector.verify(raw, sent, receiver.secrets):
        raise _refused(WOOCOMMERCE)
    if (headers.source or "").rstrip("/").lower() != receiver.source.lower():
        # A cloned site keeps the addresses and secrets of its original.
        metrics.WEBHOOKS.labels(WOOCOMMERCE, "foreign_source").inc()
        log.warning("webhook_from_foreign_source", store_id=receiver.store_id)
        return _accept(connector, receiver.store_id, headers, raw, quarantine=FOREIGN_SOURCE)
    return _accept(connector, receiver.store_id, headers, raw)


def _accept(
    connector: Connector,
    store_id: int,
    headers: DeliveryHeaders,
    raw: bytes,
    *,
    quarantine: str | None = None,
) -> Response:
    try:
        body: Any = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        metrics.WEBHOOKS.labels(connector.platform, "not_json").inc()
        raise BadRequest("The body is not JSON.") from error
    redacted = connector.redact(body, lambda identifier: vault().pseudonym(store_id, identifier))
    dedupe_key = connector.dedupe_key(headers, body, raw)
    keep(
        Incoming(
            store_id=store_id,
            topic=headers.topic,
            # Apart, so that a clone's delivery never stands for one of the store's own.
            dedupe_key=f"{quarantine}:{dedupe_key}" if quarantine else dedupe_key,
            event_id=headers.event_id,
            api_version=headers.api_version,
            triggered_at=headers.triggered_at,
            received_at=now(),
            body=orjson.dumps(redacted).decode(),
            raw=raw,
            quarantine=quarantine,
        )
    )
    _ACCEPTED[connector.platform].inc()
    hints: HintSender = current_app.extensions["pannier_drain_hints"]
    hints.mark(store_id)
    return Response(status=200)


def _headers() -> dict[str, str]:
    """Return the request's ``X-`` headers with lower-case names: all that platforms say of a delivery."""
    return {
        name[5:].lower().replace("_", "-"): value
        for name, value in request.environ.items()
        if name.startswith("HTTP_X_")
    }


def _raw_body() -> bytes:
    settings: Settings = current_app.extensions["pannier_settings"]
    return read_body(settings.webhook_max_bytes)


def _is_ping(raw: bytes) -> bool:
    """Return whether this is WooCommerce's ping: an unsigned form body of one field, ``webhook_id=N``."""
    name, _, number = raw.partition(b"=")
    return name == b"webhook_id" and number.isdigit() and len(number) < 20


def _refused(platform: str) -> Unauthorized:
    metrics.WEBHOOKS.labels(platform, "bad_signature").inc()
    count_failure(SIGNATURES)
    return Unauthorized("The signature does not fit.")


def _receivers() -> ReceiverCache:
    cache: ReceiverCache = current_app.extensions.setdefault("pannier_receivers", ReceiverCache())
    return cache
