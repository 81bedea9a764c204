"""What queries cost at the stand-in, and what it does when there are not points enough."""

from typing import Any

import pytest

from tests.demo.peers.shopify.platform import DOMAIN, Clock, Platform


@pytest.mark.parametrize(
    ("document", "requested", "actual"),
    [
        ("{ shop { name } }", 1, 1),
        ("{ products(first: 10) { nodes { id } } }", 10, 3),
        ("{ products(first: 10) { edges { cursor node { id } } pageInfo { hasNextPage } } }", 10, 3),
        (
            "{ products(first: 4) { nodes { variants(first: 5) { nodes { id inventoryItem { id } } } } } }",
            44,
            9,
        ),
        ("query { shop { name } ...P } fragment P on QueryRoot { productsCount { count } }", 2, 2),
    ],
)
def test_a_query_costs_what_the_rules_say(
    stocked: Platform, document: str, requested: int, actual: int
) -> None:
    cost = stocked.post(document).get_json()["extensions"]["cost"]

    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (requested, actual)
    assert cost["throttleStatus"] == {
        "maximumAvailable": 2000.0,
        "currentlyAvailable": 2000 - actual,
        "restoreRate": 100.0,
    }


def test_a_query_above_a_thousand_points_is_not_run(stocked: Platform) -> None:
    said = stocked.post(
        "{ orders(first: 100) { nodes { lineItems(first: 10) { nodes { id } } } } }"
    ).get_json()

    assert "data" not in said
    assert said["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert said["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 2000


def test_an_empty_bucket_throttles_until_it_has_filled(stocked: Platform, clock: Clock) -> None:
    stocked.shop.bucket.drain(clock())

    refused = stocked.post("{ products(first: 50) { nodes { id } } }")

    assert refused.status_code == 200
    said = refused.get_json()
    assert said["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert said["extensions"]["cost"]["requestedQueryCost"] == 50
    assert said["extensions"]["cost"]["actualQueryCost"] is None
    clock.go_on(seconds=0.5)
    assert stocked.ask("{ products(first: 50) { nodes { id } } }")["products"]["nodes"] != []


@pytest.mark.parametrize(
    ("fault", "status", "part"),
    [
        ("html", 200, b"<!doctype html>"),
        ("unavailable", 503, b"Service Unavailable"),
        ("redirect", 302, b""),
        ("throttled", 200, b"THROTTLED"),
        ("too_many_requests", 429, b"Exceeded"),
        ("unauthorized", 401, b"Invalid API key"),
    ],
)
def test_a_failure_comes_as_often_as_it_was_ordered(
    platform: Platform, fault: Any, status: int, part: bytes
) -> None:
    platform.state.faults.add(fault, shop=DOMAIN, times=2)

    answers = [platform.post("{ shop { name } }") for _ in range(3)]

    assert [said.status_code for said in answers] == [status, status, 200]
    assert part in answers[0].data
    assert answers[2].get_json()["data"] == {"shop": {"name": "Hearth & Bunting"}}
