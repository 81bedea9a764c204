"""What compiled loops have in common: the arrays that they take, and how they are compiled.

Numba, and therefore imported in jobs only. Threads are Python's own (see :mod:`app.recommendations.threads`) over
kernels that release the GIL, not Numba's ``prange``: a pool lives only as long as a call, so a worker process that has
computed something may still fork and compute in the child (GNU OpenMP, Numba's usual layer here, would end the child),
and two jobs in one process cannot trip over a shared pool (Numba's ``workqueue`` layer would).

Loops that follow places into large arrays ask for them some steps ahead (:func:`prefetch`): one such step waits for
memory as long as twenty others take.

Kernels index with unsigned integers, because Numba turns a signed index into a check for negative ones, which halves
the speed of the innermost loop.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.extending import intrinsic

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.uint32]
Bits = npt.NDArray[np.uint64]
Count = int | np.int64
ONE: Final = np.uint32(1)
_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile ``function`` on first use, releasing the GIL; the machine code is cached."""
    return cast(_Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@intrinsic
def _prefetch(_typing: Any, array: Any, index: Any) -> Any:
    """Emit LLVM's ``llvm.prefetch`` of an entry: for reading, to be kept in all caches."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        entries = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        address = builder.bitcast(builder.gep(entries.data, [arguments[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        instruction = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        builder.call(instruction, [address, *(ir.Constant(word, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return numba.types.void(array, index), generate


# In kernels only: have entry ``index`` of an array on its way to the processor. An index beyond the end does no harm.
prefetch = cast(Callable[[npt.NDArray[Any], np.uint64], None], _prefetch)
