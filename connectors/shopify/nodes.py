"""A node of the Admin API, told as the body of the webhook about it.

So what is asked and what is sent go through the same redaction and the same translation. A body has the
fields that ``mapping`` reads and no others. Children come in the order of their ids (variants in that of
their positions), so that an equal resource gives an equal body however it was asked for.

Two things a node knows better than today's webhooks: whether the shop counts a variant's stock, and that a
product is a gift card. They are told in the fields that older webhooks had for them. What the merchant chose to
show beside a product, and what a piece costs the merchant, no webhook tells: they have fields of their own,
``complementary_products``, ``related_products`` and ``unit_cost``.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.errors import Unreachable

Node = Mapping[str, Any]

_FULFILMENT: Final = {
    "FULFILLED": "fulfilled",
    "PARTIALLY_FULFILLED": "partial",
    "RESTOCKED": "restocked",
}


def product_body(node: Node, variants: Iterable[Node]) -> dict[str, Any]:
    """Return a product with all its ``variants`` as ``products/update`` would carry it.

    Raises:
        Unreachable: if the node does not have the shape that the document asks for.
    """
    try:
        return _product(node, list(variants))
    except (LookupError, TypeError, ValueError, AttributeError):
        raise Unreachable("Shopify described a product in an unknown way.") from None


def order_body(node: Node, lines: Iterable[Node]) -> dict[str, Any]:
    """Return an order with all its ``lines`` as ``orders/updated`` would carry it.

    Raises:
        Unreachable: if the node does not have the shape that the document asks for.
    """
    try:
        return _order(node, list(lines))
    except (LookupError, TypeError, ValueError, AttributeError):
        raise Unreachable("Shopify described an order in an unknown way.") from None


def is_complete(node: Node, children: Iterable[Node]) -> bool:
    """Return whether ``children`` are provably all of ``node``: as many as it counts itself."""
    if "variantsCount" in node:
        return (node["variantsCount"] or {}).get("count") == sum(1 for _ in children)
    expected = node.get("subtotalLineItemsQuantity")
    return expected is not None and expected == sum(line.get("quantity") or 0 for line in children)


def number(gid: str) -> int:
    """Return the number at the end of ``gid://shopify/Order/1``; raises ValueError where there is none."""
    return int(gid.partition("?")[0].rpartition("/")[2])


def _product(node: Node, variants: list[Node]) -> dict[str, Any]:
    ordered = sorted(variants, key=lambda variant: (variant["position"], number(variant["id"])))
    cover = _url(((node.get("featuredMedia") or {}).get("preview") or {}).get("image"))
    urls = dict.fromkeys(filter(None, (cover, *(_url(variant.get("image")) for variant in ordered))))
    images = {url: position for position, url in enumerate(urls, start=1)}
    category = node.get("category")
    return {
        **_ids(node),
        "title": node["title"],
        "handle": node["handle"],
        "status": node["status"].lower(),
        "vendor": node["vendor"],
        "product_type": node["productType"],
        "tags": ", ".join(node["tags"]),
        "category": {"full_name": category["fullName"]} if category else None,
        "published_at": node["publishedAt"],
        "updated_at": node["updatedAt"],
        "image": {"id": images[cover], "src": cover} if cover else None,
        "images": [{"id": position, "src": url} for url, position in images.items()],
        "variants": [_variant(variant, images, gift_card=node["isGiftCard"]) for variant in ordered],
        "complementary_products": _references(node["complementary"]),
        "related_products": _references(node["related"]),
    }


def _references(metafield: Node | None) -> list[str]:
    """Return the global ids in a metafield of the type ``list.product_reference``, none where it was never set."""
    return [gid for gid in (metafield["jsonValue"] or ()) if type(gid) is str] if metafield else []


def _variant(node: Node, images: Mapping[str, int], *, gift_card: bool) -> dict[str, Any]:
    item = node["inventoryItem"]
    return {
        **_ids(node),
        "title": node["title"],
        "price": node["price"],
        "compare_at_price": node["compareAtPrice"],
        "unit_cost": item["unitCost"]["amount"] if item["unitCost"] else None,
        "sku": node["sku"],
        "position": node["position"],
        "image_id": images.get(_url(node.get("image")) or ""),
        "inventory_item_id": int(item["legacyResourceId"]),
        "inventory_quantity": node["inventoryQuantity"],
        "inventory_policy": node["inventoryPolicy"].lower(),
        "inventory_management": "shopify" if item["tracked"] else None,
        "fulfillment_service": "gift_card" if gift_card else "manual",
    }


def _order(node: Node, lines: list[Node]) -> dict[str, Any]:
    ordered = sorted(lines, key=lambda line: number(line["id"]))
    groups = {line["lineItemGroup"]["id"]: line["lineItemGroup"] for line in ordered if line["lineItemGroup"]}
    customer = node.get("customer")
    financial = node["displayFinancialStatus"]
    return {
        **_ids(node),
        "created_at": node["createdAt"],
        "updated_at": node["updatedAt"],
        "processed_at": node["processedAt"],
        "cancelled_at": node["cancelledAt"],
        "test": node["test"],
        "source_name": node["sourceName"],
        "cart_token": node["cartToken"],
        "currency": node["currencyCode"],
        "financial_status": financial.lower() if financial else None,
        "fulfillment_status": _FULFILMENT.get(node["displayFulfillmentStatus"]),
        "total_price_set": _money(node["totalPriceSet"]),
        "taxes_included": node["taxesIncluded"],
        "refunds": sorted((_ids(refund) for refund in node["refunds"]), key=lambda refund: refund["id"]),
        "customer": _ids(customer) if customer else None,
        # No e-mail address is asked for, so a guest cannot be told from nobody.
        "guest_unnamed": customer is None,
        "line_items": [_line(line) for line in ordered],
        "line_item_groups": [_group(group) for group in groups.values()],
    }


def _line(node: Node) -> dict[str, Any]:
    group = node["lineItemGroup"]
    return {
        "id": number(node["id"]),
        "admin_graphql_api_id": node["id"],
        "product_id": _legacy_id(node["product"]),
        "variant_id": _legacy_id(node["variant"]),
        "sales_line_item_group_id": number(group["id"]) if group else None,
        "quantity": node["quantity"],
        "current_quantity": node["currentQuantity"],
        "gift_card": node["isGiftCard"],
        "price_set": _money(node["originalUnitPriceSet"]),
        "total_discount_set": _money(node["totalDiscountSet"]),
        "discount_allocations": [
            {"amount_set": _money(part["allocatedAmountSet"])} for part in node["discountAllocations"]
        ],
        "tax_lines": [{"price_set": _money(tax["priceSet"])} for tax in node["taxLines"]],
    }


def _group(node: Node) -> dict[str, Any]:
    product, variant = node["productId"], node["variantId"]
    return {
        "id": number(node["id"]),
        "product_id": number(product) if product else None,
        "variant_id": number(variant) if variant else None,
    }


def _ids(node: Node) -> dict[str, Any]:
    """Return both ids of an object. The legacy one is an UnsignedInt64, which JSON carries as a string."""
    return {"id": int(node["legacyResourceId"]), "admin_graphql_api_id": node["id"]}


def _legacy_id(node: Node | None) -> int | None:
    """Return the id of what a line sold, None where it was deleted or never was a product."""
    return int(node["legacyResourceId"]) if node else None


def _money(bag: Node) -> dict[str, Any]:
    amount = bag["shopMoney"]
    return {"shop_money": {"amount": amount["amount"], "currency_code": amount["currencyCode"]}}


def _url(image: Node | None) -> str | None:
    return image.get("url") if image else None
