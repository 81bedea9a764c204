"""Requests that reach the app through a shop's own address: Shopify's app proxy.

https://shopify.dev/docs/apps/build/online-store/app-proxies/authenticate-app-proxies tells how they are
signed: the decoded parameters but ``signature``, as ``name=value`` with repeated values joined by commas,
sorted and put together without a separator. Own parameters must not be named so that one name begins with
another (``p`` and ``p2``): Shopify's libraries disagree about their order.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors.shopify.query import is_shop, only, read_query, recent, signed_by

_CUSTOMER: Final = re.compile(r"[0-9]{0,20}")


@dataclass(frozen=True, slots=True)
class ProxyCall:
    """Where a proxied request comes from.

    The signature proves that Shopify says so, not that the customer may see what is asked for: compare
    ``logged_in_customer_id`` with the owner of the data.

    Attributes:
        shop: domain of the shop.
        logged_in_customer_id: the customer's number, None for a visitor who is not logged in.
        path_prefix: the path below which the shop shows the app, ``/apps/pannier``.
        timestamp: when Shopify passed the request on, UTC.
    """

    shop: str
    logged_in_customer_id: str | None
    path_prefix: str
    timestamp: datetime


def proxied(query_string: bytes | str, secrets: Sequence[bytes], now: datetime) -> ProxyCall | None:
    """Return who calls, or None where Shopify did not sign the query, or not within 90 seconds of ``now``.

    A parameter of Shopify's own that comes twice is refused too: readers would disagree about which counts.
    """
    parameters = read_query(query_string)
    if parameters is None:
        return None
    signature = only(parameters, "signature")
    pairs = (f"{name}={','.join(values)}" for name, values in parameters.items() if name != "signature")
    if signature is None or not signed_by("".join(sorted(pairs)), signature, secrets):
        return None
    shop = only(parameters, "shop")
    path_prefix = only(parameters, "path_prefix")
    timestamp = recent(only(parameters, "timestamp"), now)
    customer = only({"logged_in_customer_id": [""], **parameters}, "logged_in_customer_id")
    if not (shop and is_shop(shop) and path_prefix and timestamp):
        return None
    if customer is None or not _CUSTOMER.fullmatch(customer):
        return None
    return ProxyCall(shop, customer or None, path_prefix, timestamp)
