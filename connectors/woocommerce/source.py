"""One WooCommerce store, to be asked: its history, its changes, its facts, its webhooks.

**Paging.** wc/v3 has no "id greater than" and no cursor, and pages counted by number shift when something is
deleted meanwhile. So a walk goes by ascending id and by ``offset``, each request beginning a little before the
end of the last one. A page is only believed where it begins at or before the highest id that was handed out
already (or at the very beginning): then nothing can lie between, however many rows were deleted or put in before
it. Where it does not, the walk steps back until it does. Ids at or below the highest are left out of what is
handed out. So everything that is there from the first request to the last comes exactly once. What enters the
list behind the walk, such as an order taken out of the bin, has changed since the walk began, and ``changes``
finds it.

``changes`` walks by id too: the set of what was modified after a time only grows, while an order by time of
modification shifts with each sale, and many resources share one second.

**Time-outs.** A page is up to 100 resources. Where the store does not answer, the page is halved, down to 5, and
grows again by a quarter with each answer. The cursor remembers the size.

**Refunds.** An order names its refunds without their lines. They are read from ``refunds`` and put into the order's
body as ``line_items`` of each refund, which the translation knows.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol, runtime_checkable
from urllib.parse import urlsplit

from connectors.errors import (
    CursorLost,
    NotFound,
    PlatformError,
    ReconnectNeeded,
    Rejected,
    Throttled,
    Unreachable,
)
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
from connectors.woocommerce import subscriptions
from connectors.woocommerce.timezones import site_timezone


class Answer(Protocol):
    """What the store answered to a request that went well."""

    @property
    def body(self) -> Any:
        """The JSON value."""
        ...

    @property
    def total(self) -> int | None:
        """How many resources the whole collection has (the header ``X-WP-Total``), where it says so."""
        ...


class Rest(Protocol):
    """The store's REST interface, wc/v3, as a client offers it.

    Paths are relative to ``/wp-json/wc/v3/``. Lists among ``params`` are sent with commas. Every method may
    raise any error of ``connectors.errors``; only reads are tried again before that.
    """

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        """Read a resource or a collection."""
        ...

    def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Create a resource."""
        ...

    def put(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Change a resource."""
        ...

    def delete(self, path: str) -> Answer:
        """Delete a resource for good."""
        ...


@runtime_checkable
class SiteIndex(Protocol):
    """A client that can also read what WordPress says of the site, at ``/wp-json/`` and without a key."""

    def site_index(self) -> Answer:
        """Return ``name``, ``home``, ``timezone_string``, ``gmt_offset`` and more."""
        ...


# What the translation reads, and what redaction needs to see: the answer is a third of a whole one.
_ORDER_FIELDS: Final = (
    "id", "status", "currency", "prices_include_tax", "date_created_gmt", "date_modified_gmt", "date_paid_gmt",
    "total", "customer_id", "created_via", "billing", "line_items", "meta_data", "refunds",
)  # fmt: skip
_VARIATION_FIELDS: Final = (
    "id", "parent_id", "type", "name", "status", "permalink", "date_created_gmt", "date_modified_gmt", "sku", "price",
    "regular_price", "on_sale", "purchasable", "manage_stock", "stock_quantity", "stock_status", "backorders_allowed",
    "menu_order", "image", "attributes",
)  # fmt: skip
_PRODUCT_FIELDS: Final = (
    *(name for name in _VARIATION_FIELDS if name != "image"),
    "catalog_visibility", "post_password", "categories", "brands", "tags", "images", "variations",
    "cross_sell_ids", "upsell_ids",
)  # fmt: skip
_FIELDS: Final[dict[Resource, tuple[str, ...]]] = {"orders": _ORDER_FIELDS, "products": _PRODUCT_FIELDS}
_TOPICS: Final[dict[Resource, tuple[str, str]]] = {
    "orders": ("order.updated", "order.deleted"),
    "products": ("product.updated", "product.deleted"),
}
# What is told of something that the store just showed by its id: whatever was heard of a deletion, it is there.
_THERE: Final[dict[Resource, str]] = {"orders": "order.restored", "products": "product.restored"}
_LISTED: Final = ("id", "status", "date_modified_gmt")

_LARGEST: Final = 100
_SMALLEST: Final = 5

_STATUS: Final = re.compile(r"[a-z0-9_-]{1,40}")
_CORE_STATUSES: Final = ("completed", "processing", "on-hold", "refunded", "cancelled", "failed", "pending")
# A filter for several statuses at once, a bin, and what nobody has ordered yet.
_NO_ORDER: Final = frozenset({"any", "trash", "auto-draft", "checkout-draft"})

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REFUNDED_LINE: Final = "_refunded_item_id"
_TIME_ZONE_UNKNOWN: Final = (
    "The shop's time zone could not be read, so days are counted in UTC: choose a city under Settings, General "
    "in WordPress."
)
_TIME_ZONE_IS_OFFSET: Final = (
    "The shop's time zone is an offset without daylight saving: if your clocks change, choose a city under "
    "Settings, General in WordPress."
)


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a list was read: the rows behind, as of the last answer, and the highest id handed out."""

    rows: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class _Walk:
    """A cursor, taken apart.

    Attributes:
        size: how many resources to ask for at once.
        place: where the walk stands in its list; None at the end.
        lone: the list is that of all variations, and products follow.
        parents: products whose variations are fetched before the list goes on.
        within: where the walk stands among the variations of the first of them.
        nested: variations come product by product.
    """

    size: int = _LARGEST
    place: _Place | None = _Place()
    lone: bool = False
    parents: tuple[int, ...] = ()
    within: _Place = _Place()
    nested: bool = True

    @classmethod
    def read(cls, cursor: Cursor | None, fresh: "_Walk") -> "_Walk":
        """Return the walk that ``cursor`` stands for, ``fresh`` where there is none.

        Raises:
            CursorLost: if it is none of ours.
        """
        if cursor is None:
            return fresh
        try:
            return cls(
                size=int(cursor["size"]),
                place=None if cursor["place"] is None else _Place(*cursor["place"]),
                lone=cursor["lone"],
                parents=tuple(cursor["parents"]),
                within=_Place(*cursor["within"]),
                nested=cursor["nested"],
            )
        except (KeyError, TypeError, ValueError):
            raise CursorLost("The place where reading the shop stopped is not known any more.") from None

    def cursor(self) -> Cursor | None:
        """Return the walk as JSON, None at its end."""
        if self.place is None and not self.parents and not self.lone:
            return None
        return {
            "size": self.size,
            "place": None if self.place is None else [self.place.rows, self.place.last],
            "lone": self.lone,
            "parents": list(self.parents),
            "within": [self.within.rows, self.within.last],
            "nested": self.nested,
        }


_Rows = list[dict[str, Any]]
# What one request found, where the walk goes on, and how many there are in all.
_Step = tuple[_Rows, _Walk, int | None]


class WooCommerceSource:
    """See ``connectors.source.Source`` for what each method promises."""

    def __init__(self, rest: Rest, delivery_url: str, secret: str, site_url: str) -> None:
        """Ask through ``rest``.

        Args:
            rest: a client that holds the store's key.
            delivery_url: where this store's webhooks are delivered; nobody else's has the same.
            secret: what they are signed with: letters and digits, as WooCommerce decodes HTML entities in it.
            site_url: the store's address as it was registered.
        """
        self._rest = rest
        self._delivery_url = delivery_url
        self._secret = secret
        self._site_url = site_url
        self._order_statuses: list[str] | None = None
        self._has_refunds = True

    def facts(self) -> StoreFacts:
        """Return what the store says of itself.

        The currency is read with the key, from ``system_status``. Name and time zone stand in WordPress's own
        index and nowhere in wc/v3. Raises Rejected where there is no currency.
        """
        status = _object(
            self._rest.get("system_status", {"_fields": ["environment.home_url", "settings"]}).body
        )
        environment, settings = _object(status.get("environment")), _object(status.get("settings"))
        currency = settings.get("currency")
        if not isinstance(currency, str) or not re.fullmatch("[A-Z]{3}", currency):
            raise Rejected("The shop does not say which currency it sells in.")
        index = self._site_index()
        timezone, notes = _timezone(index)
        addresses = (self._site_url, environment.get("home_url"), index.get("home"))
        origins = tuple(dict.fromkeys(origin for a in addresses if (origin := _origin(a))))
        name = index.get("name")
        if not isinstance(name, str) or not name.strip():
            name = urlsplit(self._site_url).hostname or self._site_url
        return StoreFacts(name.strip(), currency, timezone, origins, notes)

    def history(self, resource: Resource, cursor: Cursor | None) -> Page:
        """Return the next page of everything there is; a variable product's variations come after its page."""
        walk = _Walk.read(cursor, _Walk(nested=resource == "products"))
        return self._page(walk, lambda: self._fetch(resource, walk, self._filter(resource)), resource)

    def changes(self, resource: Resource, since: datetime, cursor: Cursor | None) -> Page:
        """Return the next page of what was modified after ``since``.

        A variation is modified without its product. WooCommerce lists all of them together since 10.3; before,
        those of each changed product are fetched, and a variation that changed alone is left to the webhooks.
        """
        walk = _Walk.read(cursor, _Walk(lone=resource == "products", nested=False))
        # The safest form: with an offset or a Z the same text means another time, depending on the flag.
        moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        changed = {"modified_after": moment, "dates_are_gmt": True}

        def fetch() -> _Step:
            if walk.lone:
                return self._fetch_lone_variations(walk, changed)
            return self._fetch(resource, walk, {**self._filter(resource), **changed})

        return self._page(walk, fetch, resource)

    def listing(self, resource: Resource, cursor: Cursor | None) -> ListingPage:
        """Return the next page of all ids with their states."""
        walk = _Walk.read(cursor, _Walk(nested=False))
        params = {**self._filter(resource), "_fields": list(_LISTED)}
        (rows, following, _) = self._patiently(walk, lambda: self._list_step(resource, walk, params))
        return ListingPage(tuple(_listed(row) for row in rows), following.cursor())

    def one(self, resource: Resource, platform_id: str) -> Fetched | None:
        """Return a resource as it is now, None if it is gone or in the bin.

        It comes as taken back out of the bin: a message of its deletion, which carries no time, may have arrived
        after that of its return.
        """
        try:
            answer = self._rest.get(f"{resource}/{int(platform_id)}", {"_fields": list(_FIELDS[resource])})
        except NotFound:
            return None
        row = _object(answer.body)
        if row.get("status") == "trash":
            return None
        return replace(self._fetched(resource, [row])[0], topic=_THERE[resource])

    def gone(self, resource: Resource, platform_id: str) -> Fetched:
        """Return the message that WooCommerce sends of what is put into the bin; of what is deleted it sends none."""
        return Fetched(_TOPICS[resource][1], {"id": int(platform_id)})

    def count(self, resource: Resource) -> int | None:
        """Return how many resources ``listing`` lists."""
        params = {**self._filter(resource), "_fields": ["id"], "per_page": 1}
        return self._rest.get(resource, params).total

    def ensure_subscriptions(self) -> SubscriptionReport:
        """Have every topic of ``subscriptions.TOPICS`` delivered to us exactly once."""
        return subscriptions.ensure(self._rest, self._delivery_url, self._secret)

    def remove_subscriptions(self) -> None:
        """Delete every webhook that delivers to us."""
        subscriptions.remove(self._rest, self._delivery_url)

    def _page(self, walk: _Walk, fetch: Callable[[], _Step], resource: Resource) -> Page:
        """Return what ``fetch`` finds as a page; half as much is tried next where the store does not answer."""
        items: tuple[Fetched, ...] = ()

        def step() -> _Step:
            nonlocal items
            rows, following, total = fetch()
            items = self._fetched(resource, rows)
            return rows, following, total

        _, following, total = self._patiently(walk, step)
        return Page(items, following.cursor(), total)

    @staticmethod
    def _patiently(walk: _Walk, step: Callable[[], _Step]) -> _Step:
        """Return what ``step`` finds; where it meets no answer, nothing, and the same place with half the size."""
        try:
            rows, following, total = step()
        except Throttled:
            raise
        except Unreachable:
            if walk.size <= _SMALLEST:
                raise
            return [], replace(walk, size=max(_SMALLEST, walk.size // 2)), None
        return rows, replace(following, size=min(_LARGEST, walk.size + max(1, walk.size // 4))), total

    def _fetch(self, resource: Resource, walk: _Walk, params: Mapping[str, Any]) -> _Step:
        """Return the next resources, or the next variations of the products that the last ones were."""
        if walk.parents:
            return self._fetch_variations(walk)
        rows, following, total = self._list_step(
            resource, walk, {**params, "_fields": list(_FIELDS[resource])}
        )
        if walk.nested:
            following = replace(following, parents=tuple(row["id"] for row in rows if row.get("variations")))
        return rows, following, total

    def _list_step(self, resource: Resource, walk: _Walk, params: Mapping[str, Any]) -> _Step:
        """Return the next rows of a list of resources. Only the first page tells the total."""
        place = walk.place or _Place()
        rows, following, total = self._rows(resource, params, place, walk.size)
        return rows, replace(walk, place=following), None if place.rows else total

    def _fetch_variations(self, walk: _Walk) -> _Step:
        """Return the next variations of the first product that waits for them."""
        parent, *others = walk.parents
        try:
            rows, within, _ = self._rows(
                f"products/{parent}/variations", {"_fields": list(_VARIATION_FIELDS)}, walk.within, walk.size
            )
        except NotFound:  # deleted since it was listed
            rows, within = [], None
        rows = [{**row, "type": "variation", "parent_id": parent} for row in rows]
        if within is not None:
            return rows, replace(walk, within=within), None
        return rows, replace(walk, parents=tuple(others), within=_Place()), None

    def _fetch_lone_variations(self, walk: _Walk, changed: Mapping[str, Any]) -> _Step:
        """Return the next changed variations of whatever product; after the last of them, products are next."""
        fields = {"_fields": list(_VARIATION_FIELDS)}
        try:
            rows, place, _ = self._rows(
                "variations", {**changed, **fields}, walk.place or _Place(), walk.size
            )
        except Rejected:  # WooCommerce before 10.3 has no such list
            return [], replace(walk, lone=False, nested=True, place=_Place()), None
        rows = [{**row, "type": "variation"} for row in rows]
        if place is not None:
            return rows, replace(walk, place=place), None
        return rows, replace(walk, lone=False, place=_Place()), None

    def _rows(
        self, path: str, params: Mapping[str, Any], place: _Place, size: int
    ) -> tuple[_Rows, _Place | None, int | None]:
        """Return the rows with an id above ``place.last`` out of ``size`` rows, and the place behind those.

        Where so much was deleted that the page does not begin at a known id, the right beginning is searched: back
        with growing steps, then by halves between a beginning too early and one too late.

        Raises:
            CursorLost: if there is none, as the list changes faster than it can be read.
        """
        offset = max(0, place.rows - max(1, size // 20))
        back, early, late = size // 2, 0, -1
        while True:
            query = {**params, "orderby": "id", "order": "asc", "per_page": size, "offset": offset}
            answer = self._rest.get(path, query)
            rows = _list(answer.body)
            if offset == 0 or (rows and rows[0]["id"] <= place.last):
                reached = offset + size
                ended = len(rows) < size if answer.total is None else reached >= answer.total
                fresh = [row for row in rows if row["id"] > place.last]
                if fresh or ended or late < 0:
                    last = max((row["id"] for row in fresh), default=place.last)
                    return fresh, None if ended else _Place(reached, last), answer.total
                early = offset + 1
            else:
                late = offset
            if early >= late:
                raise CursorLost("The shop changed too fast while it was read: reading begins again.")
            offset, back = (early + late) // 2 if early else max(0, late - back), back * 2

    def _fetched(self, resource: Resource, rows: _Rows) -> tuple[Fetched, ...]:
        """Return ``rows`` in the form of the webhook that tells of them."""
        if resource == "orders":
            rows = self._with_refund_lines(rows)
        return tuple(Fetched(_TOPICS[resource][0], _body(resource, row)) for row in rows)

    def _with_refund_lines(self, orders: _Rows) -> _Rows:
        """Return ``orders`` with the lines of each of their refunds, which an order only names."""
        wanted = [refund["id"] for order in orders for refund in order.get("refunds") or ()]
        lines = self._refund_lines(wanted)
        for order in orders:
            named = [refund["id"] for refund in order.get("refunds") or ()]
            if not lines.keys() >= set(named):
                lines |= self._refund_lines_of(order["id"])
        return [
            {
                **order,
                "refunds": [
                    {**refund, "line_items": lines[refund["id"]]} if refund["id"] in lines else refund
                    for refund in order.get("refunds") or ()
                ],
            }
            for order in orders
        ]

    def _refund_lines(self, ids: Sequence[int]) -> dict[int, _Rows]:
        """Return the lines of refunds by the refund's id; none of them before WooCommerce 9.0."""
        found: dict[int, _Rows] = {}
        for start in range(0, len(ids) if self._has_refunds else 0, _LARGEST):
            part = list(ids[start : start + _LARGEST])
            params = {"include": part, "per_page": _LARGEST, "_fields": ["id", "line_items"]}
            try:
                answer = self._rest.get("refunds", params)
            except Rejected:
                self._has_refunds = False
                break
            found |= _lines_by_refund(answer.body)
        return found

    def _refund_lines_of(self, order_id: int) -> dict[int, _Rows]:
        """Return the lines of one order's refunds; none where the order is gone."""
        params = {"per_page": _LARGEST, "_fields": ["id", "line_items"]}
        try:
            return _lines_by_refund(self._rest.get(f"orders/{order_id}/refunds", params).body)
        except NotFound:
            return {}

    def _filter(self, resource: Resource) -> dict[str, Any]:
        """Return the statuses to ask for: all but the bin and what nobody has ordered.

        ``any`` means that for products. For orders it holds checkouts that somebody merely opened.
        """
        if resource == "products":
            return {"status": "any"}
        if self._order_statuses is None:
            self._order_statuses = self._read_order_statuses()
        return {"status": self._order_statuses}

    def _read_order_statuses(self) -> list[str]:
        """Return WooCommerce's own statuses and those that plug-ins added.

        An unknown one would make the store refuse the whole question, so they are read from the store: from a list
        of their own, or, before there was one, from the report that counts orders by status. Where neither may be
        read, WooCommerce's own are left.
        """
        for path in ("orders/statuses", "reports/orders/totals"):
            try:
                rows = self._rest.get(path).body
            except (Rejected, ReconnectNeeded):  # a key that is dead will show at the orders themselves
                continue
            slugs = [_object(row).get("slug") for row in rows] if isinstance(rows, list) else []
            words = {slug.removeprefix("wc-") for slug in slugs if isinstance(slug, str)} - _NO_ORDER
            if words and all(_STATUS.fullmatch(word) for word in words):
                return sorted(words)
        return list(_CORE_STATUSES)

    def _site_index(self) -> dict[str, Any]:
        """Return WordPress's index of the site; nothing where the client cannot ask or the site keeps it shut.

        Some close it to everybody without an account, in ways that look like any other failure.
        """
        if not isinstance(self._rest, SiteIndex):
            return {}
        try:
            return _object(self._rest.site_index().body)
        except PlatformError:
            return {}


def _object(value: Any) -> dict[str, Any]:
    """Return a JSON object, an empty one in the place of anything else: PHP writes empty objects as lists."""
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> _Rows:
    """Return a JSON list of resources.

    Raises:
        Unreachable: if it is anything else, as behind a page that another plug-in put in between.
    """
    if not isinstance(value, list) or not all(isinstance(_object(row).get("id"), int) for row in value):
        raise Unreachable("The shop answered, but not with the list that was asked for.")
    return value


def _body(resource: Resource, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a resource that are read.

    Whatever a plug-in adds to them is left out, so that equal resources have equal bodies. A list of variations
    has one ``image`` where the webhook has ``images``.
    """
    body = {name: row[name] for name in _FIELDS[resource] if name in row}
    if row.get("type") == "variation" and "images" not in row:
        body["images"] = [row["image"]] if row.get("image") else []
    return body


def _lines_by_refund(body: Any) -> dict[int, _Rows]:
    """Return the lines of refunds by the refund's id, each with the line of the order that it takes from."""
    return {refund["id"]: _refunded(refund.get("line_items") or ()) for refund in _list(body)}


def _refunded(lines: Iterable[Mapping[str, Any]]) -> _Rows:
    """Return what a refund's lines took from which line of the order; meta data do not survive redaction."""
    return [
        {"refunded_item_id": int(meta["value"]), "quantity": -abs(line["quantity"])}
        for line in lines
        if type(line.get("quantity")) in (int, float)
        for meta in line.get("meta_data") or ()
        if meta.get("key") == _REFUNDED_LINE and str(meta.get("value")).isdecimal()
    ]


def _listed(row: Mapping[str, Any]) -> Listed:
    """Return one row of a listing. What was never saved counts as old."""
    text = row.get("date_modified_gmt")
    changed_at = datetime.fromisoformat(text).replace(tzinfo=UTC) if text else _NEVER
    return Listed(str(row["id"]), str(row.get("status", "")).lower(), changed_at)


def _timezone(index: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the site's time zone as an IANA name, and what the merchant should know of it."""
    name = index.get("timezone_string")
    zone = site_timezone(name, index.get("gmt_offset"))
    if zone is None:
        return "UTC", (_TIME_ZONE_UNKNOWN,)
    return zone, () if zone in (name, "UTC") else (_TIME_ZONE_IS_OFFSET,)


def _origin(address: Any) -> str | None:
    """Return the origin of a page at ``address`` as browsers write it, None where it is no web address."""
    if not isinstance(address, str):
        return None
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != usual else "")
