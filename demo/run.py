"""The demo: ``pannier demo``.

Starts everything, has a merchant install Pannier in two shops, watches the past being fetched and learned, shows
what came of it and serves the two shops until Ctrl-C. A second run starts from what is there; one that was
interrupted goes on where it stopped.
"""

import dataclasses
import http.client
import json
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final, cast

import click
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from app.commerce.catalog import Product
from app.commerce.order import Order
from app.commerce.store import normalise_domain
from app.connections import walks
from app.connections.installs import is_connected, known_store
from app.connections.jobs import start_backfill
from app.connections.models import FAILED, HISTORY, Walk
from app.core import embedded
from app.core.config import ConfigurationError, Settings
from app.core.crypto import keys_on_disk
from app.core.db import db
from app.core.migrations import migrate
from app.factory import create_app
from app.processes import Processes, commands
from app.recommendations.models import ProductCount
from app.recommendations.report import strongest_pairs
from connectors.source import RESOURCES
from demo.courier import Courier, ShopifyCourier, WooCommerceCourier
from demo.merchant import InstallError, install_shopify, install_woocommerce
from demo.messages import Platform
from demo.peers.shopify.app import serve as serve_platform
from demo.peers.shopify.state import ShopifyState
from demo.shops import Shop, load_shop
from demo.state import PLATFORMS, State
from demo.storefront import create_storefront, serve
from demo.till import Till
from webhooks.models import PENDING, WebhookDelivery

_TITLES: Final = {"shopify": "Shopify-like", "woocommerce": "WooCommerce-like"}
_START_S: Final = 60.0
_LOOK_S: Final = 0.5
_KEEP_S: Final = 5.0
_PROBES: Final = 400
_PAIRS_SHOWN: Final = 8
# Whoever looks at the demo sees what there is: nobody is a control, and nothing is left to chance.
_SETTINGS: Final = {"control_percent": 0, "exploration_percent": 0, "margin_percent": 60}


@dataclass(slots=True)
class Outlet:
    """One shop while the demo runs; ``store_id`` is 0 until it is installed."""

    shop: Shop
    courier: Courier
    till: Till
    store_id: int = 0


class DemoError(Exception):
    """The demo cannot go on. One sentence that says what to do."""


def run(settings: Settings, *, orders: int, once: bool) -> int:
    """Run the demo until Ctrl-C (or, with ``once``, until everything is learned). Return the exit code.

    Raises:
        ConfigurationError: if a setting is wrong.
        embedded.ServiceError: if an embedded service cannot be started.
    """
    interruptions: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        interruptions.append(number)
        raise KeyboardInterrupt

    # Also where a shell started the demo in the background, with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        with ExitStack() as stack:
            _run(settings, orders, once, stack)
    except (Exception, KeyboardInterrupt) as error:
        # Who interrupts a statement may leave its connection so that closing it fails: the interruption is what counts.
        if interruptions:
            click.echo("\nEverything is stopped. What was learned is kept; `make demo` starts from it.")
        elif isinstance(error, DemoError):
            click.echo(f"Error: {error}", err=True)
            return 1
        else:
            raise
    return 0


def _run(settings: Settings, orders: int, once: bool, stack: ExitStack) -> None:
    settings.var_dir.mkdir(parents=True, exist_ok=True)
    state_file = settings.var_dir / "demo.json"
    state = State.load(state_file, settings.port)
    _need_ports([settings.port, *state.shop_ports.values(), state.platform_port])
    click.echo("Starting PostgreSQL and Redis …")
    settings, environment = _start_services(settings, state, stack)
    app = create_app(settings)
    with app.app_context():
        migrate(db.engine)
    click.echo("Opening the two shops …")
    size = max(state.orders, orders)
    outlets = _open_outlets(settings, state, size, stack)
    stack.callback(_keep, state, state_file, outlets)
    click.echo("Starting web, worker and clock …")
    log = settings.var_dir / "demo.log"
    processes = Processes(commands(settings), environment, log)
    stack.callback(processes.stop)
    _wait_until_ready(settings.port, log)
    for platform, outlet in outlets.items():
        _install(platform, outlet, app, settings, state)
        _keep(state, state_file, outlets)
    with app.app_context():
        fetching = _begin_backfill(outlets, anew=0 < state.orders < size)
        state.orders = size
        _keep(state, state_file, outlets)
        if fetching:
            _watch_backfill(fetching, log)
        _wait_until_learned()
        for platform, outlet in outlets.items():
            _show_pairs(platform, outlet)
        pages = _product_pages(outlets)
    _show_speed(settings.port, pages)
    if once:
        return
    _show_addresses(settings, outlets)
    while True:
        time.sleep(_KEEP_S)
        _keep(state, state_file, outlets)


def _keep(state: State, file: Path, outlets: dict[Platform, Outlet]) -> None:
    """Keep the state with what the merchants granted, where it has changed."""
    state.access = {platform: outlet.courier.access() for platform, outlet in outlets.items()}
    if not file.exists() or json.loads(file.read_text()) != dataclasses.asdict(state):
        state.save(file)


def _need_ports(ports: Sequence[int]) -> None:
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise DemoError(
                    f"Port {port} is taken; end what listens there, or choose another with `pannier demo --port`."
                ) from error


def _start_services(settings: Settings, state: State, stack: ExitStack) -> tuple[Settings, dict[str, str]]:
    """Start what is not set, and return the settings and the environment for child processes."""
    if not (settings.database_url and settings.redis_url):
        running = embedded.start(
            settings.var_dir, postgres=not settings.database_url, redis=not settings.redis_url
        )
        stack.callback(running.stop)
        keys = settings.secret_keys or keys_on_disk(settings.var_dir / "secret.key")
        settings = dataclasses.replace(
            settings,
            database_url=settings.database_url or running.services.database_url,
            redis_url=settings.redis_url or running.services.redis_url,
            secret_keys=keys,
        )
    settings = dataclasses.replace(
        settings,
        public_url=f"http://{settings.host}:{settings.port}",
        shopify_api_key=state.client_id,
        shopify_api_secret=state.secrets["shopify"],
        shopify_address=f"http://127.0.0.1:{state.platform_port}/{{shop}}",
        allow_loopback_stores=True,
        log_level="warning",
    )
    if not settings.secret_keys:
        raise ConfigurationError(
            "PANNIER_SECRET_KEYS is not set; make a key with `pannier new-secret-key` and keep it safe."
        )
    return settings, {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "SHOPIFY_API_KEY": settings.shopify_api_key or "",
        "SHOPIFY_API_SECRET": settings.shopify_api_secret or "",
        "PANNIER_SHOPIFY_ADDRESS": settings.shopify_address,
        "PANNIER_ALLOW_LOOPBACK_STORES": "true",
        "PANNIER_PUBLIC_URL": settings.public_url,
        "PANNIER_SECRET_KEYS": ",".join(settings.secret_keys),
        "PANNIER_LOG_LEVEL": "warning",
        "PANNIER_PORT": str(settings.port),
        "PANNIER_VAR_DIR": str(settings.var_dir),
    }


def _open_outlets(settings: Settings, state: State, orders: int, stack: ExitStack) -> dict[Platform, Outlet]:
    """Serve both shops and the Shopify stand-in, with what is known from earlier runs."""
    stand_in = ShopifyState()
    stack.enter_context(
        serve_platform(
            stand_in,
            state.client_id,
            state.secrets["shopify"],
            port=state.platform_port,
            app_url=f"{settings.public_url}/install/shopify",
            redirect_urls=[f"{settings.public_url}/install/shopify/callback"],
        )
    )
    outlets: dict[Platform, Outlet] = {}
    for platform in PLATFORMS:
        shop = load_shop(
            platform,
            base_url=f"http://127.0.0.1:{state.shop_ports[platform]}",
            now=datetime.fromisoformat(state.now),
        )
        shop = dataclasses.replace(shop, orders=shop.orders[-orders:])
        courier = _courier(platform, shop, stand_in, settings)
        courier.fill()
        if state.access.get(platform):
            courier.restore(state.access[platform])
        courier.start()
        storefront = create_storefront(
            shop,
            pannier_url=settings.public_url,
            courier=courier,
            publishable_key=state.keys.get(platform),
            state=settings.var_dir / f"demo-{platform}.json",
        )
        server = serve(storefront, state.shop_ports[platform])
        stack.callback(server.shutdown)
        outlets[platform] = Outlet(shop, courier, cast(Till, storefront.extensions["till"]))
    return outlets


def _courier(platform: Platform, shop: Shop, stand_in: ShopifyState, settings: Settings) -> Courier:
    journal = settings.var_dir / f"demo-{platform}.jsonl"
    if platform == "woocommerce":
        return WooCommerceCourier(shop, journal=journal)
    return ShopifyCourier(
        shop,
        stand_in,
        webhook_url=f"{settings.public_url}/webhooks/shopify",
        client_secret=settings.shopify_api_secret or "",
        journal=journal,
    )


def _install(platform: Platform, outlet: Outlet, app: Flask, settings: Settings, state: State) -> None:
    """Have the merchant install Pannier, unless an earlier run did and both sides still know of it."""
    shop, domain = outlet.shop, normalise_domain(platform, outlet.shop.domain)
    with app.app_context():
        store = known_store(platform, domain)
        installed = store is not None and is_connected(store)
    if installed and platform in state.keys and outlet.courier.access():
        click.echo(f"{shop.name}: Pannier is installed already.")
    else:
        started = time.monotonic()
        try:
            if platform == "shopify":
                page = f"http://127.0.0.1:{state.platform_port}/{domain}/admin/apps/pannier"
                key, way = install_shopify(page), "its admin, session token exchanged for an access token"
            else:
                key = install_woocommerce(settings.public_url, shop.base_url)
                way = "its wc-auth page, keys received and tried"
        except InstallError as error:
            raise DemoError(str(error)) from error
        state.keys[platform] = key
        click.echo(f"{shop.name}: installed through {way} ({time.monotonic() - started:.1f} s).")
    outlet.till.publishable_key = state.keys[platform]
    with app.app_context():
        found = known_store(platform, domain)
        assert found is not None  # the merchant was shown its key
        found.settings = _SETTINGS | found.settings
        db.session.commit()
        outlet.store_id = found.id


def _wait_until_ready(port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise DemoError(f"The service did not start within {_START_S:.0f} seconds; look at {log}.")


@contextmanager
def _bar(label: str, length: int) -> Iterator[Any]:
    with click.progressbar(length=max(length, 1), label=label.ljust(34), file=sys.stderr, width=30) as bar:
        yield bar


def _begin_backfill(outlets: dict[Platform, Outlet], *, anew: bool) -> list[Outlet]:
    """Have the past fetched that an earlier run left out, with ``anew`` also what it has fetched.

    Returns:
        The shops whose past is being fetched.
    """
    fetching = []
    for outlet in outlets.values():
        rows = [db.session.get(Walk, (outlet.store_id, HISTORY, resource)) for resource in RESOURCES]
        finished = all(row is not None and row.finished_at is not None for row in rows)
        db.session.rollback()
        if finished and not anew:
            click.echo(f"{outlet.shop.name}: the past is known already.")
            continue
        if anew:
            for resource in RESOURCES:
                walks.begin(outlet.store_id, HISTORY, resource)
        start_backfill(outlet.store_id)
        fetching.append(outlet)
    return fetching


def _watch_backfill(outlets: Sequence[Outlet], log: Path) -> None:
    """Show how the workers fetch the past of the shops, until they have it."""
    sizes = [{"products": len(outlet.shop.products), "orders": len(outlet.shop.orders)} for outlet in outlets]
    open_ = dict(enumerate(outlets))
    started = time.monotonic()
    with _bar("Fetching the past", sum(sum(size.values()) for size in sizes)) as bar:
        while open_:
            done = 0
            for number, outlet in enumerate(outlets):
                rows = _history(outlet.store_id)
                done += sum(min(row.done, sizes[number][row.resource]) for row in rows)
                _refuse_failure(outlet, rows, log)
                if number in open_ and len(rows) == len(RESOURCES) and all(row.finished_at for row in rows):
                    del open_[number]
            bar.update(done - bar.pos)
            if open_:
                time.sleep(_LOOK_S)
    for outlet in outlets:
        counts = {row.resource: row.done for row in _history(outlet.store_id)}
        click.echo(f"  {outlet.shop.name}: {counts['products']:,} products and {counts['orders']:,} orders.")
    click.echo(f"  All fetched after {time.monotonic() - started:.1f} s.")


def _history(store_id: int) -> Sequence[Walk]:
    db.session.rollback()
    return db.session.scalars(select(Walk).where(Walk.store_id == store_id, Walk.kind == HISTORY)).all()


def _refuse_failure(outlet: Outlet, rows: Sequence[Walk], log: Path) -> None:
    for row in rows:
        if row.state == FAILED:
            raise DemoError(
                f"The {row.resource} of {outlet.shop.name} could not be fetched: {row.problem} "
                f"Look at {log}, and run `make demo` again."
            )


def _wait_until_learned() -> None:
    """Wait until nothing is pending and every list is published."""
    waiting = _count_waiting()
    started, at_first = time.monotonic(), waiting
    with _bar("Learning", waiting) as bar:
        while waiting:
            time.sleep(0.25)
            now_waiting = _count_waiting()
            bar.update(waiting - now_waiting)
            waiting = now_waiting
    if at_first:
        took = time.monotonic() - started
        click.echo(f"  {at_first:,} deliveries and lists were still to do: {took:.1f} s.")


def _count_waiting() -> int:
    try:
        pending = db.session.scalar(
            select(func.count()).select_from(WebhookDelivery).where(WebhookDelivery.status == PENDING)
        )
        stale = db.session.scalar(select(func.count()).select_from(ProductCount).where(ProductCount.stale))
    except OperationalError:  # PostgreSQL is being started again
        db.session.rollback()
        return 1
    db.session.rollback()
    return (pending or 0) + (stale or 0)


def _show_pairs(platform: Platform, outlet: Outlet) -> None:
    orders = db.session.scalar(
        select(func.count()).select_from(Order).where(Order.store_id == outlet.store_id)
    )
    click.echo(f"\n{outlet.shop.name} ({_TITLES[platform]}, {orders:,} orders): most surely bought together")
    click.echo(f"  {'orders':>6}  {'support':>8}  {'lift':>6}  products")
    for pair in strongest_pairs(outlet.store_id, _PAIRS_SHOWN):
        click.echo(
            f"  {pair['orders']:>6}  {pair['support']:>8.2%}  {pair['lift']:>6.1f}  "
            f"{pair['product']} + {pair['other']}"
        )
    db.session.rollback()


def _product_pages(outlets: dict[Platform, Outlet]) -> list[str]:
    """Return the calls that product pages of both shops make, for a few hundred products."""
    return [
        f"/v1/recommendations?slot=product&product_id={id_}&key={outlet.till.publishable_key}"
        for outlet in outlets.values()
        for id_ in db.session.scalars(
            select(Product.platform_id)
            .where(Product.store_id == outlet.store_id)
            .order_by(Product.id)
            .limit(_PROBES // len(outlets))
        )
    ]


def _show_speed(port: int, pages: list[str]) -> None:
    """Ask for the recommendations of many products over HTTP, and say how long the answers took."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    times: list[list[float]] = []
    for _ in ("first", "again"):
        times.append([])
        for path in pages:
            started = time.perf_counter()
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            times[-1].append((time.perf_counter() - started) * 1000)
            if response.status != 200:
                raise DemoError(f"The service answered {response.status} to a recommendation.")
    connection.close()
    first, again = (sorted(t) for t in times)
    click.echo(
        f"\nRecommendations, {len(pages):,} product pages: "
        f"first call p50 {_at(first, 0.5):.1f} ms, p99 {_at(first, 0.99):.1f} ms; "
        f"again p50 {_at(again, 0.5):.1f} ms, p99 {_at(again, 0.99):.1f} ms."
    )


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _show_addresses(settings: Settings, outlets: dict[Platform, Outlet]) -> None:
    click.echo("\nOpen in a browser:")
    for platform, outlet in outlets.items():
        click.echo(f"  {outlet.shop.name:<20} {_TITLES[platform]:<18} {outlet.shop.base_url}/")
    click.echo(f"  {'Pannier':<20} {'the service':<18} {settings.public_url}/docs")
    click.echo(
        "\nOrder something: the page's recommendations learn from it within seconds. Ctrl-C ends everything."
    )
