"""How Shopify writes ids and JSON."""

import orjson
import pytest

from demo.shopify_format import encode, platform_id, product_number


def test_a_body_is_written_as_rails_writes_it() -> None:
    raw = encode({"name": "Lamp & <Shade> £", "id": 2**53 + 1})

    assert raw == '{"name":"Lamp \\u0026 \\u003cShade\\u003e £","id":9007199254740993}'.encode()
    assert orjson.loads(raw)["name"] == "Lamp & <Shade> £"


@pytest.mark.parametrize("kind", ["Product", "ProductVariant", "Order", "LineItem", "Customer", "Refund"])
def test_ids_are_lost_on_readers_of_floating_point_numbers(kind: str) -> None:
    identifier = platform_id(kind, 17)

    assert identifier > 2**53
    assert int(float(identifier)) != identifier


def test_a_variant_leads_to_its_product_and_nothing_else_does() -> None:
    assert product_number(platform_id("ProductVariant", 17)) == 17
    assert product_number(platform_id("ProductVariant", 17) + 1) is None
    assert product_number(platform_id("ProductVariant", 0) - 2) is None
