"""Collections of the stand-in: pages, filters and fields."""

import re
from typing import Any

import pytest
from woocommerce import API

from demo.peers.woocommerce import WooState
from tests.demo.peers.woocommerce.store import BEANS, FILTERS, ORDER, SHIRT, ids, many_orders, problem


def test_pages_hold_every_order_once_with_the_totals(api: API, state: WooState) -> None:
    many_orders(state, 24)
    walk = {"orderby": "id", "order": "asc", "per_page": 10}
    pages = [api.get("orders", params={**walk, "page": page}) for page in (1, 2, 3)]
    assert [identifier for page in pages for identifier in ids(page)] == [ORDER, *range(1000, 1024)]
    assert [(page.headers["X-WP-Total"], page.headers["X-WP-TotalPages"]) for page in pages] == [
        ("25", "3")
    ] * 3
    relations = [re.findall(r'rel="(\w+)"', page.headers["Link"]) for page in pages]
    assert relations == [["next"], ["prev", "next"], ["prev"]]
    # The link repeats what was asked, the used signature included.
    assert "oauth_signature=" in pages[0].headers["Link"]


def test_past_the_end_orders_forget_their_total_and_products_do_not(api: API) -> None:
    orders = api.get("orders", params={"page": 9})
    products = api.get("products", params={"page": 9})
    assert (ids(orders), orders.headers["X-WP-Total"]) == ([], "0")
    assert (ids(products), products.headers["X-WP-Total"]) == ([], "3")


def test_newest_first_is_the_default_and_offset_replaces_the_page(api: API, state: WooState) -> None:
    many_orders(state, 5)
    assert ids(api.get("orders", params={"per_page": 2})) == [1004, 1003]
    assert ids(api.get("orders", params={"per_page": 2, "offset": 1, "page": 3})) == [1003, 1002]


@pytest.mark.parametrize(
    ("params", "name", "message"),
    [
        pytest.param(
            {"per_page": 101},
            "per_page",
            "per_page must be between 1 (inclusive) and 100 (inclusive)",
            id="size",
        ),
        pytest.param({"page": 0}, "page", "page must be greater than or equal to 1", id="page"),
        pytest.param({"orderby": "total"}, "orderby", None, id="orderby"),
        pytest.param({"status": "processing,packed"}, "status", None, id="custom_status"),
        pytest.param({"modified_after": "yesterday"}, "modified_after", "Invalid date.", id="date"),
        pytest.param({"include": "12,x"}, "include", "include[1] is not of type integer.", id="include"),
    ],
)
def test_unacceptable_argument_fails_the_whole_query(
    api: API, params: dict[str, Any], name: str, message: str | None
) -> None:
    answer = api.get("orders", params=params)
    assert problem(answer) == (400, "rest_invalid_param", f"Invalid parameter(s): {name}")
    said = answer.json()["data"]["params"][name]
    assert said == message if message else said.startswith(name)


def test_any_status_includes_drafts_but_not_the_trash(api: API, state: WooState) -> None:
    many_orders(state, 3)
    state.changed_order(1000, status="checkout-draft")
    state.changed_order(1001, status="completed")
    state.trash_order(1002)
    assert ids(api.get("orders", params={"orderby": "id", "order": "asc"})) == [ORDER, 1000, 1001]
    assert ids(api.get("orders", params={"status": "trash"})) == [1002]
    assert sorted(ids(api.get("orders", params={"status": "completed,processing"}))) == [ORDER, 1001]
    assert api.get("orders/1002").json()["status"] == "trash"


def test_product_status_is_one_or_a_list_by_another_name(api: API, state: WooState) -> None:
    state.changed_product(FILTERS, status="draft")
    state.trash_product(SHIRT)
    assert sorted(ids(api.get("products"))) == [BEANS, FILTERS]
    assert ids(api.get("products", params={"status": "draft"})) == [FILTERS]
    assert sorted(ids(api.get("products", params={"include_status": "draft,trash"}))) == [FILTERS, SHIRT]
    assert api.get("products", params={"status": "draft,publish"}).status_code == 400


def test_include_keeps_its_order_and_exclude_leaves_out(api: API) -> None:
    wanted = {"include": f"{FILTERS},{BEANS}", "orderby": "include"}
    assert ids(api.get("products", params=wanted)) == [FILTERS, BEANS]
    assert sorted(ids(api.get("products", params={"exclude": str(BEANS)}))) == [FILTERS, SHIRT]


def test_fields_reach_into_objects_but_not_into_lists(api: API) -> None:
    asked = {"_fields": "id,billing.country,line_items.product_id"}
    assert api.get("orders", params=asked).json() == [
        {"id": ORDER, "billing": {"country": "DE"}, "line_items": []}
    ]
    assert api.get(f"orders/{ORDER}", params={"_fields": "id,status"}).json() == {
        "id": ORDER,
        "status": "processing",
    }


# The order was changed at 11:30:00 UTC, which is 12:30:00 in Berlin.
@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param({"modified_after": "2026-11-22T11:29:59", "dates_are_gmt": "true"}, True, id="gmt"),
        pytest.param({"modified_after": "2026-11-22T11:30:00", "dates_are_gmt": "true"}, False, id="strict"),
        pytest.param({"modified_after": "2026-11-22T11:29:59Z"}, True, id="zone"),
        pytest.param({"modified_after": "2026-11-22T11:30:00Z"}, False, id="zone_strict"),
        pytest.param({"modified_after": "2026-11-22T12:29:59"}, True, id="local"),
        pytest.param({"modified_after": "2026-11-22T12:30:00"}, False, id="local_strict"),
        # Zone and flag together shift by the offset of the site: the last hour's changes are missed.
        pytest.param({"modified_after": "2026-11-22T11:29:59Z", "dates_are_gmt": "true"}, False, id="trap"),
        pytest.param({"modified_after": "2026-11-22T10:29:59Z", "dates_are_gmt": "true"}, True, id="shifted"),
        pytest.param({"modified_before": "2026-11-22T11:30:01", "dates_are_gmt": "true"}, True, id="before"),
        pytest.param(
            {"modified_before": "2026-11-22T11:30:00", "dates_are_gmt": "true"}, False, id="not_before"
        ),
    ],
)
def test_date_filters_are_strict_and_know_time_zones(
    api: API, state: WooState, given: dict[str, str], found: bool
) -> None:
    state.changed_order(ORDER, date_modified_gmt="2026-11-22T11:30:00")
    assert ids(api.get("orders", params=given)) == ([ORDER] if found else [])
    assert api.get(f"orders/{ORDER}").json()["date_modified"] == "2026-11-22T12:30:00"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("products/999", "woocommerce_rest_product_invalid_id", id="product"),
        pytest.param("orders/999", "woocommerce_rest_shop_order_invalid_id", id="order"),
        pytest.param("customers/999", "woocommerce_rest_invalid_id", id="customer"),
        pytest.param("webhooks/999", "woocommerce_rest_shop_webhook_invalid_id", id="webhook"),
        pytest.param("nothing", "rest_no_route", id="route"),
        pytest.param("/products", "rest_no_route", id="leading_slash"),
    ],
)
def test_what_is_not_there_is_404(api: API, path: str, code: str) -> None:
    assert problem(api.get(path))[:2] == (404, code)
