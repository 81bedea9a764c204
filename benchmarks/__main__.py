"""``make bench``: every hot path against a baseline of the same run, as one table of ratios."""

import sys

from benchmarks import intake, learning, serving
from benchmarks.report import Result, print_table
from benchmarks.world import world


def main() -> int:
    """Measure everything and print the table. Returns 1 where a bar is missed."""
    results: list[Result] = []
    with world() as ours:
        for part in (intake, serving):
            for result in part.run(ours):
                results.append(result)
                print(f"  {result.name}: {result.value:,.1f} {result.unit}", file=sys.stderr)
    results += learning.run()
    print_table(results)
    return int(any(r.bar is not None and r.ratio is not None and r.ratio < r.bar for r in results))


if __name__ == "__main__":
    sys.exit(main())
