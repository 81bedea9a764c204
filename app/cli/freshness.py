"""``pannier freshness``: is everything fresh that answers stand on?"""

import json
import sys
from typing import Any

import click
from sqlalchemy import select

from app.cli.base import as_text, json_option, show, with_app
from app.commerce.store import Store, find_store
from app.core.db import db, now


@click.command("freshness")
@click.option("--store", metavar="STORE", help="Id or domain of the store; all where it is left out.")
@json_option
@with_app
def freshness_command(store: str | None, as_json: bool) -> None:
    """Say how old the newest orders, carts, events … are.

    And whether that is in order for a store of this rhythm. Exit code 1 if any source is an error.
    """
    from app.monitoring.freshness import ERROR, worst
    from app.monitoring.jobs import findings_of

    moment = now()
    found: list[dict[str, Any]] = []
    for store_id, domain in _stores(store):
        findings = findings_of(store_id, moment)
        found.append(
            {
                "store_id": store_id,
                "store": domain,
                "level": worst(f.level for f in findings),
                "sources": [{name: getattr(f, name) for name in f.__slots__} for f in findings],
            }
        )
    if as_json:
        click.echo(json.dumps({"checked_at": moment, "stores": found}, default=as_text))
    else:
        show(
            [_row(each, source) for each in found for source in each["sources"]], False, "There is no store."
        )
    if any(each["level"] == ERROR for each in found):
        sys.exit(1)


def _stores(store: str | None) -> list[tuple[int, str]]:
    if store is not None:
        one = find_store(store)
        return [(one.id, one.domain)]
    rows = db.session.execute(
        select(Store.id, Store.domain).where(Store.uninstalled_at.is_(None)).order_by(Store.id)
    )
    return [(store_id, domain) for store_id, domain in rows]


def _row(store: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    return {
        "store": store["store"],
        "source": source["source"],
        "level": source["level"],
        "age": _in_words(source["age_seconds"]),
        "warn after": _in_words(source["warn_after_seconds"]),
        "error after": _in_words(source["error_after_seconds"]),
        "message": source["message"],
    }


def _in_words(seconds: int | None) -> str:
    """Return a time in its two largest units, such as ``3 d 4 h``."""
    if seconds is None:
        return ""
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
