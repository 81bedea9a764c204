"""What every command stands on: the application with its services, errors in one sentence, tables and JSON."""

import functools
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click
from alembic.util import CommandError
from psycopg.errors import UndefinedColumn, UndefinedTable
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.commerce.store import StoreError
from app.core import embedded
from app.core.config import ConfigurationError, Settings, load_settings
from app.core.db import db
from app.core.errors import ProblemError
from app.core.migrations import migrate as apply_migrations
from app.factory import create_app

Command = Callable[..., Any]


class OneSentence(click.ClickException):
    """Bad use: one sentence, exit code 2."""

    exit_code = 2


class WorkFailed(click.ClickException):
    """The work failed: one sentence, exit code 1."""

    exit_code = 1


def start_services(settings: Settings) -> embedded.Running | None:
    """Start the embedded services that the settings leave to them; None where there is nothing to start."""
    if settings.database_url and settings.redis_url:
        return None
    return embedded.start(settings.var_dir, postgres=not settings.database_url, redis=not settings.redis_url)


def with_app(command: Command) -> Command:
    """Run a command inside the application, with services; turn known failures into sentences."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        running = None
        try:
            settings = load_settings()
            running = start_services(settings)
            app = create_app(settings)
            with app.app_context():
                try:
                    if not settings.database_url:
                        apply_migrations(db.engine)
                    return command(*args, **kwargs)
                finally:
                    db.session.close()
                    db.engine.dispose()
        except (ConfigurationError, StoreError) as error:
            raise OneSentence(str(error)) from error
        except ProblemError as error:
            raise WorkFailed(error.detail) from error
        except embedded.ServiceError as error:
            raise WorkFailed(str(error)) from error
        except OperationalError as error:
            raise WorkFailed("The database does not answer; look at DATABASE_URL.") from error
        except ProgrammingError as error:
            if not isinstance(error.orig, UndefinedTable | UndefinedColumn):
                raise
            raise WorkFailed("The database lacks this version's tables; run `pannier migrate`.") from error
        except CommandError as error:  # Alembic's
            raise WorkFailed("The database is newer than this version of Pannier; use that one.") from error
        finally:
            if running is not None:
                running.stop()

    return wrapped


def as_text(value: Any) -> str:
    """Return times as RFC 3339."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def show(rows: list[dict[str, Any]], as_json: bool, empty: str) -> None:
    """Print rows as a table, or as JSON."""
    if as_json:
        click.echo(json.dumps(rows, default=as_text))
    elif not rows:
        click.echo(empty)
    else:
        cells = [[("" if v is None else str(v)) for v in row.values()] for row in rows]
        widths = [max(len(h), *(len(c[i]) for c in cells)) for i, h in enumerate(rows[0])]
        click.echo("  ".join(h.ljust(w) for h, w in zip(rows[0], widths, strict=True)).rstrip())
        for row in cells:
            click.echo("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
store_option = click.option("--store", required=True, metavar="STORE", help="Id or domain of the store.")
