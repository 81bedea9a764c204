"""A process whose children drain one store, each for as long as it may live.

``python -m tests.webhooks.draining STORE_ID BATCH``. The parent loads everything once and touches no database, as
the worker does. Of the lines that it reads, ``drain`` forks a child that drains; ``kill`` kills it and ``wait``
waits for it, and both print how it ended: 0, or minus the signal.
"""

import os
import signal
import sys
import traceback
from dataclasses import replace
from typing import NoReturn

from flask import Flask

from app.core.config import load_settings
from app.factory import create_app
from app.recommendations import ranking
from webhooks import jobs


def main() -> None:
    """Do what the lines say."""
    store_id, batch = int(sys.argv[1]), int(sys.argv[2])
    app = create_app(replace(load_settings(), drain_batch=batch, log_level="error"))
    ranking.warm_up()
    print("ready", flush=True)
    child = 0
    for line in sys.stdin:
        if line.strip() == "drain":
            child = os.fork()
            if child == 0:
                _drain(app, store_id)
            continue
        if line.strip() == "kill":
            os.kill(child, signal.SIGKILL)  # not yet waited for, so the id is still its own
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _drain(app: Flask, store_id: int) -> NoReturn:
    status = 1
    try:
        with app.app_context():
            jobs.drain(store_id)
        status = 0
    except BaseException:
        traceback.print_exc()  # what ends a drain must be seen
        raise
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
