"""A platform that answers as a test says, and remembers what it was asked."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from app.commerce.store import Store
from app.core.db import db
from app.core.packing import unpack
from connectors.source import (
    Cursor,
    Fetched,
    Listed,
    ListingPage,
    Page,
    Resource,
    StoreFacts,
    SubscriptionReport,
)
from webhooks.jobs import drain

_TOPICS = {"products": ("products/update", "products/delete"), "orders": ("orders/updated", "orders/delete")}


class ScriptedSource:
    """A ``connectors.source.Source`` over dictionaries of Shopify's bodies by id, two to a page."""

    def __init__(self) -> None:
        self.held: dict[str, dict[int, dict[str, Any]]] = {"products": {}, "orders": {}}
        self.asked: list[tuple[Any, ...]] = []
        # What the next calls of a method do: raise an error, call something, or nothing (None).
        self.script: dict[str, list[BaseException | Callable[[], Any] | None]] = {}
        self.page_size = 2
        self.overlap = 0  # how many rows of the page before come again
        self.notes: tuple[str, ...] = ()
        self.waits: list[float] = []
        self.report = SubscriptionReport(active=("orders/create",))
        self.told = StoreFacts("Told", "EUR", "Europe/Berlin", ("https://told.example",))

    def put(self, resource: Resource, *bodies: dict[str, Any]) -> None:
        """Have the platform hold ``bodies`` in the place of those with their ids."""
        self.held[resource].update((body["id"], body) for body in bodies)

    def calls(self, method: str) -> list[tuple[Any, ...]]:
        """Return the arguments of the calls of ``method``."""
        return [call[1:] for call in self.asked if call[0] == method]

    def _called(self, method: str, *arguments: Any) -> None:
        self.asked.append((method, *arguments))
        planned = self.script.get(method)
        act = planned.pop(0) if planned else None
        if isinstance(act, BaseException):
            raise act
        if act is not None:
            act()

    def _page(self, resource: Resource, bodies: list[dict[str, Any]], cursor: Cursor | None) -> Page:
        start = cursor["at"] if cursor else 0
        end = start + self.page_size
        items = bodies[max(0, start - self.overlap) : end]
        return Page(
            tuple(Fetched(_TOPICS[resource][0], dict(body)) for body in items),
            {"at": end} if end < len(bodies) else None,
            total=len(bodies) if start == 0 else None,
            wait_s=self.waits.pop(0) if self.waits else 0.0,
            notes=self.notes,
        )

    def _sorted(self, resource: Resource) -> list[dict[str, Any]]:
        return [body for _, body in sorted(self.held[resource].items())]

    def facts(self) -> StoreFacts:
        self._called("facts")
        return self.told

    def history(self, resource: Resource, cursor: Cursor | None) -> Page:
        self._called("history", resource, cursor)
        return self._page(resource, self._sorted(resource), cursor)

    def changes(self, resource: Resource, since: datetime, cursor: Cursor | None) -> Page:
        self._called("changes", resource, since, cursor)
        return self._page(resource, [b for b in self._sorted(resource) if moment(b) >= since], cursor)

    def listing(self, resource: Resource, cursor: Cursor | None) -> ListingPage:
        self._called("listing", resource, cursor)
        bodies = self._sorted(resource)
        start = cursor["at"] if cursor else 0
        end = start + self.page_size
        items = tuple(Listed(str(body["id"]), "any", moment(body)) for body in bodies[start:end])
        return ListingPage(items, {"at": end} if end < len(bodies) else None)

    def one(self, resource: Resource, platform_id: str) -> Fetched | None:
        self._called("one", resource, platform_id)
        body = self.held[resource].get(int(platform_id))
        return Fetched(_TOPICS[resource][0], dict(body)) if body else None

    def gone(self, resource: Resource, platform_id: str) -> Fetched:
        self._called("gone", resource, platform_id)
        return Fetched(_TOPICS[resource][1], {"id": int(platform_id)})

    def count(self, resource: Resource) -> int | None:
        self._called("count", resource)
        return len(self.held[resource])

    def ensure_subscriptions(self) -> SubscriptionReport:
        self._called("ensure_subscriptions")
        return self.report

    def remove_subscriptions(self) -> None:
        self._called("remove_subscriptions")

    def truth(self) -> dict[str, Any]:
        """Return what the tables of a store that knows everything hold, in the form of ``stored``."""
        return {
            "products": {
                str(id_): (body["title"], moment(body)) for id_, body in self.held["products"].items()
            },
            "orders": {
                str(id_): (moment(body), sorted(str(line["product_id"]) for line in body["line_items"]))
                for id_, body in self.held["orders"].items()
            },
        }


def moment(body: dict[str, Any]) -> datetime:
    """Return the platform's time of a state."""
    return datetime.fromisoformat(body["updated_at"]).astimezone(UTC)


def stored(store: Store) -> dict[str, Any]:
    """Drain the inbox, and return what shoppers and statistics see of the store's products and orders."""
    drain(store.id)
    products = db.session.execute(
        text(
            "SELECT platform_id, title, source_updated_at FROM product WHERE store_id = :store"
            " AND status <> 'unknown' AND (deleted_at IS NULL OR deleted_at < source_updated_at)"
        ),
        {"store": store.id},
    )
    orders = db.session.execute(
        text(
            "SELECT o.platform_id, o.source_updated_at, array_agg(p.platform_id ORDER BY p.platform_id)"
            " FROM orders o JOIN order_line l ON l.order_id = o.id JOIN product p ON p.id = l.product_id"
            " WHERE o.store_id = :store AND o.deleted_at IS NULL GROUP BY o.id"
        ),
        {"store": store.id},
    )
    return {
        "products": {id_: (title, at) for id_, title, at in products},
        "orders": {id_: (at, lines) for id_, at, lines in orders},
    }


def deliveries(store: Store) -> list[tuple[str, str]]:
    """Return topic and body of everything in the store's inbox, as another connection sees it."""
    with db.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT topic, body FROM webhook_delivery WHERE store_id = :store"), {"store": store.id}
        )
        return sorted(
            ((topic, unpack(body).decode()) for topic, body in rows), key=lambda delivery: delivery[1]
        )
