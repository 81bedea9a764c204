"""What is asked: a slot of a page or a cart, by whom, and from where."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app.core.errors import InvalidParameters
from app.events.session import Session
from app.recommendations.strategies import MAX_CART, MAX_VIEWED, SLOTS, STRATEGIES, Strategy, chain_of
from app.recommendations.visitors import NOBODY, Known

ONLINE: Final = "online"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a page says of the question beside what is asked; rules and experiments may look at it.

    Attributes:
        channel: where it is asked, such as ``online`` or ``pos``.
        country: the shopper's, ISO 3166-1 alpha-2, in capitals.
        device: ``desktop``, ``mobile`` or ``tablet``.
        cart_value: what is in the cart, in minor units of the store's currency; None: as the products' prices say.
    """

    channel: str = ONLINE
    country: str | None = None
    device: str | None = None
    cart_value: int | None = None


UNTOLD: Final = Circumstances()


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a chain of strategies for a product page, a cart or a shopper. Ids are the platform's.

    ``viewed`` are products that the shopper looked at, last one first. ``known`` is who asks, as far as they allowed
    an answer to depend on it.
    """

    slot: str | None
    chain: tuple[Strategy, ...]
    product_id: str | None
    cart: tuple[str, ...]
    limit: int
    exclude: frozenset[str] = frozenset()
    viewed: tuple[str, ...] = ()
    known: Known = NOBODY
    told: Circumstances = field(default=UNTOLD)

    @property
    def session(self) -> Session:
        """The running session of a visitor who agreed to it."""
        return self.known.session


def question_for_slot(
    slot: str,
    product_id: str | None,
    cart: Sequence[str] | None,
    limit: int | None,
    *,
    exclude: frozenset[str] = frozenset(),
    viewed: Sequence[str] = (),
    known: Known = NOBODY,
    told: Circumstances = UNTOLD,
) -> Question:
    """Return the question that a slot asks.

    Where the request names no cart (None) or no viewed products, those of the session stand in.

    Raises:
        InvalidParameters: where the slot needs a product and got none.
    """
    place = SLOTS[slot]
    chain = tuple(STRATEGIES[name] for name in place.chain)
    if chain[0].needs == "product" and not product_id:
        raise InvalidParameters({"product_id": f"The slot {slot} needs the product of the page."})
    return Question(
        slot,
        chain,
        product_id,
        tuple(known.session.cart if cart is None else cart)[:MAX_CART],
        limit or place.limit,
        exclude,
        tuple(viewed or known.session.viewed)[:MAX_VIEWED],
        known,
        told,
    )


def question_for_cart(
    strategy: str, cart: Sequence[str], limit: int, *, known: Known = NOBODY, told: Circumstances = UNTOLD
) -> Question:
    """Return the question what a strategy, and those that it falls back on, offer with a cart."""
    chain = tuple(STRATEGIES[name] for name in chain_of(strategy))
    viewed = known.session.viewed[:MAX_VIEWED]
    return Question(None, chain, None, tuple(cart), limit, viewed=viewed, known=known, told=told)
