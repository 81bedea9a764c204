"""The recommendation call: requests per second and p99, ready and cold, against a bare Flask JSON route.

*Ready* answers come from bytes in the process. *Cold* calls are all different, so each is put together from
Redis. At half of the measured maximum the p99 is what a shopper meets on a busy day.
"""

import itertools
import statistics
from collections.abc import Callable, Iterator

from sqlalchemy import select

from app.commerce.catalog import Product
from app.core.db import db
from app.recommendations.learning import publish_stale
from benchmarks import load, servers
from benchmarks.report import Result
from benchmarks.world import World

_SECONDS = 4.0
_ROUNDS = 3
_BARE = "bare Flask JSON route"


def run(world: World) -> Iterator[Result]:
    """Measure serving on the store that the drain has filled."""
    publish_stale(world.store_id)
    products = list(
        db.session.scalars(
            select(Product.platform_id)
            .where(Product.store_id == world.store_id)
            .order_by(Product.id)
            .limit(1000)
        )
    )
    db.session.rollback()
    measured: dict[str, list[load.Load]] = {"bare": [], "ready": [], "cold": []}
    with (
        servers.serve("benchmarks.bare:create_app", world.environment) as bare_port,
        servers.serve("app.factory:create_app", world.environment) as port,
    ):
        ready, cold = _ready(world, products), _cold(world, products)
        load.run(port, cold, seconds=2)  # fills Redis
        for _ in range(_ROUNDS):
            measured["bare"].append(load.run(bare_port, lambda _: load.get("/json"), seconds=_SECONDS))
            measured["ready"].append(load.run(port, ready, seconds=_SECONDS))
            measured["cold"].append(load.run(port, cold, seconds=_SECONDS))
        rates = {name: statistics.median(r.per_second for r in runs) for name, runs in measured.items()}
        half = {
            "ready": load.run(port, ready, seconds=_SECONDS, rate=rates["ready"] / 2),
            "cold": load.run(port, cold, seconds=_SECONDS, rate=rates["cold"] / 2),
        }
    for name, bar in (("ready", 0.7), ("cold", None)):
        yield Result(
            name=f"recommendations, {name}", value=rates[name], unit="requests/s", baseline_name=_BARE,
            baseline=rates["bare"], ratio=rates[name] / rates["bare"], bar=bar,
        )  # fmt: skip
    for name, run_ in half.items():
        yield Result(
            name=f"p99 {name}, half of maximum", value=run_.p99_ms, unit="ms", baseline_name="asked, at most",
            baseline=50.0, ratio=50.0 / run_.p99_ms, bar=1.0,
        )  # fmt: skip


def _ready(world: World, products: list[str]) -> Callable[[int], bytes]:
    requests = [load.get(f"{_path(world, product)}") for product in products[:20]]
    return lambda n: requests[n % len(requests)]


def _cold(world: World, products: list[str]) -> Callable[[int], bytes]:
    numbers = itertools.count()
    return lambda n: load.get(f"{_path(world, products[n % len(products)])}&nr={next(numbers)}")


def _path(world: World, product: str) -> str:
    return f"/v1/recommendations?slot=product&product_id={product}&key={world.publishable_key}"
