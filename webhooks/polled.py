"""What was fetched from a platform enters by the same door as what it delivers.

So it is redacted, recognised when it comes twice, ordered by the platform's clock, learned and kept for replay like
everything else.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from app.commerce.store import Store
from app.core.crypto import vault
from app.core.db import execute_rows
from app.core.packing import pack
from connectors.registry import connector_for
from connectors.source import Fetched
from webhooks.models import PENDING

_INSERT: Final = """
INSERT INTO webhook_delivery (store_id, topic, dedupe_key, triggered_at, received_at, body, body_sha256, status)
SELECT %(store)s, r.topic, r.dedupe_key, %(asked_at)s::timestamptz, now(), decode(r.body, 'hex'),
    decode(r.sha256, 'hex'), %(status)s
FROM json_to_recordset(%(rows)s::json) AS r(topic text, dedupe_key text, body text, sha256 text)
ON CONFLICT (store_id, dedupe_key) DO NOTHING
"""


def keep_polled(
    connection: Connection, store: Store, items: Iterable[Fetched], *, asked_at: datetime | None = None
) -> int:
    """Write fetched resources to the store's inbox within the caller's transaction; return how many were new.

    The same state fetched again is recognised by its content. A deletion has no more content than an id, and the
    same thing can be deleted twice, or found alive twice in one state: ``asked_at``, when the platform was asked for
    it, is the time of such news and tells it from the one before.
    """
    connector = connector_for(store.platform)
    store_id = store.id
    occasion = asked_at.isoformat().encode() if asked_at else b""
    rows: dict[str, dict[str, Any]] = {}
    for item in items:
        raw = orjson.dumps(item.body, option=orjson.OPT_SORT_KEYS)
        digest = hashlib.sha256(b"\n".join((item.topic.encode(), occasion, raw))).digest()
        redacted = connector.redact(
            orjson.loads(raw), lambda identifier: vault().pseudonym(store_id, identifier)
        )
        key = f"polled:{digest.hex()}"
        rows[key] = {
            "topic": item.topic,
            "dedupe_key": key,
            "body": pack(orjson.dumps(redacted)),
            "sha256": hashlib.sha256(raw).hexdigest(),
        }
    if not rows:
        return 0
    in_order = [rows[key] for key in sorted(rows)]  # two processes lock the same keys in the same order
    return execute_rows(
        connection, _INSERT, in_order, store=store_id, asked_at=asked_at, status=PENDING
    ).rowcount
