"""``pannier recommendations``: learning anew, looking at what was learned, and measuring it."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli.base import OneSentence, WorkFailed, as_text, json_option, show, store_option, with_app
from app.commerce.store import SETTINGS, find_store
from app.core.config import load_settings
from app.core.db import db

if TYPE_CHECKING:
    from app.recommendations.rebuilding import Engine


@click.group("recommendations")
def recommendations_group() -> None:
    """Rebuild what was learned, and look at it."""


@recommendations_group.command("rebuild")
@store_option
@click.option(
    "--engine",
    default="local",
    show_default=True,
    type=click.Choice(["local", "spark"]),
    help="What counts: this process, or Spark.",
)
@click.option("--master", default="local[*]", show_default=True, help="Spark: the address of its master.")
@click.option(
    "--spark-dir",
    default=None,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Spark: where files are exchanged, by default under PANNIER_VAR_DIR; a cluster must share it.",
)
@click.option(
    "--spark-conf", multiple=True, metavar="KEY=VALUE", help="Spark: one of its settings; may be repeated."
)
@click.option(
    "--orders", default=None, metavar="PARQUET", help="Spark: learn from these order lines, not the store's."
)
@click.option("--force", is_flag=True, help="Have the new model answer whatever its test says.")
@with_app
def recommendations_rebuild(
    store: str,
    engine: str,
    master: str,
    spark_dir: Path | None,
    spark_conf: tuple[str, ...],
    orders: str | None,
    force: bool,
) -> None:
    """Count a store's orders anew and publish every list.

    Unless the new lists foretell the newest orders worse than those before: then these go on answering.
    """
    from app.recommendations.rebuilding import count_here

    store_id = find_store(store).id
    if engine == "local":
        if orders is not None:
            raise OneSentence("--orders needs --engine spark.")
        learned = _rebuild(store_id, count_here, force=force)
    else:
        from app.recommendations import spark

        directory = spark_dir or load_settings().var_dir / "spark"
        try:
            with spark.spark_engine(directory, master, _settings_of(spark_conf), orders) as counting:
                learned = _rebuild(store_id, counting, force=force)
        except spark.SparkFailed as error:
            raise WorkFailed(str(error)) from error
        except spark.SparkError as error:
            raise OneSentence(str(error)) from error
    _refresh(store_id)
    click.echo(f"Learned from {learned} orders.")
    _say_whether_held(store_id)


def _say_whether_held(store_id: int) -> None:
    """Say why a kept model answers, where it does."""
    from app.recommendations import holding

    held = holding.state(db.session.connection(), store_id)["held"]
    if held is not None:
        click.echo(f"The kept model answers. {held['explanation']}", err=True)


def _refresh(store_id: int) -> None:
    """Work out anew what is not kept up order by order, and say at what it is."""
    from app.recommendations.refresh import RefreshFailed, refresh

    try:
        refresh(store_id, lambda kind: click.echo(f"Working out {kind.replace('_', ' ')} …", err=True))
    except RefreshFailed as error:
        raise WorkFailed(f"Orders were counted, but not all lists were worked out: {error}.") from error


def _settings_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return KEY=VALUE pairs as a dictionary."""
    for pair in pairs:
        if "=" not in pair:
            raise OneSentence(f"--spark-conf needs KEY=VALUE, not {pair}.")
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


def _rebuild(store_id: int, engine: "Engine", *, force: bool = False) -> int:
    """Rebuild with a progress bar; return the number of orders."""
    from app.recommendations.rebuilding import rebuild

    with click.progressbar(length=1000, label="Rebuilding", file=sys.stderr) as bar:
        done = 0

        def progress(products: int, of: int) -> None:
            nonlocal done
            step = products * 1000 // max(of, 1) - done
            bar.update(step)
            done += step

        orders = rebuild(store_id, progress, engine, force=force)
        bar.update(1000 - done)
    return orders


@recommendations_group.command("tune")
@store_option
@json_option
@with_app
def recommendations_tune(store: str, as_json: bool) -> None:
    """Fit scores to a store's newest orders.

    Its rows are rebuilt accordingly. Runs by itself every week, and when a store has grown by a fifth. Takes minutes.
    """
    from app.recommendations.rebuilding import count_here
    from app.recommendations.tuning_jobs import LEAST_ORDERS, tune

    store_id = find_store(store).id
    tuned = tune(store_id, lambda step: click.echo(f"Trying {step} …", err=True))
    _rebuild(store_id, count_here)
    found = {"questions": tuned.questions, "ridge": tuned.ridge, "measured": tuned.measured}
    trees = list(tuned.blend.sorted_by_trees)
    if as_json:
        click.echo(json.dumps({"orders": tuned.orders, **found, "trees": trees}))
    elif not tuned.questions:
        click.echo(
            f"The simple blend is used: tuning needs {LEAST_ORDERS} orders, most of them of several products."
        )
    else:
        sorted_by_trees = ", ".join(trees) or "nothing"
        click.echo(
            f"Fitted on {tuned.questions} questions about the newest orders; trees sort {sorted_by_trees}."
        )
        rows = [{"method": name, "mrr": value} for name, value in tuned.measured.items()]
        show(rows, as_json=False, empty="")


@recommendations_group.command("checks")
@store_option
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 100), help="Rows at most.")
@json_option
@with_app
def recommendations_checks(store: str, limit: int, as_json: bool) -> None:
    """Show how a store's models stood their tests.

    The newest first: shares of the newest orders that were foretold, the kept model's, and best sellers'.
    """
    from app.recommendations import holding

    store_id = find_store(store).id
    found = holding.checks(db.session.connection(), store_id, limit)
    if as_json:
        click.echo(json.dumps(found, default=as_text))
        return
    show(
        [_check_row(check) for check in found],
        as_json=False,
        empty="No model was tested yet: none was rebuilt.",
    )
    _say_whether_held(store_id)


def _check_row(check: dict[str, Any]) -> dict[str, Any]:
    """Return a test as a row of a table; a figure that nothing was asked for is left open."""

    def share(name: str, side: str) -> str:
        found = check["measures"].get(name) or {}
        return f"{found[side]:.3f}" if found.get("orders") else ""

    return {
        "at": check["checked_at"].isoformat(timespec="minutes"),
        "model": check["version"],
        "kind": check["kind"],
        "passed": "yes" if check["passed"] else "no",
        "newest": share("newest", "ours"),
        "kept": share("newest", "theirs"),
        "known": share("known", "ours"),
        "then": share("known", "theirs"),
        "all": share("popularity", "ours"),
        "best_sellers": share("popularity", "theirs"),
        "reason": check["reason"],
    }


@recommendations_group.command("return")
@store_option
@with_app
def recommendations_return(store: str) -> None:
    """Have a store's last good model answer again.

    Until `pannier recommendations rebuild --force`. Orders are counted meanwhile.
    """
    from app.recommendations.promotion_jobs import return_by_hand

    if not return_by_hand(find_store(store).id):
        raise WorkFailed("There is no kept model to return to: the store's first rebuild makes one.")
    click.echo("The kept model answers, until a rebuild with --force.")


@recommendations_group.command("show")
@store_option
@click.option("--product", default=None, help="Platform id of a product; else the strongest pairs.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 1000), help="Rows at most.")
@json_option
@with_app
def recommendations_show(store: str, product: str | None, limit: int, as_json: bool) -> None:
    """Show what is bought together, with the evidence."""
    from app.recommendations.report import pairs_of_product, strongest_pairs

    store_id = find_store(store).id
    rows = pairs_of_product(store_id, product, limit) if product else strongest_pairs(store_id, limit)
    show(rows, as_json, "Nothing is known to be bought together yet: more orders are needed.")


@recommendations_group.command("sets")
@store_option
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 200), help="Rows at most.")
@json_option
@with_app
def recommendations_sets(store: str, limit: int, as_json: bool) -> None:
    """Show sets of three and four, with the evidence."""
    from app.recommendations.sets import strongest_sets

    found = find_store(store)
    show(
        strongest_sets(found.id, limit),
        as_json,
        f"No three products have been bought together in {found.setting('min_orders'):g} orders yet, more often than"
        " two of them explain: more orders are needed, or the next nightly refresh.",
    )


@recommendations_group.command("readiness")
@store_option
@click.option("--product", default=None, help="Platform id of a product: report on it.")
@json_option
@with_app
def recommendations_readiness(store: str, product: str | None, as_json: bool) -> None:
    """Say what can be recommended today and later.

    And how many more orders the rest needs.
    """
    from app.recommendations import readiness

    found = find_store(store)
    report = readiness.of_product(found, product) if product else readiness.of_store(found)
    if report is None:
        raise click.ClickException(f"Store {found.id} has no product {product}.")
    if as_json:
        click.echo(json.dumps(report))
        return
    if product:
        click.echo(
            f"{report['title'] or product}: in {report['orders']} orders. {_needs(report['more_orders'])}"
        )
    else:
        click.echo(f"{report['orders']} orders learned, {report['products']} products on show.")
    show(report["sources"], as_json=False, empty="")


def _needs(more_orders: int | None) -> str:
    """Say how many more orders a product needs until something can be shown as bought together with it."""
    if more_orders is None:
        return "Pairs need orders of other things, too."
    if not more_orders:
        return "Pairs can be shown."
    return f"Pairs need {more_orders} more order{'s' if more_orders > 1 else ''} with it at least."


@recommendations_group.command("evaluate")
@click.option("--store", default=None, metavar="STORE", help="Id or domain of the store whose orders to use.")
@click.option("--orders", default=None, metavar="FILE", help="Or order lines of a Parquet or CSV file.")
@click.option(
    "--queries", default=None, metavar="FILE", help="What to ask; else drawn from the newest orders."
)
@click.option("--products", default=None, metavar="REGEX", help="Of FILE, only products whose id begins so.")
@click.option(
    "--holdout", default=0.1, show_default=True, type=float, help="Newest share that is not learned."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of all that is drawn.")
@click.option(
    "--resamples", default=1000, show_default=True, type=click.IntRange(10, 10_000), help="Of the bootstrap."
)
@click.option("--plot", default=None, metavar="FILE.svg", help="Draw the figures into a file, too.")
@json_option
def recommendations_evaluate(
    store: str | None, orders: str | None, queries: str | None, products: str | None, holdout: float, seed: int,
    resamples: int, plot: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure how well the newest orders are foretold.

    Each method learns the older orders and is asked for a product that was taken out of each newer one. Nothing
    that is published changes.
    """
    from app.recommendations import evaluation, evaluation_report
    from app.recommendations.baselines import SERVED, plain, proven, served
    from app.recommendations.evaluation_input import read_orders, read_queries

    if (store is None) == (orders is None):
        raise OneSentence("Say which orders: either --store or --orders.")
    if products is not None and orders is None:
        raise OneSentence("--products goes with --orders.")
    if plot is not None and not plot.endswith(".svg"):
        raise OneSentence(f"{plot} does not end with .svg; other kinds of drawings are not made.")
    try:
        if store is not None:
            history, settings = _orders_of_store(store)
        else:
            history = read_orders(Path(str(orders)), products)
            settings = {name: default for name, (default, _, _) in SETTINGS.items()}
        report = evaluation.evaluate(
            history,
            [plain, proven(settings), served(settings, seed)],
            holdout=holdout,
            questions=read_queries(Path(queries)) if queries else None,
            seed=seed,
            resamples=resamples,
            on_progress=lambda method: click.echo(f"{method}: asked", err=True),
        )
        if plot is not None:
            Path(plot).write_text(evaluation_report.as_svg(report, SERVED), encoding="utf-8")
    except evaluation.EvaluationError as error:
        raise OneSentence(str(error)) from error
    except OSError as error:
        raise OneSentence(f"{plot} cannot be written: {error.strerror}.") from error
    if as_json:
        click.echo(json.dumps(evaluation_report.as_json(report)))
        return
    click.echo(evaluation_report.summary(report))
    show(evaluation_report.as_rows(report), as_json, "")


@with_app
def _orders_of_store(store: str) -> tuple[Any, dict[str, float]]:
    """Return what a store has learned from, and how it learns."""
    from app.recommendations.evaluation_input import store_orders

    found = find_store(store)
    return store_orders(db.session.connection(), found.id), {name: found.setting(name) for name in SETTINGS}
