"""``pannier webhooks``: looking at deliveries, and processing them again."""

from datetime import UTC, datetime

import click
from sqlalchemy import select

from app.cli.base import OneSentence, json_option, show, store_option, with_app
from app.cli.stores import show_connection
from app.commerce.store import Store, find_store
from app.core.db import db
from webhooks.models import PENDING


@click.group("webhooks")
def webhooks_group() -> None:
    """Look at deliveries, and process them again."""


@webhooks_group.command("status")
@click.option("--store", default=None, metavar="STORE", help="Id or domain of the store.")
@json_option
@with_app
def webhooks_status(store: str | None, as_json: bool) -> None:
    """Say how many deliveries stand where, and why.

    For connected stores also how their webhooks stand, and what is missing.
    """
    from app.connections.status import connection_status
    from webhooks.jobs import status_counts

    rows = status_counts(find_store(store).id if store else None)
    show(rows, as_json, "No delivery has arrived yet.")
    if not as_json:
        for found in [find_store(store)] if store else db.session.scalars(select(Store).order_by(Store.id)):
            if found.connected_at is not None:
                show_connection(connection_status(found))


@webhooks_group.command("replay")
@store_option
@click.option(
    "--status", type=click.Choice(["processed", "set_aside", "quarantined"]), help="Where they stand now."
)
@click.option("--topic", help="The platform's word, such as orders/create or order.created.")
@click.option("--reason", help="Beginning of the reason.")
@click.option(
    "--since",
    metavar="TIME",
    type=click.DateTime(),
    help="Received at or after, such as 2026-11-22T08:00:00 (UTC).",
)
@click.option("--until", metavar="TIME", type=click.DateTime(), help="Received before (UTC).")
@click.option("--all", "everything", is_flag=True, help="All deliveries of the store.")
@with_app
def webhooks_replay(
    store: str, status: str | None, topic: str | None, reason: str | None,
    since: datetime | None, until: datetime | None, everything: bool,
) -> None:  # fmt: skip
    """Process stored deliveries again, now.

    All conditions must hold. Newer news is never overwritten.
    """
    from webhooks.jobs import drain, replay, status_counts

    if not (everything or status or topic or reason or since or until):
        raise OneSentence("Say which deliveries (--status, --topic, --reason, --since, --until) or --all.")
    store_id = find_store(store).id
    count = replay(store_id, status=status, topic=topic, reason=reason, since=_utc(since), until=_utc(until))
    drain(store_id)
    waiting = sum(row["deliveries"] for row in status_counts(store_id) if row["status"] == PENDING)
    rest = f", {waiting} still wait for a worker" if waiting else ""
    click.echo(f"{count} deliveries taken up again{rest}.")


@webhooks_group.command("sweep")
@with_app
def webhooks_sweep() -> None:
    """Hint the workers at deliveries that were left behind."""
    from webhooks.jobs import sweep

    click.echo(f"{sweep()} stores have deliveries waiting; their workers were told.")


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at else None
