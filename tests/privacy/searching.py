"""All that PostgreSQL and Redis hold, as text: for tests that must not find somebody."""

import pickle
import zlib
from collections.abc import Iterator

import orjson
from flask import Flask
from redis import Redis
from sqlalchemy import select

from app.core.db import Model, db
from app.privacy.models import PrivacyExport
from webhooks.models import WebhookDelivery


def everything(app: Flask) -> Iterator[tuple[str, str]]:
    """Yield each place and what it holds: rows, what is packed or encrypted in them, and keys with their values."""
    yield from _rows()
    yield from _bodies()
    yield from _redis(app.extensions["pannier_queue_redis"])


def _rows() -> Iterator[tuple[str, str]]:
    db.session.rollback()
    for table in Model.metadata.sorted_tables:
        for (row,) in db.session.connection().exec_driver_sql(f"SELECT t::text FROM {table.name} t"):
            yield table.name, row


def _bodies() -> Iterator[tuple[str, str]]:
    for delivery in db.session.scalars(select(WebhookDelivery)):
        yield "webhook_delivery, unpacked", delivery.body
    for (body,) in db.session.execute(select(PrivacyExport.body)):
        yield "privacy_export, decrypted", orjson.dumps(body).decode()


def _redis(client: Redis) -> Iterator[tuple[str, str]]:
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
    }
    for key in client.scan_iter("*"):
        value = readers[client.type(key)](key)
        if isinstance(value, dict) and b"data" in value:  # a job
            value[b"data"] = repr(pickle.loads(zlib.decompress(value[b"data"]))).encode()
        yield f"redis {key.decode()}", repr((key, value))
