"""Who runs a service of a directory, and where it answers.

Two locks per service, both ``flock``, so that no crash or power cut can leave one behind:

* ``<name>.lock`` is held by the guardian *and* by the service's own processes, which inherit the open file.
  Who gets it knows that no process of that service is left.
* ``<name>.url`` holds the address and is locked by the guardian alone. Where it can be locked by another,
  its guardian is dead and the address is old.
"""

import fcntl
import os
from pathlib import Path


def claim(directory: Path, name: str) -> int | None:
    """Take the service's lock without waiting.

    Returns:
        A file descriptor that holds the lock until it and all its copies are closed, or None where another
        command, or a process that is still ending, holds it.
    """
    folder = _folder(directory)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _locked(os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600))


def publish(directory: Path, name: str, url: str) -> int:
    """Say where the service answers.

    Returns:
        A file descriptor; the address counts while it is open.
    """
    draft = _folder(directory) / f"{name}.url.new"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, url.encode())
    draft.rename(draft.with_suffix(""))
    return descriptor


def withdraw(directory: Path, name: str) -> None:
    """Take the address back, before the service ends."""
    (_folder(directory) / f"{name}.url").unlink(missing_ok=True)


def address(directory: Path, name: str) -> str | None:
    """Return where the service answers, None where no guardian stands behind it."""
    try:
        descriptor = os.open(_folder(directory) / f"{name}.url", os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(descriptor, 4096).decode()
    else:
        return None
    finally:
        os.close(descriptor)


def log_path(directory: Path, name: str) -> Path:
    """Return the log file of a service, or of the ``guardian``."""
    return _folder(directory) / f"{name}.log"


def open_log(path: Path) -> int:
    """Open a log file to append to, for this user's eyes only; return the file descriptor."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _folder(directory: Path) -> Path:
    return directory / "services"


def _locked(descriptor: int) -> int | None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
