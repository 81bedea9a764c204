"""What never makes an answer personal: the merchant's own words beside the built-in ones."""

from typing import Any

from flask import g
from sqlalchemy.dialects.postgresql import insert

from app.commerce.access import SERVER_DOC, server_blueprint
from app.commerce.store import StoreAccess
from app.core.db import db, now
from app.recommendations import sensitive
from app.recommendations.guard_schemas import GuardFields, GuardState
from app.recommendations.models import SensitiveWords
from app.recommendations.sensitive_words import BUILT_IN

blueprint = server_blueprint(
    "guard",
    __name__,
    url_prefix="/v1/guard",
    description="What never makes an answer personal.",
)


@blueprint.route("", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, GuardState)
def read_guard() -> dict[str, Any]:
    """Return the words that keep a product out of everything personal."""
    access: StoreAccess = g.access
    return _state(access.store_id)


@blueprint.route("", methods=["PUT"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(GuardFields)
@blueprint.response(200, GuardState)
def write_guard(wanted: dict[str, Any]) -> dict[str, Any]:
    """Replace the merchant's own words; the built-in ones stay. Every process follows within five seconds."""
    access: StoreAccess = g.access
    row = {"words": list(dict.fromkeys(wanted["words"])), "updated_at": now()}
    db.session.execute(
        insert(SensitiveWords)
        .values(store_id=access.store_id, **row)
        .on_conflict_do_update(index_elements=["store_id"], set_=row)
    )
    db.session.commit()
    sensitive.forget()
    return _state(access.store_id)


def _state(store_id: int) -> dict[str, Any]:
    found = db.session.get(SensitiveWords, store_id)
    return {
        "words": found.words if found else [],
        "built_in": BUILT_IN,
        "updated_at": found.updated_at if found else None,
    }
