"""Starting, sharing and ending the embedded services: what commands use."""

import atexit
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from app.core.embedded import programs
from app.core.embedded.claims import address, claim, log_path, open_log
from app.core.embedded.errors import ServiceError

_PROJECT = Path(__file__).parents[3]
# Another command may be creating the cluster, replaying its log, or ending.
_OTHERS_SECONDS = 180.0
_LOOK_AGAIN_SECONDS = 0.05
# Longer than all steps of the slowest service's ending.
_STOP_SECONDS = 25.0


@dataclass(frozen=True)
class Services:
    """Where the services answer; None for one that was not asked for.

    Attributes:
        database_url: for SQLAlchemy, ``postgresql+psycopg://…``, with the password.
        redis_url: ``redis://…``, with the password.
    """

    database_url: str | None
    redis_url: str | None


class Running:
    """Services that run. Use as a context manager, or call ``stop``; both only matter to their owner."""

    def __init__(self, services: Services, guardian: "subprocess.Popen[bytes] | None") -> None:
        """Hold the services, and the guardian where this process started it."""
        self.services = services
        self._guardian = guardian
        self._process = os.getpid()
        self._owner = guardian is not None
        if guardian is not None:
            atexit.register(self.stop)

    @property
    def owner(self) -> bool:
        """Say whether this command started the services, or one of them, and so ends them."""
        return self._owner

    def stop(self) -> None:
        """End what this command started and return when no process is left. Further calls do nothing.

        A forked child of the owner does nothing either.
        """
        guardian = self._guardian
        if guardian is None or os.getpid() != self._process:
            return
        self._guardian = None
        atexit.unregister(self.stop)
        _dismiss(guardian)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


def start(directory: Path, *, postgres: bool = True, redis: bool = True) -> Running:
    """Bring up the services of ``directory``, or use those that another command runs there.

    Returns when they answer: about a second where the cluster exists, two or three where it must be made.
    They end with this process, however it ends; see the package's docstring.

    Args:
        directory: where PostgreSQL's data stay and the locks are; created where missing.
        postgres: whether PostgreSQL is wanted.
        redis: whether Redis is wanted.

    Raises:
        ServiceError: if a service cannot run here.
    """
    directory = directory.resolve()
    finders = {
        **({"postgres": lambda: _postgres_programs(directory)} if postgres else {}),
        **({"redis": programs.find_redis} if redis else {}),
    }
    try:
        urls, guardian = _claim_and_launch(directory, finders)
    except OSError as error:
        raise ServiceError(f"The embedded services under {directory} do not start: {error}.") from error
    running = Running(Services(urls.get("postgres"), urls.get("redis")), guardian)
    try:
        if running.services.database_url is not None:
            _ensure_database(running.services.database_url)
    except BaseException:
        running.stop()
        raise
    return running


def status(directory: Path) -> Services | None:
    """Return the services of ``directory`` that some command runs now, None where there are none.

    Raises:
        ServiceError: if the directory belongs to another user.
    """
    directory = directory.resolve()
    try:
        services = Services(address(directory, "postgres"), address(directory, "redis"))
    except OSError as error:
        raise ServiceError(f"The embedded services under {directory} cannot be seen: {error}.") from error
    return None if services == Services(None, None) else services


def _claim_and_launch(
    directory: Path, finders: dict[str, Callable[[], Path]]
) -> tuple[dict[str, str], "subprocess.Popen[bytes] | None"]:
    """Return the address of each service by name, and the guardian if any service had to be started."""
    urls: dict[str, str] = {}
    wanted: dict[str, dict[str, object]] = {}
    with ExitStack() as locks:
        # Always in the same order: of two commands, one gets all that are free.
        for name, find in finders.items():
            taken = _claim_or_join(directory, name)
            if isinstance(taken, str):
                urls[name] = taken
            else:
                locks.callback(os.close, taken)
                wanted[name] = {"lock": taken, "program": str(find())}
        if not wanted:
            return urls, None
        guardian = _launch(directory, wanted)
    try:
        urls |= _read_report(directory, guardian)
    except BaseException:
        _dismiss(guardian)
        raise
    return urls, guardian


def _claim_or_join(directory: Path, name: str) -> int | str:
    """Return the lock of a service that nobody runs, or the address of one that somebody does."""
    deadline = time.monotonic() + _OTHERS_SECONDS
    while time.monotonic() < deadline:
        lock = claim(directory, name)
        if lock is not None:
            return lock
        url = address(directory, name)
        if url is not None:
            return url
        time.sleep(_LOOK_AGAIN_SECONDS)
    raise ServiceError(
        f"Another command has been starting or ending {name} under {directory} for too long:"
        f" see {log_path(directory, name)}."
    )


def _launch(directory: Path, wanted: dict[str, dict[str, object]]) -> "subprocess.Popen[bytes]":
    """Start the guardian, which takes over the locks.

    Its standard input is what ties it to this process. A session of its own keeps the terminal's Ctrl-C
    from it.
    """
    request = {"directory": str(directory), "owner": os.getpid(), "services": wanted}
    log_path(directory, "guardian").unlink(missing_ok=True)
    log = open_log(log_path(directory, "guardian"))
    try:
        return subprocess.Popen(  # noqa: S603 - this interpreter, our own module
            [sys.executable, "-m", "app.core.embedded.guardian", json.dumps(request)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=_PROJECT,
            start_new_session=True,
            pass_fds=[int(str(each["lock"])) for each in wanted.values()],
            bufsize=0,
        )
    finally:
        os.close(log)


def _read_report(directory: Path, guardian: "subprocess.Popen[bytes]") -> dict[str, str]:
    """Return the addresses that the guardian reports when all services answer."""
    assert guardian.stdout is not None
    with guardian.stdout as report:
        line = report.readline()
    if not line:
        raise ServiceError(
            f"The guardian of the embedded services ended early: see {log_path(directory, 'guardian')}."
        )
    message = json.loads(line)
    if "error" in message:
        raise ServiceError(message["error"])
    urls: dict[str, str] = message["urls"]
    return urls


def _dismiss(guardian: "subprocess.Popen[bytes]") -> None:
    """Have the guardian end the services, and wait for it."""
    assert guardian.stdin is not None
    with suppress(OSError):
        # A byte, not only the end of file: a forked child may still hold the pipe.
        guardian.stdin.write(b"\n")
    with suppress(OSError):
        guardian.stdin.close()
    try:
        guardian.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        # The kernel ends the services with it.
        guardian.kill()
        guardian.wait()


def _ensure_database(url: str) -> None:
    """Create the database ``pannier`` where it is missing; proves that the address works, too."""
    # Here, not above: the guardian imports this package and must stay small.
    import psycopg

    plain = url.replace("+psycopg", "", 1)
    try:
        with psycopg.connect(plain, dbname="postgres", autocommit=True, connect_timeout=10) as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = 'pannier'").fetchone() is None:
                with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    connection.execute("CREATE DATABASE pannier")
    except psycopg.Error as error:
        raise ServiceError(f"The embedded PostgreSQL does not answer: {error}.") from error


def _postgres_programs(directory: Path) -> Path:
    """Return the programs of the version that wrote the cluster of ``directory``, of any where none is."""
    try:
        major = int((directory / "postgres" / "data" / "PG_VERSION").read_text())
    except FileNotFoundError:
        major = None
    return programs.find_postgres(major)
