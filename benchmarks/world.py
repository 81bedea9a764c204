"""A world to measure in: embedded services in a directory of their own, and a store with real orders."""

import dataclasses
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet
from flask import Flask

from app.commerce.store import add_store
from app.core import embedded
from app.core.config import load_settings
from app.core.db import db
from app.core.migrations import migrate
from app.factory import create_app
from benchmarks.bare import SECRET
from demo.messages import Mailbag
from demo.shops import SHOPIFY_DOMAIN, Shop, deliveries, load_shop


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """An application on services of its own, one Shopify store in it, and what that store has to tell."""

    app: Flask
    environment: dict[str, str]
    store_id: int
    publishable_key: str
    secret_key: str
    shop: Shop
    mailbag: Mailbag


@contextmanager
def world() -> Iterator[World]:
    """Give a world, and end it."""
    with (
        tempfile.TemporaryDirectory(prefix="pannier-bench-") as directory,
        embedded.start(Path(directory)) as running,
    ):
        environment = {
            "DATABASE_URL": running.services.database_url or "",
            "REDIS_URL": running.services.redis_url or "",
            "PANNIER_SECRET_KEYS": Fernet.generate_key().decode(),
            "SHOPIFY_API_SECRET": SECRET.decode(),
            "PANNIER_LOG_LEVEL": "error",
        }
        os.environ.update(environment)
        app = create_app(load_settings())
        shop = load_shop("shopify")
        with app.app_context():
            migrate(db.engine)
            store, keys = add_store("shopify", SHOPIFY_DOMAIN, currency=shop.currency)
            db.session.commit()
            yield World(
                app,
                environment,
                store.id,
                keys.publishable,
                keys.secret,
                shop,
                deliveries(shop, secret=SECRET.decode()),
            )
            db.session.close()
            db.engine.dispose()
