"""A history's rows, popularity and purchases, as answers are made of them: what tuning asks and evaluation measures.

Whatever is worked out of a request goes through :mod:`app.recommendations.scoring`, as it does when a shop asks.
Compiled and therefore imported in jobs only.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from app.recommendations import cart_rows, ranking, scoring
from app.recommendations.cart_rows import CartRows
from app.recommendations.compiled import Floats
from app.recommendations.cooccurrence import Integers, Parameters
from app.recommendations.evaluation import History, Requests
from app.recommendations.scoring import DEFAULT, Blend, Entries, Past


@dataclass(slots=True, eq=False)
class Model:
    """Rows, popularity and purchases of a history, and the blend to score them with: answers as they are served.

    ``score`` is that of :class:`app.recommendations.evaluation.Model`. ``row_starts`` is int64[p + 1]: where the row
    of each of the history's products begins in ``rows``.
    """

    rows: CartRows
    row_starts: Integers
    shares: Floats
    popular: Integers
    pasts: "Pasts"
    blend: Blend
    recognise: bool
    # Whether it is tuned with: then best sellers take part whatever the blend.
    asking: bool = False

    def score(self, requests: Requests, first: int, last: int) -> Floats:
        """Return scores that fall along the answer; what it does not name is not shown."""
        scores = np.full((last - first, len(self.shares)), -np.inf)
        for request in range(first, last):
            question = self.question(requests, request, recognise=self.recognise)
            order, _ = scoring.score(question.features, self.blend, question.known, past=question.past)
            scores[request - first, question.candidates[order]] = -np.arange(len(order), dtype=np.float64)
        if self.blend is DEFAULT:  # best sellers only fill up, as they do when it is served
            lacking = np.isneginf(scores[:, self.popular])
            filling = self.shares[self.popular] - len(self.shares) - 1.0
            scores[:, self.popular] = np.where(lacking, filling, scores[:, self.popular])
        return scores

    def question(self, requests: Requests, request: int, *, recognise: bool) -> "Question":
        """Return one request with its candidates and what speaks for them."""
        known = requests.known(request)
        customer = int(requests.customers[request]) if recognise else -1
        bought = self.pasts.of(customer, int(requests.seconds[request])) if customer >= 0 else None
        past = None
        if bought is not None:
            trust = scoring.trust(bought.fresh)
            past = bought._replace(entries=self._entries(bought.products[: len(trust)], trust))
        # Popular products are candidates of their own right; every other needs a row or a purchase.
        entries = self._entries(known, None)
        shares = np.zeros(len(self.shares))
        alone = self.popular[:0] if self.blend is DEFAULT and not self.asking else self.popular
        met = np.concatenate([entries.others, alone])
        if past is not None:
            met = np.concatenate([met, past.entries.others])
        shares[met] = self.shares[met]
        chosen, made = scoring.features(entries, len(known), past, shares, known)
        return Question(chosen, made, len(known), past is not None)

    def _entries(self, products: Integers, trust: Floats | None) -> Entries:
        """Return the rows of some products, one behind the other."""
        starts, ends = self.row_starts[products], self.row_starts[products + 1]
        lengths = ends - starts
        total = int(lengths.sum())
        at = np.arange(total) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
        return Entries(
            self.rows.others[at],
            self.rows.weighted[at],
            self.rows.item[at],
            self.rows.together[at],
            None if trust is None else np.repeat(trust, lengths),
        )


class Question(NamedTuple):
    """A request as it is scored.

    Attributes:
        candidates: int64[c].
        features: float64[c, f].
        known: how many products are known.
        past: whether the customer's past is.
    """

    candidates: Integers
    features: Floats
    known: int
    past: bool


@dataclass(slots=True, eq=False)
class Pasts:
    """What every customer of a history has bought, as a compressed sparse row matrix, newest purchase first.

    Attributes:
        indptr: int64[c + 1].
        products: int64[m].
        times: int64[m].
        last_days: int64[m].
        orders: int64[c].
        timed: whether days are known.
    """

    indptr: Integers
    products: Integers
    times: Integers
    last_days: Integers
    orders: Integers
    timed: bool

    def of(self, customer: int, seconds: int) -> Past | None:
        """Return what a customer had bought by some time; None of one who has bought nothing."""
        if customer >= len(self.orders) or not self.orders[customer]:
            return None
        first = int(self.indptr[customer])
        span = slice(first, min(int(self.indptr[customer + 1]), first + scoring.MOST_PAST))
        today = seconds // 86_400 if self.timed else seconds
        times = self.times[span].astype(np.float64)
        gaps = (today - self.last_days[span]).astype(np.float64)
        return Past(
            products=self.products[span],
            times=times,
            gaps=gaps,
            fresh=scoring.freshness(times, gaps),
            orders=int(self.orders[customer]),
            entries=_NOTHING,
        )


def pasts_of(orders: History) -> Pasts:
    """Return what each customer of a history has bought."""
    customers = len(orders.customer_ids)
    lines = np.repeat(orders.customers, np.diff(orders.indptr))
    days = np.repeat(orders.days, np.diff(orders.indptr))
    known = lines >= 0
    width = max(len(orders.product_ids), 1)
    keys = lines[known] * width + orders.products[known]
    order = np.argsort(keys, kind="stable")
    keys, days = keys[order], days[known][order]
    found, starts = np.unique(keys, return_index=True)
    if len(found):
        times = np.diff(np.append(starts, len(keys)))
        last = np.maximum.reduceat(days, starts)
    else:
        times, last = np.zeros(0, np.int64), np.zeros(0, np.int64)
    owners, products = np.divmod(found, width)
    newest = np.lexsort((products, -times, -last, owners))
    return Pasts(
        indptr=np.concatenate(([0], np.cumsum(np.bincount(owners, minlength=customers)))).astype(np.int64),
        products=products[newest],
        times=times[newest],
        last_days=last[newest],
        orders=np.bincount(orders.customers[orders.customers >= 0], minlength=customers).astype(np.int64),
        timed=orders.timed,
    )


_NOTHING: Final = Entries(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0))


def model_of(
    orders: History, parameters: Parameters, ridge: float | None, blend: Blend, *, recognise: bool
) -> Model:
    """Return the model that a history and a blend make; ``recognise`` lets it use what customers have bought."""
    baskets = orders.baskets()
    counted = ranking.rebuild(parameters, baskets, cart_rows.UNGATED, cart_rows.LENGTH)
    popular = cart_rows.popularity_of(counted)
    shares = np.zeros(len(orders.product_ids))
    shares[popular.products] = popular.shares
    rows = cart_rows.joined(cart_rows.build(counted, ridge))
    lengths = np.zeros(len(shares), np.int64)
    lengths[rows.products] = np.diff(rows.indptr)
    best = np.lexsort((np.arange(len(shares)), -shares))[: scoring.POPULAR]
    starts = np.concatenate(([0], np.cumsum(lengths)))
    return Model(rows, starts, shares, np.sort(best), pasts_of(orders), blend, recognise)
