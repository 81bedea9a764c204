"""The express lane of the webhooks, before Flask.

Platforms deliver in bursts, and Flask's way to a view and back costs several times what a delivery itself
does. So the WSGI server's call goes to the intake first. What it accepted is answered here; all else goes on
to the routes, which word the answer, together with the verdict so that nothing is checked or counted twice.
"""

import io
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from flask import Response

from app.core.api import security_headers
from webhooks.intake import Intake, Outcome, platform_headers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SHOPIFY: Final = "/webhooks/shopify"
_WOOCOMMERCE: Final = "/webhooks/woocommerce/"
_VERDICT: Final = "pannier.verdict"
_HEADERS: Final = security_headers(Response(status=200)).headers.to_wsgi_list()


class ExpressLane:
    """WSGI middleware around ``app``: deliveries of at most ``max_bytes`` go to ``intake`` directly."""

    def __init__(self, app: "WSGIApplication", intake: Intake, max_bytes: int) -> None:
        self._app = app
        self._intake = intake
        self._max_bytes = max_bytes

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer an accepted delivery; leave every other request to ``app``."""
        take = self._taker(environ)
        length = environ.get("CONTENT_LENGTH") or ""
        # What does not state its length, or too much of it, is for the routes to read and refuse.
        if take is None or not (length.isascii() and length.isdigit() and int(length) <= self._max_bytes):
            return self._app(environ, start_response)
        raw = environ["wsgi.input"].read(int(length))
        try:
            outcome = take(platform_headers(environ), raw)
        except Exception as error:
            environ[_VERDICT] = error
        else:
            if outcome is Outcome.ACCEPTED:
                start_response("200 OK", _HEADERS)
                return [b""]
            environ[_VERDICT] = outcome
        environ["wsgi.input"] = io.BytesIO(raw)
        return self._app(environ, start_response)

    def _taker(self, environ: "WSGIEnvironment") -> Callable[[Mapping[str, str], bytes], Outcome] | None:
        """Return what takes the request's delivery, None if it is none."""
        path: str = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] != "POST" or not path.startswith("/webhooks/"):
            return None
        if path == _SHOPIFY:
            return self._intake.shopify
        if path.startswith(_WOOCOMMERCE):
            token = path[len(_WOOCOMMERCE) :]
            return lambda sent, raw: self._intake.woocommerce(token, sent, raw)
        return None


def verdict(environ: Mapping[str, Any]) -> Outcome | Exception | None:
    """Return what the express lane found of this request, None if it was not there."""
    found: Outcome | Exception | None = environ.get(_VERDICT)
    return found
