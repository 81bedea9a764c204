"""How far a store has moved away from what its model learned. Pure: it judges what was counted.

Mixes are compared by the population stability index, the sum over groups of ``(a - b) ln(a / b)`` for the shares ``a``
after and ``b`` before. By custom less than 0.1 is no change and more than 0.25 a large one (Siddiqi, *Credit Risk
Scorecards*, 2006). Of ``N`` and ``M`` draws from one and the same mix over ``B`` groups it is about a chi-squared
variable with ``B - 1`` degrees of freedom times ``1 / N + 1 / M`` (Yurdakul and Naranjo, *Journal of Risk Model
Validation* 14, 2020). So a large index is nothing in a small shop: what chance does once in a thousand is no drift.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.monitoring.freshness import ERROR, OK, WAITING, WARN

CATEGORY_MIX: Final = "category_mix"
PRODUCT_MIX: Final = "product_mix"
NEW_PRODUCTS: Final = "new_products"
GONE_PRODUCTS: Final = "gone_products"
WITHOUT_LIST: Final = "without_list"
EMPTY_ANSWERS: Final = "empty_answers"
MEASURES: Final = (CATEGORY_MIX, PRODUCT_MIX, NEW_PRODUCTS, GONE_PRODUCTS, WITHOUT_LIST, EMPTY_ANSWERS)

AFTER_DAYS: Final = 7
BEFORE_DAYS: Final = 28
# Of each measure: what is warned of, and what is an error; None where it is no error however large.
LIMITS: Final[dict[str, tuple[float, float | None]]] = {
    CATEGORY_MIX: (0.25, None),
    PRODUCT_MIX: (0.25, None),
    NEW_PRODUCTS: (0.2, 0.5),
    GONE_PRODUCTS: (0.3, 0.6),
    WITHOUT_LIST: (0.2, 0.5),
    EMPTY_ANSWERS: (0.1, 0.3),
}
_LEAST_ORDERS: Final = 100  # in each of the two times
_LEAST_ANSWERS: Final = 500  # of a slot, likewise
_MOST_GROUPS: Final = 50
_Z: Final = 3.0902  # of a normal variable, exceeded once in a thousand


@dataclass(frozen=True, slots=True)
class Sold:
    """A product that was sold within the two times: in how many orders, before and after."""

    product_id: int
    category: str | None
    before: int
    after: int
    eligible: bool
    listed: bool


@dataclass(frozen=True, slots=True)
class Answers:
    """What a slot answered where it was not told to show nothing: before and after."""

    slot: str
    before: int
    empty_before: int
    after: int
    empty_after: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What is known of a store.

    Attributes:
        sold: every product that was sold.
        orders_before: orders that sold anything, in the ``BEFORE_DAYS`` before the last ``AFTER_DAYS``.
        orders_after: the same, in those.
        eligible: products that may be shown now.
        new: those of them that came after the model was built.
        weight: of all products in the model, as they were bought.
        gone_weight: of those that may not be shown now.
        answers: of each slot.
    """

    sold: Sequence[Sold]
    orders_before: int
    orders_after: int
    eligible: int
    new: int
    weight: int
    gone_weight: int
    answers: Sequence[Answers]


@dataclass(frozen=True, slots=True)
class Measure:
    """How one thing has moved.

    Attributes:
        measure: one of ``MEASURES``.
        level: as of freshness; ``waiting`` where there is too little to tell.
        value: an index or a share, None where there is too little to tell.
        warn_from: the value from which it is ``warn``. For mixes more where chance alone does more.
        error_from: the value from which it is ``error``, None where it never is.
        message: in a sentence.
    """

    measure: str
    level: str
    value: float | None
    warn_from: float
    error_from: float | None
    message: str


def judge(counted: Counted) -> list[Measure]:
    """Return how far everything has moved, in the order of ``MEASURES``."""
    return list(_judge(counted))


def stability(before: Mapping[Hashable, int], after: Mapping[Hashable, int]) -> tuple[float, int]:
    """Return the population stability index of two mixes, and over how many groups.

    The largest groups of both count singly and the others as one. Half a piece is added to each, so that a group that
    stands on one side only has a finite weight.
    """
    both = Counter(before) + Counter(after)
    largest = [group for group, _ in both.most_common(_MOST_GROUPS)]
    pairs = [(before.get(group, 0), after.get(group, 0)) for group in largest]
    rest = (sum(before.values()) - sum(b for b, _ in pairs), sum(after.values()) - sum(a for _, a in pairs))
    if any(rest):
        pairs.append(rest)
    size_before = sum(before.values()) + len(pairs) / 2
    size_after = sum(after.values()) + len(pairs) / 2
    shares = [((b + 0.5) / size_before, (a + 0.5) / size_after) for b, a in pairs]
    return sum((a - b) * math.log(a / b) for b, a in shares), len(pairs)


def by_chance(groups: int, draws_before: int, draws_after: int) -> float:
    """Return the index that chance alone exceeds once in a thousand times, where the mix stays the same.

    The quantile of chi-squared is Wilson and Hilferty's (*PNAS* 17, 1931).
    """
    free = groups - 1
    if free < 1:
        return 0.0
    spread = 2 / (9 * free)
    quantile = free * (1 - spread + _Z * math.sqrt(spread)) ** 3
    return quantile * (1 / draws_before + 1 / draws_after)


def _judge(counted: Counted) -> Iterator[Measure]:
    yield _mix(CATEGORY_MIX, "categories", counted)
    yield _mix(PRODUCT_MIX, "products", counted)
    yield _share(
        NEW_PRODUCTS,
        counted.new,
        counted.eligible,
        "{share} of the products that may be shown came after the model was built.",
        "No product may be shown.",
    )
    yield _share(
        GONE_PRODUCTS,
        counted.gone_weight,
        counted.weight,
        "{share} of the purchases that the model knows are of products that may not be shown now.",
        "Nothing was learned yet.",
    )
    yield _without_list(counted)
    yield _empty(counted.answers)


def _mix(measure: str, of_what: str, counted: Counted) -> Measure:
    orders = min(counted.orders_before, counted.orders_after)
    warn_from, error_from = LIMITS[measure]
    if orders < _LEAST_ORDERS:
        message = (
            f"To compare what is sold, {_LEAST_ORDERS} orders are needed in the last {AFTER_DAYS} days and in the"
            f" {BEFORE_DAYS} before; there were {counted.orders_after} and {counted.orders_before}."
        )
        return Measure(measure, WAITING, None, warn_from, error_from, message)
    before: Counter[Hashable] = Counter()
    after: Counter[Hashable] = Counter()
    for each in counted.sold:
        group = each.category if measure == CATEGORY_MIX else each.product_id
        before[group] += each.before
        after[group] += each.after
    index, groups = stability(before, after)
    # Orders, not pieces: what stands in one order is no independent draw.
    warn_from = max(warn_from, by_chance(groups, counted.orders_before, counted.orders_after))
    message = (
        f"What was sold in the last {AFTER_DAYS} days differs from the {BEFORE_DAYS} before, by {of_what}:"
        f" stability index {index:.2f}, where {warn_from:.2f} is much."
    )
    return _measured(measure, index, warn_from, message)


def _without_list(counted: Counted) -> Measure:
    if min(counted.orders_before, counted.orders_after) < _LEAST_ORDERS:
        warn_from, error_from = LIMITS[WITHOUT_LIST]
        message = f"Ready lists are judged from {_LEAST_ORDERS} orders in {AFTER_DAYS} days on."
        return Measure(WITHOUT_LIST, WAITING, None, warn_from, error_from, message)
    shown = [each for each in counted.sold if each.eligible]
    return _share(
        WITHOUT_LIST,
        sum(each.after for each in shown if not each.listed),
        sum(each.after for each in shown),
        f"{{share}} of what was sold in the last {AFTER_DAYS} days are products without a ready list.",
        f"Nothing that may be shown was sold in the last {AFTER_DAYS} days.",
    )


def _share(measure: str, part: int, whole: int, message: str, nothing: str) -> Measure:
    warn_from, error_from = LIMITS[measure]
    if whole <= 0:
        return Measure(measure, WAITING, None, warn_from, error_from, nothing)
    share = part / whole
    return _measured(measure, share, warn_from, message.format(share=f"{share:.0%}"))


def _empty(answers: Sequence[Answers]) -> Measure:
    """Judge by how much more of a slot's answers are empty than before: some slots are often empty for good reason."""
    warn_from, error_from = LIMITS[EMPTY_ANSWERS]
    grown = [
        (each.empty_after / each.after - each.empty_before / each.before, each)
        for each in answers
        if min(each.before, each.after) >= _LEAST_ANSWERS
    ]
    if not grown:
        message = f"Empty answers are compared from {_LEAST_ANSWERS} answers of a slot on."
        return Measure(EMPTY_ANSWERS, WAITING, None, warn_from, error_from, message)
    growth, worst = max(grown, key=lambda each: (each[0], each[1].slot))
    message = (
        f"In the last {AFTER_DAYS} days {worst.empty_after / worst.after:.0%} of the answers of the slot"
        f" {worst.slot} were empty, and {worst.empty_before / worst.before:.0%} in the {BEFORE_DAYS} before."
    )
    return _measured(EMPTY_ANSWERS, growth, warn_from, message)


def _measured(measure: str, value: float, warn_from: float, message: str) -> Measure:
    error_from = LIMITS[measure][1]
    level = OK if value < warn_from else WARN
    if error_from is not None and value >= error_from:
        level = ERROR
    return Measure(measure, level, round(value, 4), round(warn_from, 4), error_from, message)
