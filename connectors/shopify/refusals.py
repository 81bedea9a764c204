"""Why Shopify does not grant something, in a code and a sentence for the merchant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.commerce.offers import Terms
from connectors.discounts import RefusedOffer
from connectors.errors import PlatformError, ReconnectNeeded, Unreachable
from connectors.shopify.native_offers import MOST_AUTOMATIC

_FULL: Final = frozenset({"ACTIVE_PERIOD_OVERLAP", "MAX_APP_DISCOUNTS"})
NO_ROOM: Final = (
    "The shop has as many active automatic discounts as Shopify allows "
    f"({MOST_AUTOMATIC}): end one of them in Shopify."
)
SWITCHED_OFF: Final = (
    "The discount that runs Pannier's function was switched off: activate it in Shopify, or delete it there."
)
_NOT_DEPLOYED: Final = (
    "Pannier's discount function is not in this shop, and this offer needs it: deploy the app's extensions to Shopify "
    "(shopify app deploy)."
)
_TEXT_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not granted; see ``RefusedOffer``."""

    code: str
    reason: str
    again: bool = False

    def of(self, terms: Terms) -> RefusedOffer:
        """Return the refusal of one offer."""
        return RefusedOffer(terms.key, self.code, self.reason, self.again)


def failure(error: PlatformError) -> Refusal:
    """Return the refusal that an error of the connection makes."""
    if isinstance(error, Unreachable):
        return Refusal("unreachable", str(error), again=True)
    if isinstance(error, ReconnectNeeded):
        return Refusal("not_allowed", str(error), again=True)
    return Refusal("rejected", str(error))


def refusal_of(errors: Sequence[Mapping[str, Any]]) -> Refusal:
    """Return the refusal that user errors make; the first one says why."""
    error = errors[0]
    path = [str(part) for part in error.get("field") or ()]
    if error.get("code") in _FULL:
        return Refusal("limit_reached", NO_ROOM, again=True)
    if "functionHandle" in path or "functionId" in path:
        return Refusal("not_allowed", _NOT_DEPLOYED, again=True)
    text = "".join(char for char in str(error.get("message") or "") if char.isprintable())[:_TEXT_LENGTH]
    if {"productsToAdd", "productVariantsToAdd", "ownerId"} & set(path):
        return Refusal("product_gone", f"Shopify does not know a product of this offer any more: {text}")
    return Refusal("rejected", f"Shopify refused the discount: {text}")
