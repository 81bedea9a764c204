"""The widget's script, as one cacheable file."""

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, request

from app.core.errors import NotFound

blueprint = Blueprint("widget", __name__)

SCRIPT = Path(__file__).resolve().parents[2] / "widgets" / "dist" / "pannier.js"


@lru_cache(maxsize=1)
def _script() -> tuple[bytes, str]:
    body = SCRIPT.read_bytes()
    return body, hashlib.blake2b(body, digest_size=12).hexdigest()


@blueprint.get("/v1/widget.js")
def widget() -> Response:
    """Return the widget's script, for any page."""
    try:
        body, digest = _script()
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
