"""Where an offer may stand, and which way it may go from there. Pure.

::

    proposed   --somebody approves it-->                    approved
    proposed   --the merchant says no-->                    rejected
    approved   --the platform grants it-->                  live
    approved, live  --the platform does not grant it-->     not live, with the reason
    not live   --another try succeeds-->                    live
    not live   --the merchant asks for another try-->       approved
    approved, live, not live  --it does not hold now-->     suspended, with the reason
    suspended  --it holds again-->                          approved
    suspended  --prices have changed, and it is approved anew-->  approved
    all but rejected and ended  --its time is over, or the merchant says so-->  ended

Only a ``live`` offer is shown to shoppers. A state says what is wanted and known; whether the platform has the discount
is told by ``Offer.platform``: an offer that is suspended or ended is taken off it as soon as it lets us.
"""

from enum import StrEnum
from typing import Final

from app.core.errors import Conflict


class State(StrEnum):
    """Where an offer stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    LIVE = "live"
    NOT_LIVE = "not_live"
    SUSPENDED = "suspended"
    REJECTED = "rejected"
    ENDED = "ended"


FOLLOWING: Final[dict[State, frozenset[State]]] = {
    State.PROPOSED: frozenset({State.APPROVED, State.REJECTED, State.ENDED}),
    State.APPROVED: frozenset({State.LIVE, State.NOT_LIVE, State.SUSPENDED, State.ENDED}),
    State.LIVE: frozenset({State.NOT_LIVE, State.SUSPENDED, State.ENDED}),
    State.NOT_LIVE: frozenset({State.LIVE, State.APPROVED, State.SUSPENDED, State.ENDED}),
    State.SUSPENDED: frozenset({State.APPROVED, State.ENDED}),
    State.REJECTED: frozenset(),
    State.ENDED: frozenset(),
}
# Those that are to be on the platform, as far as their dates allow it.
WANTED: Final = frozenset({State.APPROVED, State.LIVE, State.NOT_LIVE})
# Those that count against how many may be live at once: a suspended one comes back by itself.
COUNTED: Final = WANTED | {State.SUSPENDED}
# Those that are not over.
OPEN: Final = frozenset(state for state, following in FOLLOWING.items() if following)

_IN_WORDS: Final = {State.NOT_LIVE: "not live"}


def in_words(state: State) -> str:
    """Return a state as it is written in a sentence."""
    return _IN_WORDS.get(state, state.value)


def allowed(before: State, after: State) -> bool:
    """Return whether an offer may go from one state to another."""
    return after in FOLLOWING[before]


def check(before: State, after: State) -> None:
    """See that an offer may go from ``before`` to ``after``.

    Raises:
        Conflict: if it may not, in a sentence.
    """
    if not allowed(before, after):
        raise Conflict(f"This offer is {in_words(before)}: it cannot become {in_words(after)}.")
