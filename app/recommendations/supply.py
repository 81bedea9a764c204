"""Where the entries of an answer come from: the store's ready lists now, or the log of a decision.

A shelf remembers what it gave, batch by batch, so that the log can give the same again.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from app.recommendations import cache, in_session, strategies
from app.recommendations.cache import Candidate, Card
from app.recommendations.candidates import Candidates
from app.recommendations.in_session import Words
from app.recommendations.selection import Entry
from app.recommendations.strategies import RULE, Source, Strategy

# Sources by the names that the log gives them.
SOURCES: Final[dict[str, Source]] = {
    name.lower(): value for name, value in vars(strategies).items() if isinstance(value, Source)
}
NAMES: Final = {source: name for name, source in SOURCES.items()}
# What the log keeps of a candidate beside its card.
_SCORES: Final = ("score", "orders", "llr")


class Shelf:
    """The store's own lists, for one answer."""

    def __init__(
        self,
        store_id: int,
        candidates: Candidates,
        searched: Sequence[Words] = (),
        hidden: frozenset[str] = frozenset(),
        keep: Callable[[list[Entry]], list[Entry]] | None = None,
    ) -> None:
        """Give what ``candidates`` hold.

        Args:
            store_id: the store.
            candidates: read for the chain that will be asked.
            searched: words of what the running session searched for.
            hidden: products that will not be shown: their cards are not looked up.
            keep: which of the entries may be shown at all; None: all of them.
        """
        self._store_id = store_id
        self._candidates = candidates
        self._searched = searched
        self._hidden = hidden
        self._keep = keep
        self._following: dict[str, Iterator[tuple[Source, str, Candidate]]] = {}
        self.taken: dict[str, list[list[Entry]]] = {}
        self.called: dict[str, Entry | None] = {}

    @property
    def anchors(self) -> Sequence[Card]:
        """The cards of the page's product, or of those in the cart."""
        return self._candidates.anchors

    def take(self, strategy: Strategy, count: int) -> Sequence[Entry] | None:
        """Return the entries of the strategy's next ``count`` candidates; None where there are no more."""
        following = self._following.get(strategy.name)
        if following is None:
            found = (c for c in self._candidates.of(strategy) if c[2]["id"] not in self._hidden)
            following = self._following[strategy.name] = found
        some = list(itertools.islice(following, count))
        if not some:
            return None
        cards = cache.get_cards(self._store_id, [candidate["id"] for _, _, candidate in some])
        entries = [
            Entry(cards[candidate["id"]], candidate, source, reason)
            for source, reason, candidate in some
            if candidate["id"] in cards
        ]
        if any(source.follows_session for source in strategy.sources):
            entries = self._in_session(entries)
        if self._keep is not None:
            entries = self._keep(entries)
        self.taken.setdefault(strategy.name, []).append(entries)
        return entries

    def named(self, products: Sequence[str]) -> Sequence[Entry]:
        """Return entries of products that a rule names, in order."""
        asked = [product for product in products if product not in self.called]
        cards = cache.get_cards(self._store_id, asked) if asked else {}
        for product in asked:
            card = cards.get(product)
            self.called[product] = None if card is None else Entry(card, {"id": product}, RULE, RULE.reason)
        return [entry for product in products if (entry := self.called[product]) is not None]

    def _in_session(self, entries: list[Entry]) -> list[Entry]:
        """Return entries with what the running session says of each."""
        goes_with = self._candidates.goes_with_session
        if not (goes_with or self._searched):
            return entries
        return [replace(e, bonus=in_session.bonus(e, goes_with, self._searched)) for e in entries]


class Record:
    """What the log of a decision holds: the same entries in the same batches."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        """Give what ``to_json`` made into JSON."""
        self.anchors = [_card_from_json(card) for card in body["anchors"]]
        self._called = {entry["id"]: _entry_from_json(entry) for entry in body["called"]}
        self._batches: dict[str, Iterator[list[Entry]]] = {}
        for (strategy, told), sizes in zip(body["candidates"], body["batches"], strict=True):
            entries = map(_entry_from_json, told)
            self._batches[strategy] = iter([list(itertools.islice(entries, size)) for size in sizes])

    def take(self, strategy: Strategy, count: int) -> Sequence[Entry] | None:  # noqa: ARG002
        """Return the strategy's next batch, whatever ``count`` is; None where there was no more."""
        return next(self._batches.get(strategy.name, iter(())), None)

    def named(self, products: Sequence[str]) -> Sequence[Entry]:
        """Return the entries of products that a rule named then."""
        return [self._called[product] for product in products if product in self._called]


def to_json(shelf: Shelf) -> dict[str, Any]:
    """Return what a shelf gave: ``candidates`` by strategy, and how many of them each batch had."""
    return {
        "anchors": [_card_to_json(card) for card in shelf.anchors],
        "candidates": [
            [strategy, [_entry_to_json(entry) for batch in batches for entry in batch]]
            for strategy, batches in shelf.taken.items()
        ],
        "batches": [[len(batch) for batch in batches] for batches in shelf.taken.values()],
        "called": [_entry_to_json(entry) for entry in shelf.called.values() if entry is not None],
    }


def _entry_to_json(entry: Entry) -> dict[str, Any]:
    found = _card_to_json(entry.card) | {"source": NAMES[entry.source], "reason": entry.reason}
    if entry.bonus:
        found["bonus"] = entry.bonus
    return found | {name: entry.candidate[name] for name in _SCORES if name in entry.candidate}


def _entry_from_json(body: Mapping[str, Any]) -> Entry:
    candidate = {"id": body["id"]} | {name: body[name] for name in _SCORES if name in body}
    source = SOURCES[body["source"]]
    return Entry(_card_from_json(body), candidate, source, body["reason"], body.get("bonus", 0.0))


def _card_to_json(card: Card) -> dict[str, Any]:
    """Return what decides of a card; its pictures and addresses do not."""
    found = {"id": card.product_id, "title": card.title, "price": card.price, "currency": card.currency}
    if not card.eligible:
        found["eligible"] = False
    more = {"category": card.category, "vendor": card.vendor, "tags": list(card.tags)}
    return found | {name: value for name, value in more.items() if value}


def _card_from_json(body: Mapping[str, Any]) -> Card:
    return Card(
        product_id=body["id"],
        variant_id=None,
        title=body["title"],
        url=None,
        image_url=None,
        price=body["price"],
        currency=body["currency"],
        eligible=body.get("eligible", True),
        category=body.get("category"),
        vendor=body.get("vendor"),
        tags=tuple(body.get("tags", ())),
    )
