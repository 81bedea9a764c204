"""``pannier synth``: a synthetic store with planted truth, against what Pannier finds."""

import json
import sys
from typing import TYPE_CHECKING

import click

from app.cli.base import OneSentence, WorkFailed, json_option, show, with_app

if TYPE_CHECKING:
    from demo.synth.run import Plan, Report

_FAULTS = ("stopped-orders", "sample-ratio", "irrelevant-slot", "spoiled-orders", "duplicates-and-disorder")


@click.command("synth")
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(0, 10**6), help="Decides everything."
)
@click.option(
    "--shoppers",
    default=300,
    show_default=True,
    type=click.IntRange(0, 100_000),
    help="Visitors over the API.",
)
@click.option(
    "--crowd",
    default=6000,
    show_default=True,
    type=click.IntRange(0, 10**6),
    help="Visitors written in bulk.",
)
@click.option(
    "--orders", default=900, show_default=True, type=click.IntRange(100, 100_000), help="Orders of the past."
)
@click.option(
    "--days", default=28, show_default=True, type=click.IntRange(14, 150), help="How long the past is."
)
@click.option(
    "--uplift", default=0.5, show_default=True, type=click.FloatRange(0, 2),
    help="By how much more is bought where what goes together is shown.",
)  # fmt: skip
@click.option(
    "--fault",
    "faults",
    multiple=True,
    type=click.Choice(_FAULTS),
    help="What goes wrong; several may be given.",
)
@click.option(
    "--address",
    metavar="URL",
    help="Of a running service on the same database, instead of one in this process.",
)
@click.option("--again", is_flag=True, help="Delete a store that an earlier run of this seed has left.")
@click.option("--keep", is_flag=True, help="Leave the store for looking at.")
@json_option
@with_app
def synth_command(
    seed: int, shoppers: int, crowd: int, orders: int, days: int, uplift: float, faults: tuple[str, ...],
    address: str | None, again: bool, keep: bool, as_json: bool,
) -> None:  # fmt: skip
    """Plant a truth, and see whether Pannier finds it.

    Adds the store synth-SEED.myshopify.com, has shoppers visit and buy in it, and compares what was planted with what
    was found. Exit code 1 if anything was not.
    """
    from demo.synth.world import Fault, Plan

    if address is not None and not address.startswith(("http://", "https://")):
        raise OneSentence(f"{address!r} is no address such as http://127.0.0.1:8000.")
    plan = Plan(
        seed=seed, shoppers=shoppers, crowd=crowd, orders=orders, days=days, uplift=uplift,
        faults=frozenset(map(Fault, faults)),
    )  # fmt: skip
    report = _run(plan, address, again=again, keep=keep)
    if as_json:
        click.echo(json.dumps(report.to_json()))
    else:
        rows = [
            {"result": "found" if f.ok else "MISSED", "what": f.name, "planted": f.planted, "found": f.found}
            for f in report.findings
        ]
        show(rows, as_json=False, empty="")
        click.echo(f"{plan.domain}: {report.seconds:.0f} s", err=True)
    if not report.ok:
        sys.exit(1)


def _run(plan: "Plan", address: str | None, *, again: bool, keep: bool) -> "Report":
    from demo.synth.run import SynthError, run, steps

    with click.progressbar(length=steps(plan), label="Living", file=sys.stderr) as bar:
        try:
            return run(plan, address=address, again=again, keep=keep, on_step=bar.update)
        except SynthError as error:
            raise WorkFailed(str(error)) from error
