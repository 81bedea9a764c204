"""One execution of a document: whose data, for which app, and what every resolver needs of both."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import DocumentNode, GraphQLError

from demo.peers.shopify.fields import Thing
from demo.peers.shopify.search import SortKey, page
from demo.peers.shopify.state import Body, Shop

_DOCUMENTATION: Final = "https://shopify.dev/api/usage/access-scopes"


@dataclass(slots=True)
class Run:
    """One execution, given to every resolver.

    Attributes:
        shop: whose data.
        app: what the app is called and known as: ``client_id`` and ``scopes`` it asks for.
        base_url: of this server, without trailing slash: files are fetched from it.
        execute: answers a document within a run: exports ask once more for each of their pieces.
        bulk: whether connections return everything.
        window: which of the outermost connection's objects, so that exports go piece by piece.
        objects: how many were resolved: the actual cost.
        roots: how many the outermost connection gave, the most if there are several.
    """

    shop: Shop
    app: "AppFacts"
    base_url: str
    execute: "Execute"
    bulk: bool = False
    window: slice = field(default_factory=lambda: slice(None))
    objects: int = 0
    roots: int = 0

    def allowed(self, scope: str) -> bool:
        """Tell whether the app was granted ``scope``; who may write may read."""
        return scope in self.shop.scopes or scope.replace("read_", "write_", 1) in self.shop.scopes


@dataclass(frozen=True, slots=True)
class AppFacts:
    """The app as the platform knows it."""

    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    name: str = "Pannier"
    handle: str = "pannier"
    url: str = ""
    redirect_urls: tuple[str, ...] = ()


def number(identity: str, kind: str) -> int:
    """Return the number in a global id of ``kind``.

    Raises:
        GraphQLError: if it is no such id.
    """
    match = re.fullmatch(rf"gid://shopify/{kind}/(\d+)", identity)
    if match is None:
        raise GraphQLError(f"Invalid id: {identity}", extensions={"code": "RESOURCE_NOT_FOUND"})
    return int(match[1])


def denied(field: str, scope: str) -> GraphQLError:
    """Return the error of a field that needs ``scope``, which the app was not granted."""
    return GraphQLError(
        f"Access denied for {field} field. Required access: `{scope}` access scope.",
        extensions={
            "code": "ACCESS_DENIED",
            "documentation": _DOCUMENTATION,
            "requiredAccess": f"`{scope}` access scope.",
        },
    )


def outermost(run: Run, items: list[Thing], arguments: Body, key: SortKey) -> dict[str, Any]:
    """Return the page of ``items`` that a connection at the root was asked for."""
    if run.bulk:
        items = sorted(items, key=key, reverse=bool(arguments.get("reverse")))[run.window]
        run.roots = max(run.roots, len(items))
    return page(items, arguments, key, everything=run.bulk)


Execute = Callable[[DocumentNode, Run, Body], Any]
"""Executes a document with variables; the result has data and errors."""

Root = Callable[[Run, Body], Any]
"""Answers a field of the query or the mutation: from the run and the arguments."""


def user_error(path: list[str], message: str, code: str | None) -> dict[str, Any]:
    """Return an error of a mutation's input: ``path`` leads to the field."""
    return {"field": path, "message": message, "code": code, "extra_info": None}
