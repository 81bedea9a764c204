"""The recommendation call: requests per second and p99, against a bare Flask JSON route.

*Ready* answers come from bytes in the process. *Cold* calls are all different, so each is put together from Redis.
Every strategy answers for carts of four, and whole carts of 1 to 50 products are completed; these answers are all
made, none is held. *Visitors* name themselves and have a running session of ten events each. *Ruled* calls are the same
once the merchant has 50 rules and two experiments; the log of decisions is written throughout. At half of the measured
maximum the p99 is what a shopper meets on a busy day.

``python -m benchmarks.serving`` measures this alone.
"""

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import orjson
from sqlalchemy import func, insert, select

from app.commerce.catalog import Product
from app.commerce.customer import Customer
from app.core.db import db, now
from app.events.models import Event
from app.events.session import PRODUCT_VIEWED
from app.privacy import consent
from app.privacy.consent import CHOICE, Signal
from app.privacy.purposes import Purposes
from app.privacy.subjects import VISITOR, digest
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
_VISITORS = 200
# By then every answer that a run asks for has been made and is held.
_WARM_S = 1.0
# Longer than a process holds rules and experiments.
_NOTICED_S = 6.0
_LOOKS = 10


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
        servers.serve("benchmarks.bare:create_web", world.environment) as bare_port,
        servers.serve("app.web:create_web", world.environment) as port,
    ):
        ready, cold = _ready(world, products), _cold(world, products)
        load.run(port, cold, seconds=2)  # fills Redis
        for _ in range(_ROUNDS):
            measured["bare"].append(load.run(bare_port, lambda _: load.get("/json"), seconds=_SECONDS))
            measured["ready"].append(load.run(port, ready, seconds=_SECONDS))
            measured["cold"].append(load.run(port, cold, seconds=_SECONDS))
        rates = {name: statistics.median(r.per_second for r in runs) for name, runs in measured.items()}
        load.run(port, ready, seconds=_WARM_S)
        half = {
            "ready": load.run(port, ready, seconds=_SECONDS, rate=rates["ready"] / 2),
            "cold": load.run(port, cold, seconds=_SECONDS, rate=rates["cold"] / 2),
        }
        made = [*_visited(world, port, products, rates), *_made(world, port, products, rates["bare"])]
        made += _ruled(world, port, bare_port, products)
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


def _visited(world: World, port: int, products: list[str], rates: dict[str, float]) -> Iterator[Result]:
    """Measure what a visitor costs, without consent and with a running session, against cold answers to nobody."""
    names = [f"visitor-{number}" for number in range(_VISITORS)]
    _visit(world, names, products)
    for who, named in (("without consent", [f"silent-{name}" for name in names]), ("with a session", names)):
        request = _of_visitors(world, products, named)
        most = load.run(port, request, seconds=_SECONDS)
        half = load.run(port, request, seconds=_SECONDS, rate=most.per_second / 2)
        yield Result(
            f"visitor {who}", most.per_second, "requests/s", "cold, nobody", rates["cold"],
            ratio=most.per_second / rates["cold"],
        )  # fmt: skip
        yield Result(
            f"p99 visitor {who}, half of maximum", half.p99_ms, "ms", "asked, at most", _P99_MS,
            ratio=_P99_MS / half.p99_ms, bar=1.0,
        )  # fmt: skip


def _visit(world: World, names: Sequence[str], products: Sequence[str]) -> None:
    """Let visitors agree to analytics and look at ten products each, just now."""
    at = now()
    agreed = Signal(Purposes.ANALYTICS, "benchmark", CHOICE, None, None)
    rows = []
    for number, name in enumerate(names):
        subject = digest(world.store_id, VISITOR, name)
        consent.keep(db.session.connection(), world.store_id, subject, agreed)
        rows += [
            {
                "store_id": world.store_id,
                "received_at": at - timedelta(seconds=place),
                "occurred_at": at - timedelta(seconds=place),
                "subject": subject,
                "type": "track",
                "name": PRODUCT_VIEWED,
                "products": [products[(number * 11 + place * 17) % len(products)]],
                "properties": {},
                "purposes": int(Purposes.ANALYTICS),
                "source": "benchmark",
                "message": f"{name}-{place}".encode(),
            }
            for place in range(_LOOKS)
        ]
    db.session.execute(insert(Event), rows)
    # A running shop's PostgreSQL has done so by itself a minute after the first events.
    db.session.connection().exec_driver_sql("ANALYZE event, consent_state")
    db.session.commit()


def _ruled(world: World, port: int, bare_port: int, products: list[str]) -> Iterator[Result]:
    """Measure the same calls under 50 rules and two experiments."""
    _rule(world, products)
    time.sleep(_NOTICED_S)
    requests = {
        "ready": (_ready(world, products), 0.5),
        "cold": (_cold(world, products), None),
        "visitor": (
            _of_visitors(world, products, [f"visitor-{number}" for number in range(_VISITORS)]),
            None,
        ),
    }
    bare = load.run(bare_port, lambda _: load.get("/json"), seconds=_SECONDS).per_second
    for name, (request, bar) in requests.items():
        most = load.run(port, request, seconds=_SECONDS)
        half = load.run(port, request, seconds=_SECONDS, rate=most.per_second / 2)
        yield Result(
            f"ruled, {name}",
            most.per_second,
            "requests/s",
            _BARE,
            bare,
            ratio=most.per_second / bare,
            bar=bar,
        )
        yield Result(
            f"p99 ruled, {name}, half of maximum", half.p99_ms, "ms", "asked, at most", _P99_MS,
            ratio=_P99_MS / half.p99_ms, bar=1.0,
        )  # fmt: skip


def _rule(world: World, products: Sequence[str]) -> None:
    """Give the store 50 rules, half of which fire, and two experiments that everybody is in."""
    headers = {"Authorization": f"Bearer {world.secret_key}"}
    client = world.app.test_client()
    rules = [
        {
            "name": f"Rule {number}",
            "if": {"fact": "slot", "in": ["product" if number % 2 else "cart"]},
            "then": [
                {"do": "boost", "factor": 1.5, "filter": {"products": [products[number]]}},
                {"do": "hide", "filter": {"tags": [f"hidden-{number}"]}},
            ],
        }
        for number in range(50)
    ]
    asked = [("PUT", "/v1/rules", {"rules": rules, "version": 0})]
    for number, setting in enumerate(({"copy": "short"}, {"placement": "low"})):
        arm = {"key": "b", "settings": setting}
        asked += [
            ("POST", "/v1/experiments", {"key": f"bench{number}", "name": "Measured", "arms": [arm]}),
            ("POST", f"/v1/experiments/bench{number}/start", {}),
        ]
    for method, path, body in asked:
        answer = client.open(path, method=method, json=body, headers=headers)
        if answer.status_code >= 300:
            raise RuntimeError(f"{method} {path}: {answer.text}")


def _of_visitors(world: World, products: list[str], names: Sequence[str]) -> Callable[[int], bytes]:
    """Return calls of visitors' pages, one after the other."""
    return lambda n: load.get(
        _path(world, products[n % len(products)]), {"X-Pannier-Visitor": names[n % len(names)]}
    )


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
