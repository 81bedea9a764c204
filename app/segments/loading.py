"""Reading what is known of a store's people, a group at a time, so that memory is bounded by the group.

Someone is a customer who is not deleted; customers whom the platform merged count as one, under the smallest of their
internal ids. Events count only where the person allowed marketing when they were sent.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg
from sqlalchemy import Connection

from app.commerce.changes import SALES
from app.events import identity
from app.privacy.purposes import Purposes
from app.privacy.subjects import CART, cart_node, contact_node, customer_node, subject_of
from app.segments.conditions import CARTS, CHANNELS, EVENTS, FACTS, ORDERS, Condition, Leaf, leaves, needs
from app.segments.facts import Carts, Catalogue, Events, Facts, Holdings, Integers, Orders
from app.segments.rfm import DAY_S

# People who are calculated at once.
GROUP: Final = 5_000
# Sums are kept within this, whatever a shop writes into its orders.
_MOST_MONEY: Final = 10**15


@dataclass(frozen=True, slots=True)
class Group:
    """People who are calculated together.

    Attributes:
        ids: the internal customer id of each, under which membership is kept.
        customers: internal ids of all their customers, sorted: int64[k].
        person: whose each of them is, int64[k].
    """

    ids: Sequence[int]
    customers: Integers
    person: Integers

    @classmethod
    def of(cls, owners: Mapping[int, int]) -> "Group":
        """Return the group of some customers, given each one's smallest id."""
        ids = sorted(set(owners.values()))
        customers = np.array(sorted(owners), np.int64)
        owned_by = np.array([owners[c] for c in sorted(owners)], np.int64)
        return cls(ids, customers, np.searchsorted(np.array(ids, np.int64), owned_by).astype(np.int64))

    def whose(self, customers: Integers) -> Integers:
        """Return the place of the person whom each customer is."""
        return self.person[np.searchsorted(self.customers, customers)]


def merged(connection: Connection, store_id: int, among: Iterable[int] | None = None) -> dict[int, int]:
    """Return the smallest internal id of every customer whom the platform merged with another, deleted ones left out.

    Of all customers of the store, or of ``among`` and those merged with them.
    """
    seeds = None if among is None else _nodes(connection, store_id, among)
    pairs = _merges(connection, store_id, seeds)
    persons = identity.resolve(pairs)
    nodes = {node for pair in pairs for node in pair}
    rows = connection.exec_driver_sql(
        "SELECT id, platform_id FROM customer WHERE store_id = %(store)s AND deleted_at IS NULL"
        " AND platform_id = ANY(%(ids)s::text[])",
        {"store": store_id, "ids": [node.partition(":")[2] for node in nodes]},
    )
    people: defaultdict[str, list[int]] = defaultdict(list)
    for id_, platform_id in rows:
        people[persons.key(customer_node(platform_id))].append(id_)
    return {id_: min(ids) for ids in people.values() if len(ids) > 1 for id_ in ids}


def _nodes(connection: Connection, store_id: int, customers: Iterable[int]) -> set[str]:
    rows = connection.exec_driver_sql(
        "SELECT platform_id FROM customer WHERE store_id = %(store)s AND id = ANY(%(ids)s::bigint[])"
        " AND platform_id IS NOT NULL",
        {"store": store_id, "ids": list(customers)},
    )
    return {customer_node(platform_id) for (platform_id,) in rows}


def _merges(connection: Connection, store_id: int, seeds: set[str] | None) -> set[tuple[str, str]]:
    """Return the links between customers: all, or those that lead on from ``seeds``."""
    sql = (
        "SELECT left_node, right_node FROM identity_link WHERE store_id = %(store)s AND revoked_at IS NULL"
        " AND left_node LIKE 'customer:%%' AND right_node LIKE 'customer:%%'"
    )
    if seeds is None:
        return {(left, right) for left, right in connection.exec_driver_sql(sql, {"store": store_id})}
    sql += " AND (left_node = ANY(%(nodes)s::text[]) OR right_node = ANY(%(nodes)s::text[]))"
    found: set[tuple[str, str]] = set()
    known, new = set(seeds), set(seeds)
    while new and len(known) <= len(seeds) + identity.LARGEST:
        rows = connection.exec_driver_sql(sql, {"store": store_id, "nodes": sorted(new)})
        found |= {(left, right) for left, right in rows}
        new = {node for pair in found for node in pair} - known
        known |= new
    return found


def groups(connect: Callable[[], Connection], store_id: int, *, one_in: int = 1) -> Iterator[Group]:
    """Yield all people of a store, or of every ``one_in`` customers one, in groups of about ``GROUP``.

    ``connect`` gives a connection, another one after the transaction was ended between two groups.
    """
    owners = merged(connect(), store_id)
    others: defaultdict[int, list[int]] = defaultdict(list)
    for customer, owner in owners.items():
        others[owner].append(customer)
    after = 0
    while True:
        rows = (
            connect()
            .exec_driver_sql(
                "SELECT id FROM customer WHERE store_id = %(store)s AND deleted_at IS NULL AND id > %(after)s"
                " AND id %% %(one_in)s = 0 ORDER BY id LIMIT %(limit)s",
                {"store": store_id, "after": after, "one_in": one_in, "limit": GROUP},
            )
            .all()
        )
        if not rows:
            return
        after = rows[-1][0]
        ids = [id_ for (id_,) in rows if owners.get(id_, id_) == id_]
        if ids:
            yield Group.of({customer: id_ for id_ in ids for customer in others.get(id_, [id_])})


def group_of(connection: Connection, store_id: int, customers: Iterable[int]) -> Group:
    """Return the people who some customers are, deleted ones left out."""
    wanted = sorted(customers)
    rows = connection.exec_driver_sql(
        "SELECT id FROM customer WHERE store_id = %(store)s AND deleted_at IS NULL AND id = ANY(%(ids)s::bigint[])",
        {"store": store_id, "ids": wanted},
    )
    owners = {id_: id_ for (id_,) in rows}
    return Group.of(owners | merged(connection, store_id, wanted))


class Source:
    """Reads the facts that some conditions ask for, group by group."""

    def __init__(
        self,
        connection: Connection,
        store_id: int,
        currency: str,
        as_of: datetime,
        conditions: Sequence[Condition] = (),
    ) -> None:
        self._store_id = store_id
        self._currency = currency
        self._as_of = int(as_of.timestamp())
        self._leaves = [leaf for condition in conditions for leaf in leaves(condition)]
        rooms: frozenset[str] = frozenset().union(*map(needs, conditions))
        self._catalogue = self._read_catalogue(connection)
        self._devices = _Devices(connection, store_id) if rooms & {EVENTS, CARTS} else None
        self._carts = self._read_carts(connection) if CARTS in rooms else {}

    def facts(self, connection: Connection, group: Group) -> Facts:
        """Return the facts of a group."""
        nodes = self._devices.nodes(connection, group) if self._devices else {}
        return Facts(
            people=len(group.ids),
            as_of=self._as_of,
            orders=self._orders(connection, group),
            events=self._events(connection, nodes),
            carts=self._carts_of(nodes),
            catalogue=self._catalogue,
        )

    def _asking(self, room: str) -> list[Leaf]:
        return [leaf for leaf in self._leaves if FACTS[leaf.fact].room == room]

    def _wanted(self, room: str) -> list[int]:
        """Return the products that matter for a room."""
        found: set[int] = set()
        for leaf in self._asking(room):
            found.update(self._catalogue.ids(leaf.products, leaf.categories).tolist())
        return sorted(found)

    def _since(self, room: str) -> datetime:
        """Return how far back the conditions look."""
        days = [leaf.within_days for leaf in self._asking(room)]
        if None in days or not days:
            return datetime(1970, 1, 1, tzinfo=UTC)
        return datetime.fromtimestamp(self._as_of - DAY_S * max(d or 0 for d in days), UTC)

    def _read_catalogue(self, connection: Connection) -> Catalogue:
        products = sorted({p for leaf in self._leaves for p in leaf.products})
        categories = sorted({c for leaf in self._leaves for c in leaf.categories})
        if not products and not categories:
            return Catalogue()
        rows = connection.exec_driver_sql(
            "SELECT id, platform_id, category FROM product WHERE store_id = %(store)s"
            " AND (platform_id = ANY(%(products)s::text[]) OR category = ANY(%(categories)s::text[]))",
            {"store": self._store_id, "products": products, "categories": categories},
        ).all()
        of: defaultdict[str, list[int]] = defaultdict(list)
        for id_, _, category in rows:
            of[category].append(id_)
        return Catalogue(
            products={platform_id: id_ for id_, platform_id, _ in rows if platform_id in products},
            categories={c: np.array(of[c], np.int64) for c in categories if c in of},
        )

    def _orders(self, connection: Connection, group: Group) -> Orders:
        # The lines of each order by their index: left the choice, PostgreSQL reads all lines of the store, for the
        # customers of a few new orders as for thousands.
        rows = _copied(
            connection,
            f"""
            SELECT o.id, o.customer_id, floor(extract(epoch FROM o.placed_at))::bigint,
                CASE WHEN o.currency = %(currency)s THEN l.revenue ELSE 0 END, l.discounted,
                COALESCE(array_position(%(channels)s::text[], o.channel), {len(CHANNELS)})::bigint
            FROM orders o CROSS JOIN LATERAL (
                SELECT {_LINE_MONEY} AS revenue, bool_or(l.discount > 0)::int::bigint AS discounted
                FROM order_line l
                WHERE l.store_id = o.store_id AND l.order_id = o.id AND l.current_quantity > 0 AND NOT l.gift_card
                HAVING count(*) > 0
            ) l
            WHERE o.store_id = %(store)s AND o.customer_id = ANY(%(customers)s::bigint[])
                AND o.deleted_at IS NULL AND NOT o.test AND o.status = ANY(%(sales)s::int[])
            """,
            6,
            {
                "store": self._store_id,
                "currency": self._currency,
                "channels": list(CHANNELS),
                "customers": group.customers.tolist(),
                "sales": [int(s) for s in SALES],
            },
        )
        return Orders(
            person=group.whose(rows[:, 1]),
            at=rows[:, 2],
            revenue=rows[:, 3],
            discounted=rows[:, 4] > 0,
            channel=np.array(CHANNELS)[rows[:, 5] - 1],
            holds=self._held_by_orders(connection, rows[:, 0]),
        )

    def _held_by_orders(self, connection: Connection, orders: Integers) -> Holdings:
        wanted = self._wanted(ORDERS)
        if not wanted or not len(orders):
            return Holdings()
        lines = _copied(
            connection,
            """
            SELECT l.order_id, l.product_id FROM order_line l
            WHERE l.store_id = %(store)s AND l.order_id = ANY(%(orders)s::bigint[])
                AND l.product_id = ANY(%(products)s::bigint[]) AND l.current_quantity > 0 AND NOT l.gift_card
            """,
            2,
            {"store": self._store_id, "orders": orders.tolist(), "products": wanted},
        )
        by_id = np.argsort(orders)
        places = by_id[np.searchsorted(orders, lines[:, 0], sorter=by_id)]
        return Holdings(places.astype(np.int64), lines[:, 1])

    def _events(self, connection: Connection, nodes: Mapping[str, int]) -> Events:
        names = sorted({leaf.event or "" for leaf in self._asking(EVENTS)})
        if not names or not nodes:
            return Events()
        person = {
            subject_of(self._store_id, node): place
            for node, place in nodes.items()
            if not node.startswith(CART)
        }
        rows = connection.exec_driver_sql(
            f"""
            SELECT subject, floor(extract(epoch FROM occurred_at))::bigint, name, products FROM event
            WHERE store_id = %(store)s AND subject = ANY(%(subjects)s::bytea[]) AND name = ANY(%(names)s::text[])
                AND received_at >= %(since)s AND purposes & {int(Purposes.MARKETING)} <> 0
            """,
            {
                "store": self._store_id,
                "subjects": list(person),
                "names": names,
                "since": self._since(EVENTS),
            },
        ).all()
        return Events(
            person=np.array([person[bytes(row[0])] for row in rows], np.int64),
            at=np.array([row[1] for row in rows], np.int64),
            name=np.array([row[2] for row in rows], np.str_),
            holds=_held(
                [[self._catalogue.products.get(p, 0) for p in row[3]] for row in rows], self._products_by_id()
            ),
        )

    def _products_by_id(self) -> frozenset[int]:
        return frozenset(self._wanted(EVENTS))

    def _read_carts(self, connection: Connection) -> dict[str, list[tuple[int, str, int, list[int]]]]:
        """Return the carts of everybody who is known by one: by the person's key."""
        rows = connection.exec_driver_sql(
            f"""
            SELECT c.token_hash, floor(extract(epoch FROM c.source_updated_at))::bigint, COALESCE(c.outcome, 'open'),
                CASE WHEN c.currency = %(currency)s
                    THEN {_money("COALESCE(l.price::numeric * l.quantity, 0)")} ELSE 0 END,
                array_agg(l.product_id) FILTER (WHERE l.product_id = ANY(%(products)s::bigint[]))
            FROM cart c LEFT JOIN cart_line l ON l.store_id = c.store_id AND l.cart_id = c.id
            WHERE c.store_id = %(store)s AND c.source_updated_at >= %(since)s
            GROUP BY c.id
            """,
            {
                "store": self._store_id,
                "currency": self._currency,
                "products": self._wanted(CARTS),
                "since": self._since(CARTS),
            },
        )
        assert self._devices is not None
        found: defaultdict[str, list[tuple[int, str, int, list[int]]]] = defaultdict(list)
        for token_hash, at, state, value, held in rows:
            key = self._devices.key(cart_node(self._store_id, bytes(token_hash)))
            if key is not None:
                found[key].append((at, state, value, held or []))
        return dict(found)

    def _carts_of(self, nodes: Mapping[str, int]) -> Carts:
        if not self._carts or self._devices is None:
            return Carts()
        keys = {self._devices.key(node): place for node, place in nodes.items()}
        rows = [(place, *cart) for key, place in keys.items() for cart in self._carts.get(key or "", ())]
        return Carts(
            person=np.array([row[0] for row in rows], np.int64),
            at=np.array([row[1] for row in rows], np.int64),
            state=np.array([row[2] for row in rows], np.str_),
            value=np.array([row[3] for row in rows], np.int64),
            holds=_held([row[4] for row in rows], None),
        )


class _Devices:
    """Who is known by which identifiers: of all people of a store, for events and carts."""

    def __init__(self, connection: Connection, store_id: int) -> None:
        self._store_id = store_id
        self._keys = identity.people(connection, store_id)
        self._nodes: defaultdict[str, list[str]] = defaultdict(list)
        for node, key in self._keys.items():
            self._nodes[key].append(node)

    def key(self, node: str) -> str | None:
        """Return the person's key of a node that is linked to another."""
        return self._keys.get(node)

    def nodes(self, connection: Connection, group: Group) -> dict[str, int]:
        """Return all nodes of a group's people, with the place of each one's person."""
        rows = connection.exec_driver_sql(
            "SELECT id, platform_id, identity_hash FROM customer WHERE id = ANY(%(ids)s::bigint[])",
            {"ids": group.customers.tolist()},
        )
        found: dict[str, int] = {}
        for id_, platform_id, identity_hash in rows:
            own = (
                customer_node(platform_id)
                if platform_id is not None
                else contact_node(self._store_id, bytes(identity_hash))
            )
            place = int(group.whose(np.array([id_], np.int64))[0])
            for node in self._nodes.get(self._keys.get(own, ""), [own]):
                found[node] = place
        return found


def _held(products: Sequence[Sequence[int]], among: frozenset[int] | None) -> Holdings:
    """Return what things hold, each given as a list of products; those that are not ``among`` are left out."""
    found = [(at, p) for at, held in enumerate(products) for p in held if among is None or p in among]
    return Holdings(
        np.array([at for at, _ in found], np.int64), np.array([product for _, product in found], np.int64)
    )


def _money(expression: str) -> str:
    """Return SQL for a sum of money that fits, whatever a shop writes."""
    return f"LEAST(GREATEST(sum({expression}), -{_MOST_MONEY}), {_MOST_MONEY})::bigint"


# What is left of an order after refunds, with the same share of the discounts.
_LINE_MONEY: Final = _money(
    "l.price::numeric * l.current_quantity"
    " - COALESCE(floor(l.discount::numeric * l.current_quantity / NULLIF(l.quantity, 0)), 0)"
)

# PostgreSQL's binary COPY format: a header of 19 bytes, rows with a count of fields and the length of each, a trailer.
# https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
_HEADER: Final = 19
_TRAILER: Final = 2


def _copied(
    connection: Connection, sql: str, columns: int, parameters: Mapping[str, Any]
) -> npt.NDArray[np.int64]:
    """Return the rows of a query whose columns are all bigint and never null: int64[rows, columns]."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    with raw.cursor() as cursor, cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT BINARY)", parameters) as copy:
        body = b"".join(bytes(block) for block in copy)[_HEADER:-_TRAILER]
    fields = [("fields", ">i2")]
    for column in range(columns):
        fields += [(f"length{column}", ">i4"), (f"value{column}", ">i8")]
    rows = np.frombuffer(body, np.dtype(fields))
    return np.stack([rows[f"value{column}"].astype(np.int64) for column in range(columns)], axis=1)
