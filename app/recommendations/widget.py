"""The widget's scripts, as cacheable files: the one that every page loads, and the one that shows offers."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, request

from app.core.errors import NotFound

blueprint = Blueprint("widget", __name__)

_BUILT: Final = Path(__file__).resolve().parents[2] / "widgets" / "dist"
SCRIPT = _BUILT / "pannier.js"
OFFERS = _BUILT / "pannier-offers.js"


@lru_cache(maxsize=2)
def _script(file: Path) -> tuple[bytes, str]:
    body = file.read_bytes()
    return body, hashlib.blake2b(body, digest_size=12).hexdigest()


@blueprint.get("/v1/widget.js")
def widget() -> Response:
    """Return the widget's script, for any page."""
    return _file(SCRIPT)


@blueprint.get("/v1/widget-offers.js")
def offers() -> Response:
    """Return what the widget's script loads once an answer carries an offer."""
    return _file(OFFERS)


def _file(file: Path) -> Response:
    try:
        body, digest = _script(file)
    except FileNotFoundError as error:
        raise NotFound("The widget is not built. Run `make setup`.") from error
    response = Response(body, mimetype="text/javascript")
    response.set_etag(digest)
    response.headers["Cache-Control"] = "public, max-age=3600, stale-while-revalidate=86400"
    # Shops load it as a classic script; cross-origin pages with COEP need to be allowed to.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.make_conditional(request)
    return response
