"""Which processor a web process runs on.

A process of Python computes on one processor at a time, whichever of its threads holds the interpreter's lock. Where
its threads are spread over several processors, each hand-over of the lock takes what they work on out of one
processor's caches into another's.
"""

import os
import socket
from collections.abc import Collection

# Held as long as the process lives: the place is free again with it, however it ends.
_held: list[socket.socket] = []


def keep_to_one(siblings: int) -> int | None:
    """Let this process's threads run on one processor only, each sibling on the next; return which, if so.

    It is done where there are as many processes as processors, or more. Fewer processes would leave processors unused,
    and with other programs that do likewise they could all meet on the same ones. One that is started while those are
    still there whose place it is to take, as when a server reloads, goes where there is room: of two that took what is
    free just then both could get the same.

    Args:
        siblings: how many processes of this kind their common parent starts, this one included.
    """
    if not hasattr(os, "sched_setaffinity"):  # Linux only
        return None
    allowed = os.sched_getaffinity(0)
    place = _take_place(siblings) if siblings >= len(allowed) else None
    if place is None:
        return None
    chosen = processor_of(place, allowed)
    os.sched_setaffinity(0, {chosen})
    return chosen


def processor_of(place: int, allowed: Collection[int]) -> int:
    """Return the processor of the sibling with this number, counted from 0."""
    return sorted(allowed)[place % len(allowed)]


def _take_place(siblings: int) -> int | None:
    """Return the lowest number that no sibling has, None where all are taken.

    A number is taken by listening at an abstract address with it, which Linux frees when the process ends.
    """
    for place in range(siblings):
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            holder.bind(f"\0pannier-web-{os.getppid()}-{place}")
        except OSError:
            holder.close()
            continue
        _held.append(holder)
        return place
    return None
