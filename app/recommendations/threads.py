"""Spreading work over a few threads, and handing on results in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

import numpy as np

from app.recommendations.cooccurrence import Integers

_Result = TypeVar("_Result")
# So many pieces of work for each thread, so that none waits long for the last one.
_TASKS_PER_THREAD: Final = 8


def default_threads() -> int:
    """Return how many threads to use: two where the machine has them."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, 2)


def ranges_of(work: Integers, size: int) -> list[tuple[int, int]]:
    """Return consecutive ranges of rows, of about ``size`` work each and at most ``size`` unless one row."""
    cuts: list[tuple[int, int]] = []
    total = np.concatenate(([0], np.cumsum(work)))
    first = 0
    while first < len(work):
        last = max(int(np.searchsorted(total, total[first] + size, side="right")) - 1, first + 1)
        cuts.append((first, last))
        first = last
    return cuts


def spread(
    work: Callable[[int, int], None], weights: Integers, threads: int, tasks: int = _TASKS_PER_THREAD
) -> None:
    """Call ``work(first, last)`` for ranges of rows that cover them all, on several threads."""
    cost = weights + 1
    cuts = ranges_of(cost, int(cost.sum()) // (threads * tasks) + 1)
    each(lambda _, first, last: work(first, last), cuts, threads)


def each(work: Callable[[int, int, int], None], cuts: Sequence[tuple[int, int]], threads: int) -> None:
    """Call ``work(number, first, last)`` for each range, numbered through, on several threads."""
    if threads == 1 or len(cuts) == 1:
        for number, (first, last) in enumerate(cuts):
            work(number, first, last)
        return
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(work, number, *cut) for number, cut in enumerate(cuts)]:
            future.result()


def in_order(
    compute: Callable[[int, int], _Result], cuts: Iterable[tuple[int, int]], threads: int
) -> Iterator[_Result]:
    """Yield ``compute(first, last)`` for each range in order, with a few computed ahead."""
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[_Result]] = deque()
        for first, last in cuts:
            ahead.append(pool.submit(compute, first, last))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
