"""What became of a store's events, for people: counts by reason, each with what to do about it."""

from collections import Counter
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, func, select

from app.events import spec
from app.events.models import EventTally
from app.events.tallies import ACCEPTED, DUPLICATE, NOTED, REJECTED

_ADVICE: Final = {
    spec.MISSING_USER_CONTEXT: (
        "These calls should have named a user and did not: check that your code calls identify with the customer's id"
        " once the shopper is logged in, and that a server sends anonymousId or userId with every event."
    ),
    spec.UNVERIFIED_USER: (
        "A page named a user that nobody vouches for, so the events count for the visitor alone: hand the platform's"
        " customer token to the page, or send identify from your server with the secret key."
    ),
    spec.MISSING_PRODUCT: "These events are about a product and name none: send product_id, the platform's own.",
    spec.NO_CONSENT: "Shoppers did not agree to analytics, or the sender does not pass context.consent on.",
    spec.JUNK_ID: "The sender fills missing ids with null, undefined or zeros: have it leave them out.",
    spec.IN_THE_FUTURE: "The sender's clock is wrong: send sentAt, by which it is corrected.",
}


def report(connection: Connection, store_id: int, today: date, days: int) -> dict[str, Any]:
    """Return how a store's events came in over ``days`` days until ``today`` (UTC): see ``schemas.EventReport``."""
    since = today - timedelta(days=days - 1)
    counts: Counter[tuple[str, str]] = Counter()
    rows = connection.execute(
        select(EventTally.outcome, EventTally.reason, func.sum(EventTally.events))
        .where(EventTally.store_id == store_id, EventTally.day >= since)
        .group_by(EventTally.outcome, EventTally.reason)
    )
    for outcome, reason, events in rows:
        counts[outcome, reason] += int(events)
    return {
        "since": since.isoformat(),
        "accepted": counts[ACCEPTED, ""],
        "duplicates": counts[DUPLICATE, ""],
        "rejected": _told(counts, REJECTED),
        "noted": _told(counts, NOTED),
        "missing_user_context": sum(
            counts[outcome, spec.MISSING_USER_CONTEXT] for outcome in (REJECTED, NOTED)
        ),
    }


def _told(counts: Counter[tuple[str, str]], outcome: str) -> list[dict[str, Any]]:
    """Return the reasons of an outcome, the most frequent first."""
    found = [(events, reason) for (end, reason), events in counts.items() if end == outcome]
    return [
        {"reason": reason, "events": events, "advice": _ADVICE.get(reason) or spec.REASONS.get(reason, "")}
        for events, reason in sorted(found, key=lambda pair: (-pair[0], pair[1]))
    ]
