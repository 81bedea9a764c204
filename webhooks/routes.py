"""Where the platforms deliver.

Nothing is answered in detail to a sender whose signature does not fit. What the express lane has already
taken or refused is only worded here.
"""

from collections.abc import Callable

from flask import Blueprint, Response, current_app, request

from app.core.api import read_body
from app.core.config import Settings
from app.core.errors import BadRequest, NotFound, Unauthorized
from app.core.limits import PINGS, SIGNATURES, count_failure
from webhooks.express import verdict
from webhooks.intake import Outcome, current_intake, platform_headers

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@blueprint.post("/shopify")
def shopify() -> Response:
    """Take a Shopify delivery: 200 kept, 401 not signed by us, 400 no JSON, 413 too large, 503 try again."""
    outcome = _outcome(lambda raw: current_intake().shopify(platform_headers(request.environ), raw))
    if outcome is Outcome.UNKNOWN_STORE:
        # Signed by Shopify for a shop that is not (or no longer) here: there is nothing to retry.
        return Response(status=200)
    return _answer(outcome)


@blueprint.post("/woocommerce/<token>")
def woocommerce(token: str) -> Response:
    """Take a WooCommerce delivery at the store's own address; its unsigned ping gets exactly 200."""
    outcome = _outcome(
        lambda raw: current_intake().woocommerce(token, platform_headers(request.environ), raw)
    )
    if outcome is Outcome.UNKNOWN_STORE:
        count_failure(SIGNATURES)
        raise NotFound("There is no such webhook address.")
    if outcome is Outcome.PING:
        count_failure(PINGS)
    return _answer(outcome)


def _outcome(take: Callable[[bytes], Outcome]) -> Outcome:
    """Return what became of the request's delivery: the express lane's verdict, else what ``take`` says."""
    known = verdict(request.environ)
    if known is None:
        settings: Settings = current_app.extensions["pannier_settings"]
        return take(read_body(settings.webhook_max_bytes))
    if isinstance(known, Exception):
        raise known
    return known


def _answer(outcome: Outcome) -> Response:
    if outcome is Outcome.BAD_SIGNATURE:
        count_failure(SIGNATURES)
        raise Unauthorized("The signature does not fit.")
    if outcome is Outcome.NOT_JSON:
        raise BadRequest("The body is not JSON.")
    return Response(status=200)
