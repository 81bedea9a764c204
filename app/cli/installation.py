"""Commands of an installation: its schema, its keys, the embedded services, the demo."""

import os
import signal
import sys
import threading

import click
from cryptography.fernet import Fernet

from app.cli.base import OneSentence, start_services, with_app
from app.core import embedded
from app.core.config import ConfigurationError, load_settings
from app.core.db import db
from app.core.migrations import migrate as apply_migrations


@click.command("migrate")
@with_app
def migrate_command() -> None:
    """Bring the database to this version's schema."""
    apply_migrations(db.engine)
    click.echo("The database is up to date.")


@click.command("new-secret-key")
def new_secret_key() -> None:
    """Print a new key for PANNIER_SECRET_KEYS."""
    click.echo(Fernet.generate_key().decode())


@click.command("services")
def services() -> None:
    """Run PostgreSQL and Redis until Ctrl-C.

    The embedded ones under PANNIER_VAR_DIR, for development.
    """
    try:
        running = start_services(load_settings())
    except (ConfigurationError, embedded.ServiceError) as error:
        raise OneSentence(str(error)) from error
    if running is None:
        raise OneSentence("DATABASE_URL and REDIS_URL are set, so there is nothing to start.")
    with running:
        click.echo(f"PostgreSQL and Redis run under {load_settings().var_dir}. Ctrl-C ends them.")
        wait_for_end()


def wait_for_end() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(1):
        pass


@click.command("demo")
@click.option("--port", default=None, type=click.IntRange(1, 65535), help="Port of the service (8000).")
@click.option(
    "--orders", default=3200, show_default=True, type=click.IntRange(1, 3200), help="Orders a store."
)
@click.option("--once", is_flag=True, help="Stop when everything is learned, instead of serving shops.")
def demo_command(port: int | None, orders: int, once: bool) -> None:
    """Show two shops with real orders.

    From the install in the shop to the bundle on the page, until Ctrl-C.
    """
    from demo.run import run

    if port is not None:
        os.environ["PANNIER_PORT"] = str(port)
    try:
        code = run(load_settings(), orders=orders, once=once)
    except (ConfigurationError, embedded.ServiceError) as error:
        raise OneSentence(str(error)) from error
    sys.exit(code)
