"""The platform of one store, to be asked: what every platform's ``source.py`` offers.

A walk is a sequence of pages. Its cursor is a small JSON object that the caller keeps, so that the walk goes
on after a crash: the page that follows a cursor may come twice, never not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol

Resource = Literal["products", "orders"]
RESOURCES: Final[tuple[Resource, ...]] = ("products", "orders")

Cursor = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fetched:
    """One resource in the words of the platform's own webhook: a topic and its body, personal fields and all.

    Whoever receives it redacts it as if it had been delivered. ``body`` must be equal whenever the resource is.
    """

    topic: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a walk.

    Attributes:
        items: what was found.
        cursor: where the next page begins; None ends the walk.
        total: how many resources the whole walk will find, where the platform says so.
        wait_s: seconds to wait before the next page is asked for (an export that still runs).
        notes: sentences for the merchant, such as that older orders are not readable.
    """

    items: tuple[Fetched, ...]
    cursor: Cursor | None
    total: int | None = None
    wait_s: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A resource's id and state, without its content. ``status`` is the platform's word, in lower case."""

    id: str
    status: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class ListingPage:
    """A part of the walk over all ids. ``cursor`` None ends it."""

    items: tuple[Listed, ...]
    cursor: Cursor | None


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What the platform says of the store itself. ``origins`` are its storefront's, as browsers send them."""

    name: str
    currency: str
    timezone: str
    origins: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SubscriptionReport:
    """What became of the store's webhooks: topics that are well, and what was done to the others."""

    active: tuple[str, ...]
    created: tuple[str, ...] = ()
    reactivated: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())


class Source(Protocol):
    """One store's platform. Every method may raise any error of ``connectors.errors``."""

    def facts(self) -> StoreFacts:
        """Return what the platform says of the store: a call that proves the key, too."""
        ...

    def history(self, resource: Resource, cursor: Cursor | None) -> Page:
        """Return the next page of everything there is, oldest first where the platform can; for backfills."""
        ...

    def changes(self, resource: Resource, since: datetime, cursor: Cursor | None) -> Page:
        """Return the next page of what changed after ``since`` (exclusive or inclusive, a second either way)."""
        ...

    def listing(self, resource: Resource, cursor: Cursor | None) -> ListingPage:
        """Return the next page of all ids with their states, deleted or trashed ones left out."""
        ...

    def one(self, resource: Resource, platform_id: str) -> Fetched | None:
        """Return a resource as it is now, None if it is gone."""
        ...

    def gone(self, resource: Resource, platform_id: str) -> Fetched:
        """Return the message the platform would send of a deletion: what ``one`` did not find."""
        ...

    def count(self, resource: Resource) -> int | None:
        """Return how many the platform has (of what ``listing`` lists), None where it does not say."""
        ...

    def ensure_subscriptions(self) -> SubscriptionReport:
        """Have every topic delivered to us exactly once: create, reactivate, and remove doubles of our own."""
        ...

    def remove_subscriptions(self) -> None:
        """Take back what ``ensure_subscriptions`` made."""
        ...
