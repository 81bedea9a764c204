"""Commands that ask a platform: ``pannier backfill`` and ``pannier reconcile``."""

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from app.cli.base import WorkFailed, as_text, json_option, with_app
from app.commerce.store import Store, find_store


@click.command("backfill")
@click.argument("store")
@click.option("--anew", is_flag=True, help="From the beginning, even if it is complete.")
@json_option
@with_app
def backfill_command(store: str, anew: bool, as_json: bool) -> None:
    """Fetch a store's products and past orders.

    STORE is its id or domain. An interrupted backfill goes on where it stopped.
    """
    from app.connections.jobs import fetch_history

    _walk(
        store,
        as_json,
        lambda found, source, progress: fetch_history(found, source, anew=anew, progress=progress),
    )


@click.command("reconcile")
@click.argument("store")
@click.option("--thorough", is_flag=True, help="Compare all ids and states, too.")
@json_option
@with_app
def reconcile_command(store: str, thorough: bool, as_json: bool) -> None:
    """Fetch what a store's webhooks may have missed.

    STORE is its id or domain. The clock does this every quarter of an hour, and thoroughly each night.
    """
    from app.connections.jobs import catch_up

    _walk(
        store,
        as_json,
        lambda found, source, progress: catch_up(found, source, thorough=thorough, progress=progress),
    )


def _walk(store: str, as_json: bool, work: Callable[[Store, Any, Any], None]) -> None:
    """Do a platform's work for a store with its progress, and process what came of it."""
    from app.connections.jobs import alone
    from app.connections.status import connection_status
    from app.platforms.sources import source_for
    from connectors.errors import PlatformError
    from webhooks.jobs import drain

    found = find_store(store)
    with alone(found.id) as mine:
        if not mine:
            raise WorkFailed("A worker is at it already; `pannier store status` shows how far it is.")
        try:
            work(found, source_for(found), _progress_on_stderr())
        except PlatformError as error:
            raise WorkFailed(str(error)) from error
    click.echo("Learning from it …", err=True)
    drain(found.id)
    status = connection_status(found)
    if as_json:
        click.echo(json.dumps(status, default=as_text))
    else:
        stored = status["stored"]
        click.echo(f"{stored['products']} products and {stored['orders']} orders are stored.")


def _progress_on_stderr() -> Callable[[Any], None]:
    """Return what shows a walk's progress: a line that is rewritten on a terminal, else one for each walk."""
    live = sys.stderr.isatty()

    def show_walk(walk: Any) -> None:
        total = f" of {walk.total}" if walk.total is not None else ""
        ended = walk.state != "running"
        if live or ended:
            text = f"{walk.resource} ({walk.kind}): {walk.done}{total}"
            click.echo(f"\r{text:<60}" if live else text, err=True, nl=ended or not live)
        if ended:
            for note in walk.notes:
                click.echo(f"  {note}", err=True)

    return show_walk
