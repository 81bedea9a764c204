"""The web process: the application, made so that requests wait neither for the garbage collector nor for caches.

Everything that the application is made of lives as long as the process. Looking through it for garbage finds none and
takes 0.2 s, during which every request waits; frozen, it is not looked through
(https://docs.python.org/3/library/gc.html#gc.freeze). Where there is a process for each processor, each keeps to its
own (:mod:`app.core.processors`).
"""

import gc

from flask import Flask

from app.core.processors import keep_to_one
from app.factory import create_app


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
    keep_to_one(processes)
