"""What Flask costs without us: the baseline of the serving, intake and event figures."""

import base64
import hmac
from typing import Any

import orjson
from flask import Flask, Response, jsonify, request

from app.core.config import load_settings
from app.web import settle

SECRET = b"bench-secret"
# As large as an answer with three recommendations.
_ANSWER: dict[str, Any] = {
    "decision_id": "d_7eheynlknl3gawzzvm2k4xxr",
    "slot": "product",
    "strategy": "frequently_bought_together",
    "model_version": "co-purchase-1",
    "recommendations": [
        {
            "product_id": "9007199254750000",
            "variant_id": "9107199254750000",
            "title": "Green Regency Teacup and Saucer",
            "url": "/products/green-regency-teacup-and-saucer",
            "image_url": "http://127.0.0.1:8001/pictures/green-regency-teacup-and-saucer.svg",
            "price": {"amount": 295, "currency": "GBP"},
            "available": True,
            "reason": "bought_together",
            "evidence": {"orders": 77, "confidence": 0.55, "lift": 27.3, "llr": 512.3},
            "offer": None,
        }
    ]
    * 3,
    "experiment": None,
}


def create_web() -> Flask:
    """Return the application in a process that is set up as Pannier's own."""
    app = create_app()
    settle(load_settings().web_processes)
    return app


def create_app() -> Flask:
    """Return an application with a JSON route, one that checks an HMAC, and one that parses events."""
    app = Flask(__name__, static_folder=None)

    @app.get("/json")
    def json_route() -> Response:
        return jsonify(_ANSWER)

    @app.post("/hmac")
    def hmac_route() -> Response:
        given = base64.b64decode(request.headers["X-Shopify-Hmac-Sha256"])
        if not hmac.compare_digest(given, hmac.digest(SECRET, request.get_data(), "sha256")):
            return Response(status=401)
        return Response(status=200)

    @app.post("/parsed")
    def parsed_route() -> Response:
        body = orjson.loads(request.get_data())
        messages = body.get("batch", [body])
        results = [
            {"index": place, "message_id": each["messageId"], "status": "accepted"}
            for place, each in enumerate(messages)
        ]
        answer = {"success": True, "accepted": len(results), "rejected": 0, "results": results}
        return Response(orjson.dumps(answer), mimetype="application/json")

    return app
