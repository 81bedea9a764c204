"""A store of the WooCommerce stand-in, and a key's way to it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import requests
from woocommerce import API

from demo.peers.woocommerce import Key, WooState

RECORDED = Path(__file__).parents[3] / "payloads" / "woocommerce"
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
SECRET = "whsecForTheTests"
BEANS, FILTERS, SHIRT, SHIRT_M = 12, 13, 21, 22
ORDER = 24
VARIATION_FIELDS = frozenset(
    [
        *("id", "type", "date_created", "date_created_gmt", "date_modified", "date_modified_gmt"),
        *("description", "permalink", "sku", "global_unique_id", "price", "regular_price", "sale_price"),
        *("date_on_sale_from", "date_on_sale_from_gmt", "date_on_sale_to", "date_on_sale_to_gmt"),
        *("on_sale", "status", "purchasable", "virtual", "downloadable", "downloads", "download_limit"),
        *("download_expiry", "tax_status", "tax_class", "manage_stock", "stock_quantity", "stock_status"),
        *("backorders", "backorders_allowed", "backordered", "low_stock_amount", "weight", "dimensions"),
        *("shipping_class", "shipping_class_id", "image", "attributes", "menu_order", "meta_data"),
        *("name", "parent_id"),
    ]
)


def recorded(number: str) -> dict[str, Any]:
    raw = next(RECORDED.glob(f"{number}-*.raw")).read_bytes()
    body: dict[str, Any] = orjson.loads(raw.partition(b"\r\n\r\n")[2])
    return body


def variation() -> dict[str, Any]:
    body = {name: value for name, value in recorded("0020").items() if name in VARIATION_FIELDS}
    return {**body, "name": "M", "image": None}


def client(url: str, key: Key, **changes: Any) -> API:
    # The client's clock is the machine's, the store's is NOW.
    secrets = {"consumer_key": key.consumer_key, "consumer_secret": key.consumer_secret, **changes}
    return API(url, **secrets)


def many_orders(state: WooState, count: int) -> None:
    for place in range(count):
        moment = (NOW - timedelta(hours=count - place)).replace(tzinfo=None).isoformat()
        dates = {"date_created_gmt": moment, "date_modified_gmt": moment}
        state.add_order({**recorded("0016"), "id": 1000 + place, "line_items": [], **dates})


def ids(answer: requests.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()]


def problem(answer: requests.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert body["data"]["status"] == answer.status_code
    return answer.status_code, body["code"], body["message"]


def subscribe(state: WooState, url: str, *topics: str) -> None:
    for topic in topics:
        webhook = state.hooks.create(topic=topic, delivery_url=url, secret=SECRET, name=topic)
        state.hooks.pinged(webhook, 200)
