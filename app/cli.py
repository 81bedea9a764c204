"""The ``pannier`` command.

Exit codes: 0 done, 1 the work failed, 2 bad use. Long work shows its progress on stderr; commands that print data take
``--json``. Without DATABASE_URL and REDIS_URL a command uses the embedded services under ``var/``, and starts
them for its own duration where nobody runs them.
"""

import functools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from alembic.util import CommandError
from cryptography.fernet import Fernet
from psycopg.errors import UndefinedColumn, UndefinedTable
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.commerce.order import Order
from app.commerce.store import (
    SETTINGS,
    NewKeys,
    Store,
    StoreError,
    add_store,
    checked_settings,
    find_store,
    publishable_key,
    rotate_keys,
)
from app.core import embedded
from app.core.config import ConfigurationError, Settings, load_settings
from app.core.db import db
from app.core.migrations import migrate as apply_migrations
from app.factory import create_app
from app.recommendations.models import LearnedModel
from webhooks.models import PENDING

if TYPE_CHECKING:
    from app.recommendations.rebuilding import Engine

Command = Callable[..., Any]


class OneSentence(click.ClickException):
    """Bad use: one sentence, exit code 2."""

    exit_code = 2


class WorkFailed(click.ClickException):
    """The work failed: one sentence, exit code 1."""

    exit_code = 1


# "\\b" keeps click from joining the lines of a paragraph.
_HELP = """Pannier: what goes into the basket together.

\b
Begin with
  pannier demo                                   two shops with real orders
  pannier store add shopify NAME.myshopify.com   a shop of your own
"""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    help=_HELP,
    epilog="Settings come from the environment and from .env. Exit codes: 0 done, 1 the work failed, 2 bad use.",
)
@click.version_option(package_name="pannier", prog_name="pannier")
def cli() -> None:
    """Pannier: what goes into the basket together."""


def start_services(settings: Settings) -> embedded.Running | None:
    """Start the embedded services that the settings leave to them; None where there is nothing to start."""
    if settings.database_url and settings.redis_url:
        return None
    return embedded.start(settings.var_dir, postgres=not settings.database_url, redis=not settings.redis_url)


def with_app(command: Command) -> Command:
    """Run a command inside the application, with services; turn known failures into sentences."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        running = None
        try:
            settings = load_settings()
            running = start_services(settings)
            app = create_app(settings)
            with app.app_context():
                try:
                    if not settings.database_url:
                        apply_migrations(db.engine)
                    return command(*args, **kwargs)
                finally:
                    db.session.close()
                    db.engine.dispose()
        except (ConfigurationError, StoreError) as error:
            raise OneSentence(str(error)) from error
        except embedded.ServiceError as error:
            raise WorkFailed(str(error)) from error
        except OperationalError as error:
            raise WorkFailed("The database does not answer; look at DATABASE_URL.") from error
        except ProgrammingError as error:
            if not isinstance(error.orig, UndefinedTable | UndefinedColumn):
                raise
            raise WorkFailed("The database lacks this version's tables; run `pannier migrate`.") from error
        except CommandError as error:  # Alembic's
            raise WorkFailed("The database is newer than this version of Pannier; use that one.") from error
        finally:
            if running is not None:
                running.stop()

    return wrapped


def _as_json(value: Any) -> str:
    """Return times as RFC 3339."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def show(rows: list[dict[str, Any]], as_json: bool, empty: str) -> None:
    """Print rows as a table, or as JSON."""
    if as_json:
        click.echo(json.dumps(rows, default=_as_json))
    elif not rows:
        click.echo(empty)
    else:
        cells = [[("" if v is None else str(v)) for v in row.values()] for row in rows]
        widths = [max(len(h), *(len(c[i]) for c in cells)) for i, h in enumerate(rows[0])]
        click.echo("  ".join(h.ljust(w) for h, w in zip(rows[0], widths, strict=True)).rstrip())
        for row in cells:
            click.echo("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
store_option = click.option("--store", required=True, metavar="STORE", help="Id or domain of the store.")


# --- installation ---------------------------------------------------------------------------------------


@cli.command("migrate")
@with_app
def migrate_command() -> None:
    """Bring the database to this version's schema."""
    apply_migrations(db.engine)
    click.echo("The database is up to date.")


@cli.command("new-secret-key")
def new_secret_key() -> None:
    """Print a new key for PANNIER_SECRET_KEYS."""
    click.echo(Fernet.generate_key().decode())


@cli.command("services")
def services() -> None:
    """Run PostgreSQL and Redis until Ctrl-C.

    The embedded ones under PANNIER_VAR_DIR, for development.
    """
    try:
        running = start_services(load_settings())
    except (ConfigurationError, embedded.ServiceError) as error:
        raise OneSentence(str(error)) from error
    if running is None:
        raise OneSentence("DATABASE_URL and REDIS_URL are set, so there is nothing to start.")
    with running:
        click.echo(f"PostgreSQL and Redis run under {load_settings().var_dir}. Ctrl-C ends them.")
        wait_for_end()


def wait_for_end() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(1):
        pass


@cli.command("demo")
@click.option("--port", default=None, type=click.IntRange(1, 65535), help="Port of the service (8000).")
@click.option(
    "--orders", default=3200, show_default=True, type=click.IntRange(1, 3200), help="Orders a store."
)
@click.option("--once", is_flag=True, help="Stop when everything is learned, instead of serving shops.")
def demo_command(port: int | None, orders: int, once: bool) -> None:
    """Show two shops with real orders.

    From the install in the shop to the bundle on the page, until Ctrl-C.
    """
    from demo.run import run

    if port is not None:
        os.environ["PANNIER_PORT"] = str(port)
    try:
        code = run(load_settings(), orders=orders, once=once)
    except (ConfigurationError, embedded.ServiceError) as error:
        raise OneSentence(str(error)) from error
    sys.exit(code)


# --- stores ---------------------------------------------------------------------------------------------


@cli.group("store")
def store_group() -> None:
    """Add, list and show stores, and change their keys."""


def parse_settings(pairs: tuple[str, ...]) -> dict[str, float]:
    """Return ``name=value`` pairs as settings.

    Raises:
        StoreError: for a pair that is none.
    """
    found: dict[str, float] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        try:
            found[name] = float(value)
        except ValueError as error:
            raise StoreError(f"{pair!r} is not NAME=NUMBER.") from error
        if not equals:
            raise StoreError(f"{pair!r} is not NAME=NUMBER.")
    return found


_SETTINGS_HELP = ", ".join(
    f"{name} ({low:g} to {high:g}, else {default:g})" for name, (default, low, high) in SETTINGS.items()
)
setting_option = click.option(
    "--setting", "settings", multiple=True, metavar="NAME=NUMBER", help=f"One of {_SETTINGS_HELP}."
)


@store_group.command("add")
@click.argument("platform", type=click.Choice(["shopify", "woocommerce"]))
@click.argument("domain")
@click.option("--name", help="What to call it.")
@click.option("--currency", default="USD", show_default=True, help="ISO 4217 code.")
@click.option("--timezone", default="UTC", show_default=True, help="IANA name.")
@click.option(
    "--origin", "origins", multiple=True, metavar="ORIGIN",
    help="Whose pages may use the publishable key, such as https://shop.example; several may be given.",
)  # fmt: skip
@setting_option
@json_option
@with_app
def store_add(
    platform: str, domain: str, name: str | None, currency: str, timezone: str,
    origins: tuple[str, ...], settings: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Add a store and print its keys.

    DOMAIN is example.myshopify.com, or the address of a WooCommerce site.
    """
    store, keys = add_store(
        platform, domain, name=name, currency=currency, timezone=timezone, origins=list(origins),
        settings=parse_settings(settings),
    )  # fmt: skip
    db.session.commit()
    _show_new_keys(store, keys, as_json)


def _show_new_keys(store: Store, keys: NewKeys, as_json: bool) -> None:
    shown = {"store": store.id, "domain": store.domain, "publishable_key": keys.publishable,
             "secret_key": keys.secret}  # fmt: skip
    if store.webhook_token:
        shown["webhook_path"] = f"/webhooks/woocommerce/{store.webhook_token}"
        shown["webhook_secret"] = store.credentials["webhook_secret"]
    if as_json:
        click.echo(json.dumps(shown))
        return
    for label, value in shown.items():
        click.echo(f"{label.replace('_', ' ')}: {value}")
    click.echo("The secret key is shown this once; keep it on your server.")


@store_group.command("list")
@json_option
@with_app
def store_list(as_json: bool) -> None:
    """List the stores."""
    counts = dict(db.session.execute(select(Order.store_id, func.count()).group_by(Order.store_id)).all())
    rows = [
        {
            "store": s.id,
            "platform": s.platform,
            "domain": s.domain,
            "orders": counts.get(s.id, 0),
            "status": "uninstalled" if s.uninstalled_at else s.connection_problem or "connected",
        }
        for s in db.session.scalars(select(Store).order_by(Store.id))
    ]
    show(rows, as_json, "There is no store yet. Add one with `pannier store add`.")


@store_group.command("show")
@click.argument("store")
@setting_option
@json_option
@with_app
def store_show(store: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Show one store, by id or domain.

    --setting changes how it learns, from the next rebuild on.
    """
    found = find_store(store)
    if settings:
        found.settings = {**found.settings, **checked_settings(parse_settings(settings))}
        db.session.commit()
    learned = db.session.get(LearnedModel, found.id)
    facts: dict[str, Any] = {
        "store": found.id, "platform": found.platform, "domain": found.domain, "name": found.name,
        "currency": found.currency, "timezone": found.timezone, "origins": list(found.origins),
        "publishable_key": publishable_key(found.id),
        "webhook_path": found.webhook_token and f"/webhooks/woocommerce/{found.webhook_token}",
        "installed_at": found.installed_at, "uninstalled_at": found.uninstalled_at,
        "connection_problem": found.connection_problem,
        "orders_learned": learned.orders if learned else 0,
        **{name: found.setting(name) for name in SETTINGS},
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(facts, default=_as_json))
        return
    for label, value in facts.items():
        click.echo(f"{label.replace('_', ' ')}: {'–' if value is None else value}")


@store_group.command("rotate-keys")
@click.argument("store")
@json_option
@with_app
def store_rotate_keys(store: str, as_json: bool) -> None:
    """Give a store new keys.

    STORE is its id or domain. The old keys work for another day.
    """
    found = find_store(store)
    keys = rotate_keys(found)
    db.session.commit()
    _show_new_keys(found, keys, as_json)


@store_group.command("connect")
@click.argument("store")
@click.option(
    "--consumer-key", prompt="Consumer key (ck_…)", help="From WooCommerce; asked for if not given."
)
@click.option(
    "--consumer-secret",
    prompt="Consumer secret (cs_…)",
    hide_input=True,
    help="Likewise; not shown while typed.",
)
@with_app
def store_connect(store: str, consumer_key: str, consumer_secret: str) -> None:
    """Connect a WooCommerce shop by keys that were made by hand.

    STORE is its address. Make the keys in the shop under WooCommerce, Settings, Advanced, REST API, with read and
    write permission. The shop must answer to them before they are kept.
    """
    from app.connections.installs import woocommerce_domain
    from app.connections.routes import connect_woocommerce
    from connectors.woocommerce.install import GrantedKeys

    keys = GrantedKeys(
        key_id="",
        state="",
        consumer_key=consumer_key.strip(),
        consumer_secret=consumer_secret.strip(),
        permissions="read_write",
    )
    problems = connect_woocommerce(woocommerce_domain(store), keys)
    if problems:
        raise WorkFailed(" ".join(problems))
    click.echo("Connected. Its past is fetched by the workers, or now with `pannier backfill`.")


@store_group.command("disconnect")
@click.argument("store")
@with_app
def store_disconnect(store: str) -> None:
    """Remove our webhooks from a shop and forget its keys.

    STORE is its id or domain. What was learned stays.
    """
    from app.connections.installs import disconnect
    from app.connections.sources import source_for
    from connectors.errors import PlatformError

    found = find_store(store)
    if found.connected_at is None:
        click.echo("It was not connected.")
        return
    try:
        source_for(found).remove_subscriptions()
        left = ""
    except PlatformError as error:
        left = f" Its webhooks could not be removed: {error}"
    disconnect(found)
    click.echo(f"Disconnected.{left}")


@store_group.command("status")
@click.argument("store")
@json_option
@with_app
def store_status(store: str, as_json: bool) -> None:
    """Say how a store's ties to its platform stand.

    STORE is its id or domain. Progress, gaps between the platform and what is stored, webhooks, and what is wrong.
    """
    from app.connections.status import connection_status

    status = connection_status(find_store(store))
    if as_json:
        click.echo(json.dumps(status, default=_as_json))
        return
    _show_connection(status)


def _show_connection(status: dict[str, Any]) -> None:
    click.echo(f"{status['store']}: {status['state'].replace('_', ' ')}")
    if status["problem"]:
        click.echo(f"  {status['problem']}")
    for walk in status["walks"]:
        total = f" of {walk['total']}" if walk["total"] is not None else ""
        click.echo(f"  {walk['kind']} of {walk['resource']}: {walk['state']}, {walk['done']}{total}")
        for sentence in filter(None, (walk["problem"], *walk["notes"])):
            click.echo(f"    {sentence}")
    for gap in status["gaps"]:
        click.echo(f"  {gap['resource']}: {gap['platform']} on the platform, {gap['stored']} stored")
    webhooks = status["webhooks"]
    if webhooks:
        click.echo(f"  webhooks: {len(webhooks['active'])} topics active")
        for sentence in (*webhooks["mended"], *webhooks["problems"]):
            click.echo(f"    {sentence}")


# --- platforms ------------------------------------------------------------------------------------------


@cli.command("backfill")
@click.argument("store")
@click.option("--anew", is_flag=True, help="From the beginning, even if it is complete.")
@json_option
@with_app
def backfill_command(store: str, anew: bool, as_json: bool) -> None:
    """Fetch a store's products and past orders.

    STORE is its id or domain. An interrupted backfill goes on where it stopped.
    """
    from app.connections.jobs import fetch_history

    _walk(
        store,
        as_json,
        lambda found, source, progress: fetch_history(found, source, anew=anew, progress=progress),
    )


@cli.command("reconcile")
@click.argument("store")
@click.option("--thorough", is_flag=True, help="Compare all ids and states, too.")
@json_option
@with_app
def reconcile_command(store: str, thorough: bool, as_json: bool) -> None:
    """Fetch what a store's webhooks may have missed.

    STORE is its id or domain. The clock does this every quarter of an hour, and thoroughly each night.
    """
    from app.connections.jobs import catch_up

    _walk(
        store,
        as_json,
        lambda found, source, progress: catch_up(found, source, thorough=thorough, progress=progress),
    )


def _walk(store: str, as_json: bool, work: Callable[[Store, Any, Any], None]) -> None:
    """Do a platform's work for a store with its progress, and process what came of it."""
    from app.connections.jobs import alone
    from app.connections.sources import source_for
    from app.connections.status import connection_status
    from connectors.errors import PlatformError
    from webhooks.jobs import drain

    found = find_store(store)
    with alone(found.id) as mine:
        if not mine:
            raise WorkFailed("A worker is at it already; `pannier store status` shows how far it is.")
        try:
            work(found, source_for(found), _progress_on_stderr())
        except PlatformError as error:
            raise WorkFailed(str(error)) from error
    click.echo("Learning from it …", err=True)
    drain(found.id)
    status = connection_status(found)
    if as_json:
        click.echo(json.dumps(status, default=_as_json))
    else:
        stored = status["stored"]
        click.echo(f"{stored['products']} products and {stored['orders']} orders are stored.")


def _progress_on_stderr() -> Callable[[Any], None]:
    """Return what shows a walk's progress: a line that is rewritten on a terminal, else one for each walk."""
    live = sys.stderr.isatty()

    def show_walk(walk: Any) -> None:
        total = f" of {walk.total}" if walk.total is not None else ""
        ended = walk.state != "running"
        if live or ended:
            text = f"{walk.resource} ({walk.kind}): {walk.done}{total}"
            click.echo(f"\r{text:<60}" if live else text, err=True, nl=ended or not live)
        if ended:
            for note in walk.notes:
                click.echo(f"  {note}", err=True)

    return show_walk


# --- webhooks -------------------------------------------------------------------------------------------


@cli.group("webhooks")
def webhooks_group() -> None:
    """Look at deliveries, and process them again."""


@webhooks_group.command("status")
@click.option("--store", default=None, metavar="STORE", help="Id or domain of the store.")
@json_option
@with_app
def webhooks_status(store: str | None, as_json: bool) -> None:
    """Say how many deliveries stand where, and why.

    For connected stores also how their webhooks stand, and what is missing.
    """
    from app.connections.status import connection_status
    from webhooks.jobs import status_counts

    rows = status_counts(find_store(store).id if store else None)
    show(rows, as_json, "No delivery has arrived yet.")
    if not as_json:
        for found in [find_store(store)] if store else db.session.scalars(select(Store).order_by(Store.id)):
            if found.connected_at is not None:
                _show_connection(connection_status(found))


@webhooks_group.command("replay")
@store_option
@click.option(
    "--status", type=click.Choice(["processed", "set_aside", "quarantined"]), help="Where they stand now."
)
@click.option("--topic", help="The platform's word, such as orders/create or order.created.")
@click.option("--reason", help="Beginning of the reason.")
@click.option(
    "--since",
    metavar="TIME",
    type=click.DateTime(),
    help="Received at or after, such as 2026-11-22T08:00:00 (UTC).",
)
@click.option("--until", metavar="TIME", type=click.DateTime(), help="Received before (UTC).")
@click.option("--all", "everything", is_flag=True, help="All deliveries of the store.")
@with_app
def webhooks_replay(
    store: str, status: str | None, topic: str | None, reason: str | None,
    since: datetime | None, until: datetime | None, everything: bool,
) -> None:  # fmt: skip
    """Process stored deliveries again, now.

    All conditions must hold. Newer news is never overwritten.
    """
    from webhooks.jobs import drain, replay, status_counts

    if not (everything or status or topic or reason or since or until):
        raise OneSentence("Say which deliveries (--status, --topic, --reason, --since, --until) or --all.")
    store_id = find_store(store).id
    count = replay(store_id, status=status, topic=topic, reason=reason, since=_utc(since), until=_utc(until))
    drain(store_id)
    waiting = sum(row["deliveries"] for row in status_counts(store_id) if row["status"] == PENDING)
    rest = f", {waiting} still wait for a worker" if waiting else ""
    click.echo(f"{count} deliveries taken up again{rest}.")


@webhooks_group.command("sweep")
@with_app
def webhooks_sweep() -> None:
    """Hint the workers at deliveries that were left behind."""
    from webhooks.jobs import sweep

    click.echo(f"{sweep()} stores have deliveries waiting; their workers were told.")


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at else None


# --- recommendations ------------------------------------------------------------------------------------


@cli.group("recommendations")
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
@with_app
def recommendations_rebuild(
    store: str,
    engine: str,
    master: str,
    spark_dir: Path | None,
    spark_conf: tuple[str, ...],
    orders: str | None,
) -> None:
    """Count a store's orders anew and publish every list."""
    from app.recommendations.rebuilding import count_here

    store_id = find_store(store).id
    if engine == "local":
        if orders is not None:
            raise OneSentence("--orders needs --engine spark.")
        learned = _rebuild(store_id, count_here)
    else:
        from app.recommendations import spark

        directory = spark_dir or load_settings().var_dir / "spark"
        try:
            with spark.spark_engine(directory, master, _settings_of(spark_conf), orders) as counting:
                learned = _rebuild(store_id, counting)
        except spark.SparkFailed as error:
            raise WorkFailed(str(error)) from error
        except spark.SparkError as error:
            raise OneSentence(str(error)) from error
    _refresh(store_id)
    click.echo(f"Learned from {learned} orders.")


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


def _rebuild(store_id: int, engine: "Engine") -> int:
    """Rebuild with a progress bar; return the number of orders."""
    from app.recommendations.rebuilding import rebuild

    with click.progressbar(length=1000, label="Rebuilding", file=sys.stderr) as bar:
        done = 0

        def progress(products: int, of: int) -> None:
            nonlocal done
            step = products * 1000 // max(of, 1) - done
            bar.update(step)
            done += step

        orders = rebuild(store_id, progress, engine)
        bar.update(1000 - done)
    return orders


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
    """Show sets of three and four products that are bought together, with the evidence."""
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
    """Say what can be recommended today, and how many more orders the rest needs."""
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
    from app.recommendations.baselines import SERVED, plain, served
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
            [plain, served(settings)],
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


def main() -> None:
    """Run the command line."""
    cli(prog_name="pannier")
