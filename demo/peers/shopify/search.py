"""Shopify's search syntax over webhook bodies, and pages with cursors.

Understood are terms ``field:value`` and ``field:>=value`` joined by blanks, AND and OR, quotes, ``-`` for not
and commas between alternatives. Shopify ignores a field it does not know and returns everything; here it is an
error, so that a misspelt filter is noticed.
"""

import base64
import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from graphql import GraphQLError

_TERM: Final = re.compile(
    r"""(?P<not>-)?(?P<field>\w+):(?P<op>>=|<=|>|<)?(?P<value>'[^']*'|"[^"]*"|[^\s'"]+)""", re.ASCII
)
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_MOMENTS: Final = frozenset({"created_at", "updated_at", "processed_at", "published_at"})
_WORDS: Final = frozenset({"status", "financial_status", "handle", "name", "title", "vendor", "product_type"})
LARGEST_PAGE: Final = 250

Body = Mapping[str, Any]
Test = Callable[[Body], bool]


def matcher(query: str | None, kind: str, timezone: str) -> Test:
    """Return the test that ``query`` makes of a body.

    Args:
        query: in Shopify's search syntax; None and the empty string find everything.
        kind: ``Product`` or ``Order``; orders know the statuses open, closed, cancelled and not_closed.
        timezone: of moments without one, an IANA name.

    Raises:
        GraphQLError: if the query cannot be read, or names a field that is not known here.
    """
    text = (query or "").strip()
    if not text:
        return lambda _: True
    choices = [_all_of(part, kind, timezone) for part in re.split(r"\s+OR\s+", text)]
    return lambda body: any(choice(body) for choice in choices)


def moment(body: Body, field: str) -> datetime | None:
    """Return a moment of a body in UTC."""
    raw = body.get(field)
    return datetime.fromisoformat(raw).astimezone(UTC) if raw else None


def _all_of(text: str, kind: str, timezone: str) -> Test:
    rest = _TERM.sub(" ", text).replace("AND", " ").strip()
    if rest:
        raise GraphQLError(f"This stand-in cannot read the search {text!r}.")
    tests = [_term(match, kind, timezone) for match in _TERM.finditer(text)]
    return lambda body: all(test(body) for test in tests)


def _term(match: re.Match[str], kind: str, timezone: str) -> Test:
    field, op, value = match["field"], match["op"] or "", match["value"]
    compare = _COMPARE[op]
    values = [value.strip("'\"")] if value[0] in "'\"" else value.split(",")
    if field in _MOMENTS:
        limits = [_limit(part, timezone) for part in values]
        positive: Test = lambda body: _reaches(moment(body, field), compare, limits)  # noqa: E731
    elif field == "id":
        numbers = [int(part.rsplit("/", 1)[-1]) for part in values]
        positive = lambda body: any(compare(body["id"], number) for number in numbers)  # noqa: E731
    elif field == "test":
        positive = lambda body: body.get("test", False) == (values[0] == "true")  # noqa: E731
    elif field == "tag":
        positive = lambda body: any(tag in body["tags"] for tag in values)  # noqa: E731
    elif field in _WORDS:
        positive = lambda body: any(_has(body, field, word.lower(), kind) for word in values)  # noqa: E731
    else:
        raise GraphQLError(f"Invalid search field for this query: {field}.")
    return (lambda body: not positive(body)) if match["not"] else positive


def _limit(text: str, timezone: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as unreadable:
        raise GraphQLError(f"No moment: {text!r}.") from unreadable
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)


def _reaches(at: datetime | None, compare: Callable[[Any, Any], bool], limits: list[datetime]) -> bool:
    return at is not None and any(compare(at, limit) for limit in limits)


def _has(body: Body, field: str, word: str, kind: str) -> bool:
    if field == "status" and kind == "Order":
        closed, cancelled = bool(body.get("closed_at")), bool(body.get("cancelled_at"))
        found = {
            "any": True,
            "open": not closed and not cancelled,
            "closed": closed,
            "cancelled": cancelled,
            "not_closed": not closed,
        }
        return found.get(word, False)
    return str(body.get(field) or "").lower() == word


SortKey = Callable[[Any], Any]


def page(
    items: Iterable[Any], arguments: Mapping[str, Any], key: SortKey, *, everything: bool
) -> dict[str, Any]:
    """Return the connection over ``items``: edges, nodes and page_info.

    Cursors hold the sort key of their item, so a walk goes on where it was though items come, change and go.

    Args:
        items: the resources.
        arguments: of the field: ``first``, ``after``, ``reverse``.
        key: what to sort by: a sequence of JSON values, different for every item.
        everything: leave the arguments aside, as bulk operations do.

    Raises:
        GraphQLError: without ``first`` or with more than 250, and of a cursor that is none.
    """
    reverse = bool(arguments.get("reverse"))
    ordered = sorted(items, key=key, reverse=reverse)
    if everything:
        return _connection(ordered, key, before=False, after=False)
    first = arguments.get("first")
    if arguments.get("last") is not None or arguments.get("before") is not None:
        raise GraphQLError("This stand-in walks forwards only: use first and after.")
    if first is None:
        raise GraphQLError("you must provide one of first or last", extensions={"code": "BAD_REQUEST"})
    if not 0 < first <= LARGEST_PAGE:
        raise GraphQLError(f"first must be between 1 and {LARGEST_PAGE}", extensions={"code": "BAD_REQUEST"})
    start = 0
    if arguments.get("after"):
        last = _read(arguments["after"])
        passed = operator.ge if reverse else operator.le
        start = sum(1 for item in ordered if passed(list(key(item)), last))
    chosen = ordered[start : start + first]
    return _connection(chosen, key, before=start > 0, after=start + first < len(ordered))


def _connection(items: Sequence[Any], key: SortKey, *, before: bool, after: bool) -> dict[str, Any]:
    edges = [{"node": item, "cursor": _write(key(item))} for item in items]
    return {
        "edges": edges,
        "nodes": list(items),
        "page_info": {
            "has_next_page": after,
            "has_previous_page": before,
            "start_cursor": edges[0]["cursor"] if edges else None,
            "end_cursor": edges[-1]["cursor"] if edges else None,
        },
    }


def _write(values: Sequence[Any]) -> str:
    return base64.b64encode(json.dumps(list(values)).encode()).decode()


def _read(cursor: str) -> list[Any]:
    try:
        values = json.loads(base64.b64decode(cursor, validate=True))
    except ValueError as broken:
        raise GraphQLError("Invalid cursor for current pagination sort.") from broken
    if not isinstance(values, list):
        raise GraphQLError("Invalid cursor for current pagination sort.")
    return values
