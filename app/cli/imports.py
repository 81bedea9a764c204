"""``pannier import``: orders that no platform tells of."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli.base import OneSentence, WorkFailed, json_option, store_option, with_app
from app.commerce.changes import Channel
from app.commerce.store import find_store

if TYPE_CHECKING:
    from app.imports.orders import Outcome, Progress

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SOURCE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_MAPPING_LIMIT = 5_000_000


@click.group("import")
def import_group() -> None:
    """Take in what no platform tells of."""


@import_group.command("orders")
@click.argument("file", type=_FILE)
@store_option
@click.option("--mapping", default=None, type=_FILE, help="JSON file that says which column is what.")
@click.option(
    "--format", "form", default=None, type=click.Choice(["csv", "jsonl"]),
    help="How the file is written; else by its name.",
)  # fmt: skip
@click.option(
    "--encoding", default="utf-8", show_default=True, type=click.Choice(["utf-8", "cp1252"]), help="Of the file."
)  # fmt: skip
@click.option(
    "--delimiter", default=None, metavar="SIGN", help="What separates cells, or 'tab'; else what the first line shows."
)  # fmt: skip
@click.option(
    "--source", default="till", show_default=True, metavar="NAME", help="The till; order numbers are unique within it."
)  # fmt: skip
@click.option(
    "--channel", default=Channel.POS.value, show_default=True, type=click.Choice([c.value for c in Channel]),
    help="Where the orders were placed.",
)  # fmt: skip
@click.option(
    "--rejects", default=None, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.csv",
    help="Write rows that are kept aside here, with their reasons.",
)  # fmt: skip
@click.option(
    "--collected-by", default=None, metavar="TEXT", help="Who collected what the file says of people."
)
@click.option("--anew", is_flag=True, help="From the beginning, even if it is done.")
@click.option("--dry-run", is_flag=True, help="Read and check everything, and store nothing.")
@json_option
@with_app
def import_orders_command(
    file: Path, store: str, mapping: Path | None, form: str | None, encoding: str, delimiter: str | None,
    source: str, channel: str, rejects: Path | None, collected_by: str | None, anew: bool, dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Take in orders of a shop till, from a CSV file or JSON lines.

    FILE is read row by row. Bad rows are kept aside with the order that they belong to. The same file twice is once;
    an interrupted import goes on where it was.
    """
    from app.imports.orders import ImportFailed, Source, import_orders
    from connectors.pos.layout import LayoutError, read_mapping
    from connectors.pos.rows import Form

    found = find_store(store)
    if found.uninstalled_at is not None:
        raise OneSentence(f"Store {found.id} is uninstalled; nothing more is taken in for it.")
    if not _SOURCE_NAME.fullmatch(source):
        raise OneSentence(
            "--source must be a letter, then letters, digits, - and _, at most 32, in lower case."
        )
    if rejects is not None and rejects.exists() and rejects.samefile(file):
        raise OneSentence("--rejects must be another file than the one that is read.")
    try:
        said = read_mapping(_small(mapping)) if mapping else {}
        what = Source(
            path=file,
            form=Form(_form(file, form), encoding, _delimiter(delimiter)),
            name=source,
            channel=Channel(channel),
            mapping=said,
            collected_by=collected_by,
        )
        with _progress() as progress:
            outcome = import_orders(
                found, what, rejects=rejects, anew=anew, dry_run=dry_run, progress=progress
            )
    except LayoutError as error:
        raise OneSentence(str(error)) from error
    except ImportFailed as error:
        raise WorkFailed(str(error)) from error
    except OSError as error:
        raise WorkFailed(f"{error.filename or file}: {error.strerror}.") from error
    if outcome.orders and not (outcome.already or dry_run):
        _publish(found.id)
    _report(outcome, as_json, dry_run)
    if outcome.rejected_rows and not outcome.orders:
        raise WorkFailed("No order could be taken.")


def _small(path: Path) -> bytes:
    """Return a mapping file."""
    if path.stat().st_size > _MAPPING_LIMIT:
        raise OneSentence("The mapping file is too large.")
    return path.read_bytes()


def _form(file: Path, stated: str | None) -> str:
    """Return how a file is written: as stated, else by its name."""
    return stated or ("jsonl" if file.suffix.lower() in (".jsonl", ".ndjson", ".json") else "csv")


def _delimiter(stated: str | None) -> str | None:
    sign = "\t" if stated == "tab" else stated
    if sign is not None and (len(sign) != 1 or sign in '"\r\n' or sign.isalnum()):
        raise OneSentence("--delimiter must be one sign such as ; or the word tab.")
    return sign


@contextmanager
def _progress() -> Iterator["Progress"]:
    """Show how many rows are done, on stderr."""
    with click.progressbar(length=1000, label="Importing", file=sys.stderr) as bar:
        shown = 0

        def progress(done: int, of: int) -> None:
            nonlocal shown
            step = done * 1000 // max(of, 1) - shown
            bar.update(step)
            shown += step

        yield progress


def _publish(store_id: int) -> None:
    """Publish what was learned, for a few seconds; a worker does the rest."""
    from app.core.queues import LEARNING, enqueue
    from app.recommendations import described, learning
    from app.recommendations.jobs import PUBLISH

    rest = learning.publish_turn(store_id)
    if rest is not None:
        enqueue(LEARNING, PUBLISH, store_id, rest)
    described.hint(store_id)


def _report(outcome: "Outcome", as_json: bool, dry_run: bool) -> None:
    """Say what became of the file: the figures on stdout, rows that were kept aside on stderr too."""
    if as_json:
        figures = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
        click.echo(json.dumps({**figures, "dry_run": dry_run}))
        return
    if outcome.already:
        click.echo("Already imported, nothing to do.")
        return
    for label, value in _figures(outcome, dry_run):
        click.echo(f"{label}: {value}")
    for line, reason in outcome.examples.items():
        click.echo(f"  line {line}: {reason}", err=True)
    if len(outcome.examples) < sum(outcome.reasons.values()):
        for reason, count in outcome.reasons.most_common(20):
            click.echo(f"  {count} rows: {reason}", err=True)


def _figures(outcome: "Outcome", dry_run: bool) -> list[tuple[str, Any]]:
    """Return the figures that are worth a line, with what they count."""
    always: list[tuple[str, Any]] = [
        ("rows", outcome.rows),
        ("orders that would be taken" if dry_run else "orders taken", outcome.orders),
        ("rows kept aside", outcome.rejected_rows),
    ]
    sometimes: list[tuple[str, Any]] = [
        ("orders joined to a person", outcome.joined),
        ("orders with a contact but no consent, joined to nobody", outcome.refused),
        ("receipts that take goods back from earlier orders", outcome.returns),
        ("pieces given back without the order in which they were sold", outcome.unmatched_returns),
        ("orders that were there with another time; two tills need a --source each", outcome.moved),
        ("lines of products that the shop does not have", outcome.unknown_lines),
        ("their codes", ", ".join(outcome.unknown_products)),
        ("went on where it was interrupted", outcome.resumed and "yes"),
    ]
    return always + [(label, value) for label, value in sometimes if value]
