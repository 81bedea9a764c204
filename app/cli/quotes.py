"""``pannier quotes``: the secret that signs prices."""

import click

from app.cli.base import with_app
from app.commerce.store import find_store
from app.core.db import db


@click.group("quotes")
def quotes_group() -> None:
    """Look after signed prices."""


@quotes_group.command("rotate-secret")
@click.argument("store")
@click.option(
    "--at-once",
    is_flag=True,
    help="Void every quote that is out, too: for a secret that somebody else knows.",
)
@with_app
def quotes_rotate_secret(store: str, at_once: bool) -> None:
    """Give a store a new secret to sign quotes with.

    STORE is its id or domain. Quotes that are out stay good until they expire.
    """
    from app.pricing import quote_keys

    found = find_store(store)
    quote_keys.rotate(found.id, at_once=at_once)
    db.session.commit()
    quote_keys.tell_again(found.id)
    if at_once:
        click.echo("The new secret signs now. Quotes that are out are void as soon as the checkout is told.")
    else:
        click.echo("The new secret signs in a quarter of an hour. Quotes that are out stay good.")
