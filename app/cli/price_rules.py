"""``pannier prices rules``, ``propose``, ``approve``, ``changes`` and ``undo``."""

import json
from collections.abc import Iterable
from typing import Any

import click

from app.cli.base import WorkFailed, as_text, json_option, show, store_option, with_app
from app.commerce.store import Store, find_store
from app.core.db import db, now
from app.core.money import to_major


@click.command("rules")
@store_option
@json_option
@with_app
def rules_command(store: str, as_json: bool) -> None:
    """List a store's price rules by key."""
    from app.pricing import defining

    found = [defining.state(rule) for rule in defining.listed(find_store(store).id)]
    if as_json:
        click.echo(json.dumps(found, default=as_text))
        return
    rows = [
        {
            "key": rule["key"],
            "name": rule["name"],
            "mode": rule["mode"],
            "active": "yes" if rule["active"] else "no",
            "signals": ", ".join(
                f"{each['signal']} {each['weight_percent']:g} %" for each in rule["signals"]
            ),
        }
        for rule in found
    ]
    show(rows, as_json=False, empty="There are no price rules.")


@click.command("propose")
@store_option
@click.option("--rule", metavar="KEY", help="Look at this rule's products only.")
@click.option(
    "--product", "products", multiple=True, metavar="ID", help="Look at this product only; repeatable."
)
@json_option
@with_app
def propose_command(store: str, rule: str | None, products: tuple[str, ...], as_json: bool) -> None:
    """Look at products now and keep the prices that the rules propose.

    What an automatic rule proposes is written by the worker within a minute.
    """
    from app.pricing import changes, defining, looking

    found = find_store(store)
    if rule is not None:
        defining.find(found.id, rule)
    made = looking.look(found, now(), keys=None if rule is None else [rule], products=products or None)
    for reason, count in sorted(made.kept.items()):
        click.echo(f"{count} keep their price: {reason}", err=True)
    if made.standing or made.void:
        click.echo(f"{made.standing} proposals still hold, {made.void} do not.", err=True)
    _show((changes.find(found.id, id_) for id_ in made.made), as_json, "Nothing new is proposed.")


@click.command("approve")
@click.argument("change", nargs=-1, required=True, type=click.IntRange(min=1))
@store_option
@json_option
@with_app
def approve_command(change: tuple[int, ...], store: str, as_json: bool) -> None:
    """Approve proposed prices and write them to the shop at once.

    CHANGE is a number of `pannier prices changes`. Exit code 1 where one of them cannot be approved (then none is), or
    does not arrive in the shop.
    """
    from app.pricing import changes, writing

    found = find_store(store)
    for id_ in change:
        changes.approve(found.id, id_, now())
    db.session.commit()
    writing.write_due(found.id)
    _show_written(found, change, as_json)


@click.command("changes")
@store_option
@click.option("--state", metavar="STATE", help="Only those in this state.")
@click.option("--rule", metavar="KEY", help="Only those of this rule.")
@click.option("--product", metavar="ID", help="Only those of this product.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@json_option
@with_app
def changes_command(
    store: str, state: str | None, rule: str | None, product: str | None, limit: int, as_json: bool
) -> None:
    """List price changes in whatever state, newest first, with their reasons."""
    from app.pricing import changes

    if state is not None and state not in changes.STATES:
        raise click.UsageError(f"There is no state {state!r}; known are {', '.join(changes.STATES)}.")
    found = changes.page(find_store(store).id, limit, states=state and [state], rule=rule, product_id=product)
    _show(found, as_json, "There are no price changes.")


@click.command("undo")
@click.argument("change", required=False, type=click.IntRange(min=1))
@store_option
@click.option("--rule", metavar="KEY", help="Pause this rule and take back all that it did.")
@click.option("--force", is_flag=True, help="Also over what somebody else changed in the shop since.")
@json_option
@with_app
def undo_command(change: int | None, store: str, rule: str | None, force: bool, as_json: bool) -> None:
    """Put prices back to what they were, the compared price too, and write that to the shop at once.

    CHANGE is a number of `pannier prices changes`. Exit code 1 where a price is left as it is.
    """
    from app.pricing import undo, writing

    if (change is None) == (rule is None):
        raise click.UsageError("Name either a change or a rule.")
    found = find_store(store)
    undoing = (
        undo.undo_rule(found, rule, now(), force=force)
        if rule is not None
        else undo.undo_change(found, change or 0, now(), force=force)
    )
    for refused in undoing.refused:
        click.echo(f"Change {refused.change_id}, variant {refused.variant_id}: {refused.reason}", err=True)
    made = [each.id for each in undoing.made]
    writing.write_due(found.id)
    _show_written(found, made, as_json)
    if undoing.refused:
        raise WorkFailed("Some prices are left as they are.")


def _show_written(store: Store, ids: Iterable[int], as_json: bool) -> None:
    from app.pricing import changes

    db.session.expire_all()
    found = [changes.find(store.id, id_) for id_ in ids]
    _show(found, as_json, "No price was to be written.")
    if any(change.state != changes.LIVE for change in found):
        raise WorkFailed("Not every price stands in the shop; the column problem says why.")


def _show(found: Iterable[Any], as_json: bool, empty: str) -> None:
    rows: list[dict[str, Any]] = [
        {
            "change": change.id,
            "state": change.state,
            "rule": change.rule_key,
            "variant": change.variant_id,
            "price": to_major(change.old_price, change.currency),
            "new_price": to_major(change.new_price, change.currency),
            "currency": change.currency,
            "proposed": as_text(change.proposed_at),
            "reason": change.reason,
            "problem": change.problem,
        }
        for change in found
    ]
    show(rows, as_json, empty)
