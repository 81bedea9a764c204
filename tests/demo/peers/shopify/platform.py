"""The Shopify stand-in with a stocked shop, and one app's way to it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from demo.catalogue import Product, opening_listing
from demo.orders import Line, Order
from demo.peers.shopify.state import Shop, ShopifyState
from demo.shopify_shop import ShopifyShop

DOMAIN = "hearth.myshopify.com"
OTHER = "bunting.myshopify.com"
CLIENT, SECRET = "client-id", "shpss_0123456789abcdef0123456789abcdef"
CALLBACK = "https://pannier.example/install/shopify/callback"
PAGE = "https://pannier.example/install/shopify"
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MUG = Product(0, "20001", "Red Mug", 125, 0)
BAG = Product(1, "20002", "Blue Bag", 300, 1)
TIN = Product(2, "20003", "Tea Tin", 1050, 2)
VOICE = ShopifyShop(
    domain=DOMAIN, base_url="http://127.0.0.1:8001", currency="GBP", vendor="Hearth", secret=SECRET
)
OFFICIAL_PRODUCTS = """{ products{edges{node{ id legacyResourceId title handle status vendor productType tags
  updatedAt publishedAt onlineStoreUrl hasVariantsThatRequiresComponents isGiftCard category{id fullName}
  collections{edges{node{id}}}
  variants{edges{node{ id legacyResourceId sku price compareAtPrice inventoryQuantity inventoryPolicy
    availableForSale inventoryItem{id tracked unitCost{amount currencyCode}} updatedAt }}} }}}}"""
RUN = """mutation($query: String!) { bulkOperationRunQuery(query: $query, groupObjects: false) {
  bulkOperation { id status } userErrors { field code message } } }"""
POLL = """query($id: ID!) { bulkOperation(id: $id) {
  status errorCode url partialDataUrl objectCount rootObjectCount } }"""


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def go_on(self, **span: float) -> None:
        self.at += timedelta(**span)


def product_body(product: Product) -> dict[str, Any]:
    [message] = VOICE.product_added(opening_listing(product, START - timedelta(days=300 - product.number)))
    return message.build()


def order_body(number: int = 1001, age_days: float = 5, **values: Any) -> dict[str, Any]:
    placed = START - timedelta(days=age_days)
    order = Order(
        **{
            "number": number,
            "placed_at": placed,
            "customer": 7,
            "lines": (Line(MUG, 4), Line(BAG, 2)),
            **values,
        }
    )
    return list(VOICE.order_history(order, START))[-1].build()


@dataclass
class Platform:
    """The stand-in, and one app's way to its first shop."""

    state: ShopifyState
    shop: Shop
    client: FlaskClient
    token: str

    def post(
        self, query: str, /, shop: str = DOMAIN, token: str | None = None, **variables: Any
    ) -> TestResponse:
        return self.client.post(
            f"/{shop}/admin/api/2026-10/graphql.json",
            json={"query": query, "variables": variables},
            headers={"X-Shopify-Access-Token": token or self.token},
        )

    def ask(self, query: str, /, **variables: Any) -> Any:
        """Return the data of an answer without errors."""
        said = self.post(query, **variables).get_json()
        assert "errors" not in said, said["errors"]
        return said["data"]

    def grant(self, **request: Any) -> TestResponse:
        return self.client.post(
            f"/{DOMAIN}/admin/oauth/access_token",
            json={"client_id": CLIENT, "client_secret": SECRET, **request},
        )

    def export(self, query: str, polls: int = 2) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the last look at a bulk operation, and the lines of its file."""
        begun = self.ask(RUN, query=query)["bulkOperationRunQuery"]
        assert begun["userErrors"] == []
        for _ in range(polls):
            found = self.ask(POLL, id=begun["bulkOperation"]["id"])["bulkOperation"]
        url = found["url"] or found["partialDataUrl"]
        raw = self.client.get(urlsplit(url).path).data if url else b""
        return found, [orjson.loads(line) for line in raw.splitlines()]
