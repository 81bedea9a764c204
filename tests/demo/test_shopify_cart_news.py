"""Carts in the Shopify-like shop's messages."""

import orjson

from demo.orders import CartNews, Line
from tests.demo.shopify_messages import BAG, MUG, NOW, PLACED, VOICE, faults


def test_carts_speak_of_their_lines_only() -> None:
    news = CartNews("abc", (Line(MUG, 2), Line(BAG, 1, (("_pannier", "d1"),))), PLACED, NOW, is_new=True)

    (message,) = VOICE.cart_changed(news)

    body = orjson.loads(VOICE.sign(message).body)
    assert message.topic == "carts/create"
    assert set(body) == {"id", "token", "line_items", "note", "created_at", "updated_at"}
    assert (body["id"], body["updated_at"]) == ("abc", "2026-11-11T10:00:00.000Z")
    assert [(line["quantity"], line["line_price"], line["properties"]) for line in body["line_items"]] == [
        (2, "2.50", None),
        (1, "3.00", {"_pannier": "d1"}),
    ]
    del body["line_items"][1]
    assert list(faults("carts/create", body)) == []
