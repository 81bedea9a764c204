"""Bulk operations: which documents they take, how long they run, and the JSONL they leave.

Source: shopify.dev, bulk operations with queries: at least one and at most five connections, two levels of
nesting, no node or nodes at the top, no connection inside a list.
"""

import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import orjson
from graphql import (
    REMOVE,
    DocumentNode,
    FieldNode,
    GraphQLList,
    GraphQLNonNull,
    GraphQLOutputType,
    GraphQLSchema,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    visit,
)

from demo.peers.shopify.costs import is_connection

CONCURRENT: Final = 5
KEPT_FOR: Final = timedelta(days=7)
RUNNING: Final = frozenset({"CREATED", "RUNNING", "CANCELING"})
_MOST_CONNECTIONS: Final = 5
_DEEPEST: Final = 3  # the outermost and two nested ones
_PATIENCE_S: Final = 2.0
_ID: Final = "peerParentId"

Collect = Callable[[], Iterable[tuple[Mapping[str, Any] | None, str | None]]]
"""Gives the data of a query piece by piece, or an error code."""


@dataclass(slots=True)
class BulkOptions:
    """How the bulk operations of a shop go from now on.

    Attributes:
        polls: how often the app is told RUNNING before the end.
        failures: error codes; each makes one operation fail when it is half-way through.
        kept_for: how long a file can be fetched.
        seed: of the order of the children.
    """

    polls: int = 1
    failures: list[str] = field(default_factory=list)
    kept_for: timedelta = KEPT_FOR
    seed: int = 1


@dataclass(eq=False)
class BulkOperation:
    """One export. ``status`` and the rest stand as the API names them."""

    number: int
    query: str
    created_at: datetime
    options: BulkOptions
    group_objects: bool
    error_code: str | None = None
    status: str = "CREATED"
    completed_at: datetime | None = None
    object_count: int = 0
    root_object_count: int = 0
    content: bytes = b""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    _polls: int = 0
    _rows: "list[Placed]" = field(default_factory=list, repr=False)
    _work: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def id(self) -> str:
        """Its global id."""
        return f"gid://shopify/BulkOperation/{self.number}"

    def start(self, collect: "Collect") -> None:
        """Begin to work, in a thread."""
        self._work = threading.Thread(target=self._collect, args=(collect,), name="bulk", daemon=True)
        self._work.start()

    def poll(self, now: datetime) -> bool:
        """Go on by one look at the operation, and tell whether it ended with this look."""
        with self._lock:
            return self._poll(now)

    def _poll(self, now: datetime) -> bool:
        if self.status == "CANCELING":
            self._end("CANCELED", now)
            return True
        if self.status not in RUNNING:
            return False
        self._polls += 1
        self.status = "RUNNING"
        if self._polls <= self.options.polls or not self._done():
            return False
        self._finish(now)
        return True

    def cancel(self) -> bool:
        """Ask for the end, and tell whether it was still running."""
        with self._lock:
            if self.status not in RUNNING:
                return False
            self.status = "CANCELING"
            return True

    def expired(self, now: datetime) -> bool:
        """Tell whether the file is no longer to be had."""
        return self.completed_at is None or now >= self.completed_at + self.options.kept_for

    def _done(self) -> bool:
        if self._work is not None:
            self._work.join(_PATIENCE_S)
        return self._work is None or not self._work.is_alive()

    def _collect(self, collect: "Collect") -> None:
        found: list[Placed] = []
        try:
            for data, denied in collect():
                if denied:
                    self.error_code = denied
                    return
                add_rows(data or {}, found)
                self.object_count = len(found)
        except Exception:
            self.error_code = "INTERNAL_SERVER_ERROR"
            raise
        self._rows = arrange(found, self.options.seed, grouped=self.group_objects)

    def _finish(self, now: datetime) -> None:
        found = self._rows[: len(self._rows) // 2] if self.error_code else self._rows
        self.content = b"".join(placed.line for placed in found)
        self.object_count = len(found)
        self.root_object_count = sum(placed.parent is None for placed in found)
        self._end("FAILED" if self.error_code else "COMPLETED", now)

    def _end(self, status: str, now: datetime) -> None:
        self._rows, self._work = [], None
        self.status, self.completed_at = status, now


# -- the document --


def objection(schema: GraphQLSchema, document: DocumentNode) -> str | None:
    """Return why a valid document cannot be a bulk operation, None if it can."""
    info = TypeInfo(schema)
    census = _Census(info)
    visit(document, TypeInfoVisitor(info, census))
    if any(
        isinstance(node, FieldNode) and node.name.value in ("node", "nodes")
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
        for node in definition.selection_set.selections
    ):
        return "Bulk queries cannot contain a top level `node` or `nodes` field."
    if census.connections == 0:
        return "Bulk queries must contain at least one connection."
    if census.connections > _MOST_CONNECTIONS:
        return f"Bulk queries cannot contain more than {_MOST_CONNECTIONS} connections."
    if census.deepest > _DEEPEST:
        return "Bulk queries cannot contain connections with a nesting depth greater than 2."
    if census.in_list:
        return "Queries that contain a connection field within a list field are not currently supported."
    return None


class _Census(Visitor):
    """Counts connections while a document is walked through."""

    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info
        self._path: list[str] = []
        self.connections = 0
        self.deepest = 0
        self.in_list = False

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """Note what a field returns."""
        kind = self._kind(node)
        self._path.append(kind)
        if kind == "connection":
            self.connections += 1
            self.deepest = max(self.deepest, self._path.count("connection"))
            self.in_list = self.in_list or "list" in self._path

    def leave_field(self, *_: Any) -> None:
        """Step back."""
        self._path.pop()

    def _kind(self, node: FieldNode) -> str:
        returned = self._info.get_type()
        if returned is None:
            return "other"
        if is_connection(get_named_type(returned)):
            return "connection"
        return "list" if node.name.value not in ("edges", "nodes") and _is_list(returned) else "other"


def _is_list(returned: GraphQLOutputType) -> bool:
    inner = returned.of_type if isinstance(returned, GraphQLNonNull) else returned
    return isinstance(inner, GraphQLList)


def with_ids(document: DocumentNode) -> DocumentNode:
    """Return ``document`` with the id of every node asked for under a name of our own, for ``__parentId``."""
    return visit(document, _AddIds())  # type: ignore[no-any-return]


class _AddIds(Visitor):
    """Adds the id, and takes pages away: bulk operations have none."""

    def leave_field(self, node: FieldNode, *_: Any) -> Any:
        """Rewrite one field."""
        if node.name.value == "pageInfo":
            return REMOVE
        if node.name.value in ("node", "nodes") and node.selection_set:
            extra = FieldNode(
                name=NameNode(value="id"), alias=NameNode(value=_ID), arguments=(), directives=()
            )
            chosen = SelectionSetNode(selections=(*node.selection_set.selections, extra))
            return FieldNode(
                name=node.name,
                alias=node.alias,
                arguments=node.arguments,
                directives=node.directives,
                selection_set=chosen,
            )
        return None


# -- the file --


@dataclass(frozen=True, slots=True)
class Placed:
    """A line of the file, and the position of its parent's among all found."""

    line: bytes
    parent: int | None


def add_rows(data: Mapping[str, Any], found: list[Placed]) -> None:
    """Append the objects in the connections of a query's answer to ``found``, each before its children.

    A connection is told from other objects by its ``edges`` or ``nodes``.
    """
    _add(data, None, None, found)


def _add(data: Mapping[str, Any], parent: int | None, parent_id: str | None, found: list[Placed]) -> None:
    for value in data.values():
        nodes = _nodes(value)
        if nodes is None:
            if isinstance(value, dict):
                _add(value, parent, parent_id, found)
            continue
        for node in nodes:
            row = {key: inner for key, inner in node.items() if key != _ID and _nodes(inner) is None}
            if parent_id:
                row["__parentId"] = parent_id
            found.append(Placed(orjson.dumps(row) + b"\n", parent))
            _add(node, len(found) - 1, node[_ID], found)


def _nodes(value: Any) -> list[dict[str, Any]] | None:
    if not isinstance(value, dict):
        return None
    if "edges" in value:
        return [edge["node"] for edge in value["edges"]]
    return value.get("nodes")


def arrange(found: list[Placed], seed: int, *, grouped: bool) -> list[Placed]:
    """Return the lines as the file holds them: in order if ``grouped``, else children anywhere after parents."""
    if grouped:
        return found
    random = Random(seed)
    places: list[float] = []
    for number, placed in enumerate(found):
        own = number if placed.parent is None else random.uniform(places[placed.parent], len(found))
        places.append(own)
    return [found[number] for number in sorted(range(len(found)), key=places.__getitem__)]
