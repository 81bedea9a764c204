"""Every kind of ready list, on one page: what is worked out ahead of the request, and how long a copy of it lives.

A ready list holds candidates of one kind for one *subject*, best first: a product's platform id, a category written
as ``category:NAME``, or nothing for the whole store. Each kind is claimed as what it is; see docs/strategies.md.
"""

from typing import Final

PAIRS: Final = "frequently_bought_together"
CART_ROWS: Final = "cart_rows"
BEST_SELLERS: Final = "best_sellers"
TRENDING: Final = "trending"
SAME_SHOPPERS: Final = "same_shoppers"
VIEWED_TOGETHER: Final = "viewed_together"
REPEATS: Final = "repeats"
SIMILAR: Final = "similar"
CATEGORY_PAIRS: Final = "category_pairs"
MERCHANT_CROSS_SELLS: Final = "merchant_cross_sells"
MERCHANT_UPSELLS: Final = "merchant_upsells"
SETS: Final = "sets"

_HOUR_S: Final = 3600
_DAY_S: Final = 24 * _HOUR_S

# Seconds that Redis keeps a list unless an event replaces it. What has expired is read from PostgreSQL.
TTL_S: Final = {
    PAIRS: _HOUR_S,
    CART_ROWS: _HOUR_S,
    BEST_SELLERS: _DAY_S,
    TRENDING: _HOUR_S,
    SAME_SHOPPERS: _DAY_S,
    VIEWED_TOGETHER: _DAY_S,
    REPEATS: _DAY_S,
    SIMILAR: _DAY_S,
    CATEGORY_PAIRS: _DAY_S,
    MERCHANT_CROSS_SELLS: _HOUR_S,
    MERCHANT_UPSELLS: _HOUR_S,
    SETS: _DAY_S,
}

# The subject of a list that is the whole store's.
WHOLE_STORE: Final = ""


def category_subject(category: str) -> str:
    """Return the subject of a category's lists. No platform's product id contains a colon followed by a name."""
    return f"category:{category}"
