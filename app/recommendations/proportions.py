"""Whether two shares differ by more than chance would have it."""

from collections.abc import Sequence

import numpy as np

# Probabilities that differ by less than this are equal: they come from sums of logarithms.
_TOLERANCE = 1e-7


def fisher_exact(hits: int, of: int, other_hits: int, other_of: int) -> float:
    """Return Fisher's two-sided p-value that ``hits / of`` and ``other_hits / other_of`` are drawn from one share.

    The sum of the probabilities of all tables with the same margins that are no more probable than this one (Fisher,
    J. R. Stat. Soc. 98(1), 1935; two-sided by the order of probabilities). Exact for small counts, where a z-test is
    not. Takes time and memory of the order of the smaller margin.

    Raises:
        ValueError: if hits are negative or more than all.
    """
    if not (0 <= hits <= of and 0 <= other_hits <= other_of):
        raise ValueError("hits must be from 0 to all")
    with_hit, total = hits + other_hits, of + other_of
    low, high = max(0, with_hit - other_of), min(with_hit, of)
    if low == high:
        return 1.0
    # How much more probable one hit more is, from the fewest on: ratios of hypergeometric terms.
    fewer = np.arange(low, high, dtype=np.float64)
    ratio = (
        np.log(with_hit - fewer)
        + np.log(of - fewer)
        - np.log(fewer + 1)
        - np.log(total - with_hit - of + fewer + 1)
    )
    logs = np.concatenate(([0.0], np.cumsum(ratio)))
    logs -= logs.max()
    probable = np.exp(logs)
    no_more = logs <= logs[hits - low] + _TOLERANCE
    return float(min(1.0, probable[no_more].sum() / probable.sum()))


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number.

    Calling those of at most q significant keeps the expected share of false ones among them at q. (Benjamini and
    Hochberg, J. R. Stat. Soc. B 57(1), 1995.)
    """
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values, dtype=np.float64)[order] * count / np.arange(1, count + 1)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return [float(value) for value in adjusted]
