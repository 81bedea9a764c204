"""What the running session changes in an answer: which of the candidates come first. Pure.

Nothing enters a list for a session's sake and nothing is claimed that was not claimed before; where the session says
nothing of any candidate, the order stays as it was.

Places are blended by reciprocal rank (Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and
individual rank learning methods", SIGIR 2009): scores of different kinds need no common scale.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

from app.events.session import Session
from app.recommendations.cache import Candidate
from app.recommendations.content import WORD_PATTERN
from app.recommendations.selection import Entry

# Reciprocal rank's constant. The paper's 60 makes all places nearly equal; with 10 the list's own order still counts.
_DAMPING: Final = 10
# How many of a session's products are asked what goes with them.
MOST_INTERESTS: Final = 6
# A look counts half of what went into the cart, and each further one back a little less.
_LOOK: Final = 0.5
_FADING: Final = 0.8
# Beside what somebody bought, what they look at counts so much.
SESSION_SHARE: Final = 0.5
_LEAST_STEM: Final = 3
_WORDS: Final = re.compile(WORD_PATTERN)

Words = frozenset[str]


def interests(session: Session, page: str | None) -> dict[str, float]:
    """Return the products of a session, other than the page's, that say what is wanted, with their weights.

    What went into the cart and was not taken out weighs 1; what was only looked at 0.5, and 0.8 times as much with each
    product back.
    """
    weights = {product: _LOOK * _FADING**place for place, product in enumerate(session.viewed)}
    weights |= dict.fromkeys((*session.cart, *session.added), 1.0)
    for product in (page, *session.removed):
        if product is not None:
            weights.pop(product, None)
    kept = sorted(weights, key=lambda product: -weights[product])[:MOST_INTERESTS]
    return {product: weights[product] for product in kept}


def affinity(lists: Iterable[tuple[float, Sequence[Candidate]]]) -> dict[str, float]:
    """Return how well products go with what a session holds, from lists of what goes with each, best first.

    Each list adds its weight, by the product's place in it.
    """
    found: dict[str, float] = {}
    for weight, candidates in lists:
        for place, candidate in enumerate(candidates):
            found[candidate["id"]] = found.get(candidate["id"], 0.0) + weight / (_DAMPING + place)
    return found


def queries(session: Session) -> list[Words]:
    """Return the words of what was searched for."""
    return [words for query in session.searched if (words := _words(query))]


def bonus(entry: Entry, goes_with: Mapping[str, float], searched: Sequence[Words]) -> float:
    """Return how well a product goes with the running session, on the scale of places.

    Args:
        entry: the product.
        goes_with: as ``affinity`` returns it.
        searched: words of what was searched for; a title that has all words of one query counts like a first place.
    """
    return goes_with.get(entry.card.product_id, 0.0) + _match(entry.card.title, searched) / _DAMPING


def preferred(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries, best first and source after source, with those first of each source that have a bonus.

    Sources keep their places, and those whose order is not ours keep theirs (see ``strategies.Source``).
    """
    found: list[Entry] = []
    for source, group in groupby(entries, key=lambda entry: entry.source):
        run = list(group)
        if source.follows_session:
            scores = [1 / (_DAMPING + place) + entry.bonus for place, entry in enumerate(run)]
            run = [run[place] for place in sorted(range(len(run)), key=lambda place: -scores[place])]
        found += run
    return found


def merged(lists: Sequence[tuple[float, Sequence[Candidate]]], most: int) -> list[Candidate]:
    """Return several lists as one, best first; a candidate that several hold is told as the first of them tells it."""
    scores = affinity(lists)
    told: dict[str, Candidate] = {}
    for _, candidates in lists:
        for candidate in candidates:
            told.setdefault(candidate["id"], candidate)
    return [told[id_] for id_ in sorted(scores, key=lambda id_: -scores[id_])[:most]]


def _match(title: str, searched: Sequence[Words]) -> float:
    """Return the share of a query's words that a title has, of the query that fits best: 0 to 1."""
    if not searched:
        return 0.0
    words = _words(title)
    return max(sum(_has(words, word) for word in query) / len(query) for query in searched)


def _has(words: Words, wanted: str) -> bool:
    """Whether a word is there, or one that it begins or that begins it, such as a plural."""
    return wanted in words or any(
        min(len(word), len(wanted)) >= _LEAST_STEM and (word.startswith(wanted) or wanted.startswith(word))
        for word in words
    )


def _words(text: str) -> Words:
    return frozenset(_WORDS.findall(text.casefold()))
