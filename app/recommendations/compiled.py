"""What compiled loops have in common: the arrays that they take, and how they are compiled.

Numba, and therefore imported in jobs only. Threads are Python's own (see :mod:`app.recommendations.threads`) over
kernels that release the GIL, not Numba's ``prange``: a pool lives only as long as a call, so a worker process that has
computed something may still fork and compute in the child (GNU OpenMP, Numba's usual layer here, would end the child),
and two jobs in one process cannot trip over a shared pool (Numba's ``workqueue`` layer would).

Kernels index with unsigned integers, because Numba turns a signed index into a check for negative ones, which halves
the speed of the innermost loop.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.uint32]
Bits = npt.NDArray[np.uint64]
ONE: Final = np.uint32(1)
_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile ``function`` on first use, releasing the GIL; the machine code is cached."""
    return cast(_Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
