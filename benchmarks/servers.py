"""Processes under measurement: granian with two processes and a worker, ended with the block that started them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from flask import Flask
from rq import Worker

from app.core.embedded.processes import free_port
from app.core.queues import SHORT
from app.core.redis import queue_redis

# Machines that run a benchmark are busy, and the first start compiles.
_START_S: Final = 90.0


@contextmanager
def serve(
    target: str, environment: Mapping[str, str], *, processes: int = 2, threads: int = 4
) -> Iterator[int]:
    """Serve the application factory ``target``; give its port once it answers.

    Raises:
        RuntimeError: if it does not answer within 90 seconds.
    """
    port = free_port()
    server = subprocess.Popen(
        [
            sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", target, "--host", "127.0.0.1",
            "--port", str(port), "--workers", str(processes), "--blocking-threads", str(threads),
            "--no-access-log", "--log-level", "error", "--workers-kill-timeout", "3s",
        ],
        env={**os.environ, **environment},
    )  # fmt: skip
    try:
        _wait(port, server)
        yield port
    finally:
        server.terminate()
        server.wait(10)


@contextmanager
def work(app: Flask, environment: Mapping[str, str]) -> Iterator[None]:
    """Run one worker on all queues that a shop's deliveries need, from when it takes jobs.

    Raises:
        RuntimeError: if it takes none within 90 seconds.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "app.worker", *SHORT], env={**os.environ, **environment}
    )
    try:
        deadline = time.monotonic() + _START_S
        with app.app_context():
            while not Worker.count(connection=queue_redis()):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError("the worker does not take jobs")
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 0.2):
                time.sleep(1)  # the second process
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server does not answer")
