"""Ready lists and product cards in Redis. PostgreSQL can rebuild them all.

A *list* holds candidates of one kind (see ``ready_lists``) for one subject, best first, with their evidence. A
*card* holds what a shopper sees of a product, and whether it may be shown at all; it lives at most 15 seconds and is
replaced by every change of the product. Lists and cards are joined for each answer, so a product that is sold out or
taken down disappears from every list at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection

from app.commerce.catalog import BUYABLE_SQL, ELIGIBLE_SQL, LISTED_SQL
from app.core.db import db
from app.core.held import Held, shortened
from app.core.redis import breaker, redis_client
from app.recommendations.ready_lists import TTL_S

CARD_TTL_S: Final = 15
# By how much what is put into Redis may live shorter: PostgreSQL would be asked for all of it at once.
_SPREAD: Final = 0.3


@dataclass(frozen=True, slots=True)
class Card:
    """What may be shown of a product. ``price`` is in minor units of ``currency``."""

    product_id: str
    variant_id: str | None
    title: str
    url: str | None
    image_url: str | None
    price: int | None
    currency: str | None
    eligible: bool
    category: str | None = None
    vendor: str | None = None
    tags: tuple[str, ...] = ()


_CARD_FIELDS: Final = len(fields(Card))
Candidate = dict[str, Any]


class ReadyLists:
    """The ready lists of one answer: read together, decoded only where they are looked at."""

    def __init__(self, store_id: int, read: Mapping[tuple[str, str], bytes | None]) -> None:
        self._store_id = store_id
        self._read = dict(read)

    def get(self, kind: str, subjects: Sequence[str]) -> dict[str, list[Candidate]]:
        """Return the lists of ``subjects``; a subject without one has an empty list.

        What was not read before is read now; what Redis does not hold comes from PostgreSQL.
        """
        unread = [s for s in subjects if (kind, s) not in self._read]
        if unread:
            bodies = _read([_list_key(self._store_id, kind, subject) for subject in unread])
            self._read |= {(kind, s): body for s, body in zip(unread, bodies, strict=True)}
        missing = [s for s in subjects if self._read[kind, s] is None]
        if missing:
            loaded = load_lists(db.session.connection(), self._store_id, kind, missing)
            put_lists(self._store_id, kind, loaded, only_missing=True)
            self._read |= {(kind, s): orjson.dumps(items) for s, items in loaded.items()}
        return {s: orjson.loads(self._read[kind, s] or b"[]") for s in subjects}

    def held(self, kind: str, subjects: Sequence[str]) -> dict[str, list[Candidate]]:
        """Return those lists of ``subjects`` that Redis held when they were read together: asks nobody."""
        bodies = {s: self._read.get((kind, s)) for s in subjects}
        return {s: orjson.loads(body) for s, body in bodies.items() if body}


def read_together(
    store_id: int, lists: Iterable[tuple[str, str]], product_ids: Sequence[str]
) -> tuple[ReadyLists, dict[str, Card]]:
    """Read lists, named by kind and subject, and products' cards in one exchange with Redis."""
    wanted = list(dict.fromkeys(lists))
    keys = [_list_key(store_id, kind, subject) for kind, subject in wanted]
    bodies = _read(keys + [_card_key(store_id, p) for p in product_ids])
    ready = ReadyLists(store_id, dict(zip(wanted, bodies, strict=False)))
    return ready, _cards(store_id, product_ids, bodies[len(keys) :])


def get_lists(store_id: int, kind: str, subjects: Sequence[str]) -> dict[str, list[Candidate]]:
    """Return the ready lists of ``subjects``; a subject without one has an empty list."""
    return ReadyLists(store_id, {}).get(kind, subjects)


def load_lists(
    connection: Connection, store_id: int, kind: str, subjects: Sequence[str]
) -> dict[str, list[Candidate]]:
    """Return what PostgreSQL holds, by subject; a subject without a list has an empty one."""
    rows = connection.exec_driver_sql(
        "SELECT subject, items FROM published_list WHERE store_id = %(store)s AND strategy = %(kind)s"
        " AND subject = ANY(%(subjects)s::text[])",
        {"store": store_id, "kind": kind, "subjects": list(subjects)},
    )
    stored = {subject: items for subject, items in rows}
    return {subject: stored.get(subject, []) for subject in subjects}


def put_lists(
    store_id: int, kind: str, lists: Mapping[str, list[Candidate]], *, only_missing: bool = False
) -> bool:
    """Put ready lists into Redis, for the kind's time to live at most; return whether it took them.

    ``only_missing`` leaves lists alone that are there: for readers, who may hold an older one than a publisher.
    What readers ask for in vain is remembered for a short time only: anybody can make up product ids.
    """
    ttl_s = TTL_S[kind]

    def put() -> bool:
        pipeline = redis_client().pipeline(transaction=False)
        for subject, items in lists.items():
            lives_s = ttl_s if items or not only_missing else CARD_TTL_S
            body = orjson.dumps(items)
            pipeline.set(_list_key(store_id, kind, subject), body, px=_life_ms(lives_s), nx=only_missing)
        pipeline.execute()
        return True

    return breaker().call(put, otherwise=False) if lists else True


def get_cards(store_id: int, product_ids: Sequence[str]) -> dict[str, Card]:
    """Return the cards of the products that this store has, by platform id."""
    return _cards(store_id, product_ids, _read([_card_key(store_id, p) for p in product_ids]))


def _cards(store_id: int, product_ids: Sequence[str], bodies: Sequence[bytes | None]) -> dict[str, Card]:
    """Return the cards of what Redis held, and from PostgreSQL those that it did not hold."""
    found: dict[str, Card | None] = {}
    for product_id, body in zip(product_ids, bodies, strict=True):
        values = None if body is None else orjson.loads(body)
        if values is not None and len(values) in (
            0,
            _CARD_FIELDS,
        ):  # not of an earlier version of this service
            found[product_id] = Card(*(*values[:-1], tuple(values[-1]))) if values else None
    missing = [p for p in product_ids if p not in found]
    if missing:
        loaded: dict[str, Card | None] = dict.fromkeys(missing)
        loaded |= load_cards(db.session.connection(), store_id, missing)
        _fill_cards(store_id, loaded)
        found |= loaded
    return {product_id: card for product_id, card in found.items() if card is not None}


def load_cards(connection: Connection, store_id: int, product_ids: Sequence[str]) -> dict[str, Card]:
    """Return the cards of products from PostgreSQL. The variant is the first that can be bought."""
    rows = connection.exec_driver_sql(
        f"""
        SELECT p.platform_id, v.platform_id, p.title, p.url, COALESCE(v.image_url, p.image_url),
            COALESCE(v.price, p.price), p.currency, {ELIGIBLE_SQL}, p.category, p.vendor, p.tags
        FROM product p
        LEFT JOIN LATERAL (
            SELECT v.platform_id, v.price, v.image_url FROM variant v
            WHERE v.store_id = p.store_id AND v.product_id = p.id AND {LISTED_SQL}
            ORDER BY {BUYABLE_SQL} DESC, v.position, v.id
            LIMIT 1
        ) v ON true
        WHERE p.store_id = %(store)s AND p.platform_id = ANY(%(ids)s::text[])
        """,
        {"store": store_id, "ids": list(product_ids)},
    )
    return {row[0]: Card(*(*row[:-1], tuple(row[-1]))) for row in rows}


def _fill_cards(store_id: int, cards: Mapping[str, Card | None]) -> None:
    """Put cards that were read for an answer into Redis, unless a change put a newer one there meanwhile."""

    def put() -> None:
        pipeline = redis_client().pipeline(transaction=False)
        for product_id, card in cards.items():
            pipeline.set(_card_key(store_id, product_id), _card_body(card), px=_life_ms(CARD_TTL_S), nx=True)
        pipeline.execute()

    breaker().call(put, otherwise=None)


def replace_cards(connection: Connection, store_id: int, product_ids: Iterable[str]) -> None:
    """Put the present cards of changed products into Redis, over whatever is there.

    Replacing and not just deleting closes the gap in which a request that read the old row would put the old card
    back.
    """
    wanted = sorted(product_ids)
    if not wanted:
        return
    cards = load_cards(connection, store_id, wanted)

    def put() -> None:
        pipeline = redis_client().pipeline(transaction=False)
        for product_id, card in cards.items():
            pipeline.set(_card_key(store_id, product_id), _card_body(card), px=_life_ms(CARD_TTL_S))
        pipeline.execute()

    breaker().call(put, otherwise=None)


def get_personal(store_id: int, pseudonym: str) -> bytes | None:
    """Return what was worked out of a customer lately."""
    return _read([_personal_key(store_id, pseudonym)])[0]


def put_personal(store_id: int, pseudonym: str, body: bytes, ttl_s: int) -> None:
    """Keep what was worked out of a customer, by the keyed hash of who that is."""
    key = _personal_key(store_id, pseudonym)
    breaker().call(lambda: redis_client().set(key, body, ex=ttl_s), otherwise=None)


def forget_personal(store_id: int, pseudonyms: Iterable[str]) -> None:
    """Forget what was worked out of customers."""
    keys = [_personal_key(store_id, pseudonym) for pseudonym in pseudonyms]
    breaker().call(lambda: redis_client().delete(*keys), otherwise=None)


class Model(NamedTuple):
    """The model that answers: the number of the store's last rebuild, and whether it is an older one that was kept."""

    version: int
    held: bool


_models: Held[int, Model] = Held()


def get_model(store_id: int) -> Model:
    """Return the store's model, as this process has known it for a few seconds at most."""
    return _models.get(store_id, lambda _: _read_model(store_id))


def _read_model(store_id: int) -> Model:
    row = (
        db.session.connection()
        .exec_driver_sql(
            "SELECT version, held_at IS NOT NULL FROM learned_model WHERE store_id = %(store)s",
            {"store": store_id},
        )
        .first()
    )
    return Model(int(row[0]), bool(row[1])) if row else Model(0, held=False)


def _read(keys: list[str]) -> list[bytes | None]:
    """Return what Redis holds under ``keys``; nothing where it is down."""
    if not keys:
        return []
    nothing: list[Any] = [None] * len(keys)
    return breaker().call(lambda: list(redis_client().mget(keys)), otherwise=nothing)


def _life_ms(ttl_s: int) -> int:
    return round(shortened(ttl_s, _SPREAD) * 1000)


def _card_body(card: Card | None) -> bytes:
    if card is None:
        return b"[]"
    return orjson.dumps(
        [
            card.product_id,
            card.variant_id,
            card.title,
            card.url,
            card.image_url,
            card.price,
            card.currency,
            card.eligible,
            card.category,
            card.vendor,
            card.tags,
        ]
    )


def _list_key(store_id: int, kind: str, subject: str) -> str:
    return f"pannier:{store_id}:list:{kind}:{subject}"


def _personal_key(store_id: int, pseudonym: str) -> str:
    return f"pannier:{store_id}:personal:{pseudonym}"


def _card_key(store_id: int, product_id: str) -> str:
    return f"pannier:{store_id}:card:{product_id}"
