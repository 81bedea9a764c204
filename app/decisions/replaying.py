"""Making a logged decision again, by whoever decides: that stands above this room and is handed in."""

from collections.abc import Callable
from typing import Any, Protocol

from flask import current_app
from sqlalchemy import Connection

from app.commerce.store import StoreAccess
from app.decisions.reading import Found


class Outcome(Protocol):
    """How a decision came out when it was made again."""

    @property
    def same(self) -> bool:
        """Whether it came out the same."""
        ...

    @property
    def differences(self) -> list[str]:
        """What differs, in sentences."""
        ...

    @property
    def shown(self) -> list[str]:
        """The products that it would show."""
        ...


Replayer = Callable[[Connection, StoreAccess, Found], Outcome]


def replay(connection: Connection, access: StoreAccess, found: Found) -> dict[str, Any]:
    """Return what ``schemas.DecisionReplay`` shows: without an outcome, and with the reason, where there is none."""
    replayer: Replayer | None = current_app.extensions.get("pannier_replay")
    if not found.whole:
        return _none("What replays it was not kept: the sample left it out.")
    if replayer is None:
        return _none("This process cannot make decisions again.")
    try:
        outcome = replayer(connection, access, found)
    except LookupError as error:  # the log does not hold what this version needs
        return _none(str(error.args[0]) if error.args else "The log does not hold what is needed.")
    return {"same": outcome.same, "differences": list(outcome.differences), "shown": list(outcome.shown)}


def _none(why: str) -> dict[str, Any]:
    return {"same": None, "differences": [why], "shown": None}
