"""A storefront on the loopback for the widget's tests: the shop's pages and cart, and the service's API.

Shop and service are two servers on two ports, hence two origins, as in production. Both record every
request they get.
"""

import html
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

NONCE = "b1f4a0c9d2"
KEY = "pk_test_4f1d"


@dataclass(frozen=True)
class Call:
    """One request as it arrived; ``headers`` have lower-case names, ``body`` is decoded JSON or None."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Reply:
    """One answer; ``body`` is sent as it is when it is text or bytes, else as JSON.

    ``gate`` holds the answer back until the event is set.
    """

    body: Any = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    gate: threading.Event | None = None


Answer = Reply | Callable[[Call], Reply]


class Site:
    """A recording HTTP server; ``routes`` maps ``"GET /path"`` to what is answered."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.routes: dict[str, Answer] = {}
        self.calls: list[Call] = []

    def calls_to(self, route: str) -> list[Call]:
        """Return the recorded calls of ``"METHOD /path"``, in order of arrival."""
        return [call for call in self.calls if f"{call.method} {call.path}" == route]

    def answer(self, call: Call) -> Reply:
        """Record ``call`` and return what the routes say, or 404."""
        self.calls.append(call)
        answer = self.routes.get(f"{call.method} {call.path}", Reply(status=404))
        return answer(call) if callable(answer) else answer


@contextmanager
def serve() -> Iterator[Site]:
    """Serve an empty :class:`Site` on a free loopback port until the block is left."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    site = Site(f"http://127.0.0.1:{server.server_address[1]}")
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            address = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(raw) if raw else None
            reply = site.answer(
                Call(self.command, address.path, dict(parse_qsl(address.query)), headers, body)
            )
            if reply.gate is not None:
                while not (reply.gate.wait(0.05) or closing.is_set()):
                    pass
            self._send(reply)

        do_GET = do_POST = do_PUT = do_OPTIONS = _respond  # noqa: N815 - http.server's names

        def _send(self, reply: Reply) -> None:
            body = reply.body if isinstance(reply.body, str | bytes) else json.dumps(reply.body)
            payload = body.encode() if isinstance(body, str) else body
            try:
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(len(payload)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(payload)
            except (BrokenPipeError, ConnectionResetError):
                pass  # The browser gave up waiting, which some tests are about.

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            """Keep the test's output clean."""

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def recommendation(product_id: str, title: str, amount: int | None, **fields: Any) -> dict[str, Any]:
    """Return one recommendation in the shape of the service's contract; ``amount`` in minor units."""
    return {
        "product_id": product_id,
        "variant_id": f"9{product_id}",
        "title": title,
        "url": f"/products/{product_id}",
        "image_url": f"/pictures/{product_id}.svg",
        "price": None if amount is None else {"amount": amount, "currency": "GBP"},
        "available": True,
        "reason": "bought_together",
        "relation": "cross_sell",
        "evidence": {"orders": 34, "lift": 6.2},
        "offer": None,
    } | fields


MUG = recommendation("202", "Stoneware mug, oatmeal", 1250)
TRAY = recommendation("203", "Oak serving tray with handles, oiled by hand", 2495)


def answer(
    *recommendations: dict[str, Any], strategy: str | None = "frequently_bought_together"
) -> dict[str, Any]:
    """Return the service's answer with these recommendations, as one strategy gives them."""
    return {
        "decision_id": "dec_01J9",
        "slot": "product",
        "strategy": strategy,
        "model_version": "7",
        "recommendations": list(recommendations),
        "experiment": None,
    }


# The colours of the generated product pictures, by product.
_COLOURS = {"201": ("#c7d2c4", "#4b5f4a"), "202": ("#e9dccb", "#8a6d4b"), "203": ("#e3c9a8", "#7a5530")}
_SHAPES = {
    "201": '<path d="M70 120h80c0 50-10 70-40 70s-40-20-40-70z"/><path d="M150 130q34-6 40-40" stroke-width="12"'
    ' fill="none"/><rect x="82" y="102" width="56" height="12" rx="6"/><circle cx="110" cy="94" r="9"/>',
    "202": '<path d="M75 90h80v70q0 25-25 25h-30q-25 0-25-25z"/><path d="M155 105h14q20 0 20 22t-20 22h-14"'
    ' stroke-width="11" fill="none"/>',
    "203": '<rect x="40" y="105" width="160" height="60" rx="18"/><rect x="54" y="119" width="132" height="32" rx="9"'
    ' fill="#fff" opacity=".35"/>',
}


def picture(product_id: str) -> str:
    """Return a drawn product picture as an SVG document."""
    paper, ink = _COLOURS.get(product_id, ("#dfe3ea", "#5b6475"))
    shape = _SHAPES.get(product_id, '<circle cx="120" cy="120" r="60"/>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="240" height="240" viewBox="0 0 240 240">'
        f'<rect width="240" height="240" fill="{paper}"/>'
        f'<g fill="{ink}" stroke="{ink}" stroke-width="0">{shape}</g></svg>'
    )


def attributes(values: Mapping[str, str | None]) -> str:
    """Write ``values`` as HTML attributes; None leaves an attribute out."""
    return "".join(f' {name}="{html.escape(value)}"' for name, value in values.items() if value is not None)


_PAGE = """<!doctype html>
<html{html_attributes}><head><meta charset="utf-8"><title>Teapot, sage green – Hearth &amp; Board</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/theme.css"><link rel="icon" href="/pictures/201.svg">
{head}
<script async src="{script}"{tag}></script></head>
<body>
<header class="bar"><a class="logo" href="/">Hearth &amp; Board</a><a href="/cart">Cart</a></header>
<main>
<div class="spacer"></div>
<article class="product">
<img src="/pictures/201.svg" alt="Sage green teapot" width="480" height="480">
<div><h1>Teapot, sage green</h1><p class="price">£34.00</p>
<p>A litre of tea for three, thrown in one piece, glazed inside and out.</p>
<button type="button" class="buy">Add to cart</button></div>
</article>
{element}
<section class="after"><h2>Details</h2><p>Height 15 cm. Dishwasher safe. Made in small series.</p></section>
</main>
<footer class="end">Hearth &amp; Board, est. 2011</footer>
</body></html>"""

THEME = """
body{margin:0;font:16px/1.5 "Liberation Sans",Arial,sans-serif;color:#232323;background:#fff}
.bar{display:flex;justify-content:space-between;padding:18px 24px;border-bottom:1px solid #e6e6e6}
.bar a{color:inherit;text-decoration:none}.logo{font-weight:700;letter-spacing:.02em}
main{max-width:1120px;margin:0 auto;padding:24px 16px}
.product{display:grid;grid-template-columns:repeat(auto-fit,minmax(280px,1fr));gap:32px;margin-bottom:32px}
.product img{width:100%;height:auto;max-width:480px;border-radius:8px;aspect-ratio:1}
h1{font-size:1.75rem;margin:.2em 0}.price{font-size:1.25rem}
.buy{padding:14px 28px;border:1px solid #232323;border-radius:6px;background:#fff;font:inherit}
.end{padding:32px 24px;border-top:1px solid #e6e6e6;color:#555}
.reserved pannier-bundle{display:block;min-height:640px}
"""


class Storefront:
    """The two sites together, with the routes every test needs."""

    def __init__(self, shop: Site, api: Site, script: str, offers_script: str = "") -> None:
        self.shop = shop
        self.api = api
        everybody = {"Access-Control-Allow-Origin": "*"}
        api.routes["GET /v1/widget.js"] = Reply(script, headers=everybody, content_type="text/javascript")
        api.routes["GET /v1/widget-offers.js"] = Reply(
            offers_script, headers=everybody, content_type="text/javascript"
        )
        self.recommend(MUG, TRAY)
        for product_id in ("201", "202", "203", "204"):
            shop.routes[f"GET /pictures/{product_id}.svg"] = Reply(
                picture(product_id), content_type="image/svg+xml"
            )
        shop.routes["GET /theme.css"] = Reply(THEME, content_type="text/css")
        shop.routes["POST /cart/add.js"] = Reply({"items": []})
        shop.routes["GET /wp-json/wc/store/v1/cart"] = Reply({"items": []}, headers={"Nonce": NONCE})
        shop.routes["POST /wp-json/wc/store/v1/batch"] = _woocommerce_batch

    def recommend(self, *recommendations: dict[str, Any], gate: threading.Event | None = None) -> None:
        """Let the service answer with these recommendations, held back by ``gate`` if given."""
        self.reply(Reply(answer(*recommendations), gate=gate))

    def reply(self, reply: Reply) -> None:
        """Let the service answer exactly ``reply``, with the CORS header of a public endpoint."""
        reply.headers = {"Access-Control-Allow-Origin": "*", **reply.headers}
        self.api.routes["GET /v1/recommendations"] = reply

    def take_events(self) -> None:
        """Let the service take choices and events as ours does, and named visitors ask for recommendations."""
        origin = {"Access-Control-Allow-Origin": self.shop.origin}
        leave = origin | {
            "Access-Control-Allow-Methods": "GET, POST, PUT",
            "Access-Control-Allow-Headers": "Content-Type, X-Pannier-Visitor",
        }
        for path in ("consent", "recommendations"):
            self.api.routes[f"OPTIONS /v1/{path}"] = Reply(status=204, headers=leave)
        self.api.routes["PUT /v1/consent"] = Reply({}, headers=origin)
        self.api.routes["POST /v1/batch"] = Reply({"success": True}, headers=origin)

    def page(
        self,
        *,
        tag: Mapping[str, str | None] | None = None,
        element: Mapping[str, str | None] | None = None,
        head: str = "",
        body: str | None = None,
        html_attributes: Mapping[str, str | None] | None = None,
        spacer: int = 0,
        headers: Mapping[str, str] | None = None,
        path: str = "/products/201",
    ) -> str:
        """Publish a product page at ``path`` and return its address.

        ``tag`` and ``element`` add to (None: take from) the attributes of the script tag and of the
        element; ``body`` replaces the element; ``spacer`` is a height in pixels above the product. The page
        reserves room for the box, as a careful theme does, unless ``html_attributes`` takes the class away.
        """
        script = f"{self.api.origin}/v1/widget.js"
        box = {
            "product-id": "201",
            "variant-id": "9201",
            "product-title": "Teapot, sage green",
            "product-image": "/pictures/201.svg",
            "product-price": "3400",
            "currency": "GBP",
        } | dict(element or {})
        settings = {"data-key": KEY, "data-platform": "shopify", "data-timeout": "60000"} | dict(tag or {})
        self.shop.routes[f"GET {path}"] = Reply(
            _PAGE.format(
                script=script,
                tag=attributes(settings),
                head=head.replace("{script}", script)
                + (f"<style>.spacer{{height:{spacer}px}}</style>" if spacer else ""),
                element=f"<pannier-bundle{attributes(box)}></pannier-bundle>" if body is None else body,
                html_attributes=attributes(
                    {"lang": "en-GB", "class": "reserved"} | dict(html_attributes or {})
                ),
            ),
            content_type="text/html; charset=utf-8",
            headers=headers or {},
        )
        return f"{self.shop.origin}{path}"


def _woocommerce_batch(call: Call) -> Reply:
    """Answer as the Store API does: 207, one status per request, 401 without the right nonce."""
    return Reply({"responses": [_woocommerce_add(request) for request in call.body["requests"]]}, status=207)


def _woocommerce_add(request: Mapping[str, Any]) -> dict[str, Any]:
    if request["headers"].get("Nonce") != NONCE:
        return {"status": 401, "headers": {}, "body": {"code": "woocommerce_rest_missing_nonce"}}
    return {"status": 201, "headers": {}, "body": {"items_count": 1}}
