"""What events are called: Segment's e-commerce spec, version 2, and how Google Analytics 4 says the same.

``Product Dismissed`` is our own: the spec has no word for "do not show me this again".

https://segment.com/docs/connections/spec/ecommerce/v2/ and
https://developers.google.com/analytics/devguides/collection/ga4/reference/events.
"""

from typing import Final

# Names of the spec, recognised in any case of letters.
OF_ONE_PRODUCT: Final = frozenset({
    "Product Clicked", "Product Viewed", "Product Added", "Product Removed", "Product Shared", "Product Reviewed",
    "Product Added to Wishlist", "Product Removed from Wishlist", "Wishlist Product Added to Cart",
    "Product Dismissed",
})  # fmt: skip
_OTHERS: Final = frozenset({
    "Products Searched", "Product List Viewed", "Product List Filtered", "Promotion Viewed", "Promotion Clicked",
    "Cart Viewed", "Cart Shared", "Checkout Started", "Checkout Step Viewed", "Checkout Step Completed",
    "Payment Info Entered", "Order Completed", "Order Updated", "Order Refunded", "Order Cancelled",
    "Coupon Entered", "Coupon Applied", "Coupon Denied", "Coupon Removed",
})  # fmt: skip
E_COMMERCE: Final = OF_ONE_PRODUCT | _OTHERS

GA4: Final = {
    "view_item": "Product Viewed",
    "view_item_list": "Product List Viewed",
    "select_item": "Product Clicked",
    "search": "Products Searched",
    "view_search_results": "Products Searched",
    "add_to_cart": "Product Added",
    "remove_from_cart": "Product Removed",
    "add_to_wishlist": "Product Added to Wishlist",
    "view_cart": "Cart Viewed",
    "begin_checkout": "Checkout Started",
    "add_payment_info": "Payment Info Entered",
    "purchase": "Order Completed",
    "refund": "Order Refunded",
    "view_promotion": "Promotion Viewed",
    "select_promotion": "Promotion Clicked",
}
# What GA4 calls the fields of an event and of its items.
GA4_FIELDS: Final = {"search_term": "query", "transaction_id": "order_id", "item_list_id": "list_id"}
GA4_ITEM_FIELDS: Final = {
    "item_id": "product_id",
    "item_name": "name",
    "item_brand": "brand",
    "item_category": "category",
    "item_variant": "variant",
    "index": "position",
}

_KNOWN: Final = {name.lower(): name for name in E_COMMERCE} | GA4


def canonical(name: str) -> str:
    """Return the spec's name for an event, or ``name`` itself where the spec has none."""
    return _KNOWN.get(name.lower(), name)
