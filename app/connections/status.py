"""How a store's ties to its platform stand: progress, gaps, webhooks, what is wrong."""

from typing import Any, Final

from sqlalchemy import func, select

from app.commerce.store import Store
from app.connections.models import HISTORY, LISTING, Subscriptions, Walk
from app.connections.walks import present
from app.core.db import db
from connectors.source import RESOURCES, Resource

_NAMES: Final = {HISTORY: "backfill"}


def connection_status(store: Store) -> dict[str, Any]:
    """Return the state of a store's connection as plain data, for the API, the command line and the pages."""
    rows = db.session.scalars(
        select(Walk).where(Walk.store_id == store.id).order_by(Walk.kind, Walk.resource.desc())
    ).all()
    found = db.session.get(Subscriptions, store.id)
    return {
        "store": store.domain,
        "platform": store.platform,
        "state": state_of(store),
        "problem": store.connection_problem,
        "connected_at": store.connected_at,
        "installed_at": store.installed_at,
        "uninstalled_at": store.uninstalled_at,
        "stored": {resource: _count(store.id, resource) for resource in RESOURCES},
        "walks": [_walk(row) for row in rows],
        "gaps": [
            {
                "resource": row.resource,
                "platform": row.platform_count,
                "stored": row.stored_count,
                "checked_at": row.finished_at,
            }
            for row in rows
            if row.kind == LISTING and row.finished_at
        ],
        "webhooks": found
        and {
            "active": found.active,
            "mended": found.mended,
            "problems": found.problems,
            "checked_at": found.checked_at,
        },
    }


def state_of(store: Store) -> str:
    """Return one word: ``uninstalled``, ``reconnect_needed``, ``connected`` or ``webhooks_only``."""
    if store.uninstalled_at is not None:
        return "uninstalled"
    if store.connection_problem is not None:
        return "reconnect_needed"
    return "connected" if store.connected_at is not None else "webhooks_only"


def _walk(row: Walk) -> dict[str, Any]:
    return {
        "kind": _NAMES.get(row.kind, row.kind),
        "resource": row.resource,
        "state": row.state,
        "done": row.done,
        "total": row.total,
        "problem": row.problem,
        "notes": row.notes,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }


def _count(store_id: int, resource: Resource) -> int:
    return db.session.scalar(select(func.count()).select_from(present(store_id, resource).subquery())) or 0
