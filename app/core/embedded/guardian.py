"""The guardian: the parent process of the embedded services, which ends them with their owner.

Run by ``start`` as ``python -m app.core.embedded.guardian <request>``. It stands in a session of its own, so
that Ctrl-C in the terminal reaches the owner alone and the services outlive the owner's clean ending. It
leaves when the owner closes or writes to its standard input, when the owner's process is gone (a forked
child of the owner may hold the pipe open), or at SIGTERM. Until then it restarts what dies, at the same
address. Were the guardian itself killed, the kernel ends the services (``processes.spawn``).

Imports the standard library alone, so that it starts in a few hundredths of a second and stays small.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Protocol

from app.core.embedded.claims import log_path, publish, withdraw
from app.core.embedded.errors import ServiceError
from app.core.embedded.postgres import Postgres
from app.core.embedded.redis import Redis

_START_ATTEMPTS = 3
# Includes replaying PostgreSQL's log after a power cut.
_START_SECONDS = 120.0
_LOOK_AGAIN_SECONDS = 0.01
# Where the kernel cannot announce the owner's end (no pidfd), look this often.
_PARENT_SECONDS = 0.5
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
# A service that lived this long is well: its next death is a new matter.
_WELL_SECONDS = 2.0
_MOST_FAILURES = 8


class Service(Protocol):
    """What the guardian must know of a service."""

    name: ClassVar[str]
    # The signals that end it, mildest first, each with the seconds that it has to take effect.
    endings: ClassVar[tuple[tuple[signal.Signals, float], ...]]

    @property
    def url(self) -> str:
        """Return its address."""

    def prepare(self, pause: Callable[[float], None]) -> None:
        """Do what must be done once before the first start; call ``pause`` while waiting for seconds."""

    def choose_port(self) -> None:
        """Take a free port."""

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start the server and return at once."""

    def ready(self, process: "subprocess.Popen[bytes]") -> bool:
        """Say whether it answers."""


class OwnerGone(Exception):
    """The owner ended, or wants the services to end."""


class OwnerWatch:
    """Waits for the end of the owner, of a child, or of a time."""

    def __init__(self, owner: int) -> None:
        """Watch the process ``owner``, which must be the parent of this one."""
        self._owner = owner
        self._terminated = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, "owner")
        self._announced = self._watch_process()
        self._bell, ringer = socket.socketpair()
        self._bell.setblocking(False)
        ringer.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ, "bell")
        self._ringer = ringer
        signal.set_wakeup_fd(ringer.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._terminate)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)

    def wait(self, seconds: float | None) -> None:
        """Return after ``seconds`` (None: never), or earlier when a child ended.

        Raises:
            OwnerGone: as soon as the owner ended or wants the services to end.
        """
        if not self._announced:
            seconds = _PARENT_SECONDS if seconds is None else min(seconds, _PARENT_SECONDS)
        woken = {key.data for key, _ in self._selector.select(seconds)}
        if "bell" in woken:
            with suppress(BlockingIOError):
                self._bell.recv(4096)
        if "owner" in woken or self._terminated or os.getppid() != self._owner:
            raise OwnerGone

    def _watch_process(self) -> bool:
        """Let the kernel announce the owner's end; say whether it can (Linux 5.3)."""
        if sys.platform != "linux":
            return False
        try:
            descriptor = os.pidfd_open(self._owner)
        except OSError:
            return False
        self._selector.register(descriptor, selectors.EVENT_READ, "owner")
        return True

    def _terminate(self, *_: object) -> None:
        self._terminated = True


class Supervised:
    """One service: its process, and how often it failed of late."""

    def __init__(self, directory: Path, service: Service) -> None:
        """Begin the service's log anew."""
        self.service = service
        self._directory = directory
        self._log = log_path(directory, service.name)
        self._log.unlink(missing_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._failures = 0
        self._retry_at: float | None = None

    def start(self, watch: OwnerWatch) -> None:
        """Start the service and say where it answers.

        Raises:
            OwnerGone: if the owner ends meanwhile.
            ServiceError: if it does not answer.
        """
        self.service.prepare(watch.wait)
        for _ in range(_START_ATTEMPTS):
            self.service.choose_port()
            self._spawn()
            if self._until_ready(watch):
                # Kept open for life: the address counts while this process holds it.
                self._published = publish(self._directory, self.service.name, self.service.url)
                return
        raise ServiceError(f"The embedded {self.service.name} does not start: see {self._log}.")

    def revive(self) -> float | None:
        """Restart the service if it died; return the seconds until it should be looked at again.

        None: there is nothing to wait for, be it that it runs or that it failed too often.
        """
        now = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            _log(f"{self.service.name} ended with {self._process.returncode}")
            self._fail(now)
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            try:
                self._spawn()
            except (OSError, ServiceError, subprocess.SubprocessError) as error:
                _log(f"{self.service.name} cannot be run: {error}")
                self._fail(now)
        return None if self._retry_at is None else max(0.0, self._retry_at - now)

    def begin_end(self) -> None:
        """Take the address back, so that no command joins a service that is ending."""
        with suppress(OSError):
            withdraw(self._directory, self.service.name)
        self._endings = list(self.service.endings)
        self._patient_until = 0.0

    def press_end(self) -> bool:
        """Send the next signal when the last one's time is over; say whether no process is left."""
        if self._process is None or self._process.poll() is not None:
            return True
        now = time.monotonic()
        if now >= self._patient_until and self._endings:
            ending, seconds = self._endings.pop(0)
            self._process.send_signal(ending)
            self._patient_until = now + seconds
        return False

    def _spawn(self) -> None:
        self._started = time.monotonic()
        self._process = self.service.spawn()

    def _until_ready(self, watch: OwnerWatch) -> bool:
        """Wait until the service answers; False if its process ended instead."""
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while self._process.poll() is None:
            if self.service.ready(self._process):
                return True
            if time.monotonic() > deadline:
                raise ServiceError(f"The embedded {self.service.name} does not answer: see {self._log}.")
            watch.wait(_LOOK_AGAIN_SECONDS)
        return False

    def _fail(self, now: float) -> None:
        self._process = None
        self._failures = 1 if now - self._started > _WELL_SECONDS else self._failures + 1
        if self._failures > _MOST_FAILURES:
            _log(f"{self.service.name} failed {self._failures} times in a row and stays down")
            self._retry_at = None
        else:
            pause = _FIRST_PAUSE_SECONDS * 2 ** (self._failures - 1)
            self._retry_at = now + min(pause, _LONGEST_PAUSE_SECONDS)


def guard(directory: Path, owner: int, services: Sequence[Service]) -> None:
    """Run ``services`` until the owner is gone. Tells the owner the addresses, or why there are none."""
    watch = OwnerWatch(owner)
    supervised = [Supervised(directory, service) for service in services]
    try:
        for each in supervised:
            each.start(watch)
        _report({"urls": {service.name: service.url for service in services}})
        while True:
            pauses = [pause for each in supervised if (pause := each.revive()) is not None]
            watch.wait(min(pauses, default=None))
    except OwnerGone:
        pass
    except ServiceError as error:
        _report_failure(str(error))
    except (OSError, subprocess.SubprocessError) as error:
        _report_failure(f"The embedded services under {directory} do not start: {error}.")
    finally:
        end(supervised)


def end(supervised: Sequence[Supervised]) -> None:
    """End all services side by side, and return when no process of theirs is left."""
    for each in supervised:
        each.begin_end()
    living = list(supervised)
    while living := [each for each in living if not each.press_end()]:
        time.sleep(_LOOK_AGAIN_SECONDS)


def main() -> None:
    """Read the request of ``start`` from the command line and guard what it names."""
    request: dict[str, Any] = json.loads(sys.argv[1])
    os.chdir("/")
    directory = Path(request["directory"])
    kinds: dict[str, Callable[[Path, Path, int], Service]] = {"postgres": Postgres, "redis": Redis}
    services = [
        kinds[name](directory, Path(wanted["program"]), wanted["lock"])
        for name, wanted in request["services"].items()
    ]
    guard(directory, request["owner"], services)


def _report(message: dict[str, Any]) -> None:
    """Tell the owner, who reads one line and closes; whether it still listens is the watch's matter."""
    with suppress(OSError):
        os.write(sys.stdout.fileno(), json.dumps(message).encode() + b"\n")


def _report_failure(sentence: str) -> None:
    _log(sentence)
    _report({"error": sentence})


def _log(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
