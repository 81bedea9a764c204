"""``pannier prices ledger``, ``pannier prices import-competitors`` and ``pannier prices experiment``."""

import sys
from pathlib import Path
from typing import Any

import click

from app.cli.base import OneSentence, as_text, json_option, show, store_option, with_app
from app.commerce.store import find_store
from app.core.db import db, now
from app.core.money import to_major

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("ledger")
@click.argument("product")
@store_option
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="Prices at most, the newest."
)
@json_option
@with_app
def ledger_command(product: str, store: str, limit: int, as_json: bool) -> None:
    """Show every list price of a product that was live, newest first, and whose it was.

    PRODUCT is the platform's id.
    """
    from app.pricing import ledger

    found = ledger.page(db.session.connection(), find_store(store).id, product, None, limit)
    rows: list[dict[str, Any]] = [
        {
            "variant": period.variant_id,
            "price": to_major(period.price, period.currency),
            "was": None
            if period.compare_at_price is None
            else to_major(period.compare_at_price, period.currency),
            "currency": period.currency,
            "from": as_text(period.from_at),
            "until": None if period.until_at is None else as_text(period.until_at),
            "source": period.source,
            "change": period.change_id,
            "reason": period.reason,
        }
        for _, period in found
    ]
    show(rows, as_json, "The ledger has no price of this product.")


@click.command("import-competitors")
@click.argument("file", type=_FILE)
@store_option
@json_option
@with_app
def import_competitors_command(file: Path, store: str, as_json: bool) -> None:
    """Take in what competitors ask, from a CSV or JSON file.

    FILE has product_id, competitor and price, and perhaps currency and seen_at. In CSV prices are in major units
    (19.90), in JSON in minor units (1990). Rows that are wrong are told and left out. Exit code 1 where none is right.
    """
    from app.pricing import competitors
    from app.pricing.ledger_schemas import competitor_price

    found = find_store(store)
    moment = now()
    good: list[tuple[int, competitors.Price]] = []
    wrong: dict[int, str] = {}
    try:
        for number, row in competitors.read_file(file, found.currency):
            price = row if isinstance(row, str) else competitor_price(row, moment)
            if isinstance(price, str):
                wrong[number] = price
            else:
                good.append((number, price))
    except competitors.FileError as error:
        raise OneSentence(str(error)) from error
    accepted = len(good)
    for start in range(0, len(good), competitors.MOST_AT_ONCE):
        numbers, prices = zip(*good[start : start + competitors.MOST_AT_ONCE], strict=True)
        refused = competitors.take_in(db.session.connection(), found.id, prices, moment)
        db.session.commit()
        accepted -= len(refused)
        wrong |= {numbers[place]: reason for place, reason in refused.items()}
    for number, reason in sorted(wrong.items()):
        click.echo(f"Row {number}: {reason}", err=True)
    show([{"accepted": accepted, "left_out": len(wrong)}], as_json, "")
    if wrong and not accepted:
        sys.exit(1)


@click.command("experiment")
@click.argument("experiment")
@store_option
@json_option
@with_app
def experiment_command(experiment: str, store: str, as_json: bool) -> None:
    """Say what an experiment on prices was worth so far, by cluster.

    EXPERIMENT is its key. Amounts are of a product and day, in minor units; the interval holds for a single look.
    """
    from app.core.errors import NotFound
    from app.pricing import price_experiments

    try:
        found = price_experiments.report(db.session.connection(), find_store(store), experiment, now())
    except NotFound as error:
        raise OneSentence(str(error.detail)) from error
    rows = [
        {
            "arm": each.arm,
            "clusters": each.clusters,
            found.measure: round(each.value, 2),
            "control_clusters": each.control_clusters,
            f"control_{found.measure}": round(each.control_value, 2),
            "difference": each.effect and round(each.effect.difference, 2),
            "low": each.effect and round(each.effect.low, 2),
            "high": each.effect and round(each.effect.high, 2),
            "p": each.effect and round(each.effect.p_value, 4),
        }
        for each in found.arms
    ]
    click.echo(f"{found.products} products, {found.days} whole days, by {found.unit}.", err=True)
    show(rows, as_json, "No whole day has passed yet, or no product takes part.")
