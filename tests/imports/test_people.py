"""Whose a till's order is: nobody's, unless the row says yes; then theirs, wherever else they bought."""

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from app.commerce.changes import CustomerRef
from app.core.crypto import vault
from app.core.db import Model, db, now
from app.privacy.consent import CHOICE, Signal, keep
from app.privacy.erasure import erase_person
from app.privacy.persons import Named
from app.privacy.purposes import Purposes
from app.privacy.subjects import CONTACT, CUSTOMER, ORDER, digest
from app.privacy.suppression import suppress
from connectors.base import DeliveryContext
from connectors.pos.rows import Form
from connectors.registry import connector_for
from tests.factories import customer_change, customer_deletion, order_change, shopify_order
from tests.imports.till import HEADER, Till

MORNING = "2026-03-02T09:00:00Z"
ADDRESS = "Guest.One@Example.com"
COLUMNS = f"{HEADER},email,consent"


def row(number: object, email: str = ADDRESS, consent: str = "yes", sku: str = "TEA") -> str:
    return f"{number},{MORNING},{sku},1,4.00,{email},{consent}"


def hashed(till: Till, address: str = ADDRESS) -> bytes:
    return bytes.fromhex(vault().pseudonym(till.store.id, address.lower()))


def buyers(till: Till) -> dict[str, str | None]:
    """Return the customer of each order: the platform's id, or the hash of a guest."""
    return dict(till.rows("orders", "platform_id", "customer_id"))


# --- consent --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["yes", "YES", " y ", "true", "1", "Ja"])
def test_a_yes_joins_the_order_to_the_address(till: Till, word: str) -> None:
    outcome = till.imports(row(1, consent=word), header=COLUMNS, mapping=b'{"yes": ["ja"]}')

    assert buyers(till) == {"till:1": hashed(till).hex()}
    assert (outcome.joined, outcome.refused) == (1, 0)


@pytest.mark.parametrize("word", ["", "no", "0", "false", "maybe", "yes!", "opt-in"])
def test_anything_but_a_yes_joins_it_to_nobody(till: Till, word: str) -> None:
    outcome = till.imports(row(1, consent=word), header=COLUMNS)

    assert buyers(till) == {"till:1": None}
    assert (outcome.joined, outcome.refused) == (0, 1)
    assert till.rows("customer", "identity_hash") == []


def test_without_a_column_for_consent_nobody_is_named(till: Till) -> None:
    outcome = till.imports(f"1,{MORNING},TEA,1,4.00,{ADDRESS}", header=f"{HEADER},email")

    assert buyers(till) == {"till:1": None}
    assert outcome.refused == 1


@pytest.mark.parametrize(
    ("second", "joined"),
    [
        ("", True),
        ("yes", True),
        ("no", False),
    ],
    ids=["says nothing", "says yes", "says no"],
)
def test_all_rows_of_an_order_have_to_agree(till: Till, second: str, joined: bool) -> None:
    till.imports(row(1), row(1, consent=second, sku="KETTLE"), header=COLUMNS)

    assert (buyers(till)["till:1"] is not None) is joined


def test_two_addresses_on_one_order_are_nobodys(till: Till) -> None:
    outcome = till.imports(row(1), row(1, email="two@example.com", sku="KETTLE"), header=COLUMNS)

    assert buyers(till) == {"till:1": None}
    assert outcome.refused == 1


def test_what_is_no_address_is_nobody(till: Till) -> None:
    outcome = till.imports(row(1, email="counter"), row(2, email=""), header=COLUMNS)

    assert buyers(till) == {"till:1": None, "till:2": None}
    assert (outcome.joined, outcome.refused) == (0, 0)


@pytest.mark.parametrize(
    ("consent", "joined"),
    [("true", True), ('"yes"', True), ("1", True), ("false", False), ("null", False), ('"no"', False), ("[]", False)],
)  # fmt: skip
def test_consent_in_json_lines(till: Till, consent: str, joined: bool) -> None:
    path = till.directory / "till.jsonl"
    path.write_text(
        f'{{"order": 1, "placed_at": "{MORNING}", "total": 4, "email": "{ADDRESS}", "consent": {consent},'
        ' "lines": [{"sku": "TEA"}]}\n'
    )

    till.imports(path=path, form=Form("jsonl"))

    assert (buyers(till)["till:1"] is not None) is joined


# --- who it is ------------------------------------------------------------------------------------------


def webhook(till: Till, number: int, **fields: Any) -> None:
    """Have the shop hear of an order by webhook, redacted and translated as every delivery is."""
    connector = connector_for("shopify")
    body = connector.redact(
        json.loads(orjson.dumps(shopify_order(number, 3, **fields))),
        lambda address: vault().pseudonym(till.store.id, address),
    )
    context = DeliveryContext("orders/create", "USD", now(), now())
    till.hears(*connector.translate(body, context).changes)


def test_a_guest_of_the_web_and_of_the_till_are_one_customer(till: Till) -> None:
    webhook(till, 500, email=f" {ADDRESS.upper()}")

    till.imports(row(1), header=COLUMNS)

    assert buyers(till) == {"500": hashed(till).hex(), "till:1": hashed(till).hex()}
    assert len(till.rows("customer", "identity_hash")) == 1


def test_an_order_of_a_registered_customers_address_is_that_customers(till: Till) -> None:
    person = {"id": 70, "email": ADDRESS}
    webhook(till, 500, email=ADDRESS, customer=person)
    before = till.rows("customer", "platform_id", "identity_hash", "source_updated_at")

    till.imports(row(1), header=COLUMNS)

    assert buyers(till) == {"500": "70", "till:1": "70"}
    assert till.rows("customer", "platform_id", "identity_hash", "source_updated_at") == before


def test_an_address_of_two_customers_is_a_guests(till: Till) -> None:
    till.hears(*(_customer(till, number) for number in ("70", "71")))

    till.imports(row(1), header=COLUMNS)

    assert buyers(till) == {"till:1": hashed(till).hex()}


def _customer(till: Till, platform_id: str) -> Any:
    return replace(customer_change(platform_id), customer=CustomerRef(platform_id, hashed(till)))


def test_a_customer_whom_the_shop_deleted_is_not_found_by_the_address(till: Till) -> None:
    till.hears(_customer(till, "70"), customer_deletion("70"))

    till.imports(row(1), header=COLUMNS)

    assert buyers(till) == {"till:1": hashed(till).hex()}


# --- what was said elsewhere ----------------------------------------------------------------------------


def say(till: Till, kind: str, identifier: str, purposes: Purposes) -> None:
    keep(
        db.session.connection(),
        till.store.id,
        digest(till.store.id, kind, identifier),
        Signal(purposes, "test", CHOICE, None, now()),
    )
    db.session.commit()


@pytest.mark.parametrize("kind", [CONTACT, CUSTOMER])
@pytest.mark.parametrize("allowed", [True, False], ids=["yes", "no"])
def test_a_recorded_no_counts_more_than_the_files_yes(till: Till, kind: str, allowed: bool) -> None:
    till.hears(_customer(till, "70"))
    identifier = hashed(till).hex() if kind == CONTACT else "70"
    say(till, kind, identifier, Purposes.ANALYTICS if allowed else Purposes.MARKETING)

    outcome = till.imports(row(1), header=COLUMNS)

    assert buyers(till) == {"till:1": "70" if allowed else None}
    assert (outcome.joined, outcome.refused) == ((1, 0) if allowed else (0, 1))


def test_orders_of_somebody_who_was_erased_stay_out_however_often(till: Till) -> None:
    erased = [
        (CONTACT, digest(till.store.id, CONTACT, hashed(till).hex())),
        (ORDER, digest(till.store.id, ORDER, "till:3")),
    ]
    suppress(db.session.connection(), till.store.id, erased)
    db.session.commit()

    for anew in (False, True):
        till.imports(row(1), row(2, email=""), row(3, email=""), header=COLUMNS, anew=anew)

    assert till.baskets() == {"till:2": ["3"]}
    assert till.rows("customer", "identity_hash") == []


@pytest.mark.parametrize("registered", [False, True], ids=["guest", "customer"])
def test_after_an_erasure_no_file_brings_the_person_back(till: Till, registered: bool) -> None:
    if registered:
        till.hears(_customer(till, "70"))
    rows = (row(1), row(1, sku="KETTLE"), row(2, email=""), row(3))
    till.imports(*rows, header=COLUMNS)
    named = Named(customers=frozenset({"70"})) if registered else Named(contacts=frozenset({hashed(till)}))

    person, removed = erase_person(db.session.connection(), till.store.id, named)
    db.session.commit()
    till.imports(*rows, header=COLUMNS, anew=True)
    till.imports(*rows, row(4), header=COLUMNS)
    till.imports(f"9,{MORNING},KETTLE,-1,30,1", header=f"{HEADER},refund_of")

    assert person.order_ids == {"till:1", "till:3"}
    assert removed["commerce"] == {"order_lines": 3, "orders": 2, "customers": 1}
    assert till.baskets() == {"till:2": ["3"]}
    assert till.rows("customer", "identity_hash") == []
    assert till.rows("order_adjustment", "adjustment_id") == []


# --- what is not kept -----------------------------------------------------------------------------------


def test_no_address_is_stored_or_written_anywhere(till: Till) -> None:
    rejects = till.directory / "aside.csv"
    till.imports(
        row(1),
        row(2, consent="no"),
        row(3, sku=ADDRESS),
        row(ADDRESS),
        f"5,{ADDRESS},TEA,1,4.00,{ADDRESS},yes",
        f"6,{MORNING},TEA,{ADDRESS},4.00,{ADDRESS},yes",
        f"7,{MORNING},{'X' * 120},1,4.00,{ADDRESS},yes",
        header=COLUMNS,
        rejects=rejects,
    )
    (till.directory / "till.csv").unlink()

    everything = rejects.read_text()
    for table in Model.metadata.sorted_tables:
        if "store_id" in table.columns:
            rows = text(f"SELECT t::text FROM {table.name} t WHERE store_id = {till.store.id}")
            everything += "\n".join(db.session.execute(rows).scalars())
    assert "till:1" in everything
    assert "guest" not in everything.lower()
    assert buyers(till) == {"till:1": hashed(till).hex(), "till:2": None}


def test_an_online_order_is_none_of_this_files_business(till: Till) -> None:
    till.hears(order_change("1", "4", customer=CustomerRef(None, hashed(till))))

    till.imports(row(1, consent="no"), header=COLUMNS)

    assert buyers(till) == {"1": hashed(till).hex(), "till:1": None}
