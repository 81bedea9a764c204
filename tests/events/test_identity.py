"""Who is who: the rules, in any order, told once or often, and taken back."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from app.commerce.store import Store
from app.core.db import db
from app.events.identity import People, people, person_of, resolve
from app.events.links import LinksRoom, forget_silent, link, restore, unlink
from app.events.models import Event
from app.privacy.rooms import Person
from app.privacy.subjects import subject_of

T0 = datetime(2026, 11, 2, 10, tzinfo=UTC)
A, B, D, E, F = (f"visitor:{letter * 32}" for letter in "abdef")
CART = f"cart:{'0' * 32}"
MAIL, OTHER_MAIL = (f"contact:{letter * 32}" for letter in "12")
ANNE, BEN, CLEO = "customer:1001", "customer:1002", "customer:9"

Pair = tuple[str, str]
_NODES = (A, B, D, E, F, CART, MAIL, OTHER_MAIL, ANNE, BEN, CLEO)
_PAIRS = [
    (one, other)
    for place, one in enumerate(_NODES)
    for other in _NODES[place + 1 :]
    if {one, other} != {MAIL, OTHER_MAIL}
]
graphs = st.lists(st.sampled_from(_PAIRS), max_size=14, unique=True)


def _persons(people: People, nodes: Sequence[str] = _NODES) -> set[frozenset[str]]:
    return {people.of(node) for node in nodes}


@pytest.mark.parametrize(
    ("links", "node", "person"),
    [
        pytest.param([], A, {A}, id="without links everybody is alone"),
        pytest.param([(A, B), (B, D)], A, {A, B, D}, id="aliases join visitors"),
        pytest.param([(A, CART)], CART, {A, CART}, id="a cart belongs to the visitor who filled it"),
        pytest.param([(A, ANNE), (B, ANNE)], A, {A, B, ANNE}, id="one customer at two devices"),
        pytest.param([(A, B), (B, ANNE)], A, {A, B, ANNE}, id="a visit before the log-in counts"),
        pytest.param([(A, ANNE), (A, BEN)], A, {A}, id="a shared device is nobody's"),
        pytest.param([(A, ANNE), (A, BEN), (B, ANNE)], ANNE, {ANNE, B}, id="who shares one keeps the others"),
        pytest.param([(A, ANNE), (B, BEN), (A, B)], A, {A, B}, id="an alias can make devices shared"),
        pytest.param([(A, ANNE), (A, BEN), (ANNE, BEN)], A, {A, ANNE, BEN}, id="a merge ends the sharing"),
        pytest.param([(ANNE, BEN), (BEN, CLEO)], CLEO, {ANNE, BEN, CLEO}, id="merges follow each other"),
        pytest.param([(MAIL, ANNE)], MAIL, {MAIL, ANNE}, id="an account has its address"),
        pytest.param([(MAIL, ANNE), (MAIL, BEN)], MAIL, {MAIL}, id="an address of two accounts is nobody's"),
        pytest.param([(A, MAIL), (B, MAIL)], A, {A, B, MAIL}, id="a guest is known by the address"),
        pytest.param([(A, MAIL), (A, OTHER_MAIL)], A, {A}, id="a device with two addresses is shared"),
        pytest.param([(A, MAIL), (MAIL, ANNE)], A, {A}, id="to type an address is not to log in"),
        pytest.param([(A, MAIL), (A, ANNE)], A, {A, ANNE}, id="a customer outweighs an address"),
        pytest.param([(A, MAIL), (A, ANNE)], MAIL, {MAIL}, id="and does not get it by the device"),
    ],
)
def test_rules_name_the_person(links: list[Pair], node: str, person: set[str]) -> None:
    assert resolve(links).of(node) == person


@pytest.mark.parametrize(
    ("links", "alone"),
    [
        pytest.param(list(pairwise([A, B, D, E])), [A, B, D, E], id="devices"),
        pytest.param([*pairwise([A, B, D, E]), (A, ANNE)], [A, B, ANNE], id="devices of a customer"),
        pytest.param([(A, ANNE), (B, ANNE), (D, ANNE), (E, ANNE)], [A, E, ANNE], id="a customer of too many"),
        pytest.param(
            [(A, ANNE), (B, ANNE), (D, BEN), (E, BEN), (ANNE, BEN)], [A, E], id="merged customers of too many"
        ),
        pytest.param([(A, ANNE), (A, BEN), (A, CLEO), (A, MAIL), (A, B)], [A, B], id="a device of too many"),
        pytest.param([(A, MAIL), (B, MAIL), (D, MAIL), (E, MAIL)], [A, E, MAIL], id="a contact of too many"),
    ],
)
def test_what_is_too_large_is_no_person(links: list[Pair], alone: list[str]) -> None:
    people = resolve(links, largest=3)

    assert [people.of(node) for node in alone] == [{node} for node in alone]


def test_a_crowd_at_one_device_changes_nothing_for_anybody_else() -> None:
    crowd = [f"customer:{n}" for n in range(20)]

    people = resolve([*((A, customer) for customer in crowd), (B, crowd[7])], largest=3)

    assert people.of(A) == {A}
    assert people.of(crowd[7]) == {crowd[7], B}


def _documented_rules() -> list[tuple[str, str]]:
    """Return the examples of the documentation, ``phone — Anne, laptop — Anne``, and who is who by them."""
    text = (Path(__file__).parents[2] / "docs" / "identity.md").read_text(encoding="utf-8")
    table = text.partition("## Rules")[2].partition("**Bounds.**")[0]
    found = [tuple(map(str.strip, row.split("|")[2:4])) for row in table.splitlines() if "—" in row]
    return [(example, persons) for example, persons in found if persons.startswith("{")]


def _node(name: str) -> str:
    kind = "contact" if name.endswith("@") else "customer" if name[0].isupper() else "visitor"
    return f"{kind}:{name}"


def test_the_documented_examples_are_true() -> None:
    rules = _documented_rules()

    assert len(rules) == 12
    for example, persons in rules:
        people = resolve([tuple(map(_node, pair.split(" — "))) for pair in example.split(", ")])  # type: ignore[misc]
        said = [frozenset(map(_node, part.split(", "))) for part in re.findall(r"{(.*?)}", persons)]
        assert {node: people.of(node) for person in said for node in person} == {
            node: person for person in said for node in person
        }, example


@given(graph=graphs, data=st.data())
def test_any_order_and_repetition_ends_in_the_same_persons(graph: list[Pair], data: st.DataObject) -> None:
    told = data.draw(st.permutations(graph + data.draw(st.lists(st.sampled_from(graph or [(A, A)])))))
    turned = [pair[::-1] if data.draw(st.booleans()) else pair for pair in told]

    assert resolve(turned).keys() == resolve(graph).keys()


@given(graph=graphs, largest=st.sampled_from([2, 3, 500]))
def test_everybody_is_in_exactly_one_person(graph: list[Pair], largest: int) -> None:
    people = resolve(graph, largest)

    for person in _persons(people):
        assert person
        assert {people.of(node) for node in person} == {person}
        assert {people.key(node) for node in person} == {min(person)}
    assert sorted(node for person in _persons(people) for node in person) == sorted(_NODES)


@given(graph=graphs)
def test_no_person_is_two_customers_that_nobody_merged(graph: list[Pair]) -> None:
    merged = resolve([pair for pair in graph if all(node.startswith("customer:") for node in pair)])

    for person in _persons(resolve(graph)):
        customers = {node for node in person if node.startswith("customer:")}
        assert len({merged.of(customer) for customer in customers}) <= 1


@given(graph=graphs)
def test_devices_that_two_people_use_show_neither_to_the_other(graph: list[Pair]) -> None:
    merged = resolve([pair for pair in graph if all(node.startswith("customer:") for node in pair)])
    people = resolve(graph)

    for device in (A, B, D, E, F, CART):
        claimed = {node for pair in graph if device in pair for node in pair if node.startswith("customer:")}
        if len({merged.of(customer) for customer in claimed}) > 1:
            assert not any(node.startswith("customer:") for node in people.of(device))


def test_a_node_of_no_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no node"):
        resolve([("visitor:", ANNE)])


@pytest.fixture
def connection(shopify: Store, woocommerce: Store) -> Connection:
    return db.session.connection()


@pytest.fixture
def tell(connection: Connection, shopify: Store) -> Callable[..., int]:
    def write(*pairs: Pair, reason: str = "server", at: datetime = T0) -> int:
        return link(connection, shopify.id, [(*pair, reason) for pair in pairs], at)

    return write


def _rows(connection: Connection) -> list[tuple[object, ...]]:
    rows = connection.exec_driver_sql(
        "SELECT left_node, right_node, reason, first_seen_at, revoked_at FROM identity_link ORDER BY 1, 2"
    )
    return [tuple(row) for row in rows]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=graphs, largest=st.sampled_from([2, 3, 500]))
def test_the_database_and_the_memory_agree_on_everybody(
    connection: Connection, shopify: Store, graph: list[Pair], largest: int
) -> None:
    savepoint = connection.begin_nested()
    link(connection, shopify.id, [(*pair, "server") for pair in graph], T0)
    expected = resolve(graph, largest)

    assert people(connection, shopify.id, largest) == expected.keys()
    assert [person_of(connection, shopify.id, node, largest) for node in _NODES] == [
        expected.of(node) for node in _NODES
    ]
    savepoint.rollback()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=graphs.filter(bool), data=st.data())
def test_what_is_revoked_was_never_there_and_comes_back_whole(
    connection: Connection, shopify: Store, graph: list[Pair], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(graph))
    savepoint = connection.begin_nested()
    link(connection, shopify.id, [(*pair, "server") for pair in data.draw(st.permutations(graph))], T0)
    before = _rows(connection)

    assert unlink(connection, shopify.id, *gone[::-1], T0)

    assert people(connection, shopify.id) == resolve([pair for pair in graph if pair != gone]).keys()
    link(connection, shopify.id, [(*gone, "server")], T0)
    assert people(connection, shopify.id) == resolve([pair for pair in graph if pair != gone]).keys()
    assert restore(connection, shopify.id, *gone)
    assert _rows(connection) == before
    savepoint.rollback()


_NEWS = st.tuples(
    st.sampled_from([(A, ANNE), (A, B), (ANNE, BEN)]),
    st.sampled_from(["alias", "logged_in", "platform_merge", "server"]),
    st.integers(0, 3),
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(news=st.lists(_NEWS, min_size=1, max_size=8), data=st.data())
def test_links_that_arrive_in_any_order_and_again_leave_the_same_rows(
    connection: Connection, shopify: Store, news: list[tuple[Pair, str, int]], data: st.DataObject
) -> None:
    def told(news: Sequence[tuple[Pair, str, int]]) -> list[tuple[object, ...]]:
        savepoint = connection.begin_nested()
        for pair, reason, day in news:
            link(connection, shopify.id, [(*pair, reason)], T0 + timedelta(days=day))
        rows = _rows(connection)
        savepoint.rollback()
        return rows

    again = news + data.draw(st.lists(st.sampled_from(news), max_size=4))

    assert told(data.draw(st.permutations(again))) == told(news)


def test_a_link_is_new_once_and_keeps_its_first_time_and_reason(
    tell: Callable[..., int], connection: Connection
) -> None:
    assert tell((A, ANNE), (ANNE, A), (A, A), reason="server", at=T0) == 1
    assert tell((ANNE, A), reason="logged_in", at=T0 + timedelta(days=1)) == 0
    assert tell((ANNE, A), reason="server", at=T0 - timedelta(days=1)) == 0

    assert _rows(connection) == [(ANNE, A, "logged_in", T0 - timedelta(days=1), None)]


def test_revoking_what_is_not_there_says_so(
    tell: Callable[..., int], connection: Connection, shopify: Store
) -> None:
    tell((A, ANNE))

    assert not unlink(connection, shopify.id, A, BEN, T0)
    assert not restore(connection, shopify.id, A, ANNE)
    assert unlink(connection, shopify.id, A, ANNE, T0)
    assert not unlink(connection, shopify.id, A, ANNE, T0)


def test_two_contacts_are_never_one(tell: Callable[..., int], connection: Connection) -> None:
    with pytest.raises(ValueError, match="two contacts"):
        tell((A, ANNE), (MAIL, OTHER_MAIL))

    assert _rows(connection) == []


def test_a_hub_is_not_read_whole(tell: Callable[..., int], connection: Connection, shopify: Store) -> None:
    visitors = [f"visitor:{n:032x}" for n in range(40)]
    tell(*((ANNE, visitor) for visitor in visitors))

    assert person_of(connection, shopify.id, ANNE, largest=5) == {ANNE}
    assert person_of(connection, shopify.id, visitors[0], largest=5) == {visitors[0]}
    assert person_of(connection, shopify.id, ANNE) == {ANNE, *visitors}


def test_another_store_s_links_are_not_seen(
    tell: Callable[..., int], connection: Connection, woocommerce: Store
) -> None:
    tell((A, ANNE))

    assert person_of(connection, woocommerce.id, A) == {A}
    assert people(connection, woocommerce.id) == {}


def test_links_go_with_the_last_event_of_their_visitor(
    tell: Callable[..., int], connection: Connection, shopify: Store
) -> None:
    tell((A, ANNE), (B, ANNE), (D, CART), (ANNE, BEN), (A, E), (MAIL, ANNE))
    tell((F, ANNE), at=T0 + timedelta(days=1))
    connection.execute(
        insert(Event).values(
            store_id=shopify.id, received_at=T0, occurred_at=T0, subject=subject_of(shopify.id, A), type="page",
            products=[], properties={}, purposes=1, source="browser", message=b"m",
        )
    )  # fmt: skip

    assert forget_silent(connection, T0 + timedelta(hours=1), 1) == 1
    assert forget_silent(connection, T0 + timedelta(hours=1), 10) == 1

    left = {frozenset(row[:2]) for row in _rows(connection)}
    assert left == {frozenset(pair) for pair in [(A, ANNE), (ANNE, BEN), (A, E), (MAIL, ANNE), (F, ANNE)]}


def test_the_room_tells_and_removes_the_links_of_a_person(
    tell: Callable[..., int], connection: Connection, shopify: Store
) -> None:
    tell((A, ANNE), (B, BEN), (A, B))
    unlink(connection, shopify.id, A, B, T0 + timedelta(hours=1))
    room, anne = LinksRoom(), Person(shopify.id, nodes=frozenset({A, ANNE}))

    told = room.export(connection, anne)

    assert told == {
        "links": [
            {"nodes": [ANNE, A], "reason": "server", "first_seen_at": T0.isoformat(), "revoked_at": None},
            {
                "nodes": [A, B],
                "reason": "server",
                "first_seen_at": T0.isoformat(),
                "revoked_at": (T0 + timedelta(hours=1)).isoformat(),
            },
        ]
    }
    assert room.erase(connection, anne) == {"links": 2}
    assert room.export(connection, anne) == {}
    assert _rows(connection) == [(BEN, B, "server", T0, None)]
