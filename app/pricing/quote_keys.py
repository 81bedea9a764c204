"""The keys of a store's quotes: where they come from, when they change, and telling them to the checkout.

Each store has a root secret, kept encrypted. The keys of all windows are derived from it, so that nothing has to be
made ahead or cleaned up. A new root signs from the first window on that no checkout has been told of: quotes that are
out, and keys that are out, stay good. ``at_once`` is for a secret that leaked: then they do not.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app.core.db import db, lock_store, now
from app.core.queues import UPKEEP, enqueue
from app.core.redis import breaker, redis_client
from app.pricing.models import QuoteSecret
from app.pricing.quotes import KEYS_AHEAD, window_at, window_end, window_key
from connectors.discounts import QuoteKey

PUBLISH: Final = "app.pricing.quote_jobs.publish_keys"
QUOTES_LOCK: Final = 81
_ROOT_BYTES: Final = 32
# Longer than the furthest key counts.
_NOTED_S: Final = 1_800


def window_keys(store_id: int, at: datetime) -> list[QuoteKey]:
    """Return the keys that the store's checkout accepts at ``at``, by the end of their windows.

    The store's root secret is made on first use, in the caller's transaction.
    """
    roots = _roots(store_id)
    first = window_at(at)
    return [window_key(_root_of(roots, window), window) for window in range(first, first + KEYS_AHEAD + 1)]


def rotate(store_id: int, *, at_once: bool = False) -> None:
    """Give a store a new root secret, in the caller's transaction.

    It signs from the first window on that no checkout knows a key of. With ``at_once`` it signs now, the old one is
    deleted, and every quote that is out is void: at our side with the commit, at the checkout with the next keys.
    """
    lock_store(db.session.connection(), store_id, QUOTES_LOCK)
    _roots(store_id)
    last = _stored_roots(store_id)[-1][0]
    if at_once:
        db.session.execute(delete(QuoteSecret).where(QuoteSecret.store_id == store_id))
    _add_root(store_id, int(last) + 1)


def forget_old_roots(at: datetime) -> int:
    """Delete root secrets that no window needs any more, in the caller's transaction; return how many."""
    gone = 0
    for store_id in db.session.scalars(select(QuoteSecret.store_id).distinct()).all():
        found = _stored_roots(store_id)
        needed = _place_of_root([since for _, since, _ in found], window_at(at))
        old = [name for name, _, _ in found[:needed]]
        db.session.execute(
            delete(QuoteSecret).where(QuoteSecret.store_id == store_id, QuoteSecret.id.in_(old))
        )
        gone += len(old)
    return gone


def note_problem(store_id: int, sentence: str | None) -> None:
    """Note why the platform refuses the store's keys, in a sentence for the merchant; None: it does not refuse them."""
    key = f"{_told_key(store_id)}:problem"
    if sentence is None:
        breaker().call(lambda: redis_client().delete(key), otherwise=None)
    else:
        breaker().call(lambda: redis_client().set(key, sentence, ex=_NOTED_S), otherwise=None)


def problem_of(store_id: int) -> str | None:
    """Return why the platform refuses the store's keys; None where it does not, or nobody has tried yet."""
    key = f"{_told_key(store_id)}:problem"
    kept = breaker().call(lambda: redis_client().get(key), otherwise=None)
    return kept.decode() if isinstance(kept, bytes) else None


def checkout_accepts(store_id: int, key: QuoteKey) -> bool:
    """Return whether the store's checkout was told ``key``; if not, it is told soon."""
    told = last_told(store_id)
    if told is not None and window_end(told) >= key.not_after:
        return True
    enqueue(UPKEEP, PUBLISH, store_id)
    return False


def tell_again(store_id: int) -> None:
    """Have the store's checkout told its keys soon: they have changed. Call it after the commit."""
    note_told(store_id, None)
    enqueue(UPKEEP, PUBLISH, store_id)


def last_told(store_id: int) -> int | None:
    """Return the last window whose key the checkout was told; None where it was told none that counts."""
    kept = breaker().call(lambda: redis_client().get(_told_key(store_id)), otherwise=None)
    return int(kept) if isinstance(kept, bytes) else None


def note_told(store_id: int, window: int | None) -> None:
    """Note the last window whose key the checkout was told; None: it knows no key."""
    key = _told_key(store_id)
    if window is None:
        breaker().call(lambda: redis_client().delete(key), otherwise=None)
    else:
        breaker().call(lambda: redis_client().set(key, window, ex=_NOTED_S), otherwise=None)


def _roots(store_id: int) -> list[tuple[int, bytes]]:
    """Return (window of making, secret) of the store's roots, oldest first; never none."""
    found = _stored_roots(store_id)
    if not found:
        # Of two that come first together one wins, and both read it.
        _add_root(store_id, 1)
        found = _stored_roots(store_id)
    return [(since, secret) for _, since, secret in found]


def _stored_roots(store_id: int) -> list[tuple[str, int, bytes]]:
    rows = db.session.execute(
        select(QuoteSecret.id, QuoteSecret.created_at, QuoteSecret.secret)
        .where(QuoteSecret.store_id == store_id)
        .order_by(QuoteSecret.id)
    ).all()
    return [(name, window_at(created), bytes.fromhex(secret)) for name, created, secret in rows]


def _add_root(store_id: int, number: int) -> None:
    db.session.execute(
        insert(QuoteSecret)
        .values(
            store_id=store_id, id=f"{number:08d}", secret=secrets.token_hex(_ROOT_BYTES), created_at=now()
        )
        .on_conflict_do_nothing()
    )


def _root_of(roots: Sequence[tuple[int, bytes]], window: int) -> bytes:
    return roots[_place_of_root([since for since, _ in roots], window)][1]


def _place_of_root(since: Sequence[int], window: int) -> int:
    """Return which of the roots made in these windows signs ``window``: the newest that was there in time.

    When a root is made, checkouts know keys of that window and of ``KEYS_AHEAD`` after it: these stay as they are. The
    oldest signs everything that no other does.
    """
    return max((place for place, made in enumerate(since) if made + KEYS_AHEAD < window), default=0)


def _told_key(store_id: int) -> str:
    return f"pannier:{store_id}:quote_keys"
