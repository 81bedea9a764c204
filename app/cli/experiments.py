"""``pannier experiments``: ways of answering, compared on visitors."""

import json
from typing import TYPE_CHECKING, Any

import click

from app.cli.base import as_text, json_option, show, store_option, with_app
from app.commerce.store import find_store

if TYPE_CHECKING:
    from app.experiments.models import Experiment


@click.group("experiments")
def experiments_group() -> None:
    """Start and stop experiments, and look at them."""


@experiments_group.command("list")
@store_option
@click.option(
    "--status",
    type=click.Choice(["draft", "running", "stopped", "decided"]),
    help="Only those that are so.",
)
@json_option
@with_app
def experiments_list(store: str, status: str | None, as_json: bool) -> None:
    """List a store's experiments, newest first."""
    from app.experiments import lifecycle

    rows = [
        {
            "key": each.key,
            "status": each.status,
            "arms": len(each.definition["arms"]),
            "started_at": each.started_at,
            "name": each.name,
        }
        for each in lifecycle.listed(find_store(store).id, status)
    ]
    show(rows, as_json, "There is none.")


@experiments_group.command("show")
@click.argument("experiment")
@store_option
@json_option
@with_app
def experiments_show(experiment: str, store: str, as_json: bool) -> None:
    """Show the definition of EXPERIMENT, and what has become of it."""
    from app.experiments import lifecycle

    found = lifecycle.find(find_store(store).id, experiment)
    _tell(found, as_json)


@experiments_group.command("start")
@click.argument("experiment")
@store_option
@json_option
@with_app
def experiments_start(experiment: str, store: str, as_json: bool) -> None:
    """Start EXPERIMENT, a draft: visitors are assigned from now on."""
    from app.experiments import lifecycle

    found = lifecycle.start(find_store(store).id, experiment)
    _tell(found, as_json)


@experiments_group.command("stop")
@click.argument("experiment")
@store_option
@json_option
@with_app
def experiments_stop(experiment: str, store: str, as_json: bool) -> None:
    """Stop EXPERIMENT, which runs; it cannot be started again."""
    from app.experiments import lifecycle

    found = lifecycle.stop(find_store(store).id, experiment)
    _tell(found, as_json)


@experiments_group.command("decide")
@click.argument("experiment")
@click.argument("arm")
@store_option
@click.option("--note", default="", help="Why.")
@json_option
@with_app
def experiments_decide(experiment: str, arm: str, store: str, note: str, as_json: bool) -> None:
    """Note that ARM of EXPERIMENT, which was stopped, is kept."""
    from app.experiments import lifecycle

    found = lifecycle.decide(find_store(store).id, experiment, arm, note)
    _tell(found, as_json)


@experiments_group.command("report")
@click.argument("experiment")
@store_option
@json_option
@with_app
def experiments_report(experiment: str, store: str, as_json: bool) -> None:
    """Say what EXPERIMENT has shown so far.

    `holdout` is the store-wide hold-out, `slot:product` the standing control of the slot `product`.
    """
    from app.core.db import db
    from app.experiments import reporting

    made = reporting.report(db.session.connection(), find_store(store).id, experiment)
    if as_json:
        click.echo(json.dumps(made))
        return
    for sentence in made["sentences"]:
        click.echo(sentence)
    rows = [
        {
            "arm": arm["arm"],
            "visitors": arm["visitors"],
            "status": arm["status"] or "",
            **{name.replace("_", " "): f"{value:.4g}" for name, value in arm["values"].items()},
        }
        for arm in made["arms"]
    ]
    show(rows, as_json=False, empty="")


@experiments_group.command("power")
@store_option
@click.option("--lift", type=click.FloatRange(0.001, 1), default=0.05, help="The relative difference to see.")
@click.option("--weeks", type=click.IntRange(2, 52), default=12, help="The longest that it may take.")
@click.option("--arms", type=click.IntRange(1, 5), default=1, help="Arms that are compared with control.")
@click.option(
    "--looks", type=click.Choice(["daily", "once"]), default="daily", help="At any time, or at the end."
)
@json_option
@with_app
def experiments_power(store: str, lift: float, weeks: int, arms: int, looks: str, as_json: bool) -> None:
    """Say how many weeks the store needs to see a lift of revenue per visitor."""
    from app.core.db import db
    from app.experiments import reporting

    found = reporting.forecast(
        db.session.connection(),
        find_store(store).id,
        lift=lift,
        weeks=weeks,
        arms=arms,
        daily=looks == "daily",
    )
    click.echo(json.dumps(found) if as_json else found["sentence"])


def _tell(experiment: "Experiment", as_json: bool) -> None:
    """Print an experiment: what it is on stderr, its arms as a table."""
    from app.experiments import lifecycle

    found = lifecycle.state(experiment)
    if as_json:
        click.echo(json.dumps(found, default=as_text))
        return
    click.echo(f"{found['key']} ({found['name']}) is {_in_words(found)}.", err=True)
    if found["hypothesis"]:
        click.echo(found["hypothesis"], err=True)
    rows = [
        {
            "arm": arm["key"],
            "share": f"{arm['share']:.1%}",
            "name": arm["name"],
            "settings": json.dumps(arm["settings"]) if arm["settings"] else "",
        }
        for arm in found["arms"]
    ]
    show(rows, as_json=False, empty="")


def _in_words(found: dict[str, Any]) -> str:
    at = found["decided_at"] or found["stopped_at"] or found["started_at"]
    if at is None:
        return "a draft"
    kept = f"; {found['verdict']['arm']} is kept" if found["verdict"] else ""
    return f"{found['status']} since {as_text(at)}{kept}"
