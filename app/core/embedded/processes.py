"""How the guardian starts, feeds and ends the processes of a service."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from app.core.embedded.account import Account
from app.core.embedded.claims import open_log

_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>
# Below the range that Linux (32768) and macOS (49152) give to outgoing connections: while a service is
# being restarted, nobody's connection takes its port by chance.
_PORTS: Final = range(20_000, 32_768)
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(
    arguments: Sequence[str | Path],
    *,
    inherited: tuple[int, ...],
    log: Path,
    directory: Path = Path("/"),
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    standard_input: bytes = b"",
) -> "subprocess.Popen[bytes]":
    """Start a process that dies with the guardian, even with ``kill -9`` (where Linux can do that).

    Args:
        arguments: the program and its arguments.
        inherited: the open files that the process keeps as long as it lives, the service's lock among them.
        log: the file that its output is appended to.
        directory: its working directory.
        account: whom to run it as, None for the guardian's own account.
        death_signal: what the process gets when the guardian is gone.
        standard_input: what it reads; less than a pipe holds (64 KiB).

    Raises:
        OSError: if the program cannot be run.
    """
    output = open_log(log)
    try:
        process = subprocess.Popen(  # noqa: S603 - programs of the wheels or of this system
            arguments,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=directory,
            env=_environment(),
            pass_fds=inherited,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
            # Runs after the change of user, which would clear the signal.
            preexec_fn=_die_with(os.getpid(), death_signal),  # noqa: PLW1509 - the guardian has one thread
        )
    finally:
        os.close(output)
    assert process.stdin is not None
    try:
        process.stdin.write(standard_input)
        process.stdin.close()
    except BrokenPipeError:
        pass  # It is dead already, as the caller will see.
    return process


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 on which nobody listens now.

    Raises:
        OSError: if forty random ports are all taken.
    """
    for port in random.sample(_PORTS, 40):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError("no free TCP port on 127.0.0.1")


def password() -> str:
    """Return a new password of 192 random bits that needs no quoting anywhere."""
    return os.urandom(24).hex()


def _environment() -> dict[str, str]:
    """Return what a server needs of the environment: no ``PG*`` that would steer it, none of our secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _die_with(guardian: int, death_signal: signal.Signals) -> Callable[[], None]:
    def in_child() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != guardian:
            os._exit(1)

    return in_child
