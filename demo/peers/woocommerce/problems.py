"""What goes wrong in the REST interface, in the words of WordPress and WooCommerce.

Codes, texts and statuses are those of WooCommerce 10.5.0 on WordPress 6.9.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

REFUSALS = {
    "list": ("woocommerce_rest_cannot_view", "Sorry, you cannot list resources."),
    "view": ("woocommerce_rest_cannot_view", "Sorry, you cannot view this resource."),
    "create": ("woocommerce_rest_cannot_create", "Sorry, you are not allowed to create resources."),
    "edit": ("woocommerce_rest_cannot_edit", "Sorry, you are not allowed to edit this resource."),
    "delete": ("woocommerce_rest_cannot_delete", "Sorry, you are not allowed to delete this resource."),
}
_MISSING = {
    "product": ("woocommerce_rest_product_invalid_id", "Invalid ID."),
    "variation": ("woocommerce_rest_product_variation_invalid_id", "Invalid ID."),
    "order": ("woocommerce_rest_shop_order_invalid_id", "Invalid ID."),
    "refund": ("woocommerce_rest_shop_order_refund_invalid_id", "Invalid ID."),
    "coupon": ("woocommerce_rest_shop_coupon_invalid_id", "Invalid ID."),
    "webhook": ("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID."),
    "customer": ("woocommerce_rest_invalid_id", "Invalid resource ID."),
}


class RestProblem(Exception):
    """A request that is answered with an error body.

    Attributes:
        body: what the answer says; ``body["data"]["status"]`` is the HTTP status.
        headers: what the answer has beyond the usual.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(code)
        self.body: dict[str, Any] = {"code": code, "message": message, "data": {"status": status, **details}}
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.body["data"]["status"])


def refused(action: str) -> RestProblem:
    """Return the answer to somebody who did not sign in; ``action`` is one of ``REFUSALS``."""
    return RestProblem(*REFUSALS[action], 401)


def missing(kind: str) -> RestProblem:
    """Return the answer for a resource that does not exist."""
    return RestProblem(*_MISSING[kind], 404)


def no_route() -> RestProblem:
    """Return the answer for an address that means nothing."""
    return RestProblem("rest_no_route", "No route was found matching the URL and request method.", 404)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one argument is not accepted."""

    code: str
    message: str


def invalid_arguments(faults: Mapping[str, Fault]) -> RestProblem:
    """Return the answer to arguments that were not accepted, ``faults`` by their names."""
    return RestProblem(
        "rest_invalid_param",
        f"Invalid parameter(s): {', '.join(faults)}",
        400,
        params={name: fault.message for name, fault in faults.items()},
        details={
            name: {"code": fault.code, "message": fault.message, "data": None}
            for name, fault in faults.items()
        },
    )


def missing_arguments(names: Sequence[str]) -> RestProblem:
    """Return the answer to a request that lacks required arguments."""
    return RestProblem(
        "rest_missing_callback_param", f"Missing parameter(s): {', '.join(names)}", 400, params=list(names)
    )
