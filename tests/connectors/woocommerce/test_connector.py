"""When two WooCommerce deliveries are the same one."""

import copy
import random

import orjson
import pytest

from connectors.base import DeliveryHeaders
from connectors.woocommerce.connector import WOOCOMMERCE


def headers(topic, delivery_id="eaa0", webhook_id="1"):
    return DeliveryHeaders(topic, "https://shop.example/", delivery_id, webhook_id=webhook_id)


@pytest.fixture
def key(recording):
    """Return the key of a recorded delivery."""

    def of(name):
        delivery = recording(name)
        return WOOCOMMERCE.dedupe_key(WOOCOMMERCE.read_headers(delivery.headers), delivery.body, delivery.raw)

    return of


def test_three_products_of_one_delivery_id_are_three_deliveries(key):
    assert len({key(f"{number}-product_updated") for number in ("0018", "0019", "0020")}) == 3


def test_created_and_updated_are_two_deliveries(key):
    assert key("0047-order_updated") != key("0048-order_created")


def test_same_state_is_the_same_delivery_whatever_woocommerce_draws_at_random(recording):
    # given a product of which WooCommerce lists other related ones each time, under another delivery id
    body = recording("0019-product_updated").body
    again = copy.deepcopy(body)
    random.Random(3).shuffle(again["related_ids"])
    again["_links"] = {}
    again = dict(reversed(again.items()))
    assert again["related_ids"] != body["related_ids"]

    first = WOOCOMMERCE.dedupe_key(headers("product.updated", "a"), body, orjson.dumps(body))
    second = WOOCOMMERCE.dedupe_key(headers("product.updated", "b", "2"), again, orjson.dumps(again))

    assert first == second


def test_another_state_is_another_delivery(recording):
    body = recording("0019-product_updated").body

    keys = {
        WOOCOMMERCE.dedupe_key(headers("product.updated"), body | change, b"")
        for change in ({}, {"stock_quantity": 498}, {"id": 99}, {"price": "2.98"})
    }

    assert len(keys) == 4


@pytest.mark.parametrize(
    "body",
    [
        {"id": 24},
        {"code": "woocommerce_rest_cannot_view", "message": "Sorry.", "data": {"status": 401}},
        {"action": "woocommerce_add_to_cart"},
        [],
        None,
    ],
    ids=["deleted", "error", "action", "list", "null"],
)
def test_body_without_a_state_is_told_apart_by_its_delivery(body):
    # given an order that is put into the bin twice, a shop that loses access twice, ...
    keys = [WOOCOMMERCE.dedupe_key(headers("order.deleted", number), body, b"raw") for number in "aab"]

    assert keys[0] == keys[1] != keys[2]


def test_two_orders_put_into_the_bin_in_one_second_are_two_deliveries():
    keys = {WOOCOMMERCE.dedupe_key(headers("order.deleted"), {"id": number}, b"") for number in (24, 25)}

    assert len(keys) == 2


def test_key_is_short_and_without_values(recording):
    delivery = recording("0016-order_created")

    key = WOOCOMMERCE.dedupe_key(headers("order.created"), delivery.body, delivery.raw)

    assert len(key) == 64
    assert set(key) <= set("0123456789abcdef")


def test_body_that_cannot_be_written_as_json_again_is_told_by_its_bytes():
    # given what other JSON parsers let through
    body = {"id": 24, "total": 10**30, "name": "\ud800"}

    keys = [WOOCOMMERCE.dedupe_key(headers("order.updated"), body, raw) for raw in (b"1", b"1", b"2")]

    assert keys[0] == keys[1] != keys[2]
