"""What can be recommended where: the strategies of the contract, and the slots of a page."""

from dataclasses import dataclass
from typing import Final

FREQUENTLY_BOUGHT_TOGETHER: Final = "frequently_bought_together"
COMPLETE_THE_CART: Final = "complete_the_cart"
BEST_SELLERS: Final = "best_sellers"


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to recommend.

    ``ttl_s`` is how long a ready list lives in Redis unless an event replaces it. ``needs`` says what the
    strategy answers for: ``product``, ``cart`` or nothing. ``reason`` is the code that each recommendation
    carries: what may be claimed of it.
    """

    name: str
    ttl_s: int
    needs: str | None
    reason: str
    description: str


STRATEGIES: Final = {
    strategy.name: strategy
    for strategy in (
        Strategy(
            FREQUENTLY_BOUGHT_TOGETHER,
            3600,
            "product",
            "bought_together",
            "Products that stood in the same orders as this one, more often than chance explains. "
            "Only pairs that were really bought together; never filled up.",
        ),
        Strategy(
            COMPLETE_THE_CART,
            3600,
            "cart",
            "bought_together",
            "Products bought together with what is in the cart; the whole cart counts.",
        ),
        Strategy(
            BEST_SELLERS,
            86_400,
            None,
            "best_seller",
            "Products in most orders, recent orders counting more.",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Slot:
    """A place on a page, with the strategy that fills it and how many products it shows by default."""

    name: str
    strategy: str
    limit: int


SLOTS: Final = {
    slot.name: slot
    for slot in (
        Slot("product", FREQUENTLY_BOUGHT_TOGETHER, 3),
        Slot("cart", COMPLETE_THE_CART, 4),
        Slot("home", BEST_SELLERS, 8),
    )
}
MAX_LIMIT: Final = 24
MAX_CART: Final = 100
