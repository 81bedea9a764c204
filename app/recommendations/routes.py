"""The storefront's routes. Slow is worse than generic: the common answer is held ready as bytes."""

from typing import Any

from flask import Response, g, request

from app.commerce.access import STOREFRONT_DOC, allow_origin, for_storefront
from app.commerce.store import StoreAccess
from app.core.api import ApiBlueprint, json_response
from app.decisions import reasons
from app.recommendations import asking, schemas, serving, visitors
from app.recommendations.asking import Circumstances
from app.recommendations.ready_bytes import held_ready
from app.recommendations.visitors import Asking, Known

blueprint = ApiBlueprint(
    "recommendations", __name__, url_prefix="/v1", description="What goes into the basket together."
)

_LONGEST_ID = 100
_SLOT = {**STOREFRONT_DOC, "responses": {**STOREFRONT_DOC["responses"], 404: "NOT_FOUND"}}
_NOT_MODIFIED = {304: {"description": "The caller has this answer already (If-None-Match)."}}


@blueprint.route("/recommendations", methods=["GET"])
@held_ready
@for_storefront
@blueprint.doc(**{**_SLOT, "responses": {**_SLOT["responses"], **_NOT_MODIFIED}})
@blueprint.arguments(schemas.RecommendationsQuery, location="query")
@blueprint.arguments(schemas.PersonHeaders, location="headers")
@blueprint.response(200, schemas.Answer)
def get_recommendations(query: dict[str, Any], person: dict[str, Any]) -> Response:
    """Return the recommendations of one slot.

    Without anything about a shopper the answer is the same for everybody and may be cached: it carries an ETag and
    Cache-Control. With a visitor who agreed to analytics, the running session counts. An empty list is a good answer.
    """
    access: StoreAccess = g.access
    person = {"visitor_id": query.get("visitor_id"), **person}
    question = asking.question_for_slot(
        query["slot"],
        query.get("product_id"),
        schemas.product_ids(query["cart"]) if "cart" in query else None,
        query.get("limit"),
        viewed=schemas.product_ids(query["viewed"]),
        known=_known(access, person),
        told=_told(query),
    )
    answer = serving.answer(access, question)
    g.decided = (access.store_id, answer["decision_id"], query["slot"], reasons.CACHED)
    response = json_response(answer)
    return _private(response) if any(person.values()) or query["viewed"] else response


@blueprint.route("/recommendations", methods=["POST"])
@for_storefront
@blueprint.doc(**_SLOT)
@blueprint.arguments(schemas.BatchRequest)
@blueprint.arguments(schemas.PersonHeaders, location="headers")
@blueprint.response(200, schemas.BatchAnswer)
def post_recommendations(batch: dict[str, Any], person: dict[str, Any]) -> Response:
    """Return the recommendations of several slots of one page, no product twice."""
    access: StoreAccess = g.access
    known = _known(
        access,
        {"visitor_id": batch["visitor_id"], **person},
        batch["customer_id"],
        personal=batch["personal"],
    )
    results: list[dict[str, Any]] = []
    shown: set[str] = set()
    for asked in batch["requests"]:
        question = asking.question_for_slot(
            asked["slot"],
            asked["product_id"],
            asked["cart"],
            asked["limit"],
            exclude=frozenset(shown),
            viewed=asked["viewed"],
            known=known,
            told=_told(batch),
        )
        results.append(serving.answer(access, question))
        shown |= {r["product_id"] for r in results[-1]["recommendations"]}
    return _private(json_response({"results": results}))


@blueprint.route("/upsell", methods=["POST"])
@for_storefront
@blueprint.doc(**STOREFRONT_DOC)
@blueprint.arguments(schemas.UpsellRequest)
@blueprint.arguments(schemas.PersonHeaders, location="headers")
@blueprint.response(200, schemas.UpsellAnswer)
def upsell(asked: dict[str, Any], person: dict[str, Any]) -> Response:
    """Return what to offer with a cart. Where the strategy has nothing, those that it falls back on answer.

    An empty cart goes with nothing: for the strategies that need one its list is empty.
    """
    access: StoreAccess = g.access
    known = _known(
        access, {"visitor_id": asked["visitor_id"], **person}, asked["user_id"], personal=asked["personal"]
    )
    question = asking.question_for_cart(
        asked["strategy"], asked["current_cart"], asked["limit"], known=known, told=_told(asked)
    )
    made = serving.answer(access, question)
    kept = ("decision_id", "strategy", "recommendations", "intent")
    return _private(json_response({name: made[name] for name in kept}))


def _told(asked: dict[str, Any]) -> Circumstances:
    """Return what a request says of the circumstances."""
    return Circumstances(
        asked.get("channel") or asking.ONLINE,
        asked.get("country"),
        asked.get("device"),
        asked.get("cart_value"),
    )


def _known(
    access: StoreAccess, person: dict[str, Any], customer_id: Any = None, *, personal: bool = False
) -> Known:
    """Return what the answer may depend on.

    A customer is recognised by a token that the platform had signed, or because the shop's server asks, with the
    secret key, and states that this customer agreed. A page that merely names one is not believed.
    """
    customer = None
    if access.kind == "secret" and personal and type(customer_id) in (str, int) and customer_id:
        customer = str(customer_id)[:_LONGEST_ID]
    asking = Asking(
        visitor=person.get("visitor_id"),
        customer=customer,
        token=person.get("customer_token"),
        refused=request.headers.get("Sec-GPC") == "1",
    )
    return visitors.known(access.store_id, asking)


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "private, no-store"
    return allow_origin(response)
