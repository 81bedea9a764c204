"""No process outlives the one that started it.

Linux can be asked to signal a child when its parent is gone, however that ended. Elsewhere a parent that is killed
outright leaves its children; one that ends in order takes them along.
"""

import ctypes
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(death_signal: signal.Signals = signal.SIGKILL) -> None:
    """Have this process signalled when the thread that forked it ends. To be called in the child."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
