"""Which of Shopify's topics mean what. ``docs/platforms.md`` has the same table with reasons."""

from collections.abc import Callable
from typing import Any, Final

from connectors.base import DeliveryContext, Translation
from connectors.shopify import mapping

READ: Final[dict[str, Callable[[Any, DeliveryContext], Translation]]] = {
    "orders/create": mapping.order,
    "orders/updated": mapping.order,
    "orders/cancelled": mapping.order,
    "orders/paid": mapping.order,
    "orders/fulfilled": mapping.order,
    "orders/partially_fulfilled": mapping.order,
    "orders/edited": mapping.order_edit,
    "orders/delete": mapping.order_deletion,
    "refunds/create": mapping.refund,
    "products/create": mapping.product,
    "products/update": mapping.product,
    "products/delete": mapping.product_deletion,
    "inventory_levels/update": mapping.inventory_level,
    "carts/create": mapping.cart,
    "carts/update": mapping.cart,
    "customers/create": mapping.customer,
    "customers/update": mapping.customer,
    "customers/delete": mapping.customer_deletion,
    "customers/merge": mapping.customer_merge,
    "app/uninstalled": mapping.uninstalled,
    "customers/data_request": mapping.data_request,
    "customers/redact": mapping.customer_redaction,
    "shop/redact": mapping.store_redaction,
}

SET_ASIDE: Final[dict[str, str]] = {
    "checkouts/create": "checkout_not_used",
    "checkouts/update": "checkout_not_used",
    "checkouts/delete": "checkout_not_used",
    "bulk_operations/finish": "bulk_operation_not_used",
    "app/scopes_update": "scopes_not_used",
}


def translate(body: Any, context: DeliveryContext) -> Translation:
    """Return what a redacted ``body`` means under the topic of its delivery.

    Raises:
        PayloadError: if the body does not have the shape that the topic promises.
    """
    reader = READ.get(context.topic)
    if reader is None:
        return Translation(set_aside=SET_ASIDE.get(context.topic, "unknown_topic"))
    return reader(body, context)
