"""How fresh everything is that answers stand on, and whether that is in order. Pure: it judges what was read.

Orders, carts and events are judged by the store's own rhythm (:mod:`app.monitoring.rhythm`); what our own machines do
at fixed times is judged by fixed limits. Messages name times rather than ages, so that they stay the same while nothing
changes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.monitoring.rhythm import Feed, Limits, patience

OK: Final = "ok"
WAITING: Final = "waiting"  # nothing ever came: a store that is new, or does not use it
WARN: Final = "warn"
ERROR: Final = "error"
LEVELS: Final = (OK, WAITING, WARN, ERROR)

ORDERS: Final = "orders"
CARTS: Final = "carts"
EVENTS: Final = "events"
CATALOGUE: Final = "catalogue"
MODEL: Final = "model"
HELD_MODEL: Final = "held_model"
INBOX: Final = "inbox"
CONNECTION: Final = "connection"
RECONCILIATION: Final = "reconciliation"
SUBSCRIPTIONS: Final = "subscriptions"
SOURCES: Final = (
    ORDERS, CARTS, EVENTS, CATALOGUE, MODEL, HELD_MODEL, INBOX, CONNECTION, RECONCILIATION, SUBSCRIPTIONS,
)  # fmt: skip

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
# What the rhythm of a feed may say. Orders are asked for as well, so they come a quarter of an hour late at most.
FEED_LIMITS: Final = {
    ORDERS: Limits(2 * _HOUR, 4 * _HOUR, 14 * _DAY, 30 * _DAY),
    CARTS: Limits(4 * _HOUR, 12 * _HOUR, 14 * _DAY, 30 * _DAY),
    EVENTS: Limits(2 * _HOUR, 6 * _HOUR, 7 * _DAY, 14 * _DAY),
}
# Warn and error by age. The catalogue of a connected store is compared every night; where nobody can be asked, a shop
# that does not change anything looks like one that tells nothing, so that is never an error.
COMPARED_CATALOGUE: Final = (2 * _DAY, 4 * _DAY)
TOLD_CATALOGUE: Final = (30 * _DAY, None)
MODEL_AGE: Final = (36 * _HOUR, 72 * _HOUR)  # rebuilt every night
HELD_AGE: Final = (timedelta(0), 7 * _DAY)
INBOX_AGE: Final = (timedelta(minutes=5), timedelta(minutes=30))
RECONCILIATION_AGE: Final = (_HOUR, 6 * _HOUR)  # every quarter of an hour

_ONE_OF: Final = {ORDERS: "order", CARTS: "cart", EVENTS: "event"}
_WHERE_TO_LOOK: Final = {
    ORDERS: "Is the shop open? Then look at its connection: GET /v1/connection.",
    CARTS: "Is the widget still on the shop's pages, and do its cart webhooks arrive?",
    EVENTS: "Is the widget still on the shop's pages, and does its consent banner work?",
}


@dataclass(frozen=True, slots=True)
class Read:
    """What is known of a store at a moment; every time UTC, None for never.

    Attributes:
        feeds: orders, carts and events.
        products_at: the newest news of any product.
        compared_at: when the catalogue was last compared, or fetched, as a whole.
        rebuilt_at: when the model was last built anew; for one that never was, when it began.
        held_at: since when a kept model answers instead of the newest.
        held_reason: why.
        waiting_since: when the oldest delivery arrived that still waits to be processed.
        connected: whether the platform gave us a key, so that it can be asked.
        problem: why the platform no longer lets us in.
        problem_at: since when.
        asked_at: when the platform was last asked for changes of everything: of what was asked longest ago.
        subscription_problems: what is wrong with the webhooks.
        subscriptions_at: when they were looked at.
    """

    feeds: dict[str, Feed]
    products_at: datetime | None
    compared_at: datetime | None
    rebuilt_at: datetime | None
    held_at: datetime | None
    held_reason: str | None
    waiting_since: datetime | None
    connected: bool
    problem: str | None
    problem_at: datetime | None
    asked_at: datetime | None
    subscription_problems: tuple[str, ...]
    subscriptions_at: datetime | None


@dataclass(frozen=True, slots=True)
class Finding:
    """How one source stands.

    Attributes:
        source: one of ``SOURCES``.
        level: one of ``LEVELS``.
        message: in a sentence, with what to do where something is to be done.
        newest_at: when there was news last; for the inbox, since when the oldest delivery waits.
        age_seconds: how long ago that is, None where there never was any.
        warn_after_seconds: the age from which it is ``warn``, None where age does not decide.
        error_after_seconds: the age from which it is ``error``.
    """

    source: str
    level: str
    message: str
    newest_at: datetime | None = None
    age_seconds: int | None = None
    warn_after_seconds: int | None = None
    error_after_seconds: int | None = None


def judge(read: Read, now: datetime) -> list[Finding]:
    """Return how every source stands that applies to the store, in the order of ``SOURCES``."""
    return list(_judge(read, now))


def worst(levels: Iterable[str]) -> str:
    """Return the level of a whole: the worst of its parts; waiting only where nothing is in order yet."""
    found = set(levels)
    return next((level for level in (ERROR, WARN, OK) if level in found), WAITING)


def _judge(read: Read, now: datetime) -> Iterator[Finding]:
    for source in (ORDERS, CARTS, EVENTS):
        yield _feed(source, read.feeds[source], now)
    yield _catalogue(read, now)
    yield _model(read, now)
    if read.held_at is not None:
        yield _held(read.held_at, read.held_reason, now)
    yield _inbox(read.waiting_since, now)
    if read.connected:
        yield _connection(read, now)
        if read.problem is None:
            yield _reconciliation(read.asked_at, now)
    if read.subscriptions_at is not None and read.problem is None:
        yield _subscriptions(read.subscription_problems, read.subscriptions_at, now)


def _feed(source: str, feed: Feed, now: datetime) -> Finding:
    one = _ONE_OF[source]
    if feed.newest is None:
        return Finding(source, WAITING, f"Waiting for the first {one}.")
    allowed = patience(feed, FEED_LIMITS[source])
    return _by_age(
        source,
        feed.newest,
        now,
        (allowed.warn_after, allowed.error_after),
        well=f"The last {one} came at {_at(feed.newest)}.",
        late=f"No {one} since {_at(feed.newest)}; by this store's rhythm one should have come by"
        f" {_at(feed.newest + allowed.warn_after)}. {_WHERE_TO_LOOK[source]}",
    )


def _catalogue(read: Read, now: datetime) -> Finding:
    known = [at for at in (read.products_at, read.compared_at) if at is not None]
    if not known:
        return Finding(CATALOGUE, WAITING, "Waiting for the first product.")
    newest = max(known)
    return _by_age(
        CATALOGUE,
        newest,
        now,
        COMPARED_CATALOGUE if read.connected and read.compared_at is not None else TOLD_CATALOGUE,
        well=f"The catalogue was last heard of at {_at(newest)}.",
        late=f"Nothing was heard of the catalogue since {_at(newest)}: prices and stock may be wrong."
        " Look at the shop's connection: GET /v1/connection.",
    )


def _model(read: Read, now: datetime) -> Finding:
    if read.rebuilt_at is None:
        return Finding(MODEL, WAITING, "Waiting for the first order to learn from.")
    return _by_age(
        MODEL,
        read.rebuilt_at,
        now,
        MODEL_AGE,
        well=f"The model was last built anew at {_at(read.rebuilt_at)}.",
        late=f"The model was not built anew since {_at(read.rebuilt_at)}. Do clock and workers run?",
    )


def _held(since: datetime, reason: str | None, now: datetime) -> Finding:
    message = f"Since {_at(since)} the last good model answers, and nothing new is published: {reason}"
    return _by_age(HELD_MODEL, since, now, HELD_AGE, well=message, late=message)


def _inbox(since: datetime | None, now: datetime) -> Finding:
    if since is None:
        return Finding(INBOX, OK, "Nothing waits to be processed.")
    return _by_age(
        INBOX,
        since,
        now,
        INBOX_AGE,
        well=f"The oldest delivery that waits came at {_at(since)}.",
        late=f"Deliveries wait to be processed since {_at(since)}. Do the workers run?",
    )


def _connection(read: Read, now: datetime) -> Finding:
    if read.problem is None:
        return Finding(CONNECTION, OK, "The platform lets us in.")
    since = read.problem_at
    message = f"The platform lets nobody in: {read.problem} Connect the store anew."
    return Finding(CONNECTION, ERROR, message, since, _age(since, now) if since else None)


def _reconciliation(asked_at: datetime | None, now: datetime) -> Finding:
    if asked_at is None:
        return Finding(RECONCILIATION, WAITING, "The platform was not asked for changes yet.")
    return _by_age(
        RECONCILIATION,
        asked_at,
        now,
        RECONCILIATION_AGE,
        well=f"The platform was last asked for changes at {_at(asked_at)}.",
        late=f"The platform has not told what changed since {_at(asked_at)}. GET /v1/connection says why.",
    )


def _subscriptions(problems: tuple[str, ...], looked_at: datetime, now: datetime) -> Finding:
    age = _age(looked_at, now)
    if problems:
        return Finding(SUBSCRIPTIONS, WARN, f"The shop's webhooks: {' '.join(problems)}", looked_at, age)
    return Finding(SUBSCRIPTIONS, OK, "The shop's webhooks are in order.", looked_at, age)


def _by_age(
    source: str,
    newest: datetime,
    now: datetime,
    limits: tuple[timedelta, timedelta | None],
    *,
    well: str,
    late: str,
) -> Finding:
    warn_after, error_after = limits
    age = now - newest
    level = OK if age < warn_after else WARN
    if error_after is not None and age >= error_after:
        level = ERROR
    return Finding(
        source,
        level,
        well if level == OK else late,
        newest,
        _age(newest, now),
        int(warn_after.total_seconds()),
        None if error_after is None else int(error_after.total_seconds()),
    )


def _age(moment: datetime, now: datetime) -> int:
    return max(0, int((now - moment).total_seconds()))


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
