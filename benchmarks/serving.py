"""The recommendation call: requests per second and p99, against a bare Flask JSON route.

*Ready* answers come from bytes in the process. *Cold* calls are all different, so each is put together from
Redis. Every strategy answers for carts of four, and whole carts of 1 to 50 products are completed; these answers are
all made, none is held. At half of the measured maximum the p99 is what a shopper meets on a busy day.

``python -m benchmarks.serving`` measures this alone.
"""

import argparse
import itertools
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence

import orjson
from sqlalchemy import func, select

from app.commerce.catalog import Product
from app.commerce.customer import Customer
from app.core.db import db
from app.recommendations.learning import publish_stale
from app.recommendations.strategies import COMPLETE_THE_CART, STRATEGIES
from benchmarks import intake, load, servers
from benchmarks.report import Result, print_table
from benchmarks.world import World, world

_SECONDS = 4.0
_ROUNDS = 3
_BARE = "bare Flask JSON route"
_CASE_SECONDS = 2.0
_CARTS = (1, 4, 20, 50)
_USUAL_CART = 4
_P99_MS = 50.0


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
        made = list(_made(world, port, products, rates["bare"]))
    for name, bar in (("ready", 0.7), ("cold", None)):
        yield Result(
            name=f"recommendations, {name}", value=rates[name], unit="requests/s", baseline_name=_BARE,
            baseline=rates["bare"], ratio=rates[name] / rates["bare"], bar=bar,
        )  # fmt: skip
    for name, run_ in half.items():
        yield Result(
            name=f"p99 {name}, half of maximum", value=run_.p99_ms, unit="ms", baseline_name="asked, at most",
            baseline=_P99_MS, ratio=_P99_MS / run_.p99_ms, bar=1.0,
        )  # fmt: skip
    yield from made


def _made(world: World, port: int, products: list[str], bare: float) -> Iterator[Result]:
    """Measure every strategy, then carts of all sizes."""
    customers = list(
        db.session.scalars(
            select(Customer.platform_id)
            .where(Customer.store_id == world.store_id)
            .order_by(func.random())
            .limit(500)
        )
    )
    db.session.rollback()
    known = [customer for customer in customers if customer]
    cases = {f"{name}, cart of {_USUAL_CART}": (name, _USUAL_CART) for name in STRATEGIES}
    cases |= {f"{COMPLETE_THE_CART}, cart of {size}": (COMPLETE_THE_CART, size) for size in _CARTS}
    for name, (strategy, size) in cases.items():
        request = _upsell(world, strategy, size, products, known)
        most = load.run(port, request, seconds=_CASE_SECONDS)
        half = load.run(port, request, seconds=_CASE_SECONDS, rate=most.per_second / 2)
        yield Result(name, most.per_second, "requests/s", _BARE, bare, ratio=most.per_second / bare)
        yield Result(
            f"p99 {name}, half of maximum", half.p99_ms, "ms", "asked, at most", _P99_MS,
            ratio=_P99_MS / half.p99_ms, bar=1.0,
        )  # fmt: skip


def _upsell(
    world: World, strategy: str, size: int, products: list[str], customers: list[str]
) -> Callable[[int], bytes]:
    """Return calls of the shop's server for customers who agreed, each with another cart of ``size`` products."""
    headers = {"Authorization": f"Bearer {world.secret_key}"}

    def request(n: int) -> bytes:
        # Steps without a common divisor with the number of products: carts repeat late.
        cart = [products[(n * 7 + place * 13) % len(products)] for place in range(size)]
        body = {"strategy": strategy, "current_cart": cart, "limit": 4}
        if customers:
            body |= {"user_id": customers[n % len(customers)], "personal": True}
        return load.post("/v1/upsell", orjson.dumps(body), headers)

    return request


def _ready(world: World, products: list[str]) -> Callable[[int], bytes]:
    requests = [load.get(f"{_path(world, product)}") for product in products[:20]]
    return lambda n: requests[n % len(requests)]


def _cold(world: World, products: list[str]) -> Callable[[int], bytes]:
    numbers = itertools.count()
    return lambda n: load.get(f"{_path(world, products[n % len(products)])}&nr={next(numbers)}")


def _path(world: World, product: str) -> str:
    return f"/v1/recommendations?slot=product&product_id={product}&key={world.publishable_key}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure serving alone, on a store that is filled first, and print the table; 1 where a bar is missed."""
    argparse.ArgumentParser(prog="python -m benchmarks.serving", description="Measure serving.").parse_args(
        arguments
    )
    with world() as ours:
        intake.drain(ours)
        results = list(run(ours))
    print_table(results)
    return int(any(result.verdict == "MISSED" for result in results))


if __name__ == "__main__":
    sys.exit(main())
