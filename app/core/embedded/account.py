"""The account that PostgreSQL runs under when the command runs as root, whom PostgreSQL refuses."""

import os
import pwd
from pathlib import Path
from typing import NamedTuple

from app.core.embedded.errors import ServiceError

_MAY_ENTER, _MAY_NOT_ENTER, _MAY_NOT_CHANGE_USER = 0, 1, 2


class Account(NamedTuple):
    """A user and group of this system, both by number."""

    uid: int
    gid: int


def account_for(data: Path) -> Account | None:
    """Return the account that shall run the cluster in ``data``, None for that of this process.

    An existing cluster keeps its owner; a new one goes to ``postgres``, else to ``nobody``.

    Raises:
        ServiceError: if the cluster belongs to somebody else, or root finds no account to use.
    """
    try:
        owner = data.stat()
    except FileNotFoundError:
        owner = None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise ServiceError(
                f"{data} belongs to user {owner.st_uid}: run the command as that user or as root,"
                " or delete that directory to begin anew."
            )
        return None
    if owner is not None and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise ServiceError(
        "PostgreSQL refuses root and this system has no user nobody: run the command as an ordinary user,"
        " or set DATABASE_URL."
    )


def can_enter(path: Path, account: Account) -> bool:
    """Say whether ``account`` reaches and may execute ``path`` (a program or a directory).

    Asks the kernel from a forked child that has become that account, so that access lists and mount
    options count too. The calling process must have one thread.

    Raises:
        ServiceError: if this root may not change its user.
    """
    child = os.fork()
    if child == 0:
        answer = _MAY_NOT_CHANGE_USER
        try:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
            answer = _MAY_ENTER if os.access(path, os.X_OK) else _MAY_NOT_ENTER
        finally:
            os._exit(answer)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == _MAY_NOT_CHANGE_USER:
        raise ServiceError(
            "PostgreSQL refuses root and this root may not become another user: run the command as an"
            " ordinary user, or set DATABASE_URL."
        )
    return code == _MAY_ENTER


def give(path: Path, account: Account) -> None:
    """Make ``path`` and all below it the account's own."""
    os.chown(path, account.uid, account.gid, follow_symlinks=False)
    for folder, directories, files in os.walk(path):
        for name in (*directories, *files):
            os.chown(Path(folder, name), account.uid, account.gid, follow_symlinks=False)
