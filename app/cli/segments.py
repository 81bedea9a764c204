"""``pannier segments``: groups of customers, computed, looked at and tried."""

import json
import sys
from typing import Any

import click

from app.cli.base import OneSentence, WorkFailed, as_text, json_option, show, store_option, with_app
from app.commerce.store import find_store
from app.core.db import db


@click.group("segments")
def segments_group() -> None:
    """Compute groups of customers, and look at them."""


@segments_group.command("list")
@store_option
@json_option
@with_app
def segments_list(store: str, as_json: bool) -> None:
    """List a store's segments with their sizes."""
    from app.segments.showing import all_segments

    found = all_segments(db.session.connection(), find_store(store).id)
    if as_json:
        click.echo(json.dumps(found, default=as_text))
        return
    if found["as_of"] is None:
        click.echo("Not computed yet: run `pannier segments refresh`.", err=True)
    else:
        click.echo(
            f"{found['customers']} customers; {found['scored']} of them ordered within {found['window_days']} days."
            f" As of {as_text(found['as_of'])}.",
            err=True,
        )
    rows = [
        {name: each[name] for name in ("key", "kind", "size", "name", "sentence")}
        for each in found["segments"]
    ]
    show(rows, as_json=False, empty="")


@segments_group.command("refresh")
@store_option
@json_option
@with_app
def segments_refresh(store: str, as_json: bool) -> None:
    """Compute all segments of a store anew.

    The clock does so every night.
    """
    from app.segments.refreshing import refresh

    with click.progressbar(length=2000, label="Computing", file=sys.stderr) as bar:
        done = 0

        def progress(step: str, people: int, of: int) -> None:
            nonlocal done
            reached = (1000 if step == "placed" else 0) + people * 1000 // max(of, 1)
            bar.update(reached - done)
            done = reached

        found = refresh(find_store(store).id, progress)
        bar.update(2000 - done)
    if found is None:
        raise WorkFailed("The store's segments are being computed already.")
    if as_json:
        click.echo(json.dumps({"people": found.people, "scored": found.scored, "sizes": found.sizes}))
    else:
        click.echo(
            f"{found.people} customers, {found.scored} of whom are scored, in {len(found.sizes)} segments."
        )


@segments_group.command("show")
@click.argument("segment")
@store_option
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Members at most."
)
@json_option
@with_app
def segments_show(segment: str, store: str, limit: int, as_json: bool) -> None:
    """Show who is in SEGMENT, since when, and why."""
    from app.segments import memberships
    from app.segments.showing import all_segments

    store_id = find_store(store).id
    known = [each["key"] for each in all_segments(db.session.connection(), store_id)["segments"]]
    if segment not in known:
        raise WorkFailed(f"Store {store_id} has no segment {segment}; it has {', '.join(known)}.")
    rows = [
        {
            "customer_id": platform_id,
            "since": member.since,
            "as_of": member.as_of,
            "reason": member.reason if as_json else _in_words(member.reason),
        }
        for _, platform_id, member in memberships.page(db.session.connection(), store_id, segment, 0, limit)
    ]
    show(rows, as_json, "Nobody is in it.")


def _in_words(reason: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in reason["measured"].items())


@segments_group.command("overlap")
@store_option
@click.option("--all", "show_all", is_flag=True, help="Show pairs that are distinct by their rules, too.")
@json_option
@with_app
def segments_overlap(store: str, show_all: bool, as_json: bool) -> None:
    """Say which segments are logically distinct.

    And how many customers the others share.
    """
    from app.segments.overlap import DISJOINT
    from app.segments.showing import overlaps

    found = overlaps(db.session.connection(), find_store(store).id)
    pairs = [
        {name: getattr(pair, name) for name in pair.__slots__}
        for pair in found["pairs"]
        if show_all or pair.relation != DISJOINT
    ]
    if as_json:
        click.echo(json.dumps({**found, "pairs": pairs}, default=as_text))
        return
    rest = len(found["pairs"]) - len(pairs)
    if rest:
        click.echo(f"{rest} pairs of segments are distinct by their rules; --all shows them.", err=True)
    columns = ("both", "jaccard", "relation", "proved", "sentence")
    show([{name: pair[name] for name in columns} for pair in pairs], as_json=False, empty="")


@segments_group.command("preview")
@click.argument("file", type=click.File("rb"))
@store_option
@json_option
@with_app
def segments_preview(file: Any, store: str, as_json: bool) -> None:
    """Say how many customers the conditions in FILE would give.

    FILE holds JSON; - reads standard input. Nothing is kept.
    """
    from marshmallow import ValidationError

    from app.segments.conditions import read
    from app.segments.refreshing import preview
    from app.segments.schemas import PreviewRequest

    try:
        definition = json.load(file)
    except (ValueError, RecursionError) as error:
        raise OneSentence("FILE is not JSON.") from error
    try:
        checked = PreviewRequest().load({"definition": definition})
    except ValidationError as error:
        raise OneSentence(_first_reason(error.messages)) from error
    found = preview(db.session.connection(), find_store(store).id, read(checked["definition"]))
    if as_json:
        click.echo(json.dumps({name: getattr(found, name) for name in found.__slots__}))
        return
    click.echo(found.sentence)
    about = "" if found.looked_at == found.customers else f"About, by {found.looked_at} of them: "
    click.echo(f"{about}{found.size} of {found.customers} customers.")
    for reason in found.reasons:
        click.echo(f"  {_in_words(reason)}")


def _first_reason(messages: Any, path: str = "") -> str:
    """Return the first of nested messages with the path to it."""
    if isinstance(messages, dict):
        key, inner = next(iter(messages.items()))
        return _first_reason(inner, path if key == "_schema" else f"{path}.{key}" if path else str(key))
    return f"{path}: {messages[0] if isinstance(messages, list) else messages}"
