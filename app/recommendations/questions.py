"""Later orders taken apart into questions, and how well scores answer them.

Of an order that was held out some products are known and others are looked for, as if it were being put together now.
Compiled and therefore imported in jobs only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.recommendations import scoring
from app.recommendations.compiled import Floats
from app.recommendations.cooccurrence import Integers
from app.recommendations.evaluation import History, Requests, make_requests
from app.recommendations.history_model import Model
from app.recommendations.question_kernels import reciprocal_ranks
from app.recommendations.scoring import BLENDED, SITUATIONS, Blend

Bits = npt.NDArray[np.bool_]


@dataclass(slots=True, eq=False)
class Drawn:
    """Requests, and of each all products that would have answered it.

    ``recognise`` says whether the customer is told, ``orders`` is int64[q], which order a request was made of.
    """

    requests: Requests
    hidden: list[Integers]
    recognise: list[bool]
    orders: Integers


def draw(test: History, random: np.random.Generator, most: int) -> Drawn:
    """Return about ``most`` requests of held-out orders: of a page and of a cart, with the customer and without.

    Of a page everything else in the order answers; of a cart the one product that was hidden. Where there are few
    orders, each is asked about several times.
    """
    asked = np.flatnonzero((np.diff(test.indptr) >= 2) & (_known_lines(test) >= 2))
    known: list[Integers] = []
    hidden: list[Integers] = []
    owners: list[int] = []
    recognise: list[bool] = []
    for turn in range(max(1, -(-most // max(len(asked), 1)))):
        for order in random.permutation(asked)[:most].tolist():
            basket = test.products[test.indptr[order] : test.indptr[order + 1]]
            basket = random.permutation(basket[basket >= 0])
            page = bool(random.integers(2))
            known.append(np.sort(basket[:1] if page else basket[1:]))
            hidden.append(basket[1:] if page else basket[:1])
            owners.append(order)
            recognise.append(bool((turn + random.integers(2)) % 2))
    places = np.array(owners, np.int64)
    requests = make_requests(known, test.customers[places], test.seconds[places])
    return Drawn(requests, hidden, recognise, places)


def _known_lines(test: History) -> Integers:
    """Return int64[n]: how many of each order's products training knows."""
    running = np.concatenate(([0], np.cumsum(test.products >= 0)))
    known: Integers = running[test.indptr[1:]] - running[test.indptr[:-1]]
    return known


@dataclass(slots=True, eq=False)
class Asked:
    """Requests with all their candidates, one behind the other.

    Attributes:
        starts: int64[q + 1].
        features: float32[n, f].
        answers: bool[n], which candidates were bought.
        wanted: int64[q], how many products would have answered, candidates or not.
        known: int64[q].
        past: bool[q].
        orders: int64[q], which order each request was made of.
    """

    starts: Integers
    features: npt.NDArray[np.float32]
    answers: Bits
    wanted: Integers
    known: Integers
    past: Bits
    orders: Integers

    def __len__(self) -> int:
        return len(self.known)

    def where(self, kept: Bits) -> "Asked":
        """Return some of the requests: bool[q]."""
        lengths = np.diff(self.starts)
        rows = np.repeat(kept, lengths)
        return Asked(
            np.concatenate(([0], np.cumsum(lengths[kept]))),
            self.features[rows],
            self.answers[rows],
            self.wanted[kept],
            self.known[kept],
            self.past[kept],
            self.orders[kept],
        )

    def situation(self, name: str) -> Bits:
        """Return bool[q]: which requests are in one of the situations."""
        shared: Bits = (self.past == name.endswith("_past")) & ((self.known > 1) == name.startswith("cart"))
        return shared

    def answerable(self) -> Bits:
        """Return bool[q]: which requests have an answer among their candidates."""
        return _any(self.answers, self.starts)

    def totals(self, blend: Blend) -> Floats:
        """Return float64[n]: the blend's sums."""
        total = np.zeros(len(self.features))
        lengths = np.diff(self.starts)
        for name in SITUATIONS:
            rows = np.repeat(self.situation(name), lengths)
            total[rows] = self.features[rows, :BLENDED] @ np.array(getattr(blend, name))
        return total

    def best(self, blend: Blend) -> tuple[Integers, Integers, Floats]:
        """Return the places of each request's best candidates, where each request begins, features for trees."""
        total = self.totals(blend)
        owners = np.repeat(np.arange(len(self)), np.diff(self.starts))
        order = np.lexsort((-total, owners))
        within = np.arange(len(order)) - self.starts[owners]
        best = order[within < scoring.RERANKED]
        starts = np.concatenate(([0], np.cumsum(np.minimum(np.diff(self.starts), scoring.RERANKED))))
        made = self.features[best].astype(np.float64)
        heads = np.repeat(starts[:-1], np.diff(starts))
        made[:, -2] = total[best] - total[best][heads] if len(best) else 0.0
        made[:, -1] = 1.0 / (1.0 + np.arange(len(best)) - heads)
        return best, starts, made

    def qualities(self, total: Floats) -> Floats:
        """Return float64[q]: the mean reciprocal rank of a request's answers, 0 for one that is no candidate.

        It is what one of them, drawn by chance, may be expected to get, without the chance.
        """
        return reciprocal_ranks(np.ascontiguousarray(total), self.starts, self.answers) / self.wanted

    def qualities_of(self, blend: Blend) -> Floats:
        """Return the same of a blend, with its trees where it uses them."""
        total = self.totals(blend)
        found = self.qualities(total)
        if blend.trees is not None:
            best, starts, made = self.best(blend)
            anew = blend.trees.predict_many(made)
            sorted_anew = total - total.max(initial=0.0) - 1.0  # below everything that the trees sort
            for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
                both = scoring.both(total[best[first:last]], anew[first:last])
                sorted_anew[best[first:last]] = both - both.min(initial=0.0)
            by_trees = self.qualities(sorted_anew)
            for name in blend.sorted_by_trees:
                chosen = self.situation(name)
                found[chosen] = by_trees[chosen]
        return found

    def lessons(self, blend: Blend) -> tuple[Floats, Bits, Integers]:
        """Return features, answers and lengths of the requests whose best candidates hold an answer."""
        best, starts, made = self.best(blend)
        answers = self.answers[best]
        useful = _any(answers, starts)
        lengths = np.diff(starts)
        rows = np.repeat(useful, lengths)
        return made[rows], answers[rows], lengths[useful]


def _any(marked: Bits, starts: Integers) -> Bits:
    """Return bool[q]: of which requests any candidate is marked."""
    running = np.concatenate(([0], np.cumsum(marked)))
    found: Bits = running[starts[1:]] > running[starts[:-1]]
    return found


def ask(model: Model, drawn: Drawn) -> Asked:
    """Return requests with the candidates that a model has for them."""
    asked = [
        model.question(drawn.requests, place, recognise=told) for place, told in enumerate(drawn.recognise)
    ]
    return Asked(
        np.concatenate(([0], np.cumsum([len(q.candidates) for q in asked]))),
        np.concatenate([q.features.astype(np.float32) for q in asked]),
        np.concatenate([np.isin(q.candidates, h) for q, h in zip(asked, drawn.hidden, strict=True)]),
        np.array([len(h) for h in drawn.hidden], np.int64),
        np.array([q.known for q in asked], np.int64),
        np.array([q.past for q in asked], np.bool_),
        drawn.orders,
    )


def joined(parts: Sequence[Asked]) -> Asked:
    """Return the requests of several histories as those of one, whose orders are all different."""
    rows = np.cumsum([0, *(len(part.features) for part in parts)])
    orders = np.cumsum([0, *(int(part.orders.max(initial=-1)) + 1 for part in parts)])
    shifted = zip(parts, rows.tolist(), orders.tolist(), strict=False)
    starts, moved = zip(
        *((part.starts[1:] + row, part.orders + order) for part, row, order in shifted), strict=True
    )
    return Asked(
        np.concatenate(([0], *starts)),
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.answers for part in parts]),
        np.concatenate([part.wanted for part in parts]),
        np.concatenate([part.known for part in parts]),
        np.concatenate([part.past for part in parts]),
        np.concatenate(moved),
    )
