"""Learning while orders stream in: orders per second into PostgreSQL, and the time from order to changed answer.

The store has a catalogue of 50,000 products and sells by Zipf's law, ten lines an order (:mod:`benchmarks.synthetic`).

* *Learned*: batches as the drain takes them, each ``learning.learn`` and a commit, against the plainest way on
  the same server in the same run: one row per pair, ``INSERT … SELECT unnest … ON CONFLICT DO UPDATE``. Both get the
  same batches in turns. Publishing what became stale is a figure of its own.
* *Shown*: signed order webhooks at 50 a second into the real server, with a worker beside it. Some orders hold a pair
  of products that nothing else holds; its page is asked for until the answer counts the new order. *Made* answers are
  put together for each call. *Held* ones may come from the bytes that a process keeps for about a second.

``python -m benchmarks.streaming`` measures this alone.
"""

import argparse
import http.client
import itertools
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import orjson
from sqlalchemy import text

from app.commerce.ingest import BasketChange
from app.commerce.store import add_store
from app.core.config import Settings
from app.core.db import db, now
from app.recommendations import ranking
from app.recommendations.learning import learn, publish_stale
from benchmarks import servers, synthetic
from benchmarks.bare import SECRET
from benchmarks.report import Result, print_table
from benchmarks.world import World, world
from demo.messages import signature

_DOMAIN: Final = "pannier-stream.myshopify.com"
_ORDERS: Final = 8_000
_BATCHES_PER_TURN: Final = 5
_ASKED_PER_SECOND: Final = 600.0

_RATE: Final = 50
_SECONDS: Final = 20.0
# Every fifth order is watched until it shows, in answers that are made and in answers that are held by turns.
_WATCHED: Final = 5
# Pairs come round again only when the run is longer than usual.
_PAIRS: Final = 300
_KNOWN_ORDERS: Final = 5
_POLL_S: Final = 0.02
_PATIENCE_S: Final = 15.0
_ASKED_MS: Final = 1_000.0
_SENDERS: Final = 64
_BASKETS: Final = 2_000
_FIRST_ORDER: Final = 9_507_000_000_000_001

Integers = npt.NDArray[np.int64]


def run(world: World, orders: int = _ORDERS, seconds: float = _SECONDS) -> Iterator[Result]:
    """Measure on a store of its own in ``world``: ``orders`` learned, then ``seconds`` of webhooks."""
    ranking.warm_up()
    store = _Store(world)
    yield from _learning(world, store, orders)
    if seconds:
        yield from _latency(world, store, seconds)


class _Store:
    """A Shopify store with the catalogue, and the products that only watched orders hold.

    ``products`` are the internal ids; a product's platform id is ``platform_id`` of its place. The pairs that
    watched orders hold stand behind the 50,000 that are sold by chance.
    """

    def __init__(self, world: World) -> None:
        store, keys = add_store("shopify", _DOMAIN, currency=world.shop.currency)
        db.session.commit()
        self.id, self.key = store.id, keys.publishable
        self.pairs = _PAIRS
        connection = db.session.connection()
        connection.exec_driver_sql(
            """
            INSERT INTO product (store_id, platform_id, status, visible, available, title, url, tags, gift_card,
                price, currency, source_updated_at)
            SELECT %(store)s, n::text, 'active', true, true, 'Product ' || n, 'https://shop.example/' || n, '{}',
                false, 1000 + n %% 5000, %(currency)s, now()
            FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
            """,
            {
                "store": self.id,
                "currency": world.shop.currency,
                "first": platform_id(0),
                "last": platform_id(synthetic.PRODUCTS + 2 * self.pairs - 1),
            },
        )
        rows = connection.exec_driver_sql(
            "SELECT id FROM product WHERE store_id = %(store)s ORDER BY platform_id::bigint",
            {"store": self.id},
        )
        self.products: Integers = np.array([row[0] for row in rows], dtype=np.int64)
        db.session.commit()
        db.session.connection().exec_driver_sql("ANALYZE product")
        db.session.commit()

    def pair(self, number: int) -> tuple[int, int]:
        """Return the places of a pair of products that nothing else holds."""
        first = synthetic.PRODUCTS + 2 * number
        return first, first + 1


def platform_id(place: int) -> int:
    """Return Shopify's id of the product at ``place``; such ids exceed 2^53."""
    return 9_501_000_000_000_001 + place


# --- learned --------------------------------------------------------------------------------------------


def _learning(world: World, store: _Store, orders: int) -> Iterator[Result]:
    batches = _batches(world, store, orders)
    _make_pair_table()
    ours = plain = 0.0
    for start in range(0, len(batches), _BATCHES_PER_TURN):
        turn = batches[start : start + _BATCHES_PER_TURN]
        ours += _timed(lambda turn=turn: _learn_all(store.id, turn))
        plain += _timed(lambda turn=turn: _count_all(store.id, turn))
    db.session.execute(text("DROP TABLE bench_pair"))
    db.session.commit()
    learned = sum(len(baskets) for baskets in batches)
    published = 0

    def publish() -> None:
        nonlocal published
        published = publish_stale(store.id)

    publishing = _timed(publish)
    rate = learned / ours
    yield Result(
        "orders learned and committed", rate, "orders/s", "asked", _ASKED_PER_SECOND,
        ratio=rate / _ASKED_PER_SECOND, bar=1.0,
    )  # fmt: skip
    yield Result(
        "orders learned and committed", rate, "orders/s", "one row per pair, ON CONFLICT", learned / plain,
        ratio=plain / ours,
    )  # fmt: skip
    yield Result("orders learned and their lists published", learned / (ours + publishing), "orders/s")
    yield Result("stale lists published", published / publishing, "lists/s")


def _batches(world: World, store: _Store, orders: int) -> list[Integers]:
    """Return internal product ids, int64[batch, 10] each, in batches as the drain takes them."""
    settings: Settings = world.app.extensions["pannier_settings"]
    found = store.products[synthetic.orders(orders, seed=2)]
    return [found[start : start + settings.drain_batch] for start in range(0, orders, settings.drain_batch)]


def _learn_all(store_id: int, batches: Sequence[Integers]) -> None:
    at = now()
    for baskets in batches:
        learn(db.session.connection(), store_id, [_placed(basket, at) for basket in baskets.tolist()])
        db.session.commit()


def _placed(basket: list[int], at: datetime) -> BasketChange:
    return BasketChange(old_placed_at=at, old_basket=[], new_placed_at=at, new_basket=basket)


def _make_pair_table() -> None:
    db.session.execute(
        text(
            "CREATE TABLE bench_pair (store_id bigint, one bigint, other bigint, orders bigint,"
            " PRIMARY KEY (store_id, one, other))"
        )
    )
    db.session.commit()


def _count_all(store_id: int, batches: Sequence[Integers]) -> None:
    for baskets in batches:
        _count_pairs(store_id, baskets)


def _count_pairs(store_id: int, baskets: Integers) -> None:
    """Add each pair of the sorted baskets once to its own row, and commit."""
    baskets = np.sort(baskets, axis=1)
    first, second = np.triu_indices(baskets.shape[1], 1)
    pairs = np.stack((baskets[:, first].ravel(), baskets[:, second].ravel()), axis=1)
    pairs, counts = np.unique(pairs, axis=0, return_counts=True)
    db.session.connection().exec_driver_sql(
        "INSERT INTO bench_pair AS p SELECT %(store)s, one, other, orders"
        " FROM unnest(%(one)s::bigint[], %(other)s::bigint[], %(orders)s::bigint[]) r(one, other, orders)"
        " ON CONFLICT (store_id, one, other) DO UPDATE SET orders = p.orders + excluded.orders",
        {
            "store": store_id,
            "one": pairs[:, 0].tolist(),
            "other": pairs[:, 1].tolist(),
            "orders": counts.tolist(),
        },
    )
    db.session.commit()


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# --- shown ----------------------------------------------------------------------------------------------


def _latency(world: World, store: _Store, seconds: float) -> Iterator[Result]:
    _teach_pairs(store)
    with (
        servers.work(world.app, world.environment),
        servers.serve("app.web:create_web", world.environment) as port,
    ):
        watch = _Watch(world, store, port)
        watch.stream(min(seconds / 4, 4.0))
        watch.forget()
        watch.stream(seconds)
    for how in ("made", "held"):
        times = sorted(watch.times[how])
        missing = watch.missed[how]
        if not times:
            raise RuntimeError(f"none of {missing} orders changed an answer within {_PATIENCE_S:g} s")
        # An order that never showed took longer than any that did.
        times += [_PATIENCE_S * 1000] * missing
        for share in (50, 95, 99):
            value = quantile(times, share / 100)
            yield Result(
                f"order to changed answer, {how}, p{share} at {_RATE}/s", value, "ms", "asked, at most", _ASKED_MS,
                ratio=_ASKED_MS / value, bar=1.0 if share == 99 else None,
            )  # fmt: skip
    late = sorted(watch.late)
    yield Result(f"orders sent late, p99 at {_RATE}/s", quantile(late, 0.99), "ms")


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the ascending figures that at least ``share`` of them do not exceed."""
    return ordered[max(int(np.ceil(share * len(ordered))) - 1, 0)]


def _teach_pairs(store: _Store) -> None:
    """Have every watched pair bought often enough that its page shows it, and publish that."""
    pairs = [store.products[list(store.pair(number))] for number in range(store.pairs)]
    _learn_all(store.id, [np.stack(pairs) for _ in range(_KNOWN_ORDERS)])
    publish_stale(store.id)


class _Watch:
    """Sends orders at a steady rate, and asks for the pages of some until they show it.

    Attributes:
        times: milliseconds from when an order was due to the answer that counts it, by how answers come about.
        missed: orders that did not show in time.
        late: milliseconds by which orders were sent behind time.
    """

    def __init__(self, world: World, store: _Store, port: int) -> None:
        self._store = store
        self._port = port
        self._template: dict[str, Any] = orjson.loads(world.mailbag.only(["orders/create"])[0].body)
        self._orders = itertools.count()
        self._baskets = itertools.cycle(synthetic.orders(_BASKETS, seed=3).tolist())
        self._connections = threading.local()
        self.forget()

    def forget(self) -> None:
        """Begin anew: what was measured so far was to warm up."""
        self.times: dict[str, list[float]] = {"made": [], "held": []}
        self.missed = {"made": 0, "held": 0}
        self.late: list[float] = []

    def stream(self, seconds: float) -> None:
        """Send orders for ``seconds`` and wait until the watched ones have shown."""
        with ThreadPoolExecutor(_SENDERS) as pool:
            start = time.perf_counter() + 0.1
            sent = []
            for place in range(int(seconds * _RATE)):
                due = start + place / _RATE
                time.sleep(max(due - time.perf_counter(), 0))
                number = next(self._orders)
                job = self._send if number % _WATCHED else self._watched
                sent.append(pool.submit(job, number, next(self._baskets), due))
            for future in sent:
                future.result()

    def _watched(self, number: int, basket: list[int], due: float) -> None:
        turn = number // _WATCHED
        how = ("made", "held")[turn % 2]
        pair = self._store.pair(turn % self._store.pairs)
        page, beside = (str(platform_id(place)) for place in pair)
        before = self._counted(how, page, beside)
        self._send(number, [*pair, *basket[2:]], due)
        while time.perf_counter() - due < _PATIENCE_S:
            if self._counted(how, page, beside) > before:
                self.times[how].append((time.perf_counter() - due) * 1000)
                return
            time.sleep(_POLL_S)
        self.missed[how] += 1

    def _send(self, number: int, places: Sequence[int], due: float) -> None:
        raw = order_body(self._template, number, places)
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": "orders/create",
            "X-Shopify-Hmac-Sha256": signature(raw, SECRET.decode()),
            "X-Shopify-Shop-Domain": _DOMAIN,
            "X-Shopify-API-Version": "2026-10",
            "X-Shopify-Webhook-Id": str(uuid4()),
            "X-Shopify-Event-Id": str(uuid4()),
            "X-Shopify-Triggered-At": datetime.now(UTC).isoformat(),
        }
        self.late.append((time.perf_counter() - due) * 1000)
        self._call("POST", "/webhooks/shopify", raw, headers)

    def _counted(self, how: str, page: str, beside: str) -> int:
        """Return in how many orders the page says that it was bought with ``beside``."""
        path = f"/v1/recommendations?slot=product&product_id={page}&key={self._store.key}"
        if how == "made":
            path += f"&nr={uuid4().hex}"
        for found in orjson.loads(self._call("GET", path))["recommendations"]:
            if found["product_id"] == beside:
                return int(found["evidence"]["orders"])
        return 0

    def _call(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        connection: http.client.HTTPConnection | None = getattr(self._connections, "open", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE_S)
            self._connections.open = connection
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise RuntimeError(
                f"{method} {path.partition('?')[0]} was answered {response.status}: {answer[:200]!r}"
            )
        return answer


def order_body(template: dict[str, Any], number: int, places: Sequence[int]) -> bytes:
    """Return the body of a fresh order of one each of the products at ``places``, after a real one."""
    order_id, moment = _FIRST_ORDER + number, datetime.now(UTC).isoformat()
    line = template["line_items"][0]
    body = {
        **template,
        "id": order_id,
        "admin_graphql_api_id": f"gid://shopify/Order/{order_id}",
        **dict.fromkeys(("created_at", "updated_at", "processed_at"), moment),
        "line_items": [
            {
                **line,
                "id": line_id,
                "admin_graphql_api_id": f"gid://shopify/LineItem/{line_id}",
                "product_id": platform_id(product),
                "variant_id": platform_id(product),
            }
            for line_id, product in enumerate(places, start=order_id * 100)
        ],
    }
    return orjson.dumps(body)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure streaming alone and print the table; return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming", description="Measure streaming.")
    parser.add_argument(
        "--orders", type=int, default=_ORDERS, metavar="N", help="orders to learn (%(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=_SECONDS,
        metavar="S",
        help="seconds of webhooks (%(default)g; 0: none)",
    )
    options = parser.parse_args(arguments)
    results = []
    with world() as ours:
        for result in run(ours, options.orders, options.seconds):
            results.append(result)
            print(f"  {result.name}: {result.value:,.1f} {result.unit}", file=sys.stderr)
    print_table(results)
    return int(any(result.verdict == "MISSED" for result in results))


if __name__ == "__main__":
    sys.exit(main())
