"""Shopify's Ajax cart as scripts meet it."""

from collections.abc import Iterator
from typing import Any

import pytest

from demo.shops import Shop
from tests.demo.front import Front, opened
from tests.demo.sink import Sink


@pytest.fixture
def front(shopify: Shop, sink: Sink) -> Iterator[Front]:
    with opened(shopify, sink) as storefront:
        yield storefront


def variant(front: Front, number: int) -> str:
    return front.till.variant_identifier(front.till.shop.products[number])


def test_an_empty_cart_is_a_cart(front: Front) -> None:
    cart = front.client.get("/cart.js").json

    assert (cart["item_count"], cart["items"], cart["total_price"], cart["currency"]) == (0, [], 0, "GBP")
    assert front.client.get("/cart.js").json["token"] == cart["token"]
    assert "?key=" in cart["token"]
    assert front.sink.received == []


@pytest.mark.parametrize("as_text", [True, False], ids=["text", "number"])
def test_several_items_go_in_at_once(front: Front, as_text: bool) -> None:
    a, b = front.listed(2)
    ids = [variant(front, product.number) for product in (a, b)]

    answer = front.client.post(
        "/cart/add.js",
        json={
            "items": [
                {"id": ids[0] if as_text else int(ids[0]), "quantity": 2},
                {"id": ids[1] if as_text else int(ids[1]), "properties": {"_pannier": "d-1"}},
            ]
        },
    )

    assert answer.status_code == 200
    assert [(str(item["id"]), item["quantity"], item["properties"]) for item in answer.json["items"]] == [
        (ids[0], 2, {}),
        (ids[1], 1, {"_pannier": "d-1"}),
    ]
    cart = front.client.get("/cart.js").json
    assert (cart["item_count"], cart["total_price"]) == (3, 2 * a.price + b.price)
    assert cart["items"][0]["line_price"] == 2 * a.price
    told = front.sink.wait_for(1)
    assert told[0].topic == "carts/create"
    assert told[0].body["token"] == cart["token"].split("?")[0]
    assert [line["properties"] for line in told[0].body["line_items"]] == [None, {"_pannier": "d-1"}]


def test_one_item_goes_in_by_json_or_form(front: Front) -> None:
    (a,) = front.listed()

    one = front.client.post("/cart/add.js", json={"id": variant(front, a.number)}).json
    two = front.client.post("/cart/add.js", data={"id": variant(front, a.number), "quantity": "2"}).json

    assert (one["quantity"], two["quantity"]) == (1, 3)
    assert one["key"] == two["key"]


def test_a_sold_out_item_keeps_all_others_out(front: Front) -> None:
    (a,) = front.listed()
    gone = next(listing.product for listing in front.till.shop.listings if listing.stock == 0)

    answer = front.client.post(
        "/cart/add.js",
        json={"items": [{"id": variant(front, a.number)}, {"id": variant(front, gone.number)}]},
    )

    assert answer.status_code == 422
    assert answer.json == {
        "status": 422,
        "message": "Cart Error",
        "description": f"The product '{gone.name}' is already sold out.",
    }
    assert front.client.get("/cart.js").json["item_count"] == 0
    assert front.sink.received == []


def test_more_than_there_is_is_refused_over_several_lines_too(front: Front) -> None:
    (a,) = front.listed()
    front.till.shelves.change(a.number, stock=3)
    item: dict[str, Any] = {"id": variant(front, a.number), "quantity": 2}

    answer = front.client.post("/cart/add.js", json={"items": [item, {**item, "properties": {"_x": "1"}}]})

    assert answer.status_code == 422
    assert answer.json["description"] == f"You can only add 3 of '{a.name}' to the cart."


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"items": [{"id": 1}]}, 404, id="no such variant"),
        pytest.param({"items": [{"id": "x"}]}, 404, id="no number"),
        pytest.param({"items": [{"quantity": 1}]}, 400, id="no id"),
        pytest.param({"items": []}, 400, id="no items"),
        pytest.param({"items": "x"}, 400, id="items no list"),
        pytest.param({"items": ["x"]}, 400, id="item no object"),
        pytest.param([], 400, id="no object"),
    ],
)
def test_nonsense_gets_an_error_in_shopifys_shape(front: Front, body: Any, status: int) -> None:
    answer = front.client.post("/cart/add.js", json=body)

    assert answer.status_code == status
    assert set(answer.json) == {"status", "message", "description"}


@pytest.mark.parametrize("quantity", ["two", None, [1], 0, -1, 1000])
def test_a_quantity_must_be_one(front: Front, quantity: Any) -> None:
    (a,) = front.listed()

    answer = front.client.post("/cart/add.js", json={"id": variant(front, a.number), "quantity": quantity})

    assert answer.status_code in (400, 422)
    assert front.client.get("/cart.js").json["item_count"] == 0


def test_a_draft_cannot_be_found(front: Front) -> None:
    draft = next(listing.product for listing in front.till.shop.listings if listing.status == "draft")

    assert front.client.post("/cart/add.js", json={"id": variant(front, draft.number)}).status_code == 404


def test_lines_are_changed_by_key_variant_or_place(front: Front) -> None:
    a, b = front.listed(2)
    for product in (a, b):
        front.client.post("/cart/add.js", json={"id": variant(front, product.number)})
    key = front.client.get("/cart.js").json["items"][0]["key"]

    front.client.post("/cart/change.js", json={"id": key, "quantity": 4})
    front.client.post("/cart/change.js", json={"id": variant(front, b.number), "quantity": 5})
    cart = front.client.post("/cart/change.js", json={"line": 1, "quantity": 0}).json

    assert [(item["product_id"], item["quantity"]) for item in cart["items"]] == [
        (int(front.till.identifier(b)), 5)
    ]
    assert front.client.post("/cart/change.js", json={"line": 9, "quantity": 1}).status_code == 400
    assert (
        front.client.post(
            "/cart/change.js", json={"id": variant(front, b.number), "quantity": 998}
        ).status_code
        == 422
    )
    told = front.sink.wait_for(5)
    assert [request.topic for request in told] == ["carts/create"] + ["carts/update"] * 4
    assert [line["quantity"] for line in told[4].body["line_items"]] == [5]


def test_many_quantities_are_updated_at_once(front: Front) -> None:
    a, b = front.listed(2)
    for product in (a, b):
        front.client.post("/cart/add.js", json={"id": variant(front, product.number)})

    cart = front.client.post(
        "/cart/update.js",
        json={"updates": {variant(front, a.number): 0, variant(front, b.number): 2, "1": 7}},
    ).json

    assert [(item["title"], item["quantity"]) for item in cart["items"]] == [(b.name, 2)]
    assert front.client.post("/cart/update.js", json={"updates": []}).status_code == 400


def test_a_cart_is_cleared(front: Front) -> None:
    (a,) = front.listed()
    front.client.post("/cart/add.js", json={"id": variant(front, a.number)})

    assert front.client.post("/cart/clear.js").json["item_count"] == 0
    told = front.sink.wait_for(2)
    assert told[1].body["line_items"] == []


def test_each_browser_has_its_own_cart(front: Front) -> None:
    (a,) = front.listed()
    front.client.post("/cart/add.js", json={"id": variant(front, a.number)})

    assert front.app.test_client().get("/cart.js").json["item_count"] == 0


def test_properties_come_along_into_the_order(front: Front) -> None:
    (a,) = front.listed()
    front.client.post(
        "/cart/add.js", json={"id": variant(front, a.number), "properties": {"_pannier": "d-1"}}
    )
    front.client.post("/checkout")

    orders = [request for request in front.sink.wait_for(2) if request.topic == "orders/create"]

    assert orders[0].body["line_items"][0]["properties"] == [{"name": "_pannier", "value": "d-1"}]
