"""Collections: which rows a request asks for, in which order, and which page of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

from demo.peers.woocommerce.arguments import Arguments, Query
from demo.peers.woocommerce.records import Kind, Record
from demo.peers.woocommerce.site import Site

Row = TypeVar("Row")
ORDER_STATUSES = (
    "any",
    "trash",
    "auto-draft",
    "pending",
    "processing",
    "on-hold",
    "completed",
    "cancelled",
    "refunded",
    "failed",
    "checkout-draft",
)
PRODUCT_STATUSES = ("any", "future", "trash", "draft", "pending", "private", "publish")
_ORDERBY = {
    "order": ("date", "id", "include", "title", "slug", "modified"),
    "refund": ("date", "id", "include", "title", "slug", "modified"),
    "product": (
        *("date", "id", "include", "title", "slug", "modified", "popularity", "rating", "post__in"),
        *("price", "sales", "menu_order", "random"),
    ),
    "variation": ("date", "id", "include", "title", "slug", "modified", "menu_order"),
    "coupon": ("date", "id", "include", "title", "slug", "modified"),
    "customer": ("id", "include", "name", "registered_date"),
    "webhook": ("date", "id", "title"),
}


@dataclass(frozen=True)
class Wish:
    """What a request asks of a collection, checked.

    Attributes:
        offset: rows to leave out at the beginning; None means that the page says it.
        statuses: which are wanted, None for all but the trash.
        created: pairs of bounds (exclusive) for the creation, None for none.
        modified: the same for the last change.
        in_gmt: whether bounds are compared with the columns in GMT, or in the site's time.
    """

    page: int
    per_page: int
    offset: int | None
    ascending: bool
    orderby: str
    include: Sequence[int]
    exclude: Sequence[int]
    parents: Sequence[int]
    statuses: frozenset[str] | None
    unwanted: frozenset[str]
    created: tuple[str | None, str | None]
    modified: tuple[str | None, str | None]
    in_gmt: bool


def read_wish(kind: Kind | Literal["webhook"], query: Query, site: Site) -> Wish:
    """Return what ``query`` asks of the collection of ``kind``.

    Raises:
        RestProblem: if an argument is not acceptable.
    """
    given = Arguments(query)
    statuses: Sequence[str] = ("any",)
    unwanted: Sequence[str] = ()
    if kind == "order":
        statuses = given.choices("status", ("any",), ORDER_STATUSES)
    elif kind in ("product", "variation"):
        statuses = [given.choice("status", "any", PRODUCT_STATUSES)]
        statuses = given.choices("include_status", statuses, PRODUCT_STATUSES)
        unwanted = given.choices("exclude_status", (), PRODUCT_STATUSES)
    dated = kind != "customer"
    wish = Wish(
        page=given.integer("page", 1, least=1) or 1,
        per_page=given.integer("per_page", 10, least=1, most=100) or 10,
        offset=given.integer("offset", None),
        ascending=given.choice("order", "asc" if kind == "customer" else "desc", ("asc", "desc")) == "asc",
        orderby=given.choice("orderby", "date" if dated else "name", _ORDERBY[kind]),
        include=given.integers("include"),
        exclude=given.integers("exclude"),
        parents=given.integers("parent"),
        statuses=None if "any" in statuses else frozenset(statuses),
        unwanted=frozenset(unwanted),
        created=(given.moment("after", site), given.moment("before", site)) if dated else (None, None),
        modified=(
            (given.moment("modified_after", site), given.moment("modified_before", site))
            if dated
            else (None, None)
        ),
        in_gmt=given.boolean("dates_are_gmt"),
    )
    given.check()
    return wish


def chosen(rows: Iterable[Record], wish: Wish, site: Site) -> list[Record]:
    """Return the rows that are asked for, in the order that is asked for."""
    included = frozenset(wish.include)
    found = [row for row in rows if _fits(row, wish, included, site)]
    if wish.orderby == "include" and wish.include:
        place = {identifier: index for index, identifier in enumerate(wish.include)}
        return sorted(found, key=lambda row: place[row.id])
    keys: dict[str, Callable[[Record], Any]] = {
        "date": lambda row: (row.created, row.id),
        "modified": lambda row: (row.modified, row.id),
        "title": lambda row: (str(row.body.get("name", "")).lower(), row.id),
        "slug": lambda row: (str(row.body.get("slug", "")), row.id),
        "price": lambda row: (float(row.body.get("price") or 0), row.id),
    }
    key = keys.get(wish.orderby, lambda row: row.id)
    return sorted(found, key=key, reverse=not wish.ascending)


def _fits(row: Record, wish: Wish, included: frozenset[int], site: Site) -> bool:
    if wish.statuses is None:
        if row.status in ("trash", "auto-draft"):
            return False
    elif row.status not in wish.statuses:
        return False
    if row.status in wish.unwanted or row.id in wish.exclude:
        return False
    if (included and row.id not in included) or (wish.parents and row.parent_id not in wish.parents):
        return False
    return _within(row.created, wish.created, wish, site) and _within(row.modified, wish.modified, wish, site)


def _within(moment: str, bounds: tuple[str | None, str | None], wish: Wish, site: Site) -> bool:
    after, before = bounds
    if after is None and before is None:
        return True
    column = moment if wish.in_gmt else site.local(moment)
    return (after is None or column > after) and (before is None or column < before)


def page_of(rows: Sequence[Row], wish: Wish) -> Sequence[Row]:
    """Return the page of ``rows`` that is asked for, empty past the end."""
    start = _start(wish)
    return rows[start : start + wish.per_page]


def paging_headers(total: int, wish: Wish, address: str, query: Query, *, forgetful: bool) -> dict[str, str]:
    """Return the headers that tell of the whole collection.

    Args:
        total: how many rows the whole collection has.
        wish: what was asked for.
        address: the collection's.
        query: what was asked; the Link header repeats all of it, signatures and keys included.
        forgetful: whether past the end the total is 0, as orders do; products keep the true one.
    """
    if forgetful and _start(wish) >= total:
        total = 0
    pages = -(-total // wish.per_page)
    links = []
    if wish.page > 1:
        links.append(_link(address, query, min(wish.page - 1, pages), "prev"))
    if wish.page < pages:
        links.append(_link(address, query, wish.page + 1, "next"))
    headers = {"X-WP-Total": str(total), "X-WP-TotalPages": str(pages)}
    if links:
        headers["Link"] = ", ".join(links)
    return headers


def _start(wish: Wish) -> int:
    return (wish.page - 1) * wish.per_page if wish.offset is None else wish.offset


def _link(address: str, query: Query, page: int, relation: str) -> str:
    pairs = [(name, query.value(name)) for name in query.names() if name != "page"]
    flat = [
        (name if isinstance(value, str) else f"{name}[{index}]", part)
        for name, value in pairs
        for index, part in enumerate([value] if isinstance(value, str) else value)
    ]
    return f'<{address}?{urlencode([*flat, ("page", page)])}>; rel="{relation}"'
