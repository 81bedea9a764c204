"""The web process: the application, made so that no request waits for the garbage collector.

Everything that the application is made of lives as long as the process. Looking through it for garbage finds none and
takes 0.2 s, during which every request waits; frozen, it is not looked through
(https://docs.python.org/3/library/gc.html#gc.freeze).
"""

import gc

from flask import Flask

from app.factory import create_app


def create_web() -> Flask:
    """Return the application of a web process, from the settings of the environment.

    Raises:
        ConfigurationError: as ``create_app``.
    """
    app = create_app()
    gc.collect()
    gc.freeze()
    return app
