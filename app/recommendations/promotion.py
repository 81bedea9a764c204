"""Whether a model may answer: its answers to the newest orders against those of the kept model and of popularity.

An order is asked about by hiding one of its products; an answer is right if the product is among the first ten. Two
models are asked the same, so what counts is the orders in which they differ. Nothing here reads or writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from app.recommendations import whole_carts
from app.recommendations.cache import Candidate
from app.recommendations.row_lists import Row
from app.recommendations.scoring import Blend

Hits = npt.NDArray[np.bool_]

# A right answer is among the first so many.
CUT: Final = 10
# Fewer orders than this say nothing.
LEAST_ORDERS: Final = 50
# A model is worse if chance alone would make it look so in fewer than one of a hundred tests: there is one each night.
SURE: Final = 0.01
# Of orders that are older than a model's rival, which fashion has left behind, it must answer so much as well.
KNOWN_SHARE: Final = 0.8

_RESAMPLES: Final = 20_000
_SEED: Final = 0


class Outcome(StrEnum):
    """What a test came to, by the first of these that applies."""

    FORCED = "forced"
    BY_HAND = "returned_by_hand"
    WORSE_THAN_KEPT = "worse_than_kept"
    WORSE_ON_KNOWN_ORDERS = "worse_on_known_orders"
    WORSE_THAN_POPULARITY = "worse_than_popularity"
    NOTHING_KEPT = "nothing_kept"
    TOO_FEW_ORDERS = "too_few_orders"
    NOT_WORSE = "not_worse"

    @property
    def passed(self) -> bool:
        """Return whether the model may answer."""
        return self not in _FAILED


_FAILED: Final = frozenset(
    {
        Outcome.BY_HAND,
        Outcome.WORSE_THAN_KEPT,
        Outcome.WORSE_ON_KNOWN_ORDERS,
        Outcome.WORSE_THAN_POPULARITY,
    }
)

SENTENCES: Final[Mapping[Outcome, str]] = {
    Outcome.FORCED: "The merchant has it answer whatever the test says.",
    Outcome.BY_HAND: "The merchant went back to the kept model, and has not let a newer one answer since.",
    Outcome.WORSE_THAN_KEPT: "It foretells the newest orders worse than the kept model does.",
    Outcome.WORSE_ON_KNOWN_ORDERS: (
        "It has lost more than a fifth of what the kept model foretold of the orders that this one was tested on."
    ),
    Outcome.WORSE_THAN_POPULARITY: "Best sellers alone foretell the newest orders better.",
    Outcome.NOTHING_KEPT: "There is no kept model to compare it with.",
    Outcome.TOO_FEW_ORDERS: f"Fewer than {LEAST_ORDERS} orders can be asked about: not enough to judge.",
    Outcome.NOT_WORSE: "It is not worse than the kept model and not worse than best sellers.",
}


@dataclass(frozen=True, slots=True)
class Question:
    """An order with one of its products hidden.

    Attributes:
        order_id: its internal id.
        cart: platform ids of what is known of it.
        hidden: the platform id of what is to be found.
    """

    order_id: int
    cart: tuple[str, ...]
    hidden: str


@dataclass(frozen=True, slots=True)
class Lists:
    """What a model answers carts from.

    Attributes:
        rows: published rows of the products that are asked about, by platform id; some may lack.
        popular: the store's best sellers.
        blend: how scores are blended.
    """

    rows: Mapping[str, Row]
    popular: Sequence[Candidate]
    blend: Blend

    def ask(self, questions: Sequence[Question]) -> Hits:
        """Return bool[q]: whether the hidden product is among the first ten that a shopper nobody knows would get.

        As in the shop, best sellers fill up what the rows leave open.
        """
        return np.array([question.hidden in self._answer(question.cart) for question in questions], np.bool_)

    def ask_popularity(self, questions: Sequence[Question]) -> Hits:
        """Return the same of best sellers alone."""
        found = [question.hidden in self._best_sellers(question.cart) for question in questions]
        return np.array(found, np.bool_)

    def _answer(self, cart: Sequence[str]) -> list[str]:
        rows = {id_: self.rows[id_] for id_ in cart if id_ in self.rows}
        found = whole_carts.candidates(rows, cart, self.popular, self.blend, most=CUT)
        return list(dict.fromkeys([*(item["id"] for item in found), *self._best_sellers(cart)]))[:CUT]

    def _best_sellers(self, cart: Sequence[str]) -> list[str]:
        return [item["id"] for item in self.popular[: CUT + len(cart)] if item["id"] not in cart][:CUT]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models that were asked about the same orders.

    Attributes:
        orders: how many.
        ours: share of them that the model answered rightly.
        theirs: the same of its rival.
        chance: how likely chance alone makes it look as bad as that or worse; small means it is worse.
    """

    orders: int
    ours: float
    theirs: float
    chance: float

    @property
    def worse(self) -> bool:
        """Return whether the model is surely worse than its rival."""
        return self.orders >= LEAST_ORDERS and self.chance < SURE

    def to_json(self) -> dict[str, float]:
        """Return what is stored of it."""
        return {name: round(value, 5) for name, value in asdict(self).items()}


def compare(ours: Hits, theirs: Hits, share: float = 1.0) -> Comparison:
    """Return how a model stands against its rival, having to reach ``share`` of the rival's right answers.

    By the paired bootstrap (Efron, Annals of Statistics 7(1), 1979): orders are drawn anew, each with both models'
    answers, and it is counted how often the model comes out no worse. Only how many orders end in each of the four
    ways matters, so a draw of all orders is one draw from a multinomial distribution. Seeded.

    Args:
        ours: bool[q], of the model.
        theirs: bool[q], of its rival.
        share: how much of the rival's share of hits it must reach.
    """
    if not len(ours):
        return Comparison(0, 0.0, 0.0, 1.0)
    ways = np.bincount(2 * ours.astype(np.int64) + theirs, minlength=4)
    gains = np.array([0.0, -share, 1.0, 1.0 - share])
    drawn = np.random.default_rng(_SEED).multinomial(len(ours), ways / len(ours), _RESAMPLES)
    no_worse = drawn @ gains >= -1e-9
    return Comparison(len(ours), float(ours.mean()), float(theirs.mean()), float(no_worse.mean()))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a model is judged by; a comparison is empty where there was nothing to ask.

    Attributes:
        newest: against the kept model, on the newest of the orders that neither has learned.
        known: on the orders that the kept model was tested on, against what was answered then.
        popularity: against best sellers, on the newest orders.
        kept_popularity: the kept model against best sellers, on the orders of ``newest``.
    """

    newest: Comparison
    known: Comparison
    popularity: Comparison
    kept_popularity: Comparison

    def to_json(self) -> dict[str, dict[str, float]]:
        """Return what is stored of it."""
        return {
            name: getattr(self, name).to_json()
            for name in ("newest", "known", "popularity", "kept_popularity")
        }


def judge(evidence: Evidence, *, kept: bool) -> Outcome:
    """Return whether a model may answer, and why; ``kept`` says whether there is one that it can be compared with."""
    if evidence.newest.worse:
        return Outcome.WORSE_THAN_KEPT
    if evidence.known.worse:
        return Outcome.WORSE_ON_KNOWN_ORDERS
    if evidence.popularity.worse and not evidence.kept_popularity.worse:
        return Outcome.WORSE_THAN_POPULARITY
    if max(evidence.newest.orders, evidence.known.orders) >= LEAST_ORDERS:
        return Outcome.NOT_WORSE
    too_few = kept or evidence.popularity.orders < LEAST_ORDERS
    return Outcome.TOO_FEW_ORDERS if too_few else Outcome.NOTHING_KEPT
