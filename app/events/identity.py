"""Who is who: a pure function of the links that stand.

Nothing is ever merged. A person is worked out from links each time, so any order and repetition of them ends in the
same persons, and a revoked link leaves no trace. The rules, by the rank of a node:

- **Devices** (visitors and carts) that are linked are one group of devices.
- **Customers** that are linked (the platform merged them) are one customer.
- A group of devices that is linked to one customer belongs to that customer. One that is linked to several is shared by
  several people: it belongs to none of them, and is a person of its own, so that nobody sees the things of another.
- A **contact** (the hash of an e-mail address) that is linked to one customer belongs to that customer. It stands for a
  person only where no customer does, for guests: a group of devices that is linked to no customer and to one contact
  belongs to that contact, unless the contact belongs to a customer. Whoever types an address has not logged in.
- What is too large is no person: a group of more than ``LARGEST`` nodes, or with a node of more than ``LARGEST`` links
  (a customer called ``0``, a till that everybody uses), falls into its single nodes, which belong to nobody and to
  which nothing belongs.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import Connection

from app.events.links import CONTACTS, CUSTOMERS, DEVICES, peers

# A browser that forgets its visitor id every week makes 52 a year, somebody with three of them 156.
LARGEST: Final = 500


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes of one rank that are linked, and the nodes of other ranks that are linked to any of them.

    Attributes:
        nodes: the linked nodes.
        neighbours: nodes of other ranks that are linked to one of them.
        too_large: whether these are more nodes than a person has, or one of them has more links. Then ``nodes`` and
            ``neighbours`` need not be all.
    """

    nodes: frozenset[str]
    neighbours: frozenset[str]
    too_large: bool

    def of(self, kinds: tuple[str, ...]) -> frozenset[str]:
        """Return the neighbours of these kinds."""
        return frozenset(n for n in self.neighbours if n.partition(":")[0] in kinds)


class Links(Protocol):
    """Where links are looked up."""

    largest: int

    def groups(self, nodes: Collection[str]) -> Mapping[str, Group]:
        """Return the group of each of ``nodes``."""
        ...


class People:
    """All persons of a store that consist of more than one node."""

    def __init__(self, persons: Iterable[frozenset[str]]) -> None:
        self._persons = {node: person for person in persons for node in person}

    def of(self, node: str) -> frozenset[str]:
        """Return all nodes of the person that ``node`` belongs to, itself included."""
        return self._persons.get(node, frozenset((node,)))

    def key(self, node: str) -> str:
        """Return the name of the person that ``node`` belongs to: the smallest of its nodes."""
        return min(self.of(node))

    def keys(self) -> dict[str, str]:
        """Return the person's name for every node that is linked to another."""
        smallest = {person: min(person) for person in set(self._persons.values())}
        return {node: smallest[person] for node, person in self._persons.items()}


def resolve(links: Iterable[tuple[str, str]], largest: int = LARGEST) -> People:
    """Return who is who by ``links``, pairs of nodes in any order.

    Raises:
        ValueError: if a node is of no known kind.
    """
    graph = _Remembered(links, largest)
    found: dict[str, frozenset[str]] = {}
    for node in graph.nodes:
        if node not in found:
            person = find_person(graph, node)
            found.update(dict.fromkeys(person, person))
    return People(found.values())


def person_of(connection: Connection, store_id: int, node: str, largest: int = LARGEST) -> frozenset[str]:
    """Return all nodes of the person that ``node`` belongs to, itself included.

    Asks at most three questions of the database, each bounded, whatever the graph looks like.

    Raises:
        ValueError: if the node is of no known kind.
    """
    return find_person(_Stored(connection, store_id, largest), node)


def people(connection: Connection, store_id: int, largest: int = LARGEST) -> dict[str, str]:
    """Return the person of every node of a store that is linked: the smallest node of that person.

    A node that is missing is a person of its own. Loads all links of the store: for jobs.
    """
    rows = connection.exec_driver_sql(
        "SELECT left_node, right_node FROM identity_link WHERE store_id = %(store)s AND revoked_at IS NULL",
        {"store": store_id},
    )
    return resolve(((left, right) for left, right in rows), largest).keys()


def find_person(links: Links, node: str) -> frozenset[str]:
    """Return all nodes of the person that ``node`` belongs to, by the rules above."""
    own = links.groups((node,))[node]
    if own.too_large:
        return frozenset((node,))
    claims = _claims(own, node)
    if not claims:
        return own.nodes if peers(node) == DEVICES else _gathered(links, own, peers(node))
    if len(claims) > links.largest:
        return own.nodes
    claimants = {group.nodes: group for group in links.groups(claims).values()}
    if len(claimants) != 1:
        return own.nodes
    (owner,) = claimants.values()
    person = frozenset[str]() if owner.too_large else _gathered(links, owner, peers(min(claims)))
    return person if own.nodes <= person else own.nodes


def _claims(group: Group, node: str) -> frozenset[str]:
    """Return the customers, or for want of them the contacts, to one of whom the group of ``node`` may belong."""
    if peers(node) == CUSTOMERS:
        return frozenset()
    customers = group.of(CUSTOMERS)
    return customers or (group.of(CONTACTS) if peers(node) == DEVICES else frozenset())


def _gathered(links: Links, owner: Group, kinds: tuple[str, ...]) -> frozenset[str]:
    """Return a customer, or a contact that belongs to none, with everything that belongs to it and nobody else."""
    devices, contacts = owner.of(DEVICES), owner.of(CONTACTS)
    if len(devices) + len(contacts) > links.largest or (kinds == CONTACTS and owner.of(CUSTOMERS)):
        return owner.nodes
    found = links.groups(devices | contacts)
    return owner.nodes.union(
        *(
            group.nodes
            for node, group in found.items()
            if not group.too_large and _claims(group, node) <= owner.nodes
        )
    )


class _Remembered:
    """Links in memory."""

    def __init__(self, links: Iterable[tuple[str, str]], largest: int) -> None:
        self.largest = largest
        self._linked: defaultdict[str, set[str]] = defaultdict(set)
        for one, other in links:
            if one != other:
                self._linked[one].add(other)
                self._linked[other].add(one)
        self._rank = {node: peers(node) for node in self._linked}
        self._groups: dict[str, Group] = {}

    @property
    def nodes(self) -> list[str]:
        """All nodes that are linked to another."""
        return list(self._linked)

    def groups(self, nodes: Collection[str]) -> dict[str, Group]:
        """Return the group of each of ``nodes``."""
        for node in nodes:
            if node not in self._groups:
                group = self._group(node)
                self._groups.update(dict.fromkeys(group.nodes, group))
        return {node: self._groups[node] for node in nodes}

    def _group(self, node: str) -> Group:
        rank = self._rank.get(node) or peers(node)
        nodes, neighbours, queue, most = {node}, set(), deque((node,)), 0
        while queue:
            linked = self._linked.get(queue.popleft(), ())
            most = max(most, len(linked))
            for other in linked:
                if self._rank[other] != rank:
                    neighbours.add(other)
                elif other not in nodes:
                    nodes.add(other)
                    queue.append(other)
        return Group(frozenset(nodes), frozenset(neighbours), max(most, len(nodes)) > self.largest)


class _Stored:
    """Links in the database, of which no more are read than decide who is who."""

    def __init__(self, connection: Connection, store_id: int, largest: int) -> None:
        self.largest = largest
        self._connection = connection
        self._store_id = store_id

    def groups(self, nodes: Collection[str]) -> dict[str, Group]:
        """Return the group of each of ``nodes``, in one question."""
        if not nodes:
            return {}
        rows = self._connection.exec_driver_sql(
            _GROUPS,
            {
                "store": self._store_id,
                "seeds": sorted(nodes),
                "kinds": [" ".join(peers(node)) for node in sorted(nodes)],
                "enough": self.largest + 1,
            },
        )
        found: dict[str, dict[str, set[str]]] = {node: {} for node in nodes}
        for seed, node, other in rows:
            linked = found[seed].setdefault(node, set())
            if other is not None:
                linked.add(other)
        return {seed: self._group(links) for seed, links in found.items()}

    def _group(self, linked: Mapping[str, set[str]]) -> Group:
        nodes = frozenset(linked)
        most = max(map(len, linked.values()))
        return Group(nodes, frozenset().union(*linked.values()) - nodes, max(most, len(nodes)) > self.largest)


# Of no node more links are read than show that there are too many, and PostgreSQL works a recursive query out only as
# far as its LIMIT asks: a hub of a million links costs no more than a person.
_LINKED: Final = """
    SELECT node FROM (
        (SELECT l.right_node AS node FROM identity_link l
            WHERE l.store_id = %(store)s AND l.left_node = {to} AND l.revoked_at IS NULL LIMIT %(enough)s)
        UNION ALL
        (SELECT l.left_node FROM identity_link l
            WHERE l.store_id = %(store)s AND l.right_node = {to} AND l.revoked_at IS NULL LIMIT %(enough)s)
    ) both_ways
"""
_GROUPS: Final = f"""
    SELECT s.seed, g.node, o.node
    FROM unnest(%(seeds)s::text[], %(kinds)s::text[]) AS s(seed, kinds)
    CROSS JOIN LATERAL (
        WITH RECURSIVE member(node) AS (
            SELECT s.seed
            UNION
            SELECT n.node FROM member m CROSS JOIN LATERAL ({_LINKED.format(to="m.node")}) n
            WHERE split_part(n.node, ':', 1) = ANY(string_to_array(s.kinds, ' '))
        )
        SELECT node FROM member LIMIT %(enough)s
    ) g
    LEFT JOIN LATERAL ({_LINKED.format(to="g.node")}) o ON true
"""
