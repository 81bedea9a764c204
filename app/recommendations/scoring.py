"""Scoring a whole cart from ready rows: what is read, what is worked out of it, how it is blended.

Everything here runs in the request, on a few thousand numbers and without a model to call. Tuning and evaluation go
through the same functions, so a score means the same where it is learned and where it is served.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# What is worked out of each candidate, in the order of the columns of a matrix of features.
FEATURES: Final = (
    "weighted",  # root of the summed squares of its weighted scores with what is known
    "weighted_mean",  # the same, of the mean square
    "item_model",  # sum of its weights in the item model
    "item_model_mean",
    "share_together",  # mean share of the known products' orders that hold it, shrunk towards nothing
    "likely",  # logarithm of that share mixed with its share of all orders
    "popular",  # logarithm of its share of all orders
    "past_weighted",  # as the first, over what the customer has bought before
    "past_item_model",
    "past_together",
    "own_times",  # logarithm of 1 + how often the customer has bought it
    "own_share",  # share of the customer's orders with it
    "own_fresh",  # the same without logarithm, halved with every 90 days since the last
    "own_gap",  # logarithm of 1 + days since the last
    "weighted_place",  # 1 / (1 + its place by the weighted score)
    "item_model_place",
    "known",  # logarithm of how many products are known
    "past_orders",  # logarithm of 1 + the customer's orders
    "blend",  # how far its blended score is below the best
    "blend_place",  # 1 / (1 + its place by that score)
)
# Those that are blended by a sum: they differ between the candidates of a request.
BLENDED: Final = FEATURES.index("known")
_PAST: Final = slice(FEATURES.index("past_weighted"), FEATURES.index("own_gap") + 1)
_GAP: Final = FEATURES.index("own_gap")

# A purchase loses half of what it says in so many days.
FADE_DAYS: Final = 90.0
# How much of a share is the store's and not the known products'.
_MIXED: Final = 0.3
# Below every share of a product that was ever bought.
_LEAST_SHARE: Final = 1e-6
# Scores that differ less than this are equal.
_LEAST_SPREAD: Final = 1e-12
# Days that stand for never.
_NEVER_DAYS: Final = 3650.0
# A customer's purchases that are looked at, newest first, and of how many the rows are read.
MOST_PAST: Final = 500
PAST_ROWS: Final = 50
# The most popular products are candidates of every request.
POPULAR: Final = 100
# How many candidates a single reason may bring.
CANDIDATES: Final = 80
# How many candidates of the blend the trees sort anew.
RERANKED: Final = 60


class Entries(NamedTuple):
    """What rows say, one behind the other; arrays of one item an entry.

    Attributes:
        others: int64, the companions, numbered by whoever asks.
        weighted: the weighted co-purchase scores (see ``ranking.rank``).
        item: weights of the item model (see ``item_model``), 0 where it has none.
        together: share of the row's product's orders that hold the other, by weight, shrunk.
        trust: how much the row that an entry is from counts; None where all count alike.
    """

    others: Integers
    weighted: Floats
    item: Floats
    together: Floats
    trust: Floats | None = None


class Past(NamedTuple):
    """What a customer has bought; arrays of one item a product.

    Attributes:
        products: int64, numbered as in :class:`Entries`.
        times: in how many of the customer's orders each stood.
        gaps: days since the last.
        fresh: see :func:`freshness`.
        orders: how many orders the customer has placed.
        entries: what the rows of those products say.
    """

    products: Integers
    times: Floats
    gaps: Floats
    fresh: Floats
    orders: int
    entries: Entries


# What a request knows decides which coefficients are used: one product or several, a customer's past or none.
SITUATIONS: Final = ("page", "cart", "page_past", "cart_past")


def situation(known: int, *, past: bool) -> str:
    """Return which of :data:`SITUATIONS` a request with ``known`` products is."""
    return ("cart" if known > 1 else "page") + ("_past" if past else "")


@dataclass(frozen=True, slots=True)
class Blend:
    """How features become a score: a sum, and where it helps trees over the best of it.

    Attributes:
        page: float[BLENDED], coefficients where one product is known and nobody.
        cart: float[BLENDED], where several are.
        page_past: float[BLENDED], where also the customer's past is known.
        cart_past: float[BLENDED], the same of several products.
        trees: what sorts the best candidates anew, or None.
        sorted_by_trees: the situations, named as the coefficients, in which it does.
    """

    page: tuple[float, ...]
    cart: tuple[float, ...]
    page_past: tuple[float, ...]
    cart_past: tuple[float, ...]
    trees: "Trees | None" = None
    sorted_by_trees: tuple[str, ...] = ()

    def coefficients(self, known: int, *, past: bool) -> tuple[float, ...]:
        """Return the coefficients for ``known`` products, with or without a known customer."""
        found: tuple[float, ...] = getattr(self, situation(known, past=past))
        return found

    def as_json(self) -> dict[str, Any]:
        """Return what :func:`blend_from_json` reads."""
        named = {name: list(getattr(self, name)) for name in SITUATIONS}
        trees = None if self.trees is None else self.trees.as_json()
        return {**named, "trees": trees, "sorted_by_trees": list(self.sorted_by_trees)}


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """A forest of binary regression trees whose values are summed, flat.

    Node ``i`` sends a row to ``left[i]`` where its feature is at most ``threshold[i]``, else to ``right[i]``; a
    leaf is its own child on both sides.

    Attributes:
        roots: int64[t].
        feature: int64[n].
        threshold: float64[n].
        left: int64[n].
        right: int64[n].
        value: float64[n], of leaves; 0 elsewhere.
        depth: how many steps reach every leaf.
    """

    roots: Integers
    feature: Integers
    threshold: Floats
    left: Integers
    right: Integers
    value: Floats
    depth: int

    def predict(self, rows: Floats) -> Floats:
        """Return float64[r]: the trees' sum for each row of features."""
        place = np.arange(len(rows))[:, np.newaxis]
        node = np.broadcast_to(self.roots, (len(rows), len(self.roots)))
        for _ in range(self.depth):
            goes_left = rows[place, self.feature[node]] <= self.threshold[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        total: Floats = self.value[node].sum(axis=1)
        return total

    def predict_many(self, rows: Floats, step: int = 20_000) -> Floats:
        """Return the same of many rows, so many at a time."""
        parts = [self.predict(rows[first : first + step]) for first in range(0, len(rows), step)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def as_json(self) -> dict[str, Any]:
        """Return the arrays as lists."""
        arrays = ("roots", "feature", "threshold", "left", "right", "value")
        return {**{name: getattr(self, name).tolist() for name in arrays}, "depth": self.depth}


def freshness(times: Floats, gaps: Floats) -> Floats:
    """Return float64[m]: purchases, halved with every ``FADE_DAYS`` days since the last."""
    return times * 0.5 ** (np.maximum(gaps, 0.0) / FADE_DAYS)


def trust(fresh: Floats) -> Floats:
    """Return how much the rows of the newest ``PAST_ROWS`` purchases count, of whose freshness is given."""
    return fresh[:PAST_ROWS] / max(float(fresh.sum()), 1.0)


def trees_from_json(stored: dict[str, Any]) -> Trees:
    """Return the trees that ``Trees.as_json`` wrote."""
    roots, feature, left, right = (
        np.array(stored[name], np.int64) for name in ("roots", "feature", "left", "right")
    )
    threshold, value = (np.array(stored[name], np.float64) for name in ("threshold", "value"))
    return Trees(roots, feature, threshold, left, right, value, int(stored["depth"]))


def blend_from_json(stored: dict[str, Any]) -> Blend:
    """Return the blend that ``Blend.as_json`` wrote."""
    page, cart, page_past, cart_past = (tuple(stored[name]) for name in SITUATIONS)
    trees = None if stored["trees"] is None else trees_from_json(stored["trees"])
    return Blend(page, cart, page_past, cart_past, trees, tuple(stored["sorted_by_trees"]))


def features(
    known: Entries, several: int, past: Past | None, shares: Floats, hidden: Integers
) -> tuple[Integers, Floats]:
    """Return the candidates worth scoring, and what speaks for each of them.

    A candidate is worth it if it is among the best by any single reason.

    Args:
        known: what the rows of the products say that are known to be wanted.
        several: how many such products there are.
        past: what the customer has bought, or None where nobody is known.
        shares: float64[n], each numbered product's share of all orders.
        hidden: int64, products that must not be candidates.

    Returns:
        int64[c], numbers of candidates, rising; float64[c, len(FEATURES)].
    """
    count, several = len(shares), max(several, 1)
    weighted, item, together = _sums(count, known)
    reasons = [weighted, item, shares]
    if past is not None:
        past_weighted, past_item, past_together = _sums(count, past.entries)
        fresh = np.zeros(count)
        fresh[past.products] = past.fresh
        reasons += [past_weighted, past_item, fresh]
    chosen = _best_by_any(reasons, hidden)
    made = np.zeros((len(chosen), len(FEATURES)))
    made[:, 0] = np.sqrt(weighted[chosen])
    made[:, 1] = made[:, 0] / math.sqrt(several)
    made[:, 2] = item[chosen]
    made[:, 3] = made[:, 2] / several
    made[:, 4] = together[chosen] / several
    made[:, 5] = np.log((1 - _MIXED) * made[:, 4] + _MIXED * shares[chosen] + _LEAST_SHARE)
    made[:, 6] = np.log(shares[chosen] + _LEAST_SHARE)
    made[:, _GAP] = math.log1p(_NEVER_DAYS)
    if past is not None:
        made[:, 7], made[:, 8] = np.sqrt(past_weighted[chosen]), past_item[chosen]
        made[:, 9], made[:, 12] = past_together[chosen], fresh[chosen]
        here = np.isin(past.products, chosen)
        own = np.searchsorted(chosen, past.products[here])
        made[own, 10] = np.log1p(past.times[here])
        made[own, 11] = past.times[here] / max(past.orders, 1)
        made[own, _GAP] = np.log1p(np.maximum(past.gaps[here], 0))
        made[:, 17] = math.log1p(past.orders)
    made[:, 14] = _places(made[:, 0])
    made[:, 15] = _places(made[:, 2])
    made[:, 16] = math.log(several)
    return chosen, made


def score(made: Floats, blend: Blend, known: int, *, past: bool) -> tuple[Integers, Floats]:
    """Return the candidates' places, best first, and their scores by the blend's sum.

    Args:
        made: what :func:`features` returned.
        blend: of the store.
        known: how many products are known.
        past: whether a customer's past is.
    """
    order, total = blended(made, blend, known, past=past)
    if blend.trees is not None and situation(known, past=past) in blend.sorted_by_trees and len(order) > 1:
        best = order[:RERANKED]
        anew = blend.trees.predict(for_trees(made[best], total[best]))
        order[:RERANKED] = best[np.argsort(-both(total[best], anew), kind="stable")]
    return order, total


def blended(made: Floats, blend: Blend, known: int, *, past: bool) -> tuple[Integers, Floats]:
    """Return the same without trees."""
    total: Floats = made[:, :BLENDED] @ np.array(blend.coefficients(known, past=past))
    return np.argsort(-total, kind="stable"), total


def both(total: Floats, anew: Floats) -> Floats:
    """Return what the blend and the trees say of one request's best candidates, in sum.

    Each says as much as the other: they are added in their own standard deviations (CombSUM of Fox and Shaw,
    *Combination of multiple searches*, TREC-2, 1994). Their errors differ, so the sum is wrong less often than either.
    """
    return _standard(total) + _standard(anew)


def _standard(values: Floats) -> Floats:
    """Return values in standard deviations; 0 where all are alike."""
    spread = float(values.std()) if len(values) else 0.0
    return (values - values.mean()) / spread if spread > _LEAST_SPREAD else np.zeros(len(values))


def for_trees(best: Floats, total: Floats) -> Floats:
    """Return the features of the best candidates, best first, with what the blend says of them."""
    known = best.copy()
    known[:, -2] = total - total[0]
    known[:, -1] = 1.0 / (1.0 + np.arange(len(best)))
    return known


def _sums(count: int, entries: Entries) -> tuple[Floats, Floats, Floats]:
    """Return each candidate's sum of squared weighted scores, of item model weights, of shares together."""
    weighted, item, together = entries.weighted**2, entries.item, entries.together
    if entries.trust is not None:
        weighted, item, together = weighted * entries.trust, item * entries.trust, together * entries.trust
    summed = (np.bincount(entries.others, values, count) for values in (weighted, item, together))
    first, second, third = (values.astype(np.float64) for values in summed)
    return first, second, third


def _best_by_any(reasons: Sequence[Floats], hidden: Integers) -> Integers:
    """Return, rising, what is among the best ``CANDIDATES`` by any reason that speaks for it at all."""
    chosen = np.zeros(len(reasons[0]), np.bool_)
    for values in reasons:
        if len(values) <= CANDIDATES:
            chosen |= values > 0
        else:
            best = np.argpartition(-values, CANDIDATES)[:CANDIDATES]
            chosen[best[values[best] > 0]] = True
    chosen[hidden] = False
    return np.flatnonzero(chosen)


def _places(values: Floats) -> Floats:
    """Return 1 / (1 + place) by falling value; equal values share the best of their places."""
    falling = np.sort(-values)
    places: Floats = 1.0 / (1.0 + np.searchsorted(falling, -values).astype(np.float64))
    return places


def _simple(**named: float) -> tuple[float, ...]:
    return tuple(named.get(name, 0.0) for name in FEATURES[:BLENDED])


# For stores with too few orders to be tuned. A customer's own purchases count, everything else as for anybody.
_ANYBODY: Final = {"weighted": 10.0, "likely": 0.5, "popular": 0.1}
_SOMEBODY: Final = {**_ANYBODY, "own_share": 3.0, "past_weighted": 2.0}
DEFAULT: Final = Blend(
    page=_simple(**_ANYBODY),
    cart=_simple(**_ANYBODY),
    page_past=_simple(**_SOMEBODY),
    cart_past=_simple(**_SOMEBODY),
)
