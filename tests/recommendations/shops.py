"""A shop with products and published lists, as the serving side finds it, and its HTTP client."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import insert
from werkzeug.test import TestResponse

from app.commerce import ingest
from app.commerce.changes import CommerceChange, ProductChange
from app.commerce.store import NewKeys, Store, add_store
from app.core.db import db, now
from app.core.held import forget_everything
from app.recommendations import blends, cache
from app.recommendations.models import LearnedModel, PublishedList
from app.recommendations.ready_lists import CART_ROWS
from app.recommendations.scoring import Blend
from app.recommendations.strategies import BEST_SELLERS, FREQUENTLY_BOUGHT_TOGETHER
from tests.factories import product_change, variant_state

_numbers = itertools.count(1)
# Every visitor is shown the best, whoever they are: what is left to chance has tests of its own.
PLAIN = {"control_percent": 0.0, "exploration_percent": 0.0}
# Fields of a product's state that the factory does not take.
_OF_THE_STATE = ("category", "vendor", "tags")


def candidate(product: str, score: float = 1.0, **evidence: float) -> dict[str, Any]:
    """Return an entry of a published list of things bought together."""
    return {
        "id": product,
        "orders": 5,
        "confidence": 0.5,
        "lift": 2.0,
        "llr": 20.0,
        "score": score,
        **evidence,
    }


def state(product: str, **fields: Any) -> ProductChange:
    """Return the state of a product with one variant, a picture and an address."""
    stock = fields.pop("stock", 5)
    change = product_change(
        product, variant_state(f"{product}-v", stock=stock), title=fields.pop("title", f"Product {product}"),
        **{name: value for name, value in fields.items() if name not in _OF_THE_STATE},
    )  # fmt: skip
    return replace(
        change,
        **{name: value for name, value in fields.items() if name in _OF_THE_STATE},
        url=f"https://shop.example/products/{product}",
        image_url=f"https://shop.example/{product}.png",
    )


class Shop:
    """One store, its keys, and calls of its storefront."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        number = next(_numbers)
        self.origin = f"https://shop-{number}.example"
        found: tuple[Store, NewKeys] = add_store(
            "shopify", f"shop-{number}.myshopify.com", origins=[self.origin], settings=PLAIN
        )
        self.store, self.keys = found
        db.session.commit()
        self.store_id = self.store.id

    def has(self, *products: str) -> None:
        """Give the shop products."""
        self.hears(*(state(product) for product in products))

    def hears(self, *changes: CommerceChange) -> None:
        """Apply changes as a drain does: the rows first, the cards after the commit."""
        applied = ingest.apply(db.session.connection(), self.store_id, changes)
        db.session.commit()
        cache.replace_cards(db.session.connection(), self.store_id, applied.products)
        db.session.commit()

    def together(self, product: str, *others: str | dict[str, Any]) -> None:
        """Publish what is bought together with a product, best first."""
        items = [candidate(o, 1 / (n + 1)) if isinstance(o, str) else o for n, o in enumerate(others)]
        self._publish(FREQUENTLY_BOUGHT_TOGETHER, product, items)

    def sells(self, *products: str) -> None:
        """Publish the best sellers, best first."""
        items = [{"id": product, "orders": 100 - n} for n, product in enumerate(products)]
        self._publish(BEST_SELLERS, "", items)

    def scores(self, product: str, *items: dict[str, Any]) -> None:
        """Publish the row that carts with ``product`` are scored from; an item with ``llr`` passes the gates."""
        proven = [
            [at, item["confidence"], item["lift"], item["llr"]]
            for at, item in enumerate(items)
            if "llr" in item
        ]
        row = {
            "ids": [item["id"] for item in items],
            "orders": [item["orders"] for item in items],
            "w": [item["score"] for item in items],
            "e": [0.0 for _ in items],
            "c": [0.0 for _ in items],
            "s": [0.01 for _ in items],
            "proven": proven,
        }
        self._publish(CART_ROWS, product, [row])

    def tuned(self, blend: Blend) -> None:
        """Store a blend, as tuning does."""
        values = {"store_id": self.store_id, "epoch": date(2026, 1, 1), "half_life_days": 180.0,
                  "basket_cap": 100, "orders": 500, "version": 1, "ranking": {"blend": blend.as_json()}}  # fmt: skip
        db.session.execute(insert(LearnedModel).values(**values))
        db.session.commit()
        blends.forget()

    def publishes(self, kind: str, subject: str, *items: dict[str, Any]) -> None:
        """Publish a ready list of any kind."""
        self._publish(kind, subject, list(items))

    def _publish(self, strategy: str, subject: str, items: list[dict[str, Any]]) -> None:
        row = {"items": items, "published_at": now()}
        db.session.execute(
            insert(PublishedList)
            .values(store_id=self.store_id, strategy=strategy, subject=subject, **row)
            .on_conflict_do_update(index_elements=["store_id", "strategy", "subject"], set_=row)
        )
        db.session.commit()
        cache.put_lists(self.store_id, strategy, {subject: items})

    @property
    def headers(self) -> dict[str, str]:
        """The headers that every call of the shop's pages carries."""
        return {"X-Pannier-Key": self.keys.publishable}

    def get(self, headers: dict[str, str] | None = None, **query: Any) -> TestResponse:
        """Ask for one slot."""
        return self.client.get(
            "/v1/recommendations", query_string=query, headers={**self.headers, **(headers or {})}
        )

    def post(self, *requests: Any, headers: dict[str, str] | None = None) -> TestResponse:
        """Ask for several slots."""
        return self.client.post(
            "/v1/recommendations",
            json={"requests": list(requests)},
            headers={**self.headers, **(headers or {})},
        )

    def ask_as_server(self, path: str, body: dict[str, Any]) -> TestResponse:
        """Ask with the secret key."""
        return self.client.post(path, json=body, headers={"Authorization": f"Bearer {self.keys.secret}"})

    def upsell(self, *cart: Any, **fields: Any) -> TestResponse:
        """Ask what goes with a cart."""
        body = {"user_id": "u1", "current_cart": list(cart), "strategy": FREQUENTLY_BOUGHT_TOGETHER, **fields}
        return self.client.post("/v1/upsell", json=body, headers=self.headers)


def ids(response: TestResponse) -> list[str]:
    """Return the recommended products of an answer, in order."""
    assert response.status_code == 200, response.text
    return [r["product_id"] for r in response.get_json()["recommendations"]]


def forget_cached(app: Flask) -> None:
    """Empty Redis and what the process remembers: the next answer is made from PostgreSQL alone."""
    app.extensions["pannier_redis"].flushdb()
    forget_everything()


@contextmanager
def counted_statements(app: Flask) -> Iterator[list[str]]:
    """Collect the SQL statements that the application runs meanwhile."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)
