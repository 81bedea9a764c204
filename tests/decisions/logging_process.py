"""A process that logs decisions, forks, and waits to be killed: ``STORE DATABASE``."""

import multiprocessing
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from sqlalchemy import create_engine

from app.decisions.log import DecisionLog
from tests.decisions.making import record


def main() -> None:
    """Gather something; have a fork and a worker gather and end; write, gather more, say so, and stay."""
    store_id, database_url = int(sys.argv[1]), sys.argv[2]
    log = DecisionLog(create_engine(database_url))
    # Nothing is written by itself from here on: what a fork has of its parent would be written by both.
    log._writing.acquire()
    log.note(record(store_id, "d_parent"))
    fork = os.fork()
    if fork == 0:
        log.note(record(store_id, "d_fork"))
        return
    _, status = os.waitpid(fork, 0)
    worker = multiprocessing.get_context("fork").Process(
        target=log.note, args=(record(store_id, "d_worker"),)
    )
    worker.start()
    worker.join()
    log._writing.release()
    log.flush()
    log._writing.acquire()
    log.note(record(store_id, "d_gathered"))
    print("they ended with", status, worker.exitcode, flush=True)
    time.sleep(60)


main()
