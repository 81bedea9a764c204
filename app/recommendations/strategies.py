"""What can be recommended where: the strategies of the contract, the sources they draw on, and the slots of a page.

A *source* is one kind of candidates, claimed as what it is. A *strategy* draws on sources in order. A *slot* asks
a chain of strategies: the first that has anything to show answers, under its own name.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.recommendations import ready_lists
from app.recommendations.ready_lists import TTL_S

FREQUENTLY_BOUGHT_TOGETHER: Final = "frequently_bought_together"
COMPLETE_THE_CART: Final = "complete_the_cart"
RELATED_PRODUCTS: Final = "related_products"
BEST_SELLERS: Final = "best_sellers"
TRENDING: Final = "trending"
RECENTLY_VIEWED: Final = "recently_viewed"
BUY_AGAIN: Final = "buy_again"
RECOMMENDED_FOR_YOU: Final = "recommended_for_you"

# How long what a shopper bought is remembered for personal answers, in seconds.
PERSONAL_TTL_S: Final = 60


class Of(StrEnum):
    """What a source's candidates are looked up by."""

    ANCHORS = "anchors"  # the product of the page, else the products of the cart
    CART = "cart"
    CATEGORIES = "categories"  # of the anchors
    PAGE_CATEGORY = "page category"
    STORE = "store"
    VIEWED = "viewed"
    REPEATS = "repeats"  # what the customer bought and usually buys again
    HISTORY = "history"  # what goes with what the customer bought, or looks at in the running session
    RULE = "rule"  # what one of the merchant's rules names


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of candidates.

    ``kind`` is the ready list that holds them, None for what the request itself brings. ``reason`` is the code that
    each of its products carries: what may be claimed of it. ``spread``: categories are mixed, see ``selection``.
    ``given``: shown as they are, twins included, because the shopper knows them. ``follows_session``: what goes with
    the running session comes first, see ``in_session``.
    """

    kind: str | None
    of: Of
    reason: str
    spread: bool = False
    given: bool = False
    follows_session: bool = False


PAIRS: Final = Source(ready_lists.PAIRS, Of.ANCHORS, "bought_together", spread=True)
# Of what does not pass the gates ``candidates`` claims less: what its evidence allows.
CART_ROWS: Final = Source(ready_lists.CART_ROWS, Of.CART, "bought_together", spread=True)
UNPROVEN: Final = "goes_with"
# What a row says of less sure, where the store's own orders have not settled yet what that is worth.
UNPROVEN_ROWS: Final = Source(ready_lists.CART_ROWS, Of.CART, UNPROVEN, spread=True)
MERCHANT_CROSS_SELLS: Final = Source(ready_lists.MERCHANT_CROSS_SELLS, Of.ANCHORS, "merchant_choice")
MERCHANT_UPSELLS: Final = Source(ready_lists.MERCHANT_UPSELLS, Of.ANCHORS, "merchant_choice")
SAME_SHOPPERS: Final = Source(
    ready_lists.SAME_SHOPPERS, Of.ANCHORS, "same_shoppers", spread=True, follows_session=True
)
VIEWED_TOGETHER: Final = Source(
    ready_lists.VIEWED_TOGETHER, Of.ANCHORS, "viewed_together", spread=True, follows_session=True
)
SIMILAR: Final = Source(ready_lists.SIMILAR, Of.ANCHORS, "similar", follows_session=True)
CATEGORY_PAIRS: Final = Source(
    ready_lists.CATEGORY_PAIRS, Of.CATEGORIES, "goes_with_category", spread=True, follows_session=True
)
CATEGORY_BEST_SELLERS: Final = Source(ready_lists.BEST_SELLERS, Of.PAGE_CATEGORY, "best_seller")
STORE_BEST_SELLERS: Final = Source(ready_lists.BEST_SELLERS, Of.STORE, "best_seller", spread=True)
STORE_TRENDING: Final = Source(ready_lists.TRENDING, Of.STORE, "trending", spread=True)
VIEWED: Final = Source(None, Of.VIEWED, "recently_viewed", given=True)
REPEATS: Final = Source(ready_lists.REPEATS, Of.REPEATS, "buy_again", given=True)
HISTORY: Final = Source(ready_lists.CART_ROWS, Of.HISTORY, "goes_with_purchases", spread=True)
# What the same source says of products that were only looked at.
GOES_WITH_VIEWED: Final = "goes_with_viewed"

RULE: Final = Source(None, Of.RULE, "merchant_choice", given=True)

# Of these a dearer product of the same kind is offered in place of the page's, not beside it.
SUBSTITUTES: Final = (SIMILAR, MERCHANT_UPSELLS)
# The merchant's own word stands over our rules on twins of the page.
MERCHANTS: Final = (MERCHANT_CROSS_SELLS, MERCHANT_UPSELLS, RULE)


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to recommend.

    Attributes:
        name: as in the contract.
        needs: what it answers for: ``product``, ``cart``, ``customer`` (or a visitor), ``viewed`` or nothing.
        sources: where its products come from, in order.
        fallback: the strategies that follow it in a chain.
        tops_up: whether a list that is not full goes on with the strategies that follow; each product keeps its
            own reason.
        ttl_s: how long its ready lists live in Redis unless an event replaces them.
        minimum: the least data from which it shows anything, for people.
        description: one or two sentences for people.
    """

    name: str
    needs: str | None
    sources: tuple[Source, ...]
    fallback: tuple[str, ...]
    tops_up: bool
    ttl_s: int
    minimum: str
    description: str

    @property
    def rests_goods(self) -> bool:
        """Whether goods that the customer has and will not need again for long are left out."""
        return not any(source.given for source in self.sources)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons that its own products may carry, in order."""
        reasons = [source.reason for source in self.sources]
        if CART_ROWS in self.sources:
            reasons[1:1] = [UNPROVEN, REPEATS.reason, HISTORY.reason, STORE_BEST_SELLERS.reason]
        if HISTORY in self.sources:
            reasons += [GOES_WITH_VIEWED, STORE_BEST_SELLERS.reason]
        return tuple(dict.fromkeys(reasons))


STRATEGIES: Final = {
    strategy.name: strategy
    for strategy in (
        Strategy(
            FREQUENTLY_BOUGHT_TOGETHER,
            "product",
            (PAIRS,),
            (),
            tops_up=False,
            ttl_s=TTL_S[ready_lists.PAIRS],
            minimum="a pair that passes the store's gates",
            description="Products that stood in the same orders as this one, more often than chance explains. "
            "Only pairs that were really bought together; never filled up.",
        ),
        Strategy(
            COMPLETE_THE_CART,
            "cart",
            (CART_ROWS, MERCHANT_CROSS_SELLS, UNPROVEN_ROWS, CATEGORY_PAIRS),
            (BEST_SELLERS,),
            tops_up=True,
            ttl_s=TTL_S[ready_lists.CART_ROWS],
            minimum="one order with a product of the cart and another",
            description="Products that go with what is in the cart; the whole cart counts.",
        ),
        Strategy(
            RELATED_PRODUCTS,
            "product",
            (MERCHANT_CROSS_SELLS, SAME_SHOPPERS, VIEWED_TOGETHER, MERCHANT_UPSELLS, SIMILAR, CATEGORY_PAIRS),
            (BEST_SELLERS,),
            tops_up=True,
            ttl_s=TTL_S[ready_lists.SIMILAR],
            minimum="a catalogue",
            description="What the merchant chose, what the same customers bought, what the same people looked at, "
            "and what is alike. What goes with the running session comes first.",
        ),
        Strategy(
            BEST_SELLERS,
            None,
            (CATEGORY_BEST_SELLERS, STORE_BEST_SELLERS),
            (),
            tops_up=False,
            ttl_s=TTL_S[ready_lists.BEST_SELLERS],
            minimum="one order",
            description="Products in most orders, recent orders counting more; those of the page's category first.",
        ),
        Strategy(
            TRENDING,
            None,
            (STORE_TRENDING,),
            (BEST_SELLERS,),
            tops_up=True,
            ttl_s=TTL_S[ready_lists.TRENDING],
            minimum="a product that sells more than before, beyond chance",
            description="Products that sell more of late than they did before, more than chance explains.",
        ),
        Strategy(
            RECENTLY_VIEWED,
            "viewed",
            (VIEWED,),
            (),
            tops_up=False,
            ttl_s=0,
            minimum="one viewed product, of the request or of the running session",
            description="The products that were looked at: those that the request names, or else the session's.",
        ),
        Strategy(
            BUY_AGAIN,
            "customer",
            (REPEATS,),
            (RECOMMENDED_FOR_YOU, TRENDING, BEST_SELLERS),
            tops_up=False,
            ttl_s=PERSONAL_TTL_S,
            minimum="a purchase of something that is usually bought again",
            description="What the customer bought and is about to need again, by how often it is usually bought.",
        ),
        Strategy(
            RECOMMENDED_FOR_YOU,
            "customer",
            (HISTORY,),
            (TRENDING, BEST_SELLERS),
            tops_up=True,
            ttl_s=PERSONAL_TTL_S,
            minimum="a purchase, or a look in the running session",
            description="What goes with what the customer bought, recent purchases counting more, and with what was "
            "looked at in the running session.",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Slot:
    """A place on a page: the strategies that it asks, in order, and how many products it shows by default."""

    name: str
    chain: tuple[str, ...]
    limit: int

    @property
    def strategy(self) -> str:
        """The strategy that is asked first."""
        return self.chain[0]


def chain_of(strategy: str) -> tuple[str, ...]:
    """Return the strategy and those that it falls back on, in order."""
    return (strategy, *STRATEGIES[strategy].fallback)


SLOTS: Final = {
    slot.name: slot
    for slot in (
        Slot("product", (FREQUENTLY_BOUGHT_TOGETHER, *chain_of(RELATED_PRODUCTS)), 3),
        Slot("product_related", chain_of(RELATED_PRODUCTS), 8),
        Slot("cart", chain_of(COMPLETE_THE_CART), 4),
        Slot("thank_you", chain_of(COMPLETE_THE_CART), 4),
        Slot("home", chain_of(BEST_SELLERS), 8),
        Slot("home_trending", chain_of(TRENDING), 8),
        Slot("home_for_you", chain_of(RECOMMENDED_FOR_YOU), 8),
        Slot("buy_again", chain_of(BUY_AGAIN), 4),
        Slot("recently_viewed", chain_of(RECENTLY_VIEWED), 8),
    )
}
MAX_LIMIT: Final = 24
MAX_CART: Final = 100
MAX_VIEWED: Final = 20
