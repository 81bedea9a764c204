"""Which decisions are logged whole: every process must come to the same, so their id alone decides."""

import hashlib
from typing import Final

_BYTES: Final = 8
_ALL: Final = 2.0**64


def sampled(decision_id: str, percent: float) -> bool:
    """Return whether a decision is among the ``percent`` of all that are logged whole. Pure.

    A larger share contains every smaller one.
    """
    if percent >= 100:
        return True
    digest = hashlib.blake2b(decision_id.encode(), digest_size=_BYTES, person=b"sample").digest()
    return int.from_bytes(digest) < percent / 100 * _ALL
