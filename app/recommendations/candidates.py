"""Where candidates come from: ready lists, what the request names, what a customer bought, what a visitor does.

Everything that the first strategies of a chain may need is read in one exchange; lists are decoded only when a chain
gets as far as them.
"""

import heapq
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from app.events.intent import LOOKS
from app.events.session import NO_SESSION, Session
from app.recommendations import cache, in_session, ready_lists, scoring, whole_carts
from app.recommendations.blends import get_blend
from app.recommendations.cache import Candidate, Card, ReadyLists
from app.recommendations.personal import Shopper
from app.recommendations.ready_lists import WHOLE_STORE, category_subject
from app.recommendations.strategies import (
    CART_ROWS,
    GOES_WITH_VIEWED,
    HISTORY,
    REPEATS,
    STORE_BEST_SELLERS,
    UNPROVEN,
    UNPROVEN_ROWS,
    Of,
    Source,
    Strategy,
)
from app.recommendations.whole_carts import Why

# Lists of what goes with a product, by which a session's products speak for candidates.
_GOING_WITH: Final = (
    ready_lists.PAIRS,
    ready_lists.SAME_SHOPPERS,
    ready_lists.VIEWED_TOGETHER,
    ready_lists.SIMILAR,
)
# How many candidates of a whole cart, or of a customer's purchases, are looked at, at most.
MOST_COMBINED: Final = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What candidates are wanted for. Ids are the platform's.

    Attributes:
        product_id: the product of the page.
        cart: the products of the cart.
        viewed: products that the shopper looked at, last one first.
        shopper: a customer who agreed to be recognised, with what they bought.
        session: the running session of a visitor who agreed to it.
        with_cart: whether the cards of the cart are needed on the page of a product too.
    """

    product_id: str | None
    cart: tuple[str, ...]
    viewed: tuple[str, ...] = ()
    shopper: Shopper | None = None
    session: Session = NO_SESSION
    with_cart: bool = False

    @property
    def anchors(self) -> tuple[str, ...]:
        """The product of the page, else the products of the cart."""
        return (self.product_id,) if self.product_id else tuple(dict.fromkeys(self.cart))

    @property
    def looked_up(self) -> tuple[str, ...]:
        """The products whose cards are needed whatever is shown: also those whose categories tell an intent."""
        cart = self.cart if self.with_cart else ()
        return tuple(dict.fromkeys((*self.anchors, *cart, *self.session.looks[:LOOKS])))


class Candidates:
    """Candidates for one answer, source by source."""

    def __init__(self, store_id: int, asked: Asked, chain: Iterable[Strategy]) -> None:
        """Read what the chain may need, and the cards of the page and the cart."""
        self._store_id = store_id
        self._asked = asked
        self._interests = in_session.interests(asked.session, asked.product_id)
        sources = [source for strategy in chain for source in strategy.sources]
        wanted = [key for source in sources for key in self._lists_of(source)]
        if any(source.follows_session for source in sources):
            wanted += itertools.product(_GOING_WITH, self._interests)
        self._lists: ReadyLists
        self._lists, self.cards = cache.read_together(store_id, wanted, asked.looked_up)

    @property
    def anchors(self) -> list[Card]:
        """The cards of the page's product, or of those in the cart that the store knows."""
        return [self.cards[id_] for id_ in self._asked.anchors if id_ in self.cards]

    @cached_property
    def goes_with_session(self) -> dict[str, float]:
        """How well products go with the running session: by the lists of its products that stand ready."""
        lists = (self._lists.held(kind, list(self._interests)) for kind in _GOING_WITH)
        return in_session.affinity(
            (self._interests[subject], items) for held in lists for subject, items in held.items()
        )

    def of(self, strategy: Strategy) -> Iterator[tuple[Source, str, Candidate]]:
        """Yield a strategy's candidates, best first, each with its source and its reason; none twice."""
        seen: set[str] = set()
        for source in strategy.sources:
            for candidate in self._of_source(source):
                if candidate["id"] not in seen:
                    seen.add(candidate["id"])
                    yield source, _reason(source, candidate), candidate

    def _of_source(self, source: Source) -> list[Candidate]:
        if source.of is Of.VIEWED:
            return [{"id": id_} for id_ in self._asked.viewed]
        shopper = self._asked.shopper
        if source.of is Of.REPEATS:
            return list(shopper.due) if shopper else []
        if source.of is Of.HISTORY:
            return self._for_you()
        if source in (CART_ROWS, UNPROVEN_ROWS):
            found = self._cart
            if source == CART_ROWS and get_blend(self._store_id) is scoring.DEFAULT:
                # Nothing has shown yet what unproven pairs are worth: the merchant's own choice stands before them.
                return [candidate for candidate in found if "llr" in candidate]
            return found
        return self._combined(source, self._subjects(source))

    def _for_you(self) -> list[Candidate]:
        """Return what goes with what the customer bought, and with what was looked at in the running session."""
        bought = [c for c in self._whole_cart([]) if c.get("why") != Why.OWN] if self._asked.shopper else []
        seen = self._going_with_session()
        if not (bought and seen):
            return bought or seen
        return in_session.merged([(1.0, bought), (in_session.SESSION_SHARE, seen)], MOST_COMBINED)

    def _going_with_session(self) -> list[Candidate]:
        subjects = list(self._interests)
        lists = self._lists.get(ready_lists.CART_ROWS, subjects) if subjects else {}
        rows = {subject: items[0] for subject, items in lists.items() if items}
        if rows or not subjects:
            return whole_carts.going_with(rows, self._interests, MOST_COMBINED)
        pairs = combine(self._lists.get(ready_lists.PAIRS, subjects), MOST_COMBINED)
        return [{"id": c["id"], "why": Why.SEEN, "orders": c["orders"], "with": c["with"]} for c in pairs]

    @cached_property
    def _cart(self) -> list[Candidate]:
        """What goes with the cart."""
        return self._whole_cart(self._subjects(CART_ROWS))

    def _whole_cart(self, cart: Sequence[str]) -> list[Candidate]:
        """Return what goes with a cart, or with what the customer bought before where there is none."""
        shopper = self._asked.shopper
        subjects = [*cart, *(shopper.weights if shopper else ())]
        rows = {
            subject: items[0]
            for subject, items in self._lists.get(ready_lists.CART_ROWS, subjects).items()
            if items
        }
        if not rows:  # not rebuilt since rows exist: of proven pairs alone
            lists = self._lists.get(ready_lists.PAIRS, cart) if cart else {}
            return combine(lists, MOST_COMBINED)
        return whole_carts.candidates(
            rows,
            cart,
            self._lists.get(ready_lists.BEST_SELLERS, [WHOLE_STORE])[WHOLE_STORE],
            get_blend(self._store_id),
            bought=shopper.bought if shopper else (),
            orders=shopper.orders if shopper else 0,
            most=MOST_COMBINED,
        )

    def _combined(self, source: Source, subjects: Sequence[str]) -> list[Candidate]:
        if not subjects or source.kind is None:
            return []
        lists = self._lists.get(source.kind, subjects)
        # Of several products the evidence names the one that a candidate goes with.
        name = source.of is Of.ANCHORS
        if len(lists) == 1 and (not name or self._asked.product_id == subjects[0]):
            return lists[subjects[0]]
        return combine(lists, MOST_COMBINED, name=name)

    def _subjects(self, source: Source) -> list[str]:
        asked = self._asked
        if source.of is Of.CART:
            return list(dict.fromkeys(asked.cart))
        if source.of is Of.STORE:
            return [WHOLE_STORE]
        if source.of is Of.ANCHORS:
            return list(asked.anchors)
        if source.of is Of.PAGE_CATEGORY and not asked.product_id:
            return []
        return list(dict.fromkeys(category_subject(c.category) for c in self.anchors if c.category))

    def _lists_of(self, source: Source) -> list[tuple[str, str]]:
        """Name the lists of a source that are known before anything is read."""
        shopper = self._asked.shopper
        if source.kind is None or source.of in (Of.REPEATS, Of.CATEGORIES, Of.PAGE_CATEGORY):
            return []
        if source.kind == ready_lists.CART_ROWS:
            own = list(self._interests) if source.of is Of.HISTORY else self._subjects(source)
            subjects = [*own, *(shopper.weights if shopper else ())]
            popular = [(ready_lists.BEST_SELLERS, WHOLE_STORE)] if subjects else []
            return [*((source.kind, subject) for subject in subjects), *popular]
        return [(source.kind, subject) for subject in self._subjects(source)]


# What is claimed of a candidate of rows that is shown for something else than its source's usual reason.
_REASONS: Final = {
    Why.OWN: REPEATS.reason,
    Why.POPULAR: STORE_BEST_SELLERS.reason,
    Why.PAST: HISTORY.reason,
    Why.SEEN: GOES_WITH_VIEWED,
}


def _reason(source: Source, candidate: Candidate) -> str:
    """Return what may be claimed: of a row's candidates only what their evidence says."""
    if source in (CART_ROWS, UNPROVEN_ROWS) and "llr" not in candidate:
        return _REASONS.get(candidate.get("why", Why.PAIR), UNPROVEN)
    if source == HISTORY:
        return _REASONS.get(candidate.get("why", Why.PAST), source.reason)
    return source.reason


def combine(
    lists: Mapping[str, list[Candidate]],
    most: int | None = None,
    *,
    name: bool = True,
) -> list[Candidate]:
    """Return the candidates of several products together, best first, ``most`` at most.

    A candidate's scores with the single products are squared and summed: several good reasons count more
    than one, and one strong reason more than several weak ones. Its evidence is its strongest pair among those that
    pass the gates, else among all; where ``name`` is set, ``with`` names the product of that pair. A list without
    scores counts by places.
    """
    sums: dict[str, float] = {}
    for candidates in lists.values():
        for place, candidate in enumerate(candidates, 1):
            id_ = candidate["id"]
            score = candidate.get("score", 1 / place)
            sums[id_] = sums.get(id_, 0.0) + score * score
    totals = ((-total, id_) for id_, total in sums.items() if id_ not in lists)
    ranked = sorted(totals) if most is None else heapq.nsmallest(most, totals)
    return _strongest([id_ for _, id_ in ranked], lists, name=name)


def _strongest(wanted: Sequence[str], lists: Mapping[str, list[Candidate]], *, name: bool) -> list[Candidate]:
    """Return the strongest pair of each candidate, those that pass the gates before others."""
    best: dict[str, tuple[bool, float]] = dict.fromkeys(wanted, (False, -math.inf))
    found: dict[str, tuple[Candidate, str]] = {}
    for subject, candidates in lists.items():
        for place, candidate in enumerate(candidates, 1):
            id_ = candidate["id"]
            if id_ in best:
                strength = ("llr" in candidate, candidate.get("score", 1 / place))
                if strength > best[id_]:
                    best[id_] = strength
                    found[id_] = candidate, subject
    if name:
        return [{**found[id_][0], "with": found[id_][1]} for id_ in wanted]
    return [found[id_][0] for id_ in wanted]
