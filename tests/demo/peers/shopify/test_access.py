"""Who may ask the stand-in for what: tokens, scopes and protected data."""

from typing import Any

import pytest

from demo.peers.shopify.app import DEFAULT_SCOPES
from demo.shopify_format import gid
from tests.demo.peers.shopify.platform import DOMAIN, OTHER, Clock, Platform

MUG_GID, ORDER_GID = gid("Product", 0), gid("Order", 1001)


def test_every_answer_names_the_version_that_gave_it(platform: Platform) -> None:
    said = platform.client.post(
        f"/{DOMAIN}/admin/api/2024-01/graphql.json",
        json={"query": "{ shop { id } }"},
        headers={"X-Shopify-Access-Token": platform.token},
    )

    assert (said.status_code, said.headers["X-Shopify-API-Version"]) == (200, "2026-10")


@pytest.mark.parametrize("case", ["none", "unknown", "another shop's", "expired", "replaced", "uninstalled"])
def test_a_wrong_token_gets_401_and_nothing_else(stocked: Platform, clock: Clock, case: str) -> None:
    shop, token = DOMAIN, stocked.token
    if case == "none":
        token = " "
    elif case == "unknown":
        token = "shpat_0"
    elif case == "another shop's":
        shop = OTHER
    elif case == "expired":
        clock.go_on(seconds=3600)
    elif case == "replaced":
        stocked.shop.tokens.issue(clock())
    else:
        stocked.shop.uninstall()

    said = stocked.post("{ shop { name } }", shop=shop, token=token)

    assert said.status_code == 401
    assert set(said.get_json()) == {"errors"}


def test_the_same_token_serves_until_it_expires(platform: Platform, clock: Clock) -> None:
    clock.go_on(seconds=3599)

    assert platform.post("{ shop { name } }").status_code == 200


def test_a_token_can_be_made_to_die_in_the_middle_of_things(platform: Platform) -> None:
    platform.shop.tokens.expire_after(2)

    assert [platform.post("{ shop { id } }").status_code for _ in range(3)] == [200, 200, 401]


@pytest.mark.parametrize(
    ("lacking", "document", "data"),
    [
        ("read_orders", "{ shop { name } orders(first: 1) { nodes { id } } }", None),
        (
            "read_products",
            f'{{ shop {{ name }} product(id: "{MUG_GID}") {{ id }} }}',
            {"product": None},
        ),
        (
            "read_customers",
            f'{{ shop {{ name }} order(id: "{ORDER_GID}") {{ test customer {{ id }} }} }}',
            {"order": {"test": False, "customer": None}},
        ),
    ],
    ids=["orders", "a product", "the customer of an order"],
)
def test_without_a_scope_there_is_an_error_beside_the_other_data(
    stocked: Platform, lacking: str, document: str, data: dict[str, Any] | None
) -> None:
    stocked.shop.install(set(DEFAULT_SCOPES) - {lacking, lacking.replace("read_", "write_")})

    said = stocked.post(document).get_json()

    assert said["data"] == (None if data is None else {"shop": {"name": "Hearth & Bunting"}, **data})
    [error] = said["errors"]
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert f"`{lacking}` access scope" in error["message"]


def test_a_field_that_the_review_did_not_approve_is_null(stocked: Platform) -> None:
    stocked.shop.denied_fields.add("Customer.email")

    said = stocked.post(
        "query($id: ID!) { order(id: $id) { customer { id email } } }", id=gid("Order", 1001)
    ).get_json()

    assert said["data"]["order"]["customer"] == {"id": gid("Customer", 7), "email": None}
    assert said["errors"][0]["path"] == ["order", "customer", "email"]


def test_without_read_all_orders_only_sixty_days_are_there(stocked: Platform) -> None:
    stocked.shop.install(set(DEFAULT_SCOPES) - {"read_all_orders"})

    said = stocked.ask(
        "query($old: ID!) { ordersCount { count } order(id: $old) { id } orders(first: 9) { nodes { name } } }",
        old=gid("Order", 1003),
    )

    assert said["ordersCount"] == {"count": 2}
    assert said["order"] is None
    assert [node["name"] for node in said["orders"]["nodes"]] == ["#1001", "#1002"]
