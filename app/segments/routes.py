"""Segments for the merchant's own programs: list, define, try, read who is in one, and how they overlap."""

from typing import Any, Final

from flask import g
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.commerce.access import CONFLICT, NOT_FOUND, NOT_FOUND_OR_CONFLICT, SERVER_DOC, server_blueprint
from app.commerce.store import StoreAccess
from app.core.db import db, lock_store, now
from app.core.errors import Conflict, NotFound
from app.core.fields import Cursor
from app.core.paging import page_of
from app.segments import jobs, memberships, refreshing, showing
from app.segments.conditions import read
from app.segments.models import Segment, SegmentMembership
from app.segments.named import NAMED
from app.segments.schemas import (
    KEY,
    Deleted,
    MembersPage,
    MembersQuery,
    OverlapState,
    PreviewRequest,
    PreviewState,
    SegmentCreation,
    SegmentFields,
    SegmentsState,
    SegmentState,
)

blueprint = server_blueprint(
    "segments",
    __name__,
    url_prefix="/v1/segments",
    description="Groups of customers, and why they are in them.",
)
# Each costs a part of every refresh, and of every order.
MOST_OWN: Final = 50
_DEFINING_LOCK: Final = 43


@blueprint.route("", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, SegmentsState)
def list_segments() -> dict[str, Any]:
    """List the store's segments with their sizes."""
    access: StoreAccess = g.access
    return showing.all_segments(db.session.connection(), access.store_id)


@blueprint.route("", methods=["POST"])
@blueprint.doc(**SERVER_DOC, responses=CONFLICT)
@blueprint.arguments(SegmentCreation)
@blueprint.response(200, SegmentState)
def create_segment(wanted: dict[str, Any]) -> dict[str, Any]:
    """Define a segment; its members are computed soon after."""
    access: StoreAccess = g.access
    connection = db.session.connection()
    lock_store(connection, access.store_id, _DEFINING_LOCK)
    own = connection.execute(select(func.count()).where(Segment.store_id == access.store_id)).scalar_one()
    if own >= MOST_OWN:
        raise Conflict(f"A store has {MOST_OWN} segments of its own at most.")
    made = connection.execute(
        insert(Segment)
        .values(store_id=access.store_id, **wanted)
        .on_conflict_do_nothing()
        .returning(Segment.id)
    ).scalar()
    if made is None:
        raise Conflict("There is a segment of this key already.")
    return _saved(access.store_id, wanted["key"])


@blueprint.route("/preview", methods=["POST"])
@blueprint.doc(**SERVER_DOC)
@blueprint.arguments(PreviewRequest)
@blueprint.response(200, PreviewState)
def preview_segment(wanted: dict[str, Any]) -> refreshing.Preview:
    """Say how many customers a definition would give, and why; nothing is kept."""
    access: StoreAccess = g.access
    return refreshing.preview(db.session.connection(), access.store_id, read(wanted["definition"]))


@blueprint.route("/overlap", methods=["GET"])
@blueprint.doc(**SERVER_DOC)
@blueprint.response(200, OverlapState)
def read_overlap() -> dict[str, Any]:
    """Say how segments overlap, and which are distinct by their rules."""
    access: StoreAccess = g.access
    return showing.overlaps(db.session.connection(), access.store_id)


@blueprint.route("/<key>", methods=["GET"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.response(200, SegmentState)
def read_segment(key: str) -> dict[str, Any]:
    """Return one segment with its size."""
    access: StoreAccess = g.access
    return _segment(access.store_id, key)


@blueprint.route("/<key>", methods=["PUT"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.arguments(SegmentFields)
@blueprint.response(200, SegmentState)
def update_segment(wanted: dict[str, Any], key: str) -> dict[str, Any]:
    """Define one of the merchant's segments otherwise; who stays in it keeps the date."""
    access: StoreAccess = g.access
    _refuse_named(key)
    found = db.session.scalar(_own(access.store_id, key).with_for_update())
    if found is None:
        raise _missing(key)
    found.name, found.definition, found.updated_at = wanted["name"], wanted["definition"], now()
    db.session.flush()
    return _saved(access.store_id, key)


@blueprint.route("/<key>", methods=["DELETE"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND_OR_CONFLICT)
@blueprint.response(200, Deleted)
def delete_segment(key: str) -> dict[str, str]:
    """Delete one of the merchant's segments and its memberships."""
    access: StoreAccess = g.access
    _refuse_named(key)
    connection = db.session.connection()
    memberships.lock(connection, access.store_id)
    found = db.session.scalar(_own(access.store_id, key))
    if found is None:
        raise _missing(key)
    db.session.delete(found)
    connection.execute(
        delete(SegmentMembership).where(
            SegmentMembership.store_id == access.store_id, SegmentMembership.segment == key
        )
    )
    db.session.commit()
    return {"deleted": key}


@blueprint.route("/<key>/members", methods=["GET"])
@blueprint.doc(**SERVER_DOC, responses=NOT_FOUND)
@blueprint.arguments(MembersQuery, location="query")
@blueprint.response(200, MembersPage)
def list_members(query: dict[str, Any], key: str) -> dict[str, Any]:
    """List the customers of a segment: the platform's ids, since when, and why."""
    access: StoreAccess = g.access
    if key not in NAMED and db.session.scalar(_own(access.store_id, key)) is None:
        raise _missing(key)
    limit = query["limit"]
    rows = memberships.page(db.session.connection(), access.store_id, key, query.get("cursor", 0), limit + 1)
    page, cursor = page_of(rows, limit, lambda row: Cursor.of(row[0]))
    return {
        "members": [
            {
                "customer_id": platform_id,
                "since": member.since,
                "as_of": member.as_of,
                "reason": member.reason,
            }
            for _, platform_id, member in page
        ],
        "next_cursor": cursor,
    }


def _own(store_id: int, key: str) -> Any:
    """Return the query for one of the merchant's segments."""
    if not KEY.fits(key):  # PostgreSQL would not even take some of what is none
        raise _missing(key)
    return select(Segment).where(Segment.store_id == store_id, Segment.key == key)


def _refuse_named(key: str) -> None:
    if key in NAMED:
        raise Conflict("Every store has this segment; it cannot be changed.")


def _missing(key: str) -> NotFound:
    return NotFound(f"This store has no segment {key[:50]!r}.")


def _segment(store_id: int, key: str) -> dict[str, Any]:
    found = showing.all_segments(db.session.connection(), store_id)["segments"]
    segment: dict[str, Any] | None = next((each for each in found if each["key"] == key), None)
    if segment is None:
        raise _missing(key)
    return segment


def _saved(store_id: int, key: str) -> dict[str, Any]:
    """Commit, have the members computed, and return the segment."""
    segment = _segment(store_id, key)
    db.session.commit()
    jobs.refresh_soon(store_id)
    return segment
