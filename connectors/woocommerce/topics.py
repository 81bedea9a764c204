"""Which of WooCommerce's topics mean what. ``docs/platforms.md`` has the same table with reasons."""

from collections.abc import Callable
from typing import Any, Final

from app.commerce.changes import ConnectionProblem
from connectors.base import DeliveryContext, Translation
from connectors.woocommerce import mapping

READ: Final[dict[str, Callable[[Any, DeliveryContext], Translation]]] = {
    "order.created": mapping.order,
    "order.updated": mapping.order,
    "order.restored": mapping.restored_order,
    "order.deleted": mapping.order_deletion,
    "product.created": mapping.product,
    "product.updated": mapping.product,
    "product.restored": mapping.restored_product,
    "product.deleted": mapping.product_deletion,
    "customer.created": mapping.customer,
    "customer.updated": mapping.customer,
    "customer.restored": mapping.customer,
    "customer.deleted": mapping.customer_deletion,
}

SET_ASIDE: Final[dict[str, str]] = {
    "coupon.created": "coupon_not_used",
    "coupon.updated": "coupon_not_used",
    "coupon.restored": "coupon_not_used",
    "coupon.deleted": "coupon_not_used",
}

_ACCESS_LOST: Final = (
    "WooCommerce no longer lets Pannier see this shop's data, because the user who connected it was deleted "
    "or lost the right to see it: connect the shop again."
)


def translate(body: Any, context: DeliveryContext) -> Translation:
    """Return what a redacted ``body`` means under the topic of its delivery.

    Raises:
        PayloadError: if the body does not have the shape that the topic promises.
    """
    status = _error_status(body)
    if status is not None:
        return _platform_error(status, context)
    reader = READ.get(context.topic)
    if reader is not None:
        return reader(body, context)
    if context.topic.startswith("action."):
        return Translation(set_aside="action_not_used")
    return Translation(set_aside=SET_ASIDE.get(context.topic, "unknown_topic"))


def _error_status(body: Any) -> int | None:
    """Return the HTTP status of an error object, None where ``body`` is a resource.

    WooCommerce asks its own REST API for the body as the user who made the webhook, and signs and sends
    what comes back, be it an error.
    """
    if (
        not isinstance(body, dict)
        or "id" in body
        or "code" not in body
        or not isinstance(body.get("data"), dict)
    ):
        return None
    status = body["data"].get("status")
    return status if type(status) is int else None


def _platform_error(status: int, context: DeliveryContext) -> Translation:
    """Return what an error object in the place of a resource means."""
    if status in (401, 403):
        return Translation((ConnectionProblem(context.happened_at, _ACCESS_LOST),))
    return Translation(set_aside="resource_gone" if status in (404, 410) else "platform_error")
