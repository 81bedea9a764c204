"""What a product costs now, from its regular price and its sale.

Rules: WooCommerce 10.5.0, includes/abstracts/abstract-wc-product.php, is_on_sale, and
includes/data-stores/class-wc-product-data-store-cpt.php, handle_updated_props. A sale price that is not lower than the
regular one stands there and counts for nothing.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from demo.peers.woocommerce.records import Record
from demo.peers.woocommerce.site import Site
from demo.peers.woocommerce.state import WooState

_DECIDING = (
    "regular_price",
    "sale_price",
    "date_on_sale_from",
    "date_on_sale_from_gmt",
    "date_on_sale_to",
    "date_on_sale_to_gmt",
)


def write(state: WooState, row: Record, fields: Mapping[str, Any]) -> None:
    """Change a product or a variation; its price follows where one of its parts is among ``fields``."""
    changes = dict(fields)
    changes.pop("id", None)
    priced = any(name in changes for name in _DECIDING)
    if priced:
        changes |= _priced({**row.body, **changes}, state.site)
    state.changed_product(row.id, **changes)
    if priced:
        state.when_priced({**row.body, **changes})


def _priced(body: Mapping[str, Any], site: Site) -> dict[str, Any]:
    """Return the fields that follow from the parts of a price."""
    regular, sale = _clean(body.get("regular_price")), _clean(body.get("sale_price"))
    on_sale = bool(sale and regular) and Decimal(sale) < Decimal(regular) and _now(body, site)
    price = sale if on_sale else regular
    return {
        "regular_price": regular,
        "sale_price": sale,
        "price": price,
        "on_sale": on_sale,
        "price_html": site.price_html(price),
    }


def _now(body: Mapping[str, Any], site: Site) -> bool:
    begins, ends = body.get("date_on_sale_from_gmt"), body.get("date_on_sale_to_gmt")
    return not (begins and begins > site.stamp()) and not (ends and ends < site.stamp())


def _clean(amount: Any) -> str:
    """Return an amount as it is kept: what is no number is none."""
    try:
        return str(Decimal(str(amount))) if amount not in (None, "") else ""
    except InvalidOperation:
        return ""
