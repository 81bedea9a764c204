"""The merchant's view of who is who: one person with the reasons, and links to revoke and to restore."""

from collections.abc import Iterable
from typing import Any, Final

from flask import g
from marshmallow import Schema, ValidationError, fields, validates_schema
from sqlalchemy import Connection

from app.commerce.access import SERVER_DOC, server_blueprint
from app.commerce.store import StoreAccess
from app.core.db import db, now
from app.core.errors import NotFound
from app.core.fields import Shape, Strict
from app.events.identity import person_of
from app.events.links import is_known, restore, unlink
from app.privacy.subjects import customer_node

blueprint = server_blueprint(
    "identity",
    __name__,
    url_prefix="/v1/identity",
    description="Who is who, and why.",
)
_MOST_LINKS: Final = 1000
_CUSTOMER: Final = Shape(r"^[!-~]{1,64}$", error="Not the id of a customer.")
_NODE: Final = Shape(
    r"^(customer:[!-~]{1,64}|(visitor|cart|contact):[0-9a-f]{32})$", error="Not a node, such as customer:1."
)


class PersonQuery(Schema):
    """Whom to look up: a customer of the shop, or any node of an earlier answer."""

    customer_id = fields.String(validate=_CUSTOMER, metadata={"description": "The platform's id."})
    node = fields.String(validate=_NODE)

    @validates_schema
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        if len(data) != 1:
            raise ValidationError("Name either a customer_id or a node.")


class LinkQuery(Strict):
    """The two nodes of a link, in any order."""

    node = fields.String(required=True, validate=_NODE)
    other = fields.String(required=True, validate=_NODE)


class IdentityLinkView(Schema):
    """Why two nodes are one person."""

    nodes = fields.List(fields.String(), required=True)
    reason = fields.String(required=True)
    first_seen_at = fields.AwareDateTime(required=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)


class PersonView(Schema):
    """One person: the nodes by kind, and the links that touch them, also the revoked and the disregarded ones."""

    person = fields.String(required=True, metadata={"description": "The smallest of the nodes."})
    nodes = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        required=True,
        metadata={"description": "By `customer`, `visitor`, `cart` and `contact`."},
    )
    links = fields.List(fields.Nested(IdentityLinkView), required=True)
    more_links = fields.Boolean(
        required=True, metadata={"description": "Whether there are more than 1,000 links."}
    )


class PersonsChange(Schema):
    """Who was who before, and is now: the persons that the two nodes are in, as lists of nodes."""

    before = fields.List(fields.List(fields.String()), required=True)
    after = fields.List(fields.List(fields.String()), required=True)


@blueprint.route("", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(PersonQuery, location="query")
@blueprint.response(200, PersonView)
@blueprint.alt_response(404, "NOT_FOUND")
def show_person(query: dict[str, Any]) -> dict[str, Any]:
    """Show one person of the store, with the reasons. Visitors, carts and contacts are keyed digests."""
    access: StoreAccess = g.access
    node = query["node"] if "node" in query else customer_node(query["customer_id"])
    connection = db.session.connection()
    nodes = sorted(person_of(connection, access.store_id, node))
    links = _links_of(connection, access.store_id, nodes)
    if not links:
        raise NotFound("Nothing is linked to it.")
    by_kind: dict[str, list[str]] = {"customer": [], "visitor": [], "cart": [], "contact": []}
    for found in nodes:
        by_kind[found.partition(":")[0]].append(found)
    return {
        "person": nodes[0],
        "nodes": by_kind,
        "links": links[:_MOST_LINKS],
        "more_links": len(links) > _MOST_LINKS,
    }


@blueprint.route("/links", methods=["DELETE"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(LinkQuery, location="query")
@blueprint.response(200, PersonsChange)
@blueprint.alt_response(404, "NOT_FOUND")
def revoke_link(query: dict[str, str]) -> dict[str, Any]:
    """Revoke a link: it counts no longer, nor when it is told again. Says who was who before, and is now."""
    return _changed(query, revoked=True)


@blueprint.route("/links", methods=["PUT"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(LinkQuery, location="query")
@blueprint.response(200, PersonsChange)
@blueprint.alt_response(404, "NOT_FOUND")
def restore_link(query: dict[str, str]) -> dict[str, Any]:
    """Take the revocation of a link back. Says who was who before, and is now."""
    return _changed(query, revoked=False)


def _changed(query: dict[str, str], *, revoked: bool) -> dict[str, Any]:
    access: StoreAccess = g.access
    connection, store_id = db.session.connection(), access.store_id
    pair = (query["node"], query["other"])
    if not is_known(connection, store_id, *pair):
        raise NotFound("There is no link between these two.")
    before = _persons(connection, store_id, pair)
    if revoked:
        unlink(connection, store_id, *pair, now())
    else:
        restore(connection, store_id, *pair)
    after = _persons(connection, store_id, pair)
    db.session.commit()
    return {"before": before, "after": after}


def _persons(connection: Connection, store_id: int, nodes: Iterable[str]) -> list[list[str]]:
    """Return the persons that ``nodes`` are in, each once, in the order of their smallest node."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        if node not in found:
            person = sorted(person_of(connection, store_id, node))
            found.update(dict.fromkeys(person, person))
    return sorted({person[0]: person for person in found.values()}.values())


def _links_of(connection: Connection, store_id: int, nodes: list[str]) -> list[dict[str, Any]]:
    rows = connection.exec_driver_sql(
        "SELECT left_node, right_node, reason, first_seen_at, revoked_at FROM identity_link"
        " WHERE store_id = %(store)s"
        " AND (left_node = ANY(%(nodes)s::text[]) OR right_node = ANY(%(nodes)s::text[]))"
        " ORDER BY first_seen_at, left_node, right_node LIMIT %(most)s",
        {"store": store_id, "nodes": nodes, "most": _MOST_LINKS + 1},
    )
    return [
        {"nodes": [left, right], "reason": reason, "first_seen_at": seen, "revoked_at": revoked}
        for left, right, reason, seen, revoked in rows
    ]
