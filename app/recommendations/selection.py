"""Which of the candidates are shown, and in which order. Pure.

*Twins* are products that differ only in a word or two, such as a colour, a size or a number: of them the better one is
shown. *Spread* keeps one category from filling a list while there are others. An *upsell* is offered in place of the
page's product, a *cross-sell* beside it.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Final

from app.recommendations.cache import Candidate, Card
from app.recommendations.strategies import MERCHANTS, SIMILAR, SUBSTITUTES, Source

UPSELL: Final = "upsell"
CROSS_SELL: Final = "cross_sell"
# An upsell costs more, and not out of all proportion: between these multiples of the page's price.
_UPSELL_FROM: Final = 1.1
_UPSELL_TO: Final = 2.5

_TWIN_JACCARD: Final = 0.75
# "Red mug" and "blue mug" might be anything; with two words in common a third one is a variant's.
_TWIN_SHARED: Final = 2
_WORDS = re.compile(r"\w+")

# Among four products that stand together, at most two of a category and three of a vendor.
_WINDOW: Final = 4
_OF_CATEGORY: Final = 2
_OF_VENDOR: Final = 3
# No product overtakes more than so many better ones for the sake of variety.
_LOOK_AHEAD: Final = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """A product that might be shown: its card, why, and what may be claimed.

    ``bonus`` is how well it goes with the running session (see ``in_session``).
    """

    card: Card
    candidate: Candidate
    source: Source
    reason: str
    bonus: float = 0.0

    @property
    def proven(self) -> bool:
        """Whether orders prove that it is bought together with what is asked about."""
        return self.reason == "bought_together"


def select(
    entries: Iterable[Entry],
    limit: int,
    *,
    anchors: Sequence[Card] = (),
    before: Sequence[Entry] = (),
    hidden: Collection[str] = (),
) -> list[Entry]:
    """Return what is shown behind what stands there ``before``: ``limit`` products at most.

    ``entries`` stand best first, source after source; sources never change places. Left out are products that cannot
    be shown now or are ``hidden`` (platform ids), twins of a better entry, and twins of the ``anchors`` (the product
    of the page or those of the cart), unless orders or the merchant say that they belong together.
    """
    chosen = list(before)
    full = len(chosen) + limit
    seen = {*hidden, *(entry.card.product_id for entry in before)}
    for source, group in groupby(entries, key=lambda entry: entry.source):
        fit = [e for e in group if e.card.eligible and (e.source.given or not _stands_in(e, anchors))]
        while len(chosen) < full and fit:
            entry = fit.pop(_least_crowded(fit, chosen) if source.spread else 0)
            if entry.card.product_id in seen or (not source.given and _has_twin(entry, chosen)):
                continue
            seen.add(entry.card.product_id)
            chosen.append(entry)
    return chosen[len(before) :]


def _stands_in(entry: Entry, anchors: Sequence[Card]) -> bool:
    """Whether an entry is but another variant of what is on the page."""
    if entry.proven or entry.source in MERCHANTS:
        return False
    return any(twins(entry.card, anchor) for anchor in anchors)


def _has_twin(entry: Entry, chosen: Sequence[Entry]) -> bool:
    return any(twins(entry.card, other.card) for other in chosen)


def _least_crowded(fit: Sequence[Entry], chosen: Sequence[Entry]) -> int:
    """Return the place of the best entry whose category, and then vendor, is not too frequent just before it."""
    recent = [entry.card for entry in chosen[1 - _WINDOW :]]
    if len(recent) < _OF_CATEGORY:
        return 0
    return min(
        range(min(len(fit), _LOOK_AHEAD)), key=lambda place: (_crowding(fit[place].card, recent), place)
    )


def _crowding(card: Card, recent: Sequence[Card]) -> tuple[bool, bool]:
    category = card.category is not None and sum(c.category == card.category for c in recent) >= _OF_CATEGORY
    vendor = card.vendor is not None and sum(c.vendor == card.vendor for c in recent) >= _OF_VENDOR
    return category, vendor


def twins(one: Card, other: Card) -> bool:
    """Whether two products are variants of one thing, by their titles.

    Never across categories that are both known. Two words at least are in common, and either the words in common make
    three quarters of all (Jaccard), or the titles are equal but for one word in one place. Words are compared without
    regard to case; no list of colours is needed, so it works in any language that separates words.
    """
    if one.category is not None and other.category is not None and one.category != other.category:
        return False
    a, b = _words(one.title), _words(other.title)
    shared = len(a[1] & b[1])
    if shared < _TWIN_SHARED:
        return False
    return shared / len(a[1] | b[1]) >= _TWIN_JACCARD or _but_for_one(a[0], b[0])


def _but_for_one(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether two sequences are equal after one element is replaced, put in or taken out."""
    if len(a) == len(b):
        return sum(x != y for x, y in zip(a, b, strict=True)) <= 1
    longer, shorter = (a, b) if len(a) > len(b) else (b, a)
    if len(longer) - len(shorter) > 1:
        return False
    same = next((n for n, (x, y) in enumerate(zip(longer, shorter, strict=False)) if x != y), len(shorter))
    return longer[same + 1 :] == shorter[same:]


@lru_cache(maxsize=20_000)
def _words(title: str) -> tuple[tuple[str, ...], frozenset[str]]:
    words = tuple(_WORDS.findall(title.casefold()))
    return words, frozenset(words)


def relation(entry: Entry, page: Card | None) -> str:
    """Return ``upsell`` for the same need at a higher value, else ``cross_sell``.

    The same need is served by what the merchant named as better, and by what is similar and of the page's
    category. The price is 1.1 to 2.5 times that of the page's product, in the same currency.
    """
    if page is None or entry.source not in SUBSTITUTES:
        return CROSS_SELL
    card = entry.card
    if entry.source == SIMILAR and (card.category is None or card.category != page.category):
        return CROSS_SELL
    if not page.price or card.price is None or card.currency != page.currency:
        return CROSS_SELL
    return UPSELL if _UPSELL_FROM <= card.price / page.price <= _UPSELL_TO else CROSS_SELL
