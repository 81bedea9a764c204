"""Pannier served on loopback beside the stand-ins of both platforms: what the connection tests stand on.

``truth`` and ``stored`` return the same plain data, one of what a platform holds and one of what Pannier's tables
say of it. Neither uses the connectors.
"""

import html
import logging
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urljoin

import pytest
import requests
from flask import Flask, Response, request
from sqlalchemy import text
from werkzeug.serving import WSGIRequestHandler, make_server

from app.commerce.catalog import LISTED_SQL
from app.commerce.changes import OrderStatus
from app.commerce.store import Store
from app.connections import walks
from app.core.config import Settings
from app.core.db import db
from app.recommendations import learning
from connectors.shopify.client import ShopifyClient
from connectors.woocommerce.client import WooCommerceClient
from demo.peers.shopify import state as shopify
from demo.peers.shopify.app import Served, serve
from demo.peers.woocommerce import WooState
from tests.end_to_end.test_crashes import counts
from webhooks.jobs import drain

Plain = dict[str, dict[str, Any]]

# The app at Shopify.
CLIENT, SECRET = "client-id", "shpss_0123456789abcdef0123456789abcdef"

_WOO_STATUS: Final = {
    "pending": "PENDING",
    "on-hold": "PLACED",
    "processing": "PLACED",
    "completed": "COMPLETED",
    "cancelled": "CANCELLED",
    "refunded": "REFUNDED",
    "failed": "FAILED",
}
_SHOPIFY_ENDS: Final = {"refunded": "REFUNDED", "voided": "CANCELLED", "expired": "FAILED"}
APPROVE: Final = re.compile(r'href="([^"]+)" class="button button-primary wc-auth-approve"')
DENY: Final = re.compile(r'href="([^"]+)" class="button wc-auth-deny"')


class _QuietHandler(WSGIRequestHandler):
    def log(self, _level: str, message: str, *args: Any) -> None:
        logging.getLogger("tests.end_to_end").debug(message, *args)


@contextmanager
def served(app: Flask, **settings: Any) -> Iterator[str]:
    """Serve the application on loopback under some other settings, and yield its public address."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_QuietHandler)
    url = f"http://127.0.0.1:{server.port}"
    before: Settings = app.extensions["pannier_settings"]
    app.extensions["pannier_settings"] = replace(
        before, public_url=url, allow_loopback_stores=True, **settings
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
        app.extensions["pannier_settings"] = before


def without_waiting(monkeypatch: pytest.MonkeyPatch, sleep: Callable[[float], object] | None = None) -> None:
    """Have every pause between two questions to a platform last nothing; ``sleep`` is called in its place."""
    for patient in (walks.go_on, ShopifyClient.__init__, WooCommerceClient.__init__):
        monkeypatch.setitem(patient.__kwdefaults__, "sleep", sleep or (lambda _: None))


def problems(store_id: int) -> list[tuple[str, str, str | None]]:
    """Return kind, resource and problem of every walk of a store that has not come to its end."""
    db.session.rollback()
    query = "SELECT kind, resource, problem FROM walk WHERE store_id = :store AND state <> 'done'"
    return [tuple(row) for row in db.session.execute(text(query), {"store": store_id})]


class Asked:
    """What a peer is asked: who counts requests, and by which secret for which shop."""

    def __init__(self, peer: Flask, secret: Callable[[], str], shop: Callable[[], str]) -> None:
        self._lock = threading.Lock()
        self.count = 0
        self.secrets: defaultdict[str, set[str]] = defaultdict(set)

        def note() -> Response | None:
            with self._lock:
                self.count += 1
                if found := secret():
                    self.secrets[shop()].add(found)
            return None

        peer.before_request(note)


def asked_shopify(peer: Flask) -> Asked:
    """Note the access tokens that a Shopify peer is shown, by shop."""
    return Asked(
        peer,
        lambda: request.headers.get("X-Shopify-Access-Token", ""),
        lambda: request.path.split("/")[1],
    )


# --- WooCommerce ----------------------------------------------------------------------------------------


def authorization_page(pannier: str, state: WooState, session: requests.Session) -> str:
    """Return the shop's page that asks the merchant, as it is reached from Pannier."""
    page = session.get(f"{pannier}/install/woocommerce", params={"store_url": state.site.url}, timeout=10)
    assert page.status_code == 200
    assert page.url.startswith(f"{state.site.url}/wc-auth/v1/authorize")
    return page.text


def press(page: str, button: re.Pattern[str], session: requests.Session) -> requests.Response:
    """Follow one of the links of the shop's page."""
    found = button.search(page)
    assert found
    return session.get(html.unescape(found[1]), timeout=30)


def install_woocommerce(pannier: str, state: WooState) -> Store:
    """Connect a shop as its merchant does, and return the store."""
    with requests.Session() as session:
        page = press(authorization_page(pannier, state, session), APPROVE, session)
    assert page.status_code == 200, page.text
    return store_of("woocommerce", state.site.url)


def deny_woocommerce(pannier: str, state: WooState) -> requests.Response:
    """Refuse the connection on the shop's page; return the page that the merchant ends on."""
    with requests.Session() as session:
        return press(authorization_page(pannier, state, session), DENY, session)


# --- Shopify --------------------------------------------------------------------------------------------


@contextmanager
def beside_shopify(
    state: shopify.ShopifyState, make_app: Callable[..., Flask]
) -> Iterator[tuple[Flask, str, Served]]:
    """Serve the stand-in and an application that know each other; yield the latter, its address and the former."""
    with serve(state, CLIENT, SECRET) as peer:
        app = make_app(shopify_api_key=CLIENT, shopify_api_secret=SECRET)
        with app.app_context(), served(app, shopify_address=peer.template) as pannier:
            facts = peer.flask.extensions["shopify_peer"]
            facts.app = replace(
                facts.app,
                url=f"{pannier}/install/shopify",
                redirect_urls=(f"{pannier}/install/shopify/callback",),
            )
            yield app, pannier, peer


def install_shopify(pannier: str, peer: str, shop: shopify.Shop) -> Store:
    """Install the embedded app as its merchant does, by token exchange, and return the store."""
    with requests.Session() as session:
        admin = f"{peer}/{shop.domain}/admin/apps/pannier"
        session.post(f"{admin}/install", timeout=10, allow_redirects=False)
        home = session.get(admin, timeout=30)
    assert home.url.startswith(f"{pannier}/install/shopify?")
    assert home.status_code == 200, home.text
    return store_of("shopify", shop.domain)


def install_shopify_by_code(pannier: str, start: str) -> requests.Response:
    """Begin at ``start`` and press Install on Shopify's page; return what the merchant ends on."""
    with requests.Session() as session:
        page = session.get(start, timeout=10)
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
        return session.post(
            urljoin(page.url, ""),
            data={name: html.unescape(value) for name, value in fields.items()},
            timeout=30,
        )


def store_of(platform: str, domain: str) -> Store:
    """Return a store as another process sees it now."""
    db.session.rollback()
    return db.session.query(Store).filter_by(platform=platform, domain=domain).populate_existing().one()


# --- what is true, and what is stored -------------------------------------------------------------------


def settle(store_id: int) -> None:
    """Drain the inbox of a store and publish what follows."""
    drain(store_id)
    learning.publish_stale(store_id)


def truth(peer: WooState | shopify.Shop) -> Plain:
    """Return what a platform holds: products and orders by id. Lines name only products that are still there."""
    return _woocommerce_truth(peer) if isinstance(peer, WooState) else _shopify_truth(peer)


def _minor(amount: str) -> int:
    return int(Decimal(amount or "0") * 100)


def _woocommerce_truth(state: WooState) -> Plain:
    products = {str(body["id"]): _woocommerce_product(body) for body in state.truth("product")}
    for variation in state.truth("variation"):
        parent = products.get(str(variation["parent_id"]))
        if parent is not None:
            parent["variants"][str(variation["id"])] = (
                _minor(variation["price"]),
                variation["stock_quantity"] if variation["manage_stock"] is True else None,
            )
    returned: defaultdict[tuple[int, int], int] = defaultdict(int)
    for refund in state.truth("refund"):
        for line in refund["line_items"]:
            returned[refund["parent_id"], int(line["meta_data"][0]["value"])] -= line["quantity"]
    orders = {
        str(body["id"]): {
            "status": _WOO_STATUS[body["status"]],
            "total": _minor(body["total"]),
            "lines": {
                str(line["id"]): (
                    _live(line["product_id"], products),
                    line["quantity"],
                    line["quantity"] - returned[body["id"], line["id"]],
                )
                for line in body["line_items"]
            },
        }
        for body in state.truth("order")
        if body["status"] != "checkout-draft"
    }
    return {"products": products, "orders": orders}


def _woocommerce_product(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": html.unescape(body["name"]),
        "active": body["status"] == "publish",
        "visible": body["catalog_visibility"] != "hidden",
        "price": _minor(body["price"]),
        "available": body["purchasable"] and body["stock_status"] == "instock",
        "variants": {},
    }


def _shopify_truth(shop: shopify.Shop) -> Plain:
    products = {str(body["id"]): _shopify_product(body) for body in shop.products()}
    orders = {
        str(body["id"]): {
            "status": _shopify_status(body),
            "total": _minor(body["total_price_set"]["shop_money"]["amount"]),
            "lines": {
                str(line["id"]): (
                    _live(line["product_id"], products),
                    line["quantity"],
                    line["current_quantity"],
                )
                for line in body["line_items"]
            },
        }
        for body in shop.orders()
    }
    return {"products": products, "orders": orders}


def _shopify_product(body: Mapping[str, Any]) -> dict[str, Any]:
    variants = {str(v["id"]): (_minor(v["price"]), v["inventory_quantity"]) for v in body["variants"]}
    return {
        "title": body["title"],
        "active": body["status"] == "active",
        "visible": body["published_at"] is not None,
        "price": min(price for price, _ in variants.values()),
        "available": any(stock > 0 for _, stock in variants.values()),
        "variants": variants,
    }


def _shopify_status(body: Mapping[str, Any]) -> str:
    if body["cancelled_at"]:
        return "CANCELLED"
    ended = _SHOPIFY_ENDS.get(body["financial_status"])
    return ended or ("COMPLETED" if body["fulfillment_status"] == "fulfilled" else "PLACED")


def _live(product_id: int | None, products: Mapping[str, Any]) -> str | None:
    return str(product_id) if str(product_id) in products else None


_PRODUCTS: Final = f"""
SELECT p.platform_id, p.title, p.status = 'active' AS active, p.visible, p.price, p.available,
    COALESCE((SELECT jsonb_object_agg(v.platform_id, jsonb_build_array(v.price, v.stock))
        FROM variant v WHERE v.product_id = p.id AND {LISTED_SQL}), '{{}}') AS variants
FROM product p
WHERE p.store_id = :store AND p.status <> 'unknown'
    AND (p.deleted_at IS NULL OR p.deleted_at < p.source_updated_at)
"""
_ORDERS: Final = """
SELECT o.platform_id, o.status, o.total, jsonb_object_agg(l.platform_id, jsonb_build_array(
    p.platform_id, l.quantity, l.current_quantity)) AS lines
FROM orders o JOIN order_line l ON l.order_id = o.id LEFT JOIN product p ON p.id = l.product_id
WHERE o.store_id = :store AND o.deleted_at IS NULL GROUP BY o.id
"""


def stored(store_id: int) -> Plain:
    """Return what the tables say of a store, in the form of ``truth``."""
    db.session.rollback()
    key = {"store": store_id}
    products = {
        row.platform_id: {
            "title": row.title,
            "active": row.active,
            "visible": row.visible,
            "price": row.price or 0,
            "available": row.available,
            "variants": {id_: tuple(state) for id_, state in row.variants.items()},
        }
        for row in db.session.execute(text(_PRODUCTS), key)
    }
    orders = {
        row.platform_id: {
            "status": OrderStatus(row.status).name,
            "total": row.total,
            "lines": {
                id_: (product if product in products else None, quantity, left)
                for id_, (product, quantity, left) in row.lines.items()
            },
        }
        for row in db.session.execute(text(_ORDERS), key)
    }
    db.session.rollback()
    return {"products": products, "orders": orders}


def assert_same(store_id: int, peer: WooState | shopify.Shop) -> None:
    """Assert that the tables equal the peer's truth, and the counts a rebuild."""
    found, expected = stored(store_id), truth(peer)
    differing = {
        (kind, id_): (found[kind].get(id_), expected[kind].get(id_))
        for kind in expected
        for id_ in found[kind].keys() | expected[kind].keys()
        if found[kind].get(id_) != expected[kind].get(id_)
    }
    assert not differing, differing
    learned = counts(store_id)
    learning.rebuild(store_id)
    assert counts(store_id) == learned
