"""``pannier store``: adding, connecting and showing stores."""

import json
from typing import Any

import click
from sqlalchemy import func, select

from app.cli.base import WorkFailed, as_text, json_option, show, with_app
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
from app.core.db import db
from app.recommendations.models import LearnedModel


@click.group("store")
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
        click.echo(json.dumps(facts, default=as_text))
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
    from app.platforms.sources import source_for
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
        click.echo(json.dumps(status, default=as_text))
        return
    show_connection(status)


def show_connection(status: dict[str, Any]) -> None:
    """Print what ``connection_status`` found out of a store."""
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
