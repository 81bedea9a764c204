"""``pannier rules``: the merchant's rules, listed, checked and taken back."""

import json
from typing import Any

import click

from app.cli.base import WorkFailed, as_text, json_option, show, store_option, with_app
from app.commerce.store import find_store
from app.core.db import db


@click.group("rules")
def rules_group() -> None:
    """List the merchant's rules, check and undo them."""


@rules_group.command("list")
@store_option
@json_option
@with_app
def rules_list(store: str, as_json: bool) -> None:
    """List a store's rules in their order."""
    from app.rules import versions

    kept = versions.newest(db.session.connection(), find_store(store).id)
    if as_json:
        click.echo(json.dumps(kept.to_json(), default=as_text))
        return
    click.echo(f"Version {kept.version}. {kept.note}".rstrip(), err=True)
    rows: list[dict[str, Any]] = [
        {
            "place": place,
            "id": rule["id"],
            "name": rule["name"],
            "on": "yes" if rule["enabled"] else "no",
            "does": ", ".join(action["do"] for action in rule["then"]),
        }
        for place, rule in enumerate(kept.rules, 1)
    ]
    show(rows, as_json=False, empty="There are no rules.")


@rules_group.command("lint")
@store_option
@json_option
@with_app
def rules_lint(store: str, as_json: bool) -> None:
    """Say what about a store's rules is probably not meant so.

    Exit code 1 where a rule never works.
    """
    from app.core.db import now
    from app.rules import catalogue, lint, versions

    connection, store_id = db.session.connection(), find_store(store).id
    kept = versions.newest(connection, store_id)
    known = catalogue.read(connection, store_id, lint.named_products(kept.rules))
    found = lint.lint(kept.rules, now(), known)
    show([finding.to_json() for finding in found], as_json, "Nothing is odd about the rules.")
    if any(finding.level == lint.ERROR for finding in found):
        raise WorkFailed("Some rules never work.")


@rules_group.command("undo")
@store_option
@json_option
@with_app
def rules_undo(store: str, as_json: bool) -> None:
    """Take back the last change of a store's rules; again: the one before it.

    Web processes follow within a few seconds.
    """
    from app.rules import versions

    kept = versions.undo(db.session.connection(), find_store(store).id)
    db.session.commit()
    if as_json:
        click.echo(json.dumps(kept.to_json(), default=as_text))
    else:
        click.echo(
            f"Version {kept.version} has the {len(kept.rules)} rules of version {kept.restored_version}."
        )
