"""GrowthBook's published algorithm once more, written independently with NumPy, for many units at once.

Source: https://docs.growthbook.io/lib/build-your-own, and http://www.isthe.com/chongo/tech/comp/fnv/ for FNV-1a.
"""

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint32]
# One column of ASCII codes per unit.
Units = npt.NDArray[np.uint8]

_BASIS = 2166136261
_PRIME = np.uint32(16777619)


def buckets(seed: str, units: Units) -> npt.NDArray[np.int64]:
    """Return the bucket of version 2, 0 to 9,999, of each unit."""
    start = _BASIS
    for code in seed.encode():
        start = (start ^ code) * int(_PRIME) % 2**32
    state = np.full(units.shape[1], start, dtype=np.uint32)
    for codes in units:
        state ^= codes
        state *= _PRIME
    return (_of_decimals(state) % 10_000).astype(np.int64)


def _of_decimals(numbers: Numbers) -> Numbers:
    """Return the hash of each number's decimals."""
    state = np.full(len(numbers), _BASIS, dtype=np.uint32)
    for place in range(9, -1, -1):
        power = np.uint32(10**place)
        following = (state ^ (numbers // power % np.uint32(10) + np.uint32(ord("0")))) * _PRIME
        state = np.where((numbers >= power) | (place == 0), following, state)
    return state


def visitors(count: int, seed: int) -> Units:
    """Return ``count`` digests of 16 random bytes as 32 hexadecimal digits each."""
    raw = np.random.default_rng(seed).bytes(16 * count)
    return np.ascontiguousarray(np.frombuffer(raw.hex().encode(), dtype=np.uint8).reshape(count, 32).T)


def texts(units: Units) -> list[str]:
    """Return units as text."""
    return [unit.tobytes().decode() for unit in units.T]
