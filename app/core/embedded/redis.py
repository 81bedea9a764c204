"""The embedded Redis. It keeps nothing on disk: PostgreSQL can rebuild all that it holds."""

import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from app.core.embedded.claims import log_path
from app.core.embedded.processes import free_port, password, spawn

_ANSWER_SECONDS = 1.0


class Redis:
    """One Redis server."""

    name: ClassVar[str] = "redis"
    endings: ClassVar[tuple[tuple[signal.Signals, float], ...]] = (
        (signal.SIGTERM, 3.0),
        (signal.SIGKILL, 2.0),
    )

    def __init__(self, directory: Path, program: Path, lock: int) -> None:
        """Describe the server; nothing is touched yet.

        Args:
            directory: what ``start`` was given, absolute.
            program: the ``redis-server``.
            lock: the held lock of this service.
        """
        self._log = log_path(directory, self.name)
        self._program = program
        self._lock = lock
        self._password = password()
        self._port = 0

    @property
    def url(self) -> str:
        """Return the address, with the password."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def prepare(self, _pause: Callable[[float], None]) -> None:
        """Do nothing: there is nothing to keep."""

    def choose_port(self) -> None:
        """Take a free port; restarts keep it."""
        self._port = free_port()

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start the server and return at once.

        Raises:
            OSError: if the program cannot be run.
        """
        # By standard input: everybody on this system can read the arguments of a process.
        return spawn(
            [self._program, "-"],
            inherited=(self._lock,),
            log=self._log,
            directory=self._log.parent,
            standard_input=self._configuration().encode(),
        )

    def ready(self, _process: "subprocess.Popen[bytes]") -> bool:
        """Say whether the server answers to our password (one of somebody else would not)."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=_ANSWER_SECONDS) as connection:
                connection.sendall(f"AUTH {self._password}\r\n".encode())
                return connection.recv(64).startswith(b"+OK")
        except OSError:
            return False

    def _configuration(self) -> str:
        # ``noeviction``: a queue must refuse a job rather than forget one.
        return "\n".join(
            (
                "bind 127.0.0.1",
                f"port {self._port}",
                f"requirepass {self._password}",
                "daemonize no",
                'save ""',
                "appendonly no",
                "maxmemory-policy noeviction",
                "",
            )
        )
