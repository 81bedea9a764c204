"""``pannier decisions``: what was shown, and why."""

import json
from typing import Any

import click

from app.cli.base import WorkFailed, json_option, show, store_option, with_app
from app.commerce.store import StoreAccess, find_store
from app.core.db import db


@click.group("decisions")
def decisions_group() -> None:
    """Look at what was shown, and why."""


@decisions_group.command("show")
@click.argument("decision_id")
@store_option
@json_option
@with_app
def decisions_show(decision_id: str, store: str, as_json: bool) -> None:
    """Show a decision, make it again, and say whether it comes out the same."""
    from app.decisions.reading import find
    from app.decisions.replaying import replay
    from app.decisions.showing import whole

    shop = find_store(store)
    access = StoreAccess(
        shop.id,
        shop.platform,
        shop.domain,
        shop.currency,
        frozenset(shop.origins),
        "secret",
        shop.timezone,
        shop.settings,
    )
    found = find(db.session.connection(), shop.id, decision_id)
    if found is None:
        raise WorkFailed(f"{shop.domain} has no decision {decision_id}.")
    state = whole(found, replay(db.session.connection(), access, found))
    if as_json:
        click.echo(json.dumps(state))
    else:
        _tell(state)


def _tell(state: dict[str, Any]) -> None:
    """Print a decision for people; what replays it is for ``--json``."""
    replayed, record = state.pop("replay"), state.pop("record")
    state["arms"] = ", ".join(f"{experiment}: {arm}" for experiment, arm in state["arms"].items())
    state["shown"] = " ".join(state["shown"])
    state["fired"] = " ".join(map(str, (record or {}).get("fired", ())))
    state["replay"] = {True: "the same", False: "differs", None: "not possible"}[replayed["same"]]
    show([{"": name, "value": value} for name, value in state.items()], as_json=False, empty="")
    for difference in replayed["differences"]:
        click.echo(difference)
