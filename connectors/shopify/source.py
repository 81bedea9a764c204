"""One Shopify shop, to be asked for its past, its changes and its state.

The past comes by bulk operations, which cost none of the shop's points. The cursor names the operation and
how many of its resources were handed out; never the signed address of its file, which is asked for anew.
In the file children may stand anywhere, far from their parents and between others', so it is read once into
a private temporary SQLite file (an empty name: deleted with the connection), from which pages are made:
constant memory, one reading of the file for a walk by one source. A new source reads it once more.

When an operation fails half-way, its partial file says how far it came. What is provably whole in it is
handed out, the rest is asked for one by one, and a new operation begins at the creation time of the last
one found, oldest first: nothing is missed and little comes twice.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import urlsplit
from weakref import finalize

import orjson

from connectors.errors import CursorLost, Rejected, Unreachable
from connectors.shopify import documents, nodes, topics
from connectors.shopify.client import Result, TooCostly
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

_HISTORY_PAGE: Final = 250
_LISTING_PAGE: Final = 250
_CHILDREN: Final = 20
_CHILDREN_ALONE: Final = 50
_FIRST_PAGE: Final = 4
_LARGEST_PAGE: Final = 100
# Of the 1000 points that one query may ask for.
_PAGE_POINTS: Final = 700
# Shopify ends a walk by cursors at 25 000 resources.
_LONGEST_WALK: Final = 20_000
_BUSY_WAIT_S: Final = 30.0
_LONGEST_WAIT_S: Final = 30.0
_FAILURES: Final = 3
_UNDERWAY: Final = frozenset({"CREATED", "RUNNING", "CANCELING"})
_COMPLIANCE: Final = frozenset({"customers/data_request", "customers/redact", "shop/redact"})

ALL_TOPICS: Final = tuple(sorted({*topics.READ, *topics.SET_ASIDE} - _COMPLIANCE))

_SIXTY_DAYS: Final = (
    "Shopify shows this app the orders of the last 60 days only: older ones need the permission to read all "
    "orders (read_all_orders)."
)
_WITHHELD: Final = "Shopify withholds some fields from this app: {fields}."


class Client(Protocol):
    """What a source needs of ``ShopifyClient``."""

    shop: str

    def run(self, document: str, variables: Mapping[str, Any] | None = None) -> Result:
        """Return the answer to a document."""
        ...

    def download(self, url: str) -> Iterator[bytes]:
        """Yield the lines of an export."""
        ...


@dataclass(frozen=True, slots=True)
class _Kind:
    """How products and orders differ."""

    gid: str
    field: str
    children: str
    page: str
    one: str
    more: str
    ids: str
    count: str
    updated: str
    deleted: str
    body: Callable[[nodes.Node, Iterable[nodes.Node]], dict[str, Any]]


_KINDS: Final[dict[Resource, _Kind]] = {
    "products": _Kind(
        "Product", "product", "variants", documents.PRODUCTS_PAGE, documents.PRODUCT, documents.MORE_VARIANTS,
        documents.PRODUCT_IDS, documents.PRODUCTS_COUNT, "products/update", "products/delete",
        nodes.product_body,
    ),
    "orders": _Kind(
        "Order", "order", "lineItems", documents.ORDERS_PAGE, documents.ORDER, documents.MORE_LINES,
        documents.ORDER_IDS, documents.ORDERS_COUNT, "orders/updated", "orders/delete",
        nodes.order_body,
    ),
}  # fmt: skip


class ShopifySource:
    """See ``connectors.source.Source`` for what each method promises.

    Args:
        client: asks the shop.
        deliveries_to: the address that Shopify delivers to, to find doubles of our subscriptions; None
            where nothing is to be removed.
        subscribed: the topics that ``shopify.app.toml`` subscribes to for every shop.
    """

    def __init__(
        self, client: Client, *, deliveries_to: str | None = None, subscribed: Sequence[str] = ALL_TOPICS
    ) -> None:
        self._client = client
        self._deliveries_to = deliveries_to
        self._subscribed = tuple(subscribed)
        self._granted: frozenset[str] | None = None
        self._export: tuple[str, _Export] | None = None

    def facts(self) -> StoreFacts:
        """Return name, currency, time zone and origins of the shop, and what the app may not read."""
        data = self._client.run(documents.SHOP_FACTS).data
        try:
            self._granted = _handles(data)
            shop = data["shop"]
            addresses = (shop["primaryDomain"]["url"], f"https://{shop['myshopifyDomain']}")
            return StoreFacts(
                name=shop["name"],
                currency=shop["currencyCode"],
                timezone=shop["ianaTimezone"],
                origins=tuple(dict.fromkeys(map(_origin, addresses))),
                notes=self._limits("orders"),
            )
        except (LookupError, TypeError):
            raise Unreachable("Shopify described the shop in an unknown way.") from None

    def history(self, resource: Resource, cursor: Cursor | None) -> Page:
        """Return the next page of an export. Pages without items ask to wait.

        A cursor is ``{"from": time or null, "failures": n}`` before an operation, with ``"operation"`` and
        ``"polls"`` while it runs, and with ``"line"`` once its file is being handed out.

        Raises:
            CursorLost: if the export is gone or failed again and again.
            Rejected: if the app may not read the resource.
        """
        state = dict(cursor or {})
        if "operation" not in state:
            return self._begin(resource, state, first=cursor is None)
        data = self._client.run(documents.BULK_OPERATION, {"id": state["operation"]}).data
        operation = data.get("bulkOperation")
        if not operation:
            raise CursorLost("Shopify no longer knows the export.")
        status = operation["status"]
        if status in _UNDERWAY:
            polls = state.get("polls", 0) + 1
            return Page((), {**state, "polls": polls}, wait_s=min(1.5**polls, _LONGEST_WAIT_S))
        if status == "COMPLETED":
            return self._exported(resource, state, operation)
        if operation.get("errorCode") == "ACCESS_DENIED":
            raise Rejected(f"Shopify does not let the app export the {resource}.")
        return self._salvaged(resource, state, operation)

    def cancel(self, cursor: Cursor) -> None:
        """Have Shopify stop the export that ``cursor`` waits for, if it waits for one."""
        if "operation" in cursor:
            self._client.run(documents.CANCEL_BULK_OPERATION, {"id": cursor["operation"]})

    def changes(self, resource: Resource, since: datetime, cursor: Cursor | None) -> Page:
        """Return the next page of what changed after ``since``, in the order of the changes.

        A page is as large as the price of the one before allows. After 20 000 resources the walk goes on
        from the time of the last one, since Shopify ends a walk by cursors at 25 000.
        """
        state = dict(cursor or {})
        anchor = state.get("since") or _instant(since - timedelta(seconds=1))
        variables = self._variables(resource, _CHILDREN) | {
            "first": state.get("first", _FIRST_PAGE),
            "after": state.get("after"),
            "query": f"updated_at:>'{anchor}'",
        }
        try:
            result = self._client.run(_KINDS[resource].page, variables)
        except TooCostly:
            if variables["first"] == 1:
                raise
            return Page((), {"since": anchor, **state, "first": variables["first"] // 2})
        connection = _connection(result.data, resource)
        found = connection["nodes"]
        items = tuple(self._whole(resource, node) for node in found)
        notes = _withheld(result)
        if not connection["pageInfo"]["hasNextPage"]:
            return Page(items, None, notes=notes)
        seen = state.get("seen", 0) + len(found)
        following = {"since": anchor, "first": _next_size(variables["first"], result), "seen": seen}
        if seen >= _LONGEST_WALK and found and _earlier(found[-1]["updatedAt"]) > anchor:
            return Page(
                items, {**following, "since": _earlier(found[-1]["updatedAt"]), "seen": 0}, notes=notes
            )
        return Page(items, {**following, "after": connection["pageInfo"]["endCursor"]}, notes=notes)

    def listing(self, resource: Resource, cursor: Cursor | None) -> ListingPage:
        """Return the next page of ids in ascending order; a cancelled order's status is ``cancelled``."""
        above = (cursor or {}).get("above", 0)
        variables = {"first": _LISTING_PAGE, "query": f"id:>{above}" if above else None}
        connection = _connection(self._client.run(_KINDS[resource].ids, variables).data, resource)
        items = tuple(map(_listed, connection["nodes"]))
        if not connection["pageInfo"]["hasNextPage"] or not items:
            return ListingPage(items, None)
        highest = max(int(item.id) for item in items)
        if highest <= above:
            raise Unreachable("Shopify lists the same resources again and again.")
        return ListingPage(items, {"above": highest})

    def one(self, resource: Resource, platform_id: str) -> Fetched | None:
        """Return a resource as it is now, None if it is gone.

        Raises:
            Rejected: for an order that is not found by an app that sees 60 days only: it may just be old.
        """
        kind = _KINDS[resource]
        variables = {**self._variables(resource, _CHILDREN_ALONE), "id": _gid(kind, platform_id)}
        node = self._client.run(kind.one, variables).data.get(kind.field)
        if not node and self._limits(resource):
            raise Rejected("Shopify does not show this order: it is deleted, or older than 60 days.")
        return self._whole(resource, node) if node else None

    def gone(self, resource: Resource, platform_id: str) -> Fetched:
        """Return the message that Shopify sends of a deletion."""
        return Fetched(_KINDS[resource].deleted, {"id": int(platform_id)})

    def count(self, resource: Resource) -> int | None:
        """Return how many the shop has (orders: that the app may see), None where Shopify stops counting."""
        count = self._client.run(_KINDS[resource].count).data.get(f"{resource}Count")
        return count["count"] if count and count["precision"] == "EXACT" else None

    def ensure_subscriptions(self) -> SubscriptionReport:
        """Remove subscriptions of this shop alone to our address.

        Those of ``shopify.app.toml`` hold for every shop, cannot be seen here and are never deleted by
        Shopify. One that was made over the API beside them would have everything delivered twice.
        """
        removed: list[str] = []
        problems: list[str] = []
        for double in self._doubles():
            topic = _topic(double["topic"])
            data = self._client.run(documents.DELETE_WEBHOOK_SUBSCRIPTION, {"id": double["id"]}).data
            if (data.get("webhookSubscriptionDelete") or {}).get("deletedWebhookSubscriptionId"):
                removed.append(topic)
            else:
                problems.append(f"A second subscription to {topic} could not be removed.")
        return SubscriptionReport(self._subscribed, removed=tuple(removed), problems=tuple(problems))

    def remove_subscriptions(self) -> None:
        """Do nothing: the app's subscriptions end for a shop when it removes the app."""

    def _begin(self, resource: Resource, state: dict[str, Any], *, first: bool) -> Page:
        """Start an operation, or wait while Shopify runs as many as it allows."""
        notes = self._limits(resource) if first else ()
        query = documents.bulk_query(
            resource, customers="read_customers" in self._scopes(), created_from=state.get("from")
        )
        started = self._client.run(documents.RUN_BULK_QUERY, {"query": query}).data["bulkOperationRunQuery"]
        state = {"from": state.get("from"), "failures": state.get("failures", 0)}
        if started.get("bulkOperation"):
            return Page((), {**state, "operation": started["bulkOperation"]["id"]}, wait_s=1.0, notes=notes)
        errors = started["userErrors"]
        if any(error.get("code") in ("OPERATION_IN_PROGRESS", "LIMIT_REACHED") for error in errors):
            busy = "Shopify is still working on other exports of this shop; ours waits for its turn."
            return Page((), state, wait_s=_BUSY_WAIT_S, notes=(*notes, busy))
        raise Rejected(f"Shopify does not export the {resource}.")

    def _exported(self, resource: Resource, state: dict[str, Any], operation: Mapping[str, Any]) -> Page:
        """Return a page out of a finished operation's file."""
        total = int(operation.get("rootObjectCount") or 0)
        if not operation.get("url"):
            return Page((), None, total=total)
        export = self._opened(state["operation"], operation["url"])
        found = export.page(state.get("line", 0))
        items = tuple(_fetched(resource, node, children) for _, node, children in found)
        following = {**state, "line": found[-1][0]} if len(found) == _HISTORY_PAGE else None
        if following is None:
            self._close()
        return Page(items, following, total=total)

    def _salvaged(self, resource: Resource, state: dict[str, Any], operation: Mapping[str, Any]) -> Page:
        """Return a page out of a failed operation's file; the last one leads to a new operation."""
        begin = {"from": state.get("from"), "failures": state.get("failures", 0) + 1}
        if not operation.get("partialDataUrl"):
            return self._again(begin)
        export = self._opened(state["operation"], operation["partialDataUrl"])
        found = export.page(state.get("line", 0))
        items = tuple(filter(None, (self._proven(resource, node, children) for _, node, children in found)))
        if len(found) == _HISTORY_PAGE:
            return Page(items, {**state, "line": found[-1][0]})
        last = export.last_created()
        self._close()
        if last and last != begin["from"]:
            begin = {"from": last, "failures": 1}
        return self._again(begin, items)

    def _again(self, begin: dict[str, Any], items: tuple[Fetched, ...] = ()) -> Page:
        """Return what leads to a new operation, unless too many failed at the same place."""
        if begin["failures"] > _FAILURES:
            raise CursorLost("Shopify's export failed several times at the same place.")
        note = "Shopify's export failed half-way; it goes on from there."
        return Page(items, begin, wait_s=_BUSY_WAIT_S, notes=(note,))

    def _proven(self, resource: Resource, node: nodes.Node, children: list[nodes.Node]) -> Fetched | None:
        """Return a resource of a partial file: as it stands there if it is whole, else as it is now."""
        if nodes.is_complete(node, children):
            return _fetched(resource, node, children)
        return self.one(resource, node["legacyResourceId"])

    def _opened(self, operation: str, url: str) -> "_Export":
        """Return an operation's file, read unless it was already."""
        if self._export and self._export[0] == operation:
            return self._export[1]
        self._close()
        self._export = (operation, _Export(self._client.download(url)))
        return self._export[1]

    def _close(self) -> None:
        """Forget the file that is open."""
        if self._export:
            self._export[1].close()
            self._export = None

    def _whole(self, resource: Resource, node: dict[str, Any]) -> Fetched:
        """Return what a node says once all pages of its children are there."""
        kind = _KINDS[resource]
        try:
            part = node[kind.children]
            children = list(part["nodes"])
            while part["pageInfo"]["hasNextPage"]:
                variables = {"id": node["id"], "after": part["pageInfo"]["endCursor"]}
                data = self._client.run(kind.more, {**variables, "children": _CHILDREN_ALONE}).data
                part = data[kind.field][kind.children]
                children += part["nodes"]
        except (LookupError, TypeError):
            raise Unreachable(f"Shopify described one of the {resource} in an unknown way.") from None
        return _fetched(resource, node, children)

    def _variables(self, resource: Resource, children: int) -> dict[str, Any]:
        """Return what both the page and the single resource ask with."""
        if resource == "products":
            return {"children": children}
        return {"children": children, "customers": "read_customers" in self._scopes()}

    def _scopes(self) -> frozenset[str]:
        """Return the scopes that the shop granted, asked for once."""
        if self._granted is None:
            self._granted = _handles(self._client.run(documents.ACCESS_SCOPES).data)
        return self._granted

    def _limits(self, resource: Resource) -> tuple[str, ...]:
        """Return what the merchant should know about the app's reach."""
        return (_SIXTY_DAYS,) if resource == "orders" and "read_all_orders" not in self._scopes() else ()

    def _doubles(self) -> list[dict[str, Any]]:
        """Return the subscriptions of this shop alone that deliver to us, all of them before one is removed."""
        if not self._deliveries_to:
            return []
        ours = self._deliveries_to.rstrip("/")
        found: list[dict[str, Any]] = []
        after = None
        while True:
            data = self._client.run(documents.WEBHOOK_SUBSCRIPTIONS, {"after": after}).data
            connection = _connection(data, "webhookSubscriptions")
            found += [node for node in connection["nodes"] if node["uri"].rstrip("/") == ours]
            if not connection["pageInfo"]["hasNextPage"]:
                return found
            after = connection["pageInfo"]["endCursor"]


class _Export:
    """The lines of an export, sorted into roots and children in a temporary file."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        # One source is used by one thread at a time, though not always by the one that opened the file.
        self._db = sqlite3.connect("", check_same_thread=False)
        finalize(self, self._db.close)
        try:
            self._db.execute("PRAGMA journal_mode = OFF")
            self._db.execute(
                "CREATE TABLE root (line INTEGER PRIMARY KEY, id TEXT NOT NULL, created TEXT, node BLOB NOT NULL)"
            )
            self._db.execute("CREATE TABLE child (parent TEXT NOT NULL, node BLOB NOT NULL)")
            for line, raw in enumerate(lines, start=1):
                self._add(line, raw)
            self._db.execute("CREATE INDEX child_parent ON child (parent)")
        except BaseException:
            self._db.close()
            raise

    def _add(self, line: int, raw: bytes) -> None:
        try:
            node = orjson.loads(raw)
            parent, own = node.get("__parentId"), node["id"]
        except (ValueError, LookupError, AttributeError, TypeError):
            raise Unreachable("Shopify's export has a line that is none of its own.") from None
        if parent is None:
            self._db.execute("INSERT INTO root VALUES (?, ?, ?, ?)", (line, own, node.get("createdAt"), raw))
        else:
            self._db.execute("INSERT INTO child VALUES (?, ?)", (parent, raw))

    def page(self, after: int) -> list[tuple[int, nodes.Node, list[nodes.Node]]]:
        """Return up to 250 roots after line ``after``: line, node and children."""
        query = "SELECT line, id, node FROM root WHERE line > ? ORDER BY line LIMIT ?"
        found = self._db.execute(query, (after, _HISTORY_PAGE)).fetchall()
        return [(line, orjson.loads(node), self._children(own)) for line, own, node in found]

    def _children(self, parent: str) -> list[nodes.Node]:
        found = self._db.execute("SELECT node FROM child WHERE parent = ? ORDER BY rowid", (parent,))
        return [orjson.loads(node) for (node,) in found]

    def last_created(self) -> str | None:
        """Return the creation time of the youngest root, None where there is none."""
        found: str | None = self._db.execute("SELECT max(created) FROM root").fetchone()[0]
        return found

    def close(self) -> None:
        """Delete the file."""
        self._db.close()


def _fetched(resource: Resource, node: nodes.Node, children: Iterable[nodes.Node]) -> Fetched:
    kind = _KINDS[resource]
    return Fetched(kind.updated, kind.body(node, children))


def _connection(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a page of a connection; its shape was asked for, so another is no answer."""
    connection = data.get(name)
    if not isinstance(connection, dict) or not {"nodes", "pageInfo"} <= connection.keys():
        raise Unreachable("Shopify's answer has an unknown shape.")
    return connection


def _handles(data: Mapping[str, Any]) -> frozenset[str]:
    """Return the scopes of an answer. Who may write something may read it, too."""
    try:
        granted = {scope["handle"] for scope in data["currentAppInstallation"]["accessScopes"]}
    except (LookupError, TypeError):
        raise Unreachable("Shopify does not say what the app may read.") from None
    implied = {f"read_{scope.removeprefix('write_')}" for scope in granted if scope.startswith("write_")}
    return frozenset(granted | implied)


def _listed(node: Mapping[str, Any]) -> Listed:
    """Return an id with its state."""
    status = node["status"] if "status" in node else node["displayFinancialStatus"]
    return Listed(
        id=str(node["legacyResourceId"]),
        status="cancelled" if node.get("cancelledAt") else (status or "").lower(),
        changed_at=datetime.fromisoformat(node["updatedAt"]).astimezone(UTC),
    )


def _withheld(result: Result) -> tuple[str, ...]:
    """Return which fields are missing from an answer that came with errors."""
    paths = (error.get("path") or ["?"] for error in result.errors)
    fields = sorted({next((part for part in reversed(path) if isinstance(part, str)), "?") for path in paths})
    return (_WITHHELD.format(fields=", ".join(fields)),) if fields else ()


def _next_size(size: int, result: Result) -> int:
    """Return how many resources fit into one query, judged by what ``size`` of them cost."""
    if result.cost is None or result.cost.requested <= 0:
        return size
    return max(1, min(int(size * _PAGE_POINTS / result.cost.requested), _LARGEST_PAGE, size * 4))


def _topic(name: str) -> str:
    """Return the topic that an enum value such as ``PRODUCTS_UPDATE`` stands for."""
    known = {topic.upper().replace("/", "_"): topic for topic in (*topics.READ, *topics.SET_ASIDE)}
    return known.get(name, name.lower())


def _gid(kind: _Kind, platform_id: str) -> str:
    return f"gid://shopify/{kind.gid}/{int(platform_id)}"


def _origin(address: str) -> str:
    """Return scheme, host and port of ``address``, as browsers send them."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _earlier(written: str) -> str:
    """Return one second before a time that Shopify wrote."""
    return _instant(datetime.fromisoformat(written) - timedelta(seconds=1))
