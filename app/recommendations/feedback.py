"""What a visitor's own reaction changes in what they are shown. Pure.

An impression that nothing answers makes a product count less for this visitor, and the more the newer it is:

    multiplier = 0.85 ** sum(0.5 ** (age in days / 7) for each such impression)

so one look costs 15 %, and after a week half of that is forgiven. A click or an addition to the cart answers all
impressions before it. Such discounting of repeated impressions is described by Lee, Lakshmanan, Tiwari and Shah,
"Modeling impression discounting in large-scale recommender systems", KDD 2014; base and half-life are ours.

A dismissal hides a product at once and for 90 days. Then it comes back by the same half-life:

    multiplier = 1 - 0.5 ** (days since its 90 days are over / 7)
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from app.commerce.store import SETTINGS
from app.events.feedback import Feedback

# What an impression without an answer leaves of a product's score.
KEPT: Final = 0.85
# After so long half of an impression's effect is gone; of a dismissal's likewise, once it no longer hides.
HALF_LIFE: Final = timedelta(days=7)
# For so long a dismissal hides.
DISMISSED_FOR: Final = timedelta(days=90)
# What ``most_impressions`` is counted over.
CAP_PERIOD: Final = timedelta(days=7)
# A smaller effect than this is none.
_LEAST_EFFECT: Final = 0.001

MOST_IMPRESSIONS: Final = "most_impressions"


def multipliers(feedback: Feedback, now: datetime, settings: Mapping[str, float]) -> Mapping[str, float]:  # noqa: ARG001
    """Return by which factor, above 0 and below 1, products count less for a visitor; others count in full.

    Args:
        feedback: what the visitor did.
        now: the time of the answer (UTC).
        settings: the store's own.
    """
    found: dict[str, float] = {}
    for product, times in feedback.impressions.items():
        factor = KEPT ** unanswered(times, _answered(feedback, product), now)
        if factor < 1 - _LEAST_EFFECT:
            found[product] = factor
    for product, at in feedback.dismissed.items():
        since = now - at - DISMISSED_FOR
        factor = 1 - _halved(since) if since > timedelta() else 1.0
        if factor < 1 - _LEAST_EFFECT:
            found[product] = found.get(product, 1.0) * factor
    return found


def hidden(feedback: Feedback, now: datetime, settings: Mapping[str, float]) -> frozenset[str]:
    """Return the products that a visitor is not shown now: dismissed ones, and those that were shown often enough.

    Args:
        feedback: what the visitor did.
        now: the time of the answer (UTC).
        settings: the store's own; of ``most_impressions`` in a week, 0 is no limit.
    """
    away = {product for product, at in feedback.dismissed.items() if now - at <= DISMISSED_FOR}
    most = settings.get(MOST_IMPRESSIONS, SETTINGS[MOST_IMPRESSIONS][0])
    if most > 0:
        away |= {
            product
            for product, times in feedback.impressions.items()
            if sum(now - at < CAP_PERIOD for at in times) >= most
        }
    return frozenset(away)


def unanswered(times: tuple[datetime, ...], answered: datetime | None, now: datetime) -> float:
    """Return how many impressions after ``answered`` there are, those of a week ago counting half, and so on."""
    return sum(_halved(now - at) for at in times if answered is None or at > answered)


def _answered(feedback: Feedback, product: str) -> datetime | None:
    """Return when the visitor last took an interest in a product."""
    return max(
        (times[product] for times in (feedback.clicked, feedback.added) if product in times), default=None
    )


def _halved(age: timedelta) -> float:
    """Return 1 for what is now, 0.5 for what is one half-life old. What lies ahead is now."""
    return float(0.5 ** (max(age, timedelta()) / HALF_LIFE))
