"""GraphQL fields that are called or shaped otherwise than in the body of the resource's webhook.

A field that stands nowhere here is read from the body under its name in snake case.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from demo.peers.shopify.state import Shop


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of the API: its type's name, its body, where it is, and what it belongs to."""

    kind: str
    body: Mapping[str, Any]
    shop: Shop
    parent: "Thing | None" = None

    def within(self, kind: str, body: Mapping[str, Any] | None) -> "Thing | None":
        """Return something that belongs to this, None for nothing."""
        return None if body is None else Thing(kind, body, self.shop, self)


Reader = Callable[[Thing], Any]


def gid(kind: str, number: object) -> str:
    """Return a global id."""
    return f"gid://shopify/{kind}/{number}"


def utc(value: str | datetime) -> str:
    """Return a moment, also of a body, as the API writes it."""
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def product_of(shop: Shop, number: int | None) -> Thing | None:
    """Return a product, None if it was deleted."""
    body = shop.product(number)
    return None if body is None else Thing("Product", body, shop)


def variant_of(shop: Shop, number: int | None) -> Thing | None:
    """Return a variant, None if it was deleted."""
    found = shop.variant(number)
    return (
        None if found is None else Thing("ProductVariant", found[0], shop, Thing("Product", found[1], shop))
    )


def _key(name: str) -> Reader:
    return lambda thing: thing.body.get(name)


def _price_range(thing: Thing) -> dict[str, Any]:
    prices = sorted(Decimal(variant["price"]) for variant in thing.body["variants"])
    ends = {"min_variant_price": prices[0], "max_variant_price": prices[-1]}
    return {
        name: {"amount": str(price), "currency_code": thing.shop.currency} for name, price in ends.items()
    }


def _tags(thing: Thing) -> list[str]:
    return [tag.strip() for tag in (thing.body.get("tags") or "").split(",") if tag.strip()]


def _owner(thing: Thing) -> Thing:
    assert thing.parent is not None
    return thing.parent


def _attributes(pairs: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    return [{"key": pair["name"], "value": pair["value"]} for pair in pairs or ()]


# -- products --


def _image(thing: Thing) -> dict[str, Any] | None:
    image = thing.body.get("image") or next(iter(thing.body.get("images") or ()), None)
    return dict(image) if image else None


def _media(thing: Thing) -> list[Thing]:
    return [Thing("MediaImage", media, thing.shop, thing) for media in thing.body.get("media") or ()]


def _media_image(thing: Thing) -> dict[str, Any]:
    return {"id": thing.body["id"], "alt": thing.body["alt"], **thing.body["preview_image"]}


def _preview(thing: Thing) -> dict[str, Any]:
    return {"image": _media_image(thing), "status": thing.body["preview_image"]["status"]}


def _online_url(thing: Thing) -> str | None:
    shown = thing.body.get("published_at") and str(thing.body.get("status")).lower() in ("active", "unlisted")
    return f"{thing.shop.url}/products/{thing.body['handle']}" if shown else None


def _variants(thing: Thing) -> list[Thing]:
    return [Thing("ProductVariant", variant, thing.shop, thing) for variant in thing.body["variants"]]


def _stock(thing: Thing) -> int:
    return sum(variant["inventory_quantity"] or 0 for variant in thing.body["variants"])


def _default_only(thing: Thing) -> bool:
    return [variant["title"] for variant in thing.body["variants"]] == ["Default Title"]


def _count(number: int) -> dict[str, Any]:
    return {"count": number, "precision": "EXACT"}


def _available(thing: Thing) -> bool:
    body = thing.body
    active = str(_owner(thing).body.get("status")).lower() == "active"
    stock = body.get("inventory_policy") == "continue" or (body.get("inventory_quantity") or 0) > 0
    return active and stock


def _options(thing: Thing) -> list[dict[str, Any]]:
    options = _owner(thing).body.get("options") or ()
    pairs = ((option["name"], thing.body.get(f"option{place}")) for place, option in enumerate(options, 1))
    return [{"name": name, "value": value} for name, value in pairs if value is not None]


def _variant_image(thing: Thing) -> dict[str, Any] | None:
    images = _owner(thing).body.get("images") or ()
    chosen = thing.body.get("image_id")
    return next((dict(image) for image in images if chosen and image["id"] == chosen), None)


def _inventory_item(thing: Thing) -> dict[str, Any]:
    body = thing.body
    return {
        "id": body["inventory_item_id"],
        "tracked": body.get("inventory_management", "shopify") is not None,
        "unit_cost": None,
        "sku": body.get("sku"),
        "requires_shipping": body.get("requires_shipping", True),
        "created_at": body["created_at"],
        "updated_at": body["updated_at"],
    }


# -- orders --


def _status(name: str, absent: str | None) -> Reader:
    return lambda thing: thing.body.get(name) or absent


def _bag(amount: Decimal, like: Mapping[str, Any]) -> dict[str, Any]:
    """Return a money bag of ``amount``, in both currencies of a shop that has but one."""
    return {side: {**money, "amount": str(amount)} for side, money in like.items()}


def _amount(bag: Mapping[str, Any]) -> Decimal:
    return Decimal(bag["shop_money"]["amount"])


def _discounted_unit(thing: Thing) -> dict[str, Any]:
    price, quantity = thing.body["price_set"], thing.body["quantity"]
    taken = sum(
        (_amount(part["amount_set"]) for part in thing.body.get("discount_allocations") or ()), Decimal(0)
    )
    each = (taken / quantity).quantize(Decimal("0.01")) if quantity else Decimal(0)
    return _bag(_amount(price) - each, price)


def _line_total(thing: Thing) -> dict[str, Any]:
    price = thing.body["price_set"]
    return _bag(_amount(price) * thing.body["quantity"], price)


def _group(thing: Thing) -> dict[str, Any] | None:
    number = thing.body.get("sales_line_item_group_id")
    groups = _owner(thing).body.get("line_item_groups") or ()
    return next((dict(group) for group in groups if number and group["id"] == number), None)


def _lines(thing: Thing) -> list[Thing]:
    return [Thing("LineItem", line, thing.shop, thing) for line in thing.body["line_items"]]


def _refund_line(thing: Thing) -> Thing:
    order = _owner(_owner(thing))
    wanted = thing.body["line_item_id"]
    line = next((line for line in order.body["line_items"] if line["id"] == wanted), thing.body["line_item"])
    return Thing("LineItem", line, thing.shop, order)


def _refunded(thing: Thing) -> dict[str, Any]:
    paid = [entry for entry in thing.body.get("transactions") or () if entry["kind"] == "refund"]
    total = sum((Decimal(entry["amount"]) for entry in paid), Decimal(0))
    money = {"amount": str(total), "currency_code": thing.shop.currency}
    return {"shop_money": money, "presentment_money": money}


def _order_app(thing: Thing) -> dict[str, Any] | None:
    number = thing.body.get("app_id")
    names = {"web": "Online Store", "pos": "Point of Sale"}
    name = names.get(thing.body.get("source_name") or "", "Another app")
    return None if number is None else {"id": number, "name": name}


def _location(thing: Thing) -> dict[str, Any] | None:
    number = thing.body.get("location_id")
    return None if number is None else {"id": number, "name": "Shop"}


def _customer_name(thing: Thing) -> str:
    return " ".join(filter(None, (thing.body.get("first_name"), thing.body.get("last_name"))))


# -- the shop and the app --


def shop_thing(shop: Shop) -> Thing:
    """Return the shop itself."""
    host = shop.url.split("://", 1)[-1]
    body = {
        "id": shop.id,
        "name": shop.name,
        "email": f"owner@{shop.domain}",
        "contact_email": f"owner@{shop.domain}",
        "currency_code": shop.currency,
        "enabled_presentment_currencies": [shop.currency],
        "iana_timezone": shop.timezone,
        "myshopify_domain": shop.domain,
        "url": shop.url,
        "taxes_included": True,
        "primary_domain": {
            "id": shop.id + 1,
            "host": host,
            "url": shop.url,
            "ssl_enabled": shop.url.startswith("https"),
        },
        "plan": {
            "display_name": "Basic",
            "public_display_name": "Basic",
            "partner_development": False,
            "shopify_plus": False,
        },
    }
    return Thing("Shop", {**body, "domains": [body["primary_domain"]]}, shop)


READERS: Final[dict[str, Reader]] = {
    "Image.altText": _key("alt"),
    "Image.url": _key("src"),
    "Image.originalSrc": _key("src"),
    "Image.transformedSrc": _key("src"),
    "MediaImage.image": _media_image,
    "MediaImage.mediaContentType": _key("media_content_type"),
    "MediaImage.preview": _preview,
    "Product.bodyHtml": _key("body_html"),
    "Product.descriptionHtml": lambda thing: thing.body.get("body_html") or "",
    "Product.collections": lambda thing: thing.body.get("collections") or [],
    "Product.featuredImage": _image,
    "Product.featuredMedia": lambda thing: next(iter(_media(thing)), None),
    "Product.media": _media,
    "Product.hasOnlyDefaultVariant": _default_only,
    "Product.isGiftCard": lambda thing: thing.body.get("product_type") == "Gift Card",
    "Product.metafield": lambda thing: thing,  # which one the field's arguments tell
    "DiscountAutomaticNode.metafield": lambda thing: thing,
    "DiscountAutomaticNode.automaticDiscount": lambda thing: Thing(
        thing.body["kind"], thing.body, thing.shop, thing
    ),
    "Product.priceRangeV2": _price_range,
    "Product.onlineStoreUrl": _online_url,
    "Product.tags": _tags,
    "Product.totalInventory": _stock,
    "Product.tracksInventory": lambda _: True,
    "Product.variants": _variants,
    "Product.variantsCount": lambda thing: _count(len(thing.body["variants"])),
    "ProductVariant.availableForSale": _available,
    "ProductVariant.displayName": lambda thing: f"{_owner(thing).body['title']} - {thing.body['title']}",
    "ProductVariant.image": _variant_image,
    "ProductVariant.inventoryItem": _inventory_item,
    "ProductVariant.product": _owner,
    "ProductVariant.selectedOptions": _options,
    "Order.app": _order_app,
    "Order.closed": lambda thing: bool(thing.body.get("closed_at")),
    "Order.currencyCode": _key("currency"),
    "Order.customAttributes": lambda thing: _attributes(thing.body.get("note_attributes")),
    "Order.customerAcceptsMarketing": _key("buyer_accepts_marketing"),
    "Order.discountCode": lambda thing: next((entry["code"] for entry in thing.body["discount_codes"]), None),
    "Order.discountCodes": lambda thing: [entry["code"] for entry in thing.body["discount_codes"]],
    "Order.displayFinancialStatus": _status("financial_status", None),
    "Order.displayFulfillmentStatus": _status("fulfillment_status", "unfulfilled"),
    "Order.lineItems": _lines,
    "Order.presentmentCurrencyCode": _key("presentment_currency"),
    "Order.retailLocation": _location,
    "Order.statusPageUrl": _key("order_status_url"),
    "Order.tags": _tags,
    "Order.subtotalLineItemsQuantity": lambda thing: sum(
        line["quantity"] for line in thing.body["line_items"]
    ),
    "DiscountAllocation.allocatedAmountSet": _key("amount_set"),
    "LineItem.customAttributes": lambda thing: _attributes(thing.body.get("properties")),
    "LineItem.discountedTotalSet": _line_total,
    "LineItem.discountedUnitPriceSet": _key("price_set"),
    "LineItem.discountedUnitPriceAfterAllDiscountsSet": _discounted_unit,
    "LineItem.fulfillmentStatus": _status("fulfillment_status", "unfulfilled"),
    "LineItem.isGiftCard": _key("gift_card"),
    "LineItem.lineItemGroup": _group,
    "LineItem.originalTotalSet": _line_total,
    "LineItem.originalUnitPriceSet": _key("price_set"),
    "LineItem.product": lambda thing: product_of(thing.shop, thing.body.get("product_id")),
    "LineItem.variant": lambda thing: variant_of(thing.shop, thing.body.get("variant_id")),
    "Refund.order": _owner,
    "Refund.totalRefundedSet": _refunded,
    "Refund.updatedAt": _key("processed_at"),
    "RefundLineItem.lineItem": _refund_line,
    "RefundLineItem.restocked": lambda thing: thing.body["restock_type"] != "no_restock",
    "Customer.displayName": _customer_name,
}
