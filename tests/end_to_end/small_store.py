"""A small shop from its opening day on: forty products of a demo shop, and its real orders as they come in.

Deliveries go in over HTTP; the queued jobs are then done as workers and clock would do them.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask
from rq import Queue

from app.commerce.store import add_store
from app.core.db import db
from app.core.queues import ALL, queue_redis
from app.recommendations import jobs
from demo.catalogue import Product
from demo.companions import Companions
from demo.messages import Message
from demo.orders import Order
from demo.shops import Shop, load_shop
from demo.woocommerce_format import product_id
from demo.woocommerce_shop import WooCommerceShop

SECRET = "small-store"
PRODUCTS = 40
_OF_EACH_CATEGORY = 4
# Nothing in the shop is like it: it is alone in its category, too.
LONELY = "Brocade Ring Purse"
# What the storefront shows as sold out, hidden or taken down on purpose, by rank.
_OFF_SHELF = ((90, 12), (400, 33), (400, 77), (400, 111))


def forty_products(shop: Shop) -> tuple[Product, ...]:
    """Return one product that is like no other, four best sellers of each other category, and the next best."""
    on_shelf = [p for p in shop.products if all(p.rank % every != place for every, place in _OFF_SHELF)]
    [lonely] = [product for product in on_shelf if product.name == LONELY]
    others = [product for product in on_shelf if product.category != lonely.category]
    by_category: dict[str, list[Product]] = defaultdict(list)
    for product in sorted(others, key=lambda product: product.rank):
        by_category[product.category].append(product)
    chosen = [lonely, *(p for ranked in by_category.values() for p in ranked[:_OF_EACH_CATEGORY])]
    rest = sorted({p.rank: p for p in others if p not in chosen}.items())
    chosen += [product for _, product in rest[: PRODUCTS - len(chosen)]]
    return tuple(sorted(chosen, key=lambda product: product.number))


def small_shop(orders: int, *, base_url: str | None = None) -> Shop:
    """Return the shop with those products and its newest sales of at least two of them."""
    shop = load_shop("woocommerce", base_url=base_url)
    kept = {
        product.number: replace(product, number=place) for place, product in enumerate(forty_products(shop))
    }
    sales = [
        replace(
            order,
            lines=tuple(
                replace(line, product=kept[line.product.number])
                for line in order.lines
                if line.product.number in kept
            ),
        )
        for order in shop.orders
        if not order.refunds and order.cancelled_at is None
    ]
    several = [order for order in sales if len(order.lines) > 1]
    return replace(shop, products=tuple(kept.values()), orders=tuple(several[-orders:]))


@dataclass
class SmallStore:
    """A connected shop: tells of its products and orders, and has the work done that follows."""

    app: Flask
    shop: Shop
    store_id: int
    publishable_key: str
    secret_key: str
    _voice: WooCommerceShop
    _path: str

    @classmethod
    def connect(cls, app: Flask, shop: Shop, companions: dict[int, Companions]) -> "SmallStore":
        """Add the store of ``shop``, whose merchant chose ``companions``."""
        store, keys = add_store(
            "woocommerce", shop.domain, currency=shop.currency, origins=[shop.base_url], webhook_secret=SECRET
        )
        db.session.commit()
        voice = WooCommerceShop(
            base_url=shop.base_url, currency=shop.currency, secret=SECRET, companions=companions
        )
        path = f"/webhooks/woocommerce/{store.webhook_token}"
        return cls(app, shop, store.id, keys.publishable, keys.secret, voice, path)

    def lists_its_products(self) -> None:
        """Tell of every product."""
        for opening in self.shop.openings:
            self._tell(self._voice.product_added(opening))

    def sells(self, orders: tuple[Order, ...]) -> None:
        """Tell of orders."""
        for order in orders:
            self._tell(list(self._voice.order_history(order, self.shop.now)))

    def _tell(self, messages: list[Message]) -> None:
        client = self.app.test_client()
        for message in messages:
            delivery = self._voice.sign(message)
            answer = client.post(self._path, data=delivery.body, headers=delivery.headers)
            assert answer.status_code == 200

    def works(self) -> None:
        """Do what is queued, and what the clock enqueues within a minute, until nothing is left."""
        self.app.extensions["pannier_intake"].hints.idle.wait(10)
        self._empty_queues()
        jobs.refresh_described_everywhere()
        jobs.publish_everywhere()
        jobs.refresh_grown()
        self._empty_queues()

    def _empty_queues(self) -> None:
        queues = [Queue(name, connection=queue_redis()) for name in ALL]
        while job := next((job for queue in queues for job in queue.jobs), None):
            job.delete()
            job.perform()

    def shows(self, slot: str, product: Product | None = None, cart: tuple[Product, ...] = ()) -> Any:
        """Return the answer of a slot over HTTP."""
        query: dict[str, Any] = {"slot": slot, "key": self.publishable_key}
        if product is not None:
            query["product_id"] = product_id(product)
        if cart:
            query["cart"] = ",".join(str(product_id(p)) for p in cart)
        response = self.app.test_client().get("/v1/recommendations", query_string=query)
        assert response.status_code == 200
        return response.get_json()

    def shop_page(self, product: Product) -> str:
        """Return the address of a product's page in the storefront."""
        return self._voice.permalink(product)

    def readiness(self, product: Product) -> Any:
        """Return the report of how the store and a product stand, over HTTP."""
        response = self.app.test_client().get(
            "/v1/reports/readiness",
            query_string={"product_id": product_id(product)},
            headers={"Authorization": f"Bearer {self.secret_key}"},
        )
        assert response.status_code == 200
        return response.get_json()
