"""WooCommerce's Store API as scripts meet it."""

from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from demo.shops import Shop
from tests.demo.front import Front, opened
from tests.demo.sink import Sink

ROOT = "/wp-json/wc/store/v1"


@pytest.fixture
def front(woocommerce: Shop, sink: Sink) -> Iterator[Front]:
    with opened(woocommerce, sink) as storefront:
        yield storefront


def nonce(front: Front) -> str:
    return front.client.get(f"{ROOT}/cart").headers["Nonce"]


def write(front: Front, action: str, body: Any, **headers: str) -> Any:
    return front.client.post(f"{ROOT}/cart/{action}", json=body, headers={"Nonce": nonce(front), **headers})


def identifier(front: Front, number: int) -> int:
    return int(front.till.identifier(front.till.shop.products[number]))


def test_the_cart_answers_with_the_session_in_its_headers(front: Front) -> None:
    answer = front.client.get(f"{ROOT}/cart")

    assert answer.status_code == 200
    assert len(answer.headers["Nonce"]) == 10
    assert {"Nonce-Timestamp", "User-ID", "Cart-Hash"} <= set(answer.headers.keys())
    told = jwt.decode(answer.headers["Cart-Token"], options={"verify_signature": False})
    assert (told["iss"], told["user_id"]) == ("store-api", answer.headers["User-ID"])
    assert (answer.json["items"], answer.json["items_count"]) == ([], 0)
    assert front.client.get(f"{ROOT}/cart").headers["Nonce"] == answer.headers["Nonce"]
    assert front.app.test_client().get(f"{ROOT}/cart").headers["Nonce"] != answer.headers["Nonce"]


def test_an_item_goes_in(front: Front) -> None:
    (a,) = front.listed()

    answer = write(front, "add-item", {"id": identifier(front, a.number), "quantity": 2})

    assert answer.status_code == 201
    (item,) = answer.json["items"]
    assert (item["id"], item["quantity"], item["name"]) == (identifier(front, a.number), 2, a.name)
    assert item["prices"]["price"] == str(a.price)
    assert item["prices"]["raw_prices"] == {
        "precision": 6,
        "price": f"{a.price}0000",
        "regular_price": f"{a.compare_at_price or a.price}0000",
        "sale_price": f"{a.price}0000",
    }
    totals = item["totals"]
    assert int(totals["line_total"]) + int(totals["line_total_tax"]) == 2 * a.price
    assert answer.json["items_count"] == 2


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({}, 401, "woocommerce_rest_missing_nonce"),
        ({"Nonce": "0123456789"}, 403, "woocommerce_rest_invalid_nonce"),
        ({"Nonce": "ümläut"}, 403, "woocommerce_rest_invalid_nonce"),
    ],
    ids=["missing", "wrong", "not ASCII"],
)
def test_a_write_needs_the_nonce(front: Front, given: dict[str, str], status: int, code: str) -> None:
    (a,) = front.listed()
    front.client.get(f"{ROOT}/cart")

    answer = front.client.post(
        f"{ROOT}/cart/add-item", json={"id": identifier(front, a.number)}, headers=given
    )

    assert (answer.status_code, answer.json["code"], answer.json["data"]) == (
        status,
        code,
        {"status": status},
    )
    assert front.client.get(f"{ROOT}/cart").json["items"] == []


def test_the_nonce_of_another_session_is_none(front: Front) -> None:
    (a,) = front.listed()
    other = front.app.test_client().get(f"{ROOT}/cart").headers["Nonce"]

    answer = write(front, "add-item", {"id": identifier(front, a.number)}, Nonce=other)

    assert answer.status_code == 403


def refused(front: Front, body: Any) -> tuple[int, str]:
    answer = write(front, "add-item", body)
    return answer.status_code, answer.json["code"]


def test_what_cannot_be_bought_is_refused(front: Front) -> None:
    listings = front.till.shop.listings
    gone = next(listing.product.number for listing in listings if listing.stock == 0)
    draft = next(listing.product.number for listing in listings if listing.status == "draft")
    (a,) = front.listed()
    front.till.shelves.change(a.number, stock=2)
    own = identifier(front, a.number)

    assert refused(front, {"id": identifier(front, gone)}) == (400, "woocommerce_rest_product_out_of_stock")
    assert refused(front, {"id": identifier(front, draft)}) == (400, "woocommerce_rest_cart_invalid_product")
    assert refused(front, {"id": 1}) == (400, "woocommerce_rest_cart_invalid_product")
    assert refused(front, {}) == (400, "woocommerce_rest_cart_invalid_product")
    assert refused(front, {"id": own, "quantity": 3}) == (
        400,
        "woocommerce_rest_product_partially_out_of_stock",
    )
    for quantity in (0, -1, "two", None, True, 10_000):
        assert refused(front, {"id": own, "quantity": quantity}) == (400, "rest_invalid_param")
    assert refused(front, []) == (400, "rest_invalid_json")


def test_a_batch_does_what_it_can_and_says_what_it_cannot(front: Front) -> None:
    a, b = front.listed(2)
    gone = next(listing.product.number for listing in front.till.shop.listings if listing.stock == 0)
    token = nonce(front)

    answer = front.client.post(
        f"{ROOT}/batch",
        json={
            "requests": [
                {
                    "path": "/wc/store/v1/cart/add-item",
                    "method": "POST",
                    "headers": {"Nonce": token},
                    "body": {"id": identifier(front, number), "quantity": 1},
                }
                for number in (a.number, gone, b.number)
            ]
        },
    )

    assert answer.status_code == 207
    assert [single["status"] for single in answer.json["responses"]] == [201, 400, 201]
    assert answer.json["responses"][1]["body"]["code"] == "woocommerce_rest_product_out_of_stock"
    items = front.client.get(f"{ROOT}/cart").json["items"]
    assert [item["id"] for item in items] == [identifier(front, a.number), identifier(front, b.number)]


def test_each_request_of_a_batch_needs_its_own_nonce(front: Front) -> None:
    (a,) = front.listed()
    request = {"path": "/wc/store/v1/cart/add-item", "body": {"id": identifier(front, a.number)}}

    answer = front.client.post(f"{ROOT}/batch", json={"requests": [request]}, headers={"Nonce": nonce(front)})

    assert answer.status_code == 207
    assert [single["status"] for single in answer.json["responses"]] == [401]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"requests": []}, 400),
        ({"requests": [{}] * 26}, 400),
        ({"requests": [{"path": "/wp/v2/posts"}]}, 400),
        ({"requests": ["x"]}, 400),
        ({}, 400),
    ],
    ids=["empty", "too many", "another API", "no object", "nothing"],
)
def test_a_batch_of_nonsense_is_refused_whole(front: Front, body: Any, status: int) -> None:
    assert front.client.post(f"{ROOT}/batch", json=body).status_code == status


def test_unknown_routes_in_and_out_of_a_batch(front: Front) -> None:
    token = nonce(front)
    request = {"path": "/wc/store/v1/cart/burn", "headers": {"Nonce": token}, "body": {}}

    answer = front.client.post(
        f"{ROOT}/batch", json={"requests": [request, {**request, "path": "/wc/store/v1/x"}]}
    )

    assert [single["body"]["code"] for single in answer.json["responses"]] == [
        "rest_no_route",
        "rest_no_route",
    ]
    assert write(front, "burn", {}).status_code == 404


def test_lines_are_changed_and_taken_out_by_their_key(front: Front) -> None:
    (a,) = front.listed()
    key = write(front, "add-item", {"id": identifier(front, a.number)}).json["items"][0]["key"]

    changed = write(front, "update-item", {"key": key, "quantity": 4})
    too_many = write(front, "update-item", {"key": key, "quantity": 9999})
    removed = write(front, "remove-item", {"key": key})
    again = write(front, "remove-item", {"key": key})

    assert changed.json["items"][0]["quantity"] == 4
    assert (too_many.status_code, too_many.json["code"]) == (400, "woocommerce_rest_invalid_quantity")
    assert (removed.status_code, removed.json["items"]) == (200, [])
    assert (again.status_code, again.json["code"]) == (409, "woocommerce_rest_cart_invalid_key")


def test_totals_hold_goods_delivery_and_tax(front: Front) -> None:
    (a,) = front.listed()

    totals = write(front, "add-item", {"id": identifier(front, a.number)}).json["totals"]

    assert int(totals["total_price"]) == a.price + (395 if a.price < 5000 else 0)
    assert int(totals["total_items"]) + int(totals["total_items_tax"]) == a.price
    assert totals["currency_code"] == "GBP"
    assert totals["currency_minor_unit"] == 2


def test_no_cart_webhook_is_sent(front: Front) -> None:
    (a,) = front.listed()
    write(front, "add-item", {"id": identifier(front, a.number)})
    front.client.post("/checkout")

    topics = [request.topic for request in front.sink.wait_for(3)]

    assert sorted(topics) == ["order.created", "order.updated", "product.updated"]
