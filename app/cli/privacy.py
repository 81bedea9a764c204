"""``pannier privacy``: what people ask of their data, from the command line."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from app.cli.base import OneSentence, WorkFailed, json_option, show, with_app
from app.commerce.store import find_store
from app.core.db import db
from connectors.personal import email_address


@click.group("privacy")
def privacy_group() -> None:
    """Give out and erase what is kept of people."""


def _whom(command: Any) -> Any:
    """Add the options that name a person."""
    for option in reversed(
        (
            click.argument("store"),
            click.option("--email", help="An e-mail address; - reads it from standard input."),
            click.option("--customer", help="The platform's customer id."),
            click.option("--visitor", help="A visitor's anonymous id."),
            click.option(
                "--order", "orders", multiple=True, help="The platform's order id; may be repeated."
            ),
        )
    ):
        command = option(command)
    return command


@privacy_group.command("export")
@_whom
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write into a file.")
@with_app
def privacy_export(
    store: str, email: str | None, customer: str | None, visitor: str | None, orders: tuple[str, ...],
    output: Path | None,
) -> None:  # fmt: skip
    """Print what STORE keeps of a person, as JSON.

    STORE is an id or a domain. Several options name one person.
    """
    from app.privacy.requests import EXPORT
    from app.privacy.routes import export_state

    text = json.dumps(export_state(_carry_out(EXPORT, store, email, customer, visitor, orders)), indent=2)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
        click.echo(f"Written to {output}.")


@privacy_group.command("erase")
@_whom
@click.option("--yes", is_flag=True, help="Do not ask first.")
@json_option
@with_app
def privacy_erase(
    store: str, email: str | None, customer: str | None, visitor: str | None, orders: tuple[str, ...],
    yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Erase what STORE keeps of a person, for good, and print the receipt.

    STORE is an id or a domain. Several options name one person. What arrives of the person later is not taken.
    """
    from app.privacy.requests import ERASURE

    if not yes:
        click.confirm("This cannot be taken back. Erase?", abort=True)
    receipt = _carry_out(ERASURE, store, email, customer, visitor, orders).receipt or {}
    if as_json:
        click.echo(json.dumps(receipt))
        return
    removed = [
        f"{number} {what.replace('_', ' ')}"
        for room in receipt["removed"].values()
        for what, number in room.items()
    ]
    click.echo(f"Erased: {', '.join(removed) or 'nothing was kept'}. Request {receipt['request']}.")


@privacy_group.command("requests")
@click.argument("store")
@json_option
@with_app
def privacy_requests(store: str, as_json: bool) -> None:
    """List what people asked of STORE: when, until when, and whether it is done.

    STORE is an id or a domain. The open ones come first.
    """
    from app.privacy.routes import newest, state

    rows = [state(found) for found in newest(find_store(store).id)]
    columns = ("id", "kind", "status", "requested_at", "due_at", "completed_at", "attempts", "failure")
    show(
        rows if as_json else [{name: row[name] for name in columns} for row in rows],
        as_json,
        "Nobody has asked anything.",
    )


@privacy_group.command("notice")
@click.argument("store")
@json_option
@with_app
def privacy_notice(store: str, as_json: bool) -> None:
    """Print where what STORE keeps of people comes from, and what they are to be told.

    STORE is an id or a domain. The text follows New Zealand's IPP 3A and GDPR, Art. 14; fill in what stands in
    brackets.
    """
    from app.privacy.notices import as_text, notice_of

    found = notice_of(db.session.connection(), find_store(store).id)
    click.echo(json.dumps(found) if as_json else as_text(found), nl=as_json)


@privacy_group.command("verify-receipt")
@click.argument("store")
@click.argument("file", type=click.File("r"))
@with_app
def privacy_verify_receipt(store: str, file: Any) -> None:
    """Say whether the receipt in FILE (- for standard input) was signed here, for STORE, and is as it was."""
    from app.privacy.receipts import is_genuine

    try:
        receipt = json.load(file)
    except ValueError as error:
        raise OneSentence("The file is no JSON.") from error
    if not is_genuine(find_store(store).id, receipt):
        raise WorkFailed("The receipt is not genuine.")
    click.echo("The receipt is genuine.")


def _carry_out(
    kind: str,
    store: str,
    email: str | None,
    customer: str | None,
    visitor: str | None,
    orders: tuple[str, ...],
) -> Any:
    """Ask and carry out at once; return the completed request."""
    from app.privacy import requests
    from app.privacy.models import PrivacyRequestRecord
    from app.privacy.routes import named

    if email == "-":
        email = sys.stdin.readline().strip()
    if email is not None and not email_address(email):
        raise OneSentence("That is no e-mail address.")
    given = {"email": email, "customer_id": customer, "visitor_id": visitor, "order_ids": list(orders)}
    whom = {name: value for name, value in given.items() if value}
    if not whom:
        raise OneSentence("Name somebody: --email, --customer, --visitor or --order.")
    store_id = find_store(store).id
    id_ = requests.ask(store_id, kind, **named(store_id, whom))
    db.session.commit()
    if not requests.carry_out(id_):
        raise WorkFailed("It failed, and is tried again every minute; `pannier privacy requests` shows why.")
    return db.session.get(PrivacyRequestRecord, id_, populate_existing=True)
