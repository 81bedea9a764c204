"""The web process: the application, made so that requests wait neither for the garbage collector nor for caches.

Everything that the application is made of lives as long as the process. Looking through it for garbage finds none and
takes 0.2 s, during which every request waits; frozen, it is not looked through
(https://docs.python.org/3/library/gc.html#gc.freeze). What requests make goes with them: it is looked through only when
there is much more of it than they leave at any moment. Where there is a process for each processor, each keeps to its
own (:mod:`app.core.processors`).
"""

import gc
from typing import Final

from flask import Flask

from app.core.processors import keep_to_one
from app.factory import create_app

# How many more objects than went are looked through for garbage. One order of a webhook makes hundreds, which all go
# when it has been kept; by Python's own 700 it would be looked through while it is being read.
_YOUNG: Final = 20_000


def create_web() -> Flask:
    """Return the application of a web process, from the settings of the environment.

    Raises:
        ConfigurationError: as ``create_app``.
    """
    app = create_app()
    settle(app.extensions["pannier_settings"].web_processes)
    return app


def settle(processes: int) -> None:
    """Prepare this process, one of so many web processes, for serving what has been made in it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
    keep_to_one(processes)
