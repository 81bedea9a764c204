"""The whole of Pannier as processes, with services of its own: what the end-to-end tests start and kill."""

import dataclasses
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from app.commerce.store import add_store
from app.core import embedded
from app.core.config import Settings, load_settings
from app.core.db import db
from app.core.migrations import migrate
from app.factory import create_app
from app.processes import Processes, commands
from app.recommendations.models import ProductCount
from demo.messages import Platform
from demo.shops import Shop, load_shop
from webhooks.models import PENDING, WebhookDelivery

SECRET = "end-to-end-secret"
# Every visitor is shown the best, whoever they are.
PLAIN = {"control_percent": 0.0, "exploration_percent": 0.0}


@dataclasses.dataclass(frozen=True)
class Connected:
    """A demo shop and its store."""

    shop: Shop
    port: int
    store_id: int
    webhook_url: str
    publishable_key: str


@dataclasses.dataclass
class House:
    """Everything that runs, and the application to look into its database with."""

    settings: Settings
    app: Flask
    processes: Processes
    shops: dict[Platform, Connected]
    directory: Path

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"http://127.0.0.1:{self.settings.port}"

    def waiting(self) -> int:
        """Return how many deliveries are pending and lists are stale; 1 while the database is away."""
        try:
            with self.app.app_context():
                pending = db.session.scalar(
                    select(func.count()).select_from(WebhookDelivery).where(WebhookDelivery.status == PENDING)
                )
                stale = db.session.scalar(
                    select(func.count()).select_from(ProductCount).where(ProductCount.stale)
                )
                return (pending or 0) + (stale or 0)
        except OperationalError:
            return 1

    def settle(self, deadline_s: float = 120) -> None:
        """Wait until everything is drained and published."""
        until(lambda: self.waiting() == 0, deadline_s, "deliveries to be drained and lists to be published")


def until(holds: Callable[[], bool], deadline_s: float, what: str) -> None:
    """Wait until something holds.

    Raises:
        AssertionError: if it does not within the deadline.
    """
    deadline = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < deadline, f"waited {deadline_s:.0f} s in vain for {what}"
        time.sleep(0.1)


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Return whether something accepts connections on ``port``."""
    try:
        with socket.create_connection(("127.0.0.1", port), 0.5):
            return True
    except OSError:
        return False


def small(shop: Shop, orders: int) -> Shop:
    """Return the shop with its last orders only, and the products in them."""
    kept = shop.orders[-orders:]
    codes = {line.product.code for order in kept for line in order.lines}
    return dataclasses.replace(shop, orders=kept, products=tuple(p for p in shop.products if p.code in codes))


@contextmanager
def open_house(
    directory: Path, platforms: tuple[Platform, ...], orders: int, *, processes: int = 1
) -> Iterator[House]:
    """Start services, so many web processes and workers, and the clock, with a store for each platform."""
    with embedded.start(directory) as running:
        settings = dataclasses.replace(
            load_settings(),
            database_url=running.services.database_url,
            redis_url=running.services.redis_url,
            shopify_api_secret=SECRET,
            secret_keys=(Fernet.generate_key().decode(),),
            var_dir=directory,
            port=free_port(),
            web_processes=processes,
            worker_processes=processes,
            log_level="warning",
        )
        app = create_app(settings)
        shops: dict[Platform, Connected] = {}
        with app.app_context():
            migrate(db.engine)
            for platform in platforms:
                port = free_port()
                shop = load_shop(platform, base_url=f"http://127.0.0.1:{port}")
                shop = small(shop, orders)
                store, keys = add_store(
                    platform,
                    shop.domain,
                    currency=shop.currency,
                    origins=[shop.base_url],
                    webhook_secret=SECRET,
                    settings=PLAIN,
                )
                path = f"woocommerce/{store.webhook_token}" if platform == "woocommerce" else "shopify"
                shops[platform] = Connected(
                    shop,
                    port,
                    store.id,
                    f"http://127.0.0.1:{settings.port}/webhooks/{path}",
                    keys.publishable,
                )
            db.session.commit()
        environment = {
            "DATABASE_URL": settings.database_url or "",
            "REDIS_URL": settings.redis_url or "",
            "SHOPIFY_API_SECRET": SECRET,
            "PANNIER_SECRET_KEYS": settings.secret_keys[0],
            "PANNIER_LOG_LEVEL": "warning",
        }
        children = Processes(commands(settings), environment, directory / "processes.log")
        try:
            until(lambda: answers(settings.port), 60, "the web process")
            yield House(settings, app, children, shops, directory)
        finally:
            children.stop()
            with app.app_context():
                db.engine.dispose()
