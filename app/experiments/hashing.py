"""Where a visitor falls: FNV-1a hashes, ranges of buckets, namespaces. Pure.

The algorithm is GrowthBook's, as its specification for SDKs publishes it
(https://docs.growthbook.io/lib/build-your-own): whoever has the seed and the visitor's id comes to the same arm, in any
language, with nothing stored. The hash is FNV-1a of 32 bits by Fowler, Noll and Vo
(http://www.isthe.com/chongo/tech/comp/fnv/), over UTF-16 code units where text is not ASCII.

Version 2 hashes the hash once more. Plain FNV-1a of version 1 leaves experiments on the same visitors correlated; it
remains for namespaces, where the specification has it.
"""

import struct
from collections.abc import Sequence
from typing import Final

Range = tuple[float, float]

_OFFSET: Final = 0x811C9DC5
_PRIME: Final = 0x01000193
_MASK: Final = 0xFFFFFFFF
# How far the sum of the weights may be from 1 before all weights are taken as equal.
_TOLERANCE: Final = 0.01


def fnv1a_32(text: str) -> int:
    """Return the FNV-1a hash of ``text``, 32 bits."""
    state = _OFFSET
    for unit in text.encode() if text.isascii() else _units(text):
        state = (state ^ unit) * _PRIME & _MASK
    return state


def _units(text: str) -> tuple[int, ...]:
    """Return the UTF-16 code units of ``text``, as JavaScript sees it."""
    body = text.encode("utf-16-le", "surrogatepass")
    return struct.unpack(f"<{len(body) // 2}H", body)


def bucket(seed: str, unit: str, version: int = 2) -> float:
    """Return where ``unit`` falls for ``seed``: from 0 inclusive to 1 exclusive.

    In steps of 1/10,000 (version 2) or 1/1,000 (version 1).

    Raises:
        ValueError: for another version.
    """
    if version == 2:
        return fnv1a_32(str(fnv1a_32(seed + unit))) % 10_000 / 10_000
    if version == 1:
        return fnv1a_32(unit + seed) % 1_000 / 1_000
    raise ValueError(f"there is no version {version} of the hash")


def equal_weights(arms: int) -> list[float]:
    """Return ``arms`` equal weights that sum to 1; none for fewer than one arm."""
    return [1 / arms] * arms if arms > 0 else []


def bucket_ranges(arms: int, coverage: float = 1.0, weights: Sequence[float] | None = None) -> list[Range]:
    """Return each arm's range of buckets: start inclusive, end exclusive.

    The ranges begin where they would at full coverage, so that raising the coverage moves nobody to another arm.
    ``coverage`` is brought into 0 to 1. Weights that are not one for each arm, or do not sum to 1 by a hundredth, are
    taken as equal.
    """
    coverage = min(max(coverage, 0.0), 1.0)
    if weights is None or len(weights) != arms or abs(sum(weights) - 1) > _TOLERANCE:
        weights = equal_weights(arms)
    ranges, start = [], 0.0
    for weight in weights:
        ranges.append((start, start + coverage * weight))
        start += weight
    return ranges


def choose_variation(found: float, ranges: Sequence[Range]) -> int:
    """Return the index of the range that the bucket ``found`` is in; -1 if it is in none."""
    for index, (start, end) in enumerate(ranges):
        if start <= found < end:
            return index
    return -1


def in_namespace(unit: str, namespace: str, start: float, end: float) -> bool:
    """Return whether ``unit`` falls into the part from ``start`` inclusive to ``end`` exclusive of a namespace."""
    return start <= bucket(f"__{namespace}", unit, 1) < end
