"""Servers under measurement: granian with two processes, ended with the block that started them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from app.core.embedded.processes import free_port


@contextmanager
def serve(
    target: str, environment: Mapping[str, str], *, processes: int = 2, threads: int = 4
) -> Iterator[int]:
    """Serve the application factory ``target``; give its port once it answers.

    Raises:
        RuntimeError: if it does not answer within 20 seconds.
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


def _wait(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 0.2):
                time.sleep(1)  # the second process
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server does not answer")
