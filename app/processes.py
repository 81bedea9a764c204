"""Web, worker and clock as children of one command, for the demo and for a single machine.

A child that dies is started again, with growing pauses; all end with the command, also when that is killed.
For everything larger the Procfile names the same commands to a process manager.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from app.core.config import Settings
from app.core.orphans import end_with_parent
from app.core.queues import PLATFORMS, SHORT

ROOT: Final = Path(__file__).resolve().parents[1]
_STOP_S: Final = 8.0
_SHORTEST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 10.0
# A child that lived this long is started again without a growing pause.
_HEALTHY_S: Final = 30.0


def commands(settings: Settings) -> dict[str, list[str]]:
    """Return the command line of every process, by name."""
    web = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "app.web:create_web",
        "--host", settings.host, "--port", str(settings.port),
        "--workers", str(settings.web_processes), "--blocking-threads", str(settings.web_threads),
        "--respawn-failed-workers", "--workers-kill-timeout", "5s", "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    found = {"web": web}
    for number in range(1, settings.worker_processes + 1):
        found[f"worker-{number}"] = [sys.executable, "-m", "app.worker", *SHORT]
    found["platforms"] = [sys.executable, "-m", "app.worker", PLATFORMS]
    found["clock"] = [sys.executable, "-m", "app.schedule"]
    return found


class Processes:
    """Children that are kept alive until ``stop``."""

    def __init__(
        self, wanted: Mapping[str, Sequence[str]], environment: Mapping[str, str], log: Path
    ) -> None:
        self._environment = {**os.environ, **environment}
        self._log: IO[bytes] = log.open("ab")
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        # One thread per child starts and watches it. Linux ends a child with the *thread* that started it,
        # so that thread must live as long as the child does.
        self._keepers = [
            threading.Thread(target=self._keep, args=(name, list(command)), name=f"keep-{name}", daemon=True)
            for name, command in wanted.items()
        ]
        for keeper in self._keepers:
            keeper.start()

    def pids(self) -> dict[str, int]:
        """Return the ids of the processes that run now, by name."""
        with self._lock:
            return {name: child.pid for name, child in self._running.items() if child.poll() is None}

    def stop(self) -> None:
        """End all children: SIGTERM, and SIGKILL for those that take too long."""
        self._stopping.set()
        with self._lock:
            for child in self._running.values():
                child.terminate()
        deadline = time.monotonic() + _STOP_S
        for keeper in self._keepers:
            keeper.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            for child in self._running.values():
                _kill_group(child.pid)
        for keeper in self._keepers:
            keeper.join()
        self._log.close()

    def _keep(self, name: str, command: list[str]) -> None:
        pause_s = _SHORTEST_PAUSE_S
        while not self._stopping.is_set():
            started = time.monotonic()
            child = self._start(name, command)
            if child is None:
                return
            child.wait()
            _kill_group(child.pid)
            with self._lock:
                del self._running[name]
            lived = time.monotonic() - started > _HEALTHY_S
            pause_s = _SHORTEST_PAUSE_S if lived else min(pause_s * 2, _LONGEST_PAUSE_S)
            self._stopping.wait(pause_s)

    def _start(self, name: str, command: list[str]) -> "subprocess.Popen[bytes] | None":
        with self._lock:
            if self._stopping.is_set():
                return None
            child = subprocess.Popen(  # noqa: S603 - our own commands
                command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=self._log,
                stderr=self._log, start_new_session=True, preexec_fn=_in_child(os.getpid()),  # noqa: PLW1509
            )  # fmt: skip
            self._running[name] = child
            return child


def _in_child(parent: int) -> Callable[[], None]:
    def end_with_us() -> None:
        end_with_parent(signal.SIGTERM)
        if os.getppid() != parent:  # gone before it could be asked for
            os._exit(1)

    return end_with_us


def _kill_group(leader: int) -> None:
    """Kill what a child leaves behind: a web server that was killed outright does not end its workers."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
