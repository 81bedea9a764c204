"""The demo shops as one sees them in a browser: catalogue, product page with Pannier's widget, cart, order.

A storefront behaves towards its page's scripts as the platform does (cart endpoints of Shopify's Ajax API or
of WooCommerce's Store API); towards Pannier it is the platform that its courier stands for. It serves on loopback
only.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask, Response, abort, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from demo import shopify_cart, woocommerce_cart
from demo.carts import MOST_PIECES
from demo.catalogue import Listing, Product, slug
from demo.courier import Courier, WooCommerceCourier
from demo.loopback import LoopbackServer
from demo.money import decimal
from demo.orders import Line
from demo.peers.woocommerce import install_peer
from demo.pictures import picture
from demo.shelves import SoldOutError
from demo.shops import Shop
from demo.till import ACTIONS, Till, current_till

PER_PAGE = 24
_ADDRESSES = {
    "shopify": {
        "catalogue": "/collections/all",
        "category": "/collections/<slug>",
        "product": "/products/<handle>",
        "picture": "/cdn/shop/files/<handle>.svg",
        "cart": "/cart",
    },
    "woocommerce": {
        "catalogue": "/shop/",
        "category": "/product-category/<slug>/",
        "product": "/product/<handle>/",
        "picture": "/wp-content/uploads/<handle>.svg",
        "cart": "/cart/",
    },
}
_PEER_BLUEPRINTS = ("woocommerce_rest", "woocommerce_authorize")
_COOKIES = {"shopify": "cart", "woocommerce": "wp_woocommerce_session_demo"}
_ORDERINGS: dict[str, tuple[str, Callable[[Listing], Any]]] = {
    "popular": ("Best selling", lambda listing: listing.product.rank),
    "name": ("Name, A to Z", lambda listing: listing.product.name),
    "price": ("Price, low to high", lambda listing: listing.product.price),
    "price-desc": ("Price, high to low", lambda listing: -listing.product.price),
}


def create_storefront(
    shop: Shop,
    *,
    pannier_url: str,
    courier: Courier,
    publishable_key: str | None = None,
    state: Path | None = None,
) -> Flask:
    """Return the storefront of ``shop``.

    Args:
        shop: as ``load_shop`` made it; its ``base_url`` is where this storefront must be served.
        pannier_url: where the browser reaches Pannier.
        courier: stands behind it; a WooCommerce store answers at the storefront's address, too.
        publishable_key: the store's ``pk_…`` key, for the widget. Without one there is no widget until the
            till gets one.
        state: a file that keeps stock, hidden products and order numbers over a restart. Without one they
            start anew, and a second run would give new orders the ids of the first run's orders.
    """
    app = Flask(__name__, static_folder="static", static_url_path="/assets")
    till = Till(
        shop,
        pannier_url=pannier_url,
        publishable_key=publishable_key,
        courier=courier,
        state=state,
    )
    app.extensions["till"] = till
    app.jinja_env.filters["money"] = lambda pence: f"£{decimal(pence)}"
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.before_request(_refuse_strangers)
    app.before_request(_open_cart)
    app.after_request(_keep_cart)
    app.context_processor(_context)
    app.register_error_handler(404, _missing)
    addresses = _ADDRESSES[shop.platform]
    app.add_url_rule("/", "home", _home)
    app.add_url_rule(addresses["catalogue"], "catalogue", _catalogue)
    app.add_url_rule(addresses["category"], "category", _catalogue)
    app.add_url_rule(addresses["product"], "product", _product)
    app.add_url_rule(addresses["picture"], "picture", _picture)
    app.add_url_rule(addresses["cart"], "cart", _cart)
    app.add_url_rule("/cart/add", "add", _add, methods=["POST"])
    app.add_url_rule("/cart/change", "change", _change, methods=["POST"])
    app.add_url_rule("/checkout", "checkout", _checkout, methods=["POST"])
    app.add_url_rule("/orders/<int:number>", "order", _order)
    app.add_url_rule("/orders/<int:number>/webhooks.json", "order_webhooks", _order_webhooks)
    app.add_url_rule("/admin", "admin", _admin)
    app.add_url_rule("/admin/products/<int:number>", "admin_change", _admin_change, methods=["POST"])
    cart_api = shopify_cart if shop.platform == "shopify" else woocommerce_cart
    app.register_blueprint(cart_api.blueprint)
    if isinstance(courier, WooCommerceCourier):
        install_peer(app, courier.store)
    return app


class StorefrontServer(LoopbackServer):
    """A storefront being served."""

    def __init__(self, app: Flask, port: int) -> None:
        """Serve ``app`` on ``port`` from now on."""
        super().__init__(app, port, "demo-storefront")
        self._till = cast(Till, app.extensions["till"])
        self.start()

    def shutdown(self) -> None:
        """Stop serving and sending, and free the port."""
        super().shutdown()
        self._till.close()


def serve(app: Flask, port: int) -> StorefrontServer:
    """Serve ``app`` on 127.0.0.1 until ``shutdown()`` is called on what is returned. Port 0 takes a free one.

    Raises:
        OSError: if the port is taken.
    """
    return StorefrontServer(app, port)


# -- around every request --


def _is_shoppers() -> bool:
    """Whether the request is for the shop itself, and not for what the platform answers to applications."""
    return not (request.blueprint or "").startswith(_PEER_BLUEPRINTS)


def _refuse_strangers() -> None:
    """Refuse writes that another site's page makes with the visitor's cookies."""
    origin = request.headers.get("Origin")
    if (
        request.method not in ("GET", "HEAD", "OPTIONS")
        and origin
        and urlsplit(origin).netloc != request.host
    ):
        abort(403)


def _open_cart() -> None:
    if request.endpoint not in ("picture", "static") and _is_shoppers():
        g.cart = current_till().carts.open(request.cookies.get(_COOKIES[current_till().shop.platform]))


def _keep_cart(response: Response) -> Response:
    cart = g.get("cart")
    if cart is not None:
        name = _COOKIES[current_till().shop.platform]
        if request.cookies.get(name) != cart.token:
            response.set_cookie(name, cart.token, httponly=True, samesite="Lax")
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _context() -> dict[str, Any]:
    till = current_till()
    return {
        "till": till,
        "shop": till.shop,
        "platform": till.shop.platform,
        "cart": g.get("cart"),
        "basket": "cart" if till.shop.platform == "shopify" else "basket",
        "categories": till.categories,
        "slug": slug,
    }


# -- pages --


def _shown() -> list[Listing]:
    return [listing for listing in current_till().shelves.all() if listing.on_show]


def _missing(_: Exception) -> ResponseReturnValue:
    return render_template("missing.html"), 404


def _home() -> ResponseReturnValue:
    best = sorted(_shown(), key=lambda listing: listing.product.rank)
    faces: dict[str, Product] = {}
    for listing in best:
        faces.setdefault(listing.product.category, listing.product)
    return render_template("home.html", best=best[:8], faces=faces)


def _catalogue(slug: str | None = None) -> ResponseReturnValue:
    till = current_till()
    category = till.categories.get(slug or "")
    if slug is not None and category is None:
        abort(404)
    words = request.args.get("q", "").strip()[:100]
    ordering = request.args.get("sort", "popular")
    ordering = ordering if ordering in _ORDERINGS else "popular"
    found = [
        listing
        for listing in _shown()
        if (category is None or listing.product.category == category)
        and all(word in listing.product.name.lower() for word in words.lower().split())
    ]
    found.sort(key=_ORDERINGS[ordering][1])
    pages = max(1, -(-len(found) // PER_PAGE))
    page = min(max(1, request.args.get("page", 1, type=int)), pages)
    return render_template(
        "catalogue.html",
        category=category,
        currentslug=slug,
        words=words,
        ordering=ordering,
        orderings={name: label for name, (label, _) in _ORDERINGS.items()},
        listings=found[(page - 1) * PER_PAGE : page * PER_PAGE],
        total=len(found),
        page=page,
        pages=pages,
    )


def _product(handle: str) -> ResponseReturnValue:
    till = current_till()
    product = till.by_handle.get(handle)
    if product is None or till.shelves[product.number].status != "active":
        abort(404)
    product = till.shelves[product.number].product
    more = sorted(
        (x for x in _shown() if x.product.category == product.category and x.product != product),
        key=lambda listing: abs(listing.product.rank - product.rank),
    )
    return render_template(
        "product.html", listing=till.shelves[product.number], product=product, more=more[:4]
    )


def _picture(handle: str) -> ResponseReturnValue:
    product = current_till().by_handle.get(handle)
    if product is None:
        abort(404)
    headers = {"Cache-Control": "public, max-age=86400"}
    return Response(picture(product), mimetype="image/svg+xml", headers=headers)


def _cart() -> ResponseReturnValue:
    return render_template(
        "cart.html", problem=request.args.get("problem", "")[:200], coupons=current_till().coupons(g.cart)
    )


def _add() -> ResponseReturnValue:
    till = current_till()
    listing = till.find(request.form.get("id") or request.form.get("add-to-cart"))
    if listing is None:
        abort(404)
    quantity = min(max(1, request.form.get("quantity", 1, type=int)), MOST_PIECES)
    with till.carts.lock:
        if not listing.buyable or g.cart.pieces_of(listing.product.number) + quantity > listing.stock:
            return redirect(url_for("cart", problem=f"There is not enough of {listing.product.name} left."))
        line = Line(listing.product, quantity)
        g.cart.add(line, till.line_key(line))
    till.cart_changed(g.cart)
    return redirect(url_for("cart"))


def _change() -> ResponseReturnValue:
    till = current_till()
    key = request.form.get("key", "")
    quantity = min(request.form.get("quantity", 0, type=int), MOST_PIECES)
    with till.carts.lock:
        line = g.cart.lines.get(key)
        if line is not None:
            g.cart.set_quantity(key, min(quantity, till.shelves[line.product.number].stock))
    if line is not None:
        till.cart_changed(g.cart)
    return redirect(url_for("cart"))


def _checkout() -> ResponseReturnValue:
    till = current_till()
    with till.carts.lock:
        if not g.cart.lines:
            return redirect(url_for("cart"))
        try:
            placed = till.place_order(g.cart)
        except SoldOutError as gone:
            return redirect(
                url_for("cart", problem=f"There is not enough of {gone.listing.product.name} left.")
            )
        g.cart = till.carts.open(None)
    return redirect(url_for("order", number=placed.order.number))


def _order(number: int) -> ResponseReturnValue:
    placed = current_till().orders.get(number)
    if placed is None:
        abort(404)
    return render_template("order.html", placed=placed, order=placed.order)


def _order_webhooks(number: int) -> ResponseReturnValue:
    placed = current_till().orders.get(number)
    if placed is None:
        abort(404)
    return {"webhooks": [{"topic": errand.topic, "state": errand.state} for errand in placed.errands]}


def _admin() -> ResponseReturnValue:
    till = current_till()
    words = request.args.get("q", "").strip()[:100]
    found = [
        listing
        for listing in till.shelves.all()
        if all(word in listing.product.name.lower() for word in words.lower().split())
    ]
    # Without a search, what is off the shelves comes first.
    found.sort(key=lambda listing: (not words and listing.on_show and listing.buyable, listing.product.rank))
    return render_template("admin.html", listings=found[:60], total=len(found), words=words)


def _admin_change(number: int) -> ResponseReturnValue:
    till = current_till()
    action = request.form.get("action", "")
    if number >= len(till.shop.products) or action not in ACTIONS:
        abort(404)
    listing = till.change_listing(number, action)
    back = request.form.get("back", "")
    if back == "product" and listing.status == "active":
        return redirect(url_for("product", handle=listing.product.handle))
    return redirect(url_for("admin", q=request.form.get("q", "")))
