"""GrowthBook's published algorithm once more, written independently with NumPy, for many units at once.

Source: https://docs.growthbook.io/lib/build-your-own, and http://www.isthe.com/chongo/tech/comp/fnv/ for FNV-1a.
"""

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint32]


def fnv(rows: npt.NDArray[np.uint8], lengths: npt.NDArray[np.int64] | None = None) -> Numbers:
    """Return the FNV-1a hash of each row of ASCII codes, of its first ``lengths`` columns."""
    state = np.full(len(rows), 2166136261, dtype=np.uint32)
    for column in range(rows.shape[1]):
        following = (state ^ rows[:, column]) * np.uint32(16777619)
        state = following if lengths is None else np.where(column < lengths, following, state)
    return state


def decimals(numbers: Numbers) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the ASCII decimals of each number, at the left of its row, and how many they are."""
    powers = 10 ** np.arange(9, -1, -1, dtype=np.uint64)
    digits = (numbers[:, None] // powers % 10).astype(np.uint8) + np.uint8(ord("0"))
    lengths = np.maximum(1, (numbers[:, None] >= powers).sum(axis=1))
    columns = np.minimum(np.arange(10) + (10 - lengths)[:, None], 9)
    return np.take_along_axis(digits, columns, axis=1), lengths


def buckets(seed: str, units: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Return the bucket of version 2, 0 to 9,999, of each row of ASCII codes."""
    before = np.broadcast_to(np.frombuffer(seed.encode(), dtype=np.uint8), (len(units), len(seed)))
    inner = fnv(np.concatenate([before, units], axis=1))
    return (fnv(*decimals(inner)) % 10_000).astype(np.int64)


def visitors(count: int, seed: int) -> npt.NDArray[np.uint8]:
    """Return ``count`` digests of 16 random bytes as 32 hexadecimal digits each."""
    raw = np.random.default_rng(seed).bytes(16 * count)
    return np.frombuffer(raw.hex().encode(), dtype=np.uint8).reshape(count, 32)


def text_of(unit: npt.NDArray[np.uint8]) -> str:
    """Return one row as text."""
    return unit.tobytes().decode()
