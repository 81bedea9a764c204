"""``pannier events``: how events come in, and telling again what they prove."""

import json
from datetime import UTC, datetime, timedelta

import click

from app.cli.base import json_option, store_option, with_app
from app.commerce.store import find_store
from app.core.db import db, now


@click.group("events")
def events_group() -> None:
    """See how events come in, and tell again what they prove."""


@events_group.command("status")
@click.argument("store")
@click.option("--days", type=click.IntRange(1, 400), default=7, help="Days (UTC), today included.")
@json_option
@with_app
def events_status(store: str, days: int, as_json: bool) -> None:
    """Say how events of STORE came in, and what to do about those that did not.

    STORE is an id or a domain. Web processes add their counts every two seconds.
    """
    from app.events.report import report

    found = report(db.session.connection(), find_store(store).id, now().date(), days)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(f"Since {found['since']}: {found['accepted']} accepted, {found['duplicates']} sent again.")
    for title, told in (("Rejected", found["rejected"]), ("Accepted, and yet", found["noted"])):
        for row in told:
            click.echo(f"{title}: {row['events']} {row['reason']}. {row['advice']}")
    if not found["missing_user_context"]:
        click.echo("No event lacks the user that it should name.")


@events_group.command("replay")
@store_option
@click.option(
    "--since",
    metavar="TIME",
    type=click.DateTime(),
    help="Received at or after, such as 2026-11-22T08:00:00 (UTC).",
)
@click.option("--until", metavar="TIME", type=click.DateTime(), help="Received before (UTC).")
@click.option("--name", help="The event's name, such as 'Product Viewed'.")
@with_app
def events_replay(store: str, since: datetime | None, until: datetime | None, name: str | None) -> None:
    """Tell again what stored events prove: links between identifiers, and the activity of their days.

    Done twice it changes nothing.
    """
    from app.events.jobs import settings
    from app.events.replay import replay

    kept_from = (now() - timedelta(days=settings().event_retention_days - 1)).date()
    done = replay(find_store(store).id, since=_utc(since), until=_utc(until), name=name, kept_from=kept_from)
    click.echo(f"{done.events} events read: {done.links} links were missing, {done.days} days counted anew.")


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at else None
