"""``pannier reports``: what a store's orders say."""

import json
from typing import Any

import click

from app.cli.base import OneSentence, as_text, json_option, show, store_option, with_app
from app.commerce.store import find_store


@click.group("reports")
def reports_group() -> None:
    """Look at what orders say."""


@reports_group.command("channels")
@store_option
@click.option("--product", default=None, help="Platform id of a product; else the strongest pairs.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 50), help="Pairs at most.")
@click.option(
    "--days", default=365, show_default=True, type=click.IntRange(1, 3650), help="How far back orders count."
)
@json_option
@with_app
def reports_channels(store: str, product: str | None, limit: int, days: int, as_json: bool) -> None:
    """Compare what goes together at the till and online."""
    from app.recommendations.channels import report

    found = find_store(store)
    told = report(found, product, limit, days)
    if told is None:
        raise OneSentence(f"Store {found.id} has no product {product}.")
    if as_json:
        click.echo(json.dumps(told, default=as_text))
        return
    rows = [_row(pair, channel) for pair in told["pairs"] for channel in pair["channels"]]
    show(
        rows,
        as_json=False,
        empty="No two products are known to be bought together yet: more orders are needed.",
    )


@reports_group.command("drift")
@store_option
@json_option
@with_app
def reports_drift(store: str, as_json: bool) -> None:
    """Say how far a store has moved away from what its model learned."""
    from app.core.db import db, now
    from app.monitoring import counting, drift

    measures = drift.judge(counting.count(db.session.connection(), find_store(store).id, now()))
    rows = [{name: getattr(measure, name) for name in measure.__slots__} for measure in measures]
    show(rows, as_json, empty="")


def _row(pair: dict[str, Any], channel: dict[str, Any]) -> dict[str, Any]:
    """Return a pair in a channel as a row of the table."""
    difference = pair["difference"]
    differs = difference and difference["significant"] and difference["more_in"] == channel["channel"]
    return {
        "product": pair["title"] or pair["product_id"],
        "other": pair["other_title"] or pair["other_id"],
        "channel": channel["channel"],
        "orders": channel["orders"],
        "support": round(channel["support"], 5),
        "confidence": channel["confidence"],
        "lift": channel["lift"],
        "differs": f"* p {difference['adjusted_p_value']:.2g}" if differs else "",
    }
