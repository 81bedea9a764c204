"""``make bench``: every hot path against a baseline of the same run, as one table of ratios.

Takes about ten minutes on two idle processors, most of them the peers'. Each part can be measured alone, and the
peers with more patience: ``python -m benchmarks.peers --help``, likewise ``experiments``, ``learning``, ``pricing``,
``serving``, ``streaming``.
"""

import sys
import time
from collections.abc import Callable, Iterable
from typing import Final

from benchmarks import events, experiments, intake, learning, peers, pricing, serving, streaming
from benchmarks.report import Result, print_table
from benchmarks.world import world

# Enough for everybody on a million lines, and for Pannier and the kernels that only count on 32 million.
_PEER_LIMITS: Final = peers.Limits(seconds=45.0)


def main() -> int:
    """Measure everything and print the table. Returns 1 where a bar is missed."""
    results: list[Result] = []
    with world() as ours:
        parts = (("intake", intake), ("events", events), ("serving", serving), ("streaming", streaming))
        for name, part in parts:
            results += measured(name, lambda part=part: part.run(ours))  # type: ignore[misc]
    results += measured("learning", learning.run)
    results += measured("experiments", experiments.run)
    results += measured("pricing", pricing.run)
    results += measured(f"peers: {peers.versions()}", lambda: peers.run(limits=_PEER_LIMITS))
    print_table(results)
    return int(any(result.verdict == "MISSED" for result in results))


def measured(name: str, run: Callable[[], Iterable[Result]]) -> list[Result]:
    """Return a part's results, and tell how it goes on the way."""
    print(name, file=sys.stderr)
    started, results = time.perf_counter(), []
    for result in run():
        results.append(result)
        against = "" if result.baseline is None else f"; {result.baseline_name}: {result.baseline:,.4g}"
        print(f"  {result.name}: {result.value:,.4g} {result.unit}{against}", file=sys.stderr)
    print(f"  took {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return results


if __name__ == "__main__":
    sys.exit(main())
