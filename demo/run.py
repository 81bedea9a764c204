"""The demo: ``pannier demo``.

Starts everything, connects two shops, sends their past as signed webhooks over HTTP, waits until it is learned,
shows what came of it and serves the two shops until Ctrl-C. A second run starts from what is there; one that
was interrupted goes on where it stopped, because every delivery is sent again and known ones are recognised.
"""

import dataclasses
import http.client
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from app.commerce.catalog import Product
from app.commerce.order import Order
from app.commerce.store import StoreError, add_store, find_store, normalise_domain, publishable_key
from app.core import embedded
from app.core.config import ConfigurationError, Settings
from app.core.crypto import keys_on_disk
from app.core.db import db
from app.core.migrations import migrate
from app.factory import create_app
from app.processes import Processes, commands
from app.recommendations.models import ProductCount
from app.recommendations.report import strongest_pairs
from demo.delivery import send
from demo.messages import Platform
from demo.shops import Shop, deliveries, load_shop
from demo.storefront import create_storefront, serve
from webhooks.models import PENDING, WebhookDelivery

_PLATFORMS: Final[tuple[Platform, ...]] = ("shopify", "woocommerce")
_TITLES: Final = {"shopify": "Shopify-like", "woocommerce": "WooCommerce-like"}
_START_S: Final = 60.0
_PROBES: Final = 400
_PAIRS_SHOWN: Final = 8


@dataclass(slots=True)
class State:
    """What one run leaves to the next, in ``var/demo.json``: the same secrets, moment and addresses."""

    now: str
    shop_ports: dict[str, int]
    secrets: dict[str, str]
    sent: dict[str, int]

    @classmethod
    def load(cls, path: Path, port: int) -> "State":
        """Return the state of the last run, or a new one."""
        if path.exists():
            return cls(**json.loads(path.read_text()))
        return cls(
            now=datetime.now(UTC).replace(second=0, microsecond=0).isoformat(),
            shop_ports={platform: port + 1 + n for n, platform in enumerate(_PLATFORMS)},
            secrets={platform: secrets.token_hex(25) for platform in _PLATFORMS},
            sent={},
        )

    def save(self, path: Path) -> None:
        """Keep the state, readable by its owner alone."""
        draft = path.with_suffix(".tmp")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(dataclasses.asdict(self), file)
        draft.replace(path)


class DemoError(Exception):
    """The demo cannot go on. One sentence that says what to do."""


def run(settings: Settings, *, orders: int, once: bool) -> int:
    """Run the demo until Ctrl-C (or, with ``once``, until everything is learned). Return the exit code.

    Raises:
        ConfigurationError: if a setting is wrong.
        embedded.ServiceError: if an embedded service cannot be started.
    """
    # Also where a shell started the demo in the background, with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        with ExitStack() as stack:
            _run(settings, orders, once, stack)
    except KeyboardInterrupt:
        click.echo("\nEverything is stopped. What was learned is kept; `make demo` starts from it.")
    except DemoError as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    return 0


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _run(settings: Settings, orders: int, once: bool, stack: ExitStack) -> None:
    settings.var_dir.mkdir(parents=True, exist_ok=True)
    state_file = settings.var_dir / "demo.json"
    state = State.load(state_file, settings.port)
    _need_ports([settings.port, *([] if once else state.shop_ports.values())])
    click.echo("Starting PostgreSQL and Redis …")
    settings, environment = _start_services(settings, state, stack)
    app = create_app(settings)
    with app.app_context():
        migrate(db.engine)
        shops = {platform: _open_shop(platform, state, orders) for platform in _PLATFORMS}
        stores = {platform: _ensure_store(shop, state) for platform, shop in shops.items()}
        db.session.commit()
    state.save(state_file)
    click.echo("Starting web, worker and clock …")
    log = settings.var_dir / "demo.log"
    processes = Processes(commands(settings), environment, log)
    stack.callback(processes.stop)
    _wait_until_ready(settings.port, log)
    for platform, shop in shops.items():
        _send_past(shop, stores[platform], settings, state)
        state.save(state_file)
    with app.app_context():
        _wait_until_learned()
        for platform in _PLATFORMS:
            _show_pairs(shops[platform], stores[platform])
        pages = _product_pages(stores)
    _show_speed(settings.port, pages)
    if once:
        return
    _serve_shops(settings, shops, stores, state, stack)
    while True:
        time.sleep(3600)


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
        shopify_api_secret=state.secrets["shopify"],
        log_level="warning",
    )
    if not settings.secret_keys:
        raise ConfigurationError(
            "PANNIER_SECRET_KEYS is not set; make a key with `pannier new-secret-key` and keep it safe."
        )
    return settings, {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "SHOPIFY_API_SECRET": state.secrets["shopify"],
        "PANNIER_SECRET_KEYS": ",".join(settings.secret_keys),
        "PANNIER_LOG_LEVEL": "warning",
        "PANNIER_PORT": str(settings.port),
        "PANNIER_VAR_DIR": str(settings.var_dir),
    }


def _open_shop(platform: Platform, state: State, orders: int) -> Shop:
    shop = load_shop(
        platform,
        base_url=f"http://127.0.0.1:{state.shop_ports[platform]}",
        now=datetime.fromisoformat(state.now),
    )
    return dataclasses.replace(shop, orders=shop.orders[-orders:])


@dataclass(frozen=True, slots=True)
class Connected:
    """A shop's store in Pannier."""

    store_id: int
    webhook_path: str
    publishable_key: str


def _ensure_store(shop: Shop, state: State) -> Connected:
    domain = normalise_domain(shop.platform, shop.domain)
    try:
        store = find_store(domain)
    except StoreError:
        port = state.shop_ports[shop.platform]
        store, _ = add_store(
            shop.platform,
            domain,
            name=shop.name,
            currency=shop.currency,
            timezone="Europe/London",
            origins=[f"http://127.0.0.1:{port}", f"http://localhost:{port}"],
            webhook_secret=state.secrets[shop.platform],
        )
    path = (
        "/webhooks/shopify" if shop.platform == "shopify" else f"/webhooks/woocommerce/{store.webhook_token}"
    )
    return Connected(store.id, path, publishable_key(store.id) or "")


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


def _send_past(shop: Shop, store: Connected, settings: Settings, state: State) -> None:
    """Send everything that the shop ever told, unless an earlier run finished that."""
    mailbag = deliveries(shop, secret=state.secrets[shop.platform])
    if state.sent.get(shop.platform, 0) >= len(mailbag):
        click.echo(f"{shop.name}: the past is known already ({len(mailbag):,} deliveries).")
        return
    with _bar(f"{shop.name}: sending webhooks", len(mailbag)) as bar:
        summary = send(
            mailbag,
            f"http://127.0.0.1:{settings.port}{store.webhook_path}",
            on_progress=lambda done: bar.update(done - bar.pos),
        )
    if summary.accepted < summary.sent:
        raise DemoError(
            f"{summary.sent - summary.accepted} of {summary.sent} deliveries of {shop.name} were not accepted "
            f"({summary.statuses}); look at {settings.var_dir / 'demo.log'} and run `make demo` again."
        )
    click.echo(
        f"  {summary.accepted:,} signed deliveries accepted, {summary.per_second:,.0f} a second, "
        f"p50 {summary.p50_ms:.1f} ms, p99 {summary.p99_ms:.1f} ms."
    )
    state.sent[shop.platform] = len(mailbag)


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


def _show_pairs(shop: Shop, store: Connected) -> None:
    orders = db.session.scalar(
        select(func.count()).select_from(Order).where(Order.store_id == store.store_id)
    )
    click.echo(f"\n{shop.name} ({_TITLES[shop.platform]}, {orders:,} orders): most surely bought together")
    click.echo(f"  {'orders':>6}  {'support':>8}  {'lift':>6}  products")
    for pair in strongest_pairs(store.store_id, _PAIRS_SHOWN):
        click.echo(
            f"  {pair['orders']:>6}  {pair['support']:>8.2%}  {pair['lift']:>6.1f}  "
            f"{pair['product']} + {pair['other']}"
        )
    db.session.rollback()


def _product_pages(stores: dict[Platform, Connected]) -> list[str]:
    """Return the calls that product pages of both shops make, for a few hundred products."""
    return [
        f"/v1/recommendations?slot=product&product_id={id_}&key={store.publishable_key}"
        for store in stores.values()
        for id_ in db.session.scalars(
            select(Product.platform_id)
            .where(Product.store_id == store.store_id)
            .order_by(Product.id)
            .limit(_PROBES // len(stores))
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


def _serve_shops(
    settings: Settings,
    shops: dict[Platform, Shop],
    stores: dict[Platform, Connected],
    state: State,
    stack: ExitStack,
) -> None:
    click.echo("\nOpen in a browser:")
    for platform, shop in shops.items():
        storefront = create_storefront(
            shop,
            pannier_url=settings.public_url,
            publishable_key=stores[platform].publishable_key,
            webhook_url=f"http://127.0.0.1:{settings.port}{stores[platform].webhook_path}",
            secret=state.secrets[platform],
            state=settings.var_dir / f"demo-{platform}.json",
        )
        server = serve(storefront, state.shop_ports[platform])
        stack.callback(server.shutdown)
        click.echo(
            f"  {shop.name:<20} {_TITLES[platform]:<18} http://127.0.0.1:{state.shop_ports[platform]}/"
        )
    click.echo(f"  {'Pannier':<20} {'the service':<18} {settings.public_url}/docs")
    click.echo(
        "\nOrder something: the page's recommendations learn from it within seconds. Ctrl-C ends everything."
    )
