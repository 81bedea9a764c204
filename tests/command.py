"""The ``pannier`` command as a test runs it, and what one says that refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from click.testing import CliRunner, Result

from app.commerce.store import Store
from app.core.db import db


@dataclass(frozen=True)
class Pannier:
    """Runs the command inside the test's application context; what it leaves is fresh to the test's session.

    Attributes:
        environment: what is set besides what the machine sets.
        before: the words before those that a test says.
        after: and those after them.
    """

    environment: Mapping[str, str] = field(repr=False)
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    def within(self, *words: str, store: Store | None = None) -> "Pannier":
        """Return one for a group of commands, and for a store if all of them are about one."""
        of_store = () if store is None else ("--store", str(store.id))
        return replace(self, before=(*self.before, *words), after=(*self.after, *of_store))

    def __call__(self, *arguments: str | Path, given: str | None = None, **environment: str | None) -> Result:
        """Run a command; whatever it is told, it never ends in an exception of Python's.

        Args:
            arguments: its words.
            given: its standard input.
            environment: what else is set, or with None is not.
        """
        # Loading every command takes as long as loading the application, and most tests run none.
        from app.cli import cli

        result = CliRunner().invoke(
            cli,
            [*self.before, *map(str, arguments), *self.after],
            input=given,
            env={**self.environment, **environment},
            prog_name="pannier",
        )
        db.session.rollback()
        db.session.expire_all()
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output, result.output
        return result


def done(result: Result) -> str:
    """Return what a command printed that had nothing else to say."""
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def refusal(result: Result, code: int) -> str:
    """Return the sentence with which a command has ended that printed nothing."""
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("Error: "), result.output
    return line.removeprefix("Error: ")


def sentence(result: Result, code: int) -> str:
    """Return the one sentence that is all a command said."""
    assert len(result.stderr.strip().splitlines()) == 1, result.output
    return refusal(result, code)
