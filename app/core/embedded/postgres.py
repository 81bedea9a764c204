"""The embedded PostgreSQL."""

import locale
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from app.core.embedded.access import reachable_data, reachable_programs
from app.core.embedded.account import Account, account_for, give
from app.core.embedded.claims import log_path
from app.core.embedded.errors import ServiceError
from app.core.embedded.processes import free_port, password, spawn
from app.core.embedded.programs import postgres_major

# Durable as in production: nothing that was committed is lost, whatever is killed. Sized for a laptop.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "cluster_name": "pannier",
}
_INITDB_SECONDS = 120
# The line of ``postmaster.pid`` on which the server says whether it takes connections
# (PostgreSQL, src/include/utils/pidfile.h: LOCK_FILE_LINE_PM_STATUS).
_STATUS_LINE = 7


class Postgres:
    """One cluster under ``directory``, its superuser and its database both called ``pannier``."""

    name: ClassVar[str] = "postgres"
    # Fast shutdown: clean, with a checkpoint. Then immediate: the next start replays the log.
    endings: ClassVar[tuple[tuple[signal.Signals, float], ...]] = (
        (signal.SIGINT, 10.0),
        (signal.SIGQUIT, 6.0),
        (signal.SIGKILL, 2.0),
    )

    def __init__(self, directory: Path, programs: Path, lock: int) -> None:
        """Describe the cluster; nothing is touched yet.

        Args:
            directory: what ``start`` was given, absolute.
            programs: where ``postgres`` and ``initdb`` are.
            lock: the held lock of this service.
        """
        self._log = log_path(directory, self.name)
        self._home = directory / "postgres"
        self._data = self._home / "data"
        self._programs = programs
        self._lock = lock
        self._account: Account | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Return the address for SQLAlchemy, with the password."""
        secret = (self._home / "password").read_text().strip()
        return f"postgresql+psycopg://pannier:{secret}@127.0.0.1:{self._port}/pannier"

    def prepare(self, pause: Callable[[float], None]) -> None:
        """Create the cluster where there is none, and clear away what a power cut left.

        Args:
            pause: waits for some seconds, less when a child ends; what it raises breaks this off.

        Raises:
            ServiceError: if the cluster is not ours to run, is being run by somebody else, or cannot be made.
        """
        self._account = account_for(self._data)
        self._programs = reachable_programs(self._programs, self._account)
        self._home.mkdir(mode=0o700, exist_ok=True)
        if self._account is not None:
            self._home.chmod(0o711)
        if not self._data.exists():
            self._initialise(pause)
        if self._account is not None and self._data.stat().st_uid != self._account.uid:
            give(self._data, self._account)
        self._clear_stale_pid()

    def choose_port(self) -> None:
        """Take a free port; restarts keep it."""
        self._port = free_port()

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start the server and return at once.

        Raises:
            OSError: if the program cannot be run.
        """
        settings = {**_SETTINGS, "port": str(self._port)}
        with reachable_data(self._data, self._account) as (data, open_files):
            return spawn(
                [
                    self._programs / "postgres",
                    *("-D", data),
                    *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
                ],
                inherited=(self._lock, *open_files),
                log=self._log,
                account=self._account,
                # Were the guardian killed, nobody could insist: end at once, recover at the next start.
                death_signal=signal.SIGQUIT,
            )

    def ready(self, process: "subprocess.Popen[bytes]") -> bool:
        """Say whether the server takes connections."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return (
            len(lines) > _STATUS_LINE
            and lines[0] == str(process.pid)
            and lines[_STATUS_LINE].strip() == "ready"
        )

    def _initialise(self, pause: Callable[[float], None]) -> None:
        """Make the cluster beside its place and move it there whole: an interrupted start leaves none."""
        draft = self._home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        secret = self._write_password()
        if self._account is not None:
            give(draft, self._account)
            give(secret, self._account)
        with reachable_data(draft, self._account) as (data, open_files):
            initdb = spawn(
                [
                    self._programs / "initdb",
                    *("--pgdata", data, "--username", "pannier", "--pwfile", data / ".." / secret.name),
                    *("--auth", "scram-sha-256", "--encoding", "UTF8"),
                    *_locale_arguments(postgres_major(self._programs)),
                ],
                inherited=(self._lock, *open_files),
                log=self._log,
                account=self._account,
            )
        try:
            deadline = time.monotonic() + _INITDB_SECONDS
            while initdb.poll() is None and time.monotonic() < deadline:
                pause(1.0)
        finally:
            initdb.kill()
        if initdb.wait() != 0:
            raise ServiceError(f"PostgreSQL's initdb failed: see {self._log}.")
        draft.rename(self._data)

    def _write_password(self) -> Path:
        path = self._home / "password"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(password())
            file.flush()
            os.fsync(file.fileno())
        return path

    def _clear_stale_pid(self) -> None:
        """Remove ``postmaster.pid`` where its process is gone.

        After a power cut its number may be another process's, which PostgreSQL takes for a running server
        and refuses to start. This command holds the lock, so no server that a guardian started is left.
        """
        foreign = _live_postmaster(self._data)
        if foreign is not None:
            raise ServiceError(f"Another PostgreSQL (process {foreign}) runs on {self._data}: end it first.")
        if sys.platform == "linux":
            (self._data / "postmaster.pid").unlink(missing_ok=True)


def _live_postmaster(data: Path) -> int | None:
    """Return the process that serves the cluster in ``data`` right now, None where there is none.

    Only a process that works in that directory counts, as PostgreSQL always does. Needs Linux's ``/proc``;
    elsewhere the answer is None and PostgreSQL itself decides.
    """
    try:
        process = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        return process if _works_in(data, process) else None
    except (OSError, ValueError):
        return None


def _works_in(data: Path, process: int) -> bool:
    about = Path(f"/proc/{process}")
    try:
        return (about / "cwd").readlink() == data.resolve()
    except PermissionError:
        # A container's root may not look into another account's process; its name is public.
        return (about / "comm").read_text().strip() == "postgres"


def _locale_arguments(major: int) -> list[str]:
    """Return arguments of initdb for C.UTF-8: the same order of texts on every system."""
    if major >= 17:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    try:
        locale.setlocale(locale.LC_COLLATE, "C.UTF-8")
    except locale.Error:
        return ["--locale=C"]
    return ["--locale=C.UTF-8"]
