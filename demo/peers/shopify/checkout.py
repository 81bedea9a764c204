"""What a cart gets of a shop's automatic discounts: "buy X, get Y" by Shopify's rules, and what the function says.

Rules and their sources: an order may have several product discounts where each combines with product discounts, but no
line has two, and what is part of a "buy X, get Y" gets no other; of what excludes each other the shopper gets the best
(https://help.shopify.com/en/manual/discounts/combining-discounts). Which of several discountable pieces a "buy X,
get Y" takes is written nowhere: here it is the cheapest, the least favourable.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from demo.peers.shopify.discount_book import APP, BXGY, AutomaticDiscount
from demo.peers.shopify.function import FunctionFailed, Tree, local_time, metafield
from demo.peers.shopify.money import minor
from demo.peers.shopify.state import Shop


@dataclass(frozen=True, slots=True)
class CartLine:
    """A line of a cart: the number of its variant, pieces, and its attributes."""

    variant: int
    quantity: int = 1
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a line gets: ``amount`` in minor units, of the discount with that number."""

    line: int
    amount: int
    title: str
    discount: int


@dataclass(frozen=True, slots=True)
class _Line:
    place: int
    product: int
    variant: int
    quantity: int
    price: int
    body: Tree


@dataclass(frozen=True, slots=True)
class _Part:
    """What goes together or not at all: allocations, and the lines that are taken by them."""

    allocations: tuple[Allocation, ...]
    lines: frozenset[int]
    combines: bool

    @property
    def amount(self) -> int:
        return sum(each.amount for each in self.allocations)


class Checkout:
    """The checkout of one shop.

    Args:
        shop: whose discounts.
        run_function: what runs the app's function: the root of its schema in, its output out.
    """

    def __init__(self, shop: Shop, run_function: Callable[[Tree], Mapping[str, Any]]) -> None:
        self._shop = shop
        self._run = run_function

    def discounts(self, cart: Sequence[CartLine], customer: int | None = None) -> list[Allocation]:
        """Return what the lines of a cart get, in their order. A line whose variant is gone gets nothing."""
        lines = [line for place, each in enumerate(cart) if (line := self._line(place, each)) is not None]
        now = self._shop.now()
        parts: list[_Part] = []
        for discount in self._shop.discounts.all():
            if not discount.active(now):
                continue
            if discount.kind == BXGY:
                parts += _native(discount, lines)
            elif discount.kind == APP and discount.function in self._shop.functions:
                parts += self._by_function(discount, lines, customer)
        chosen = max(_choices(parts), key=lambda part: sum(each.amount for each in part), default=[])
        return sorted((each for part in chosen for each in part.allocations), key=lambda each: each.line)

    def amounts(self, cart: Sequence[CartLine], customer: int | None = None) -> list[int]:
        """Return what each line of a cart gets, in minor units."""
        amounts = [0] * len(cart)
        for each in self.discounts(cart, customer):
            amounts[each.line] += each.amount
        return amounts

    def _line(self, place: int, given: CartLine) -> _Line | None:
        found = self._shop.variant(given.variant)
        if found is None:
            return None
        variant, product = found
        amount = {"amount": str(Decimal(variant["price"])), "currencyCode": self._shop.currency}
        body = {
            "id": f"gid://shopify/CartLine/{place}",
            "quantity": given.quantity,
            "attribute": lambda asked: _attribute(given.attributes.get(asked["key"])),
            "cost": {"amountPerQuantity": amount},
            "merchandise": {
                "__typename": "ProductVariant",
                "id": f"gid://shopify/ProductVariant/{given.variant}",
                "product": {
                    "id": f"gid://shopify/Product/{product['id']}",
                    "metafield": lambda asked: self._metafield(
                        f"gid://shopify/Product/{product['id']}", asked
                    ),
                },
            },
        }
        price = minor(variant["price"], self._shop.currency)
        return _Line(place, product["id"], given.variant, given.quantity, price, body)

    def _metafield(self, owner: str, asked: Mapping[str, str]) -> dict[str, Any] | None:
        found = self._shop.metafields.get(owner, asked["namespace"], asked["key"])
        return metafield(found["json_value"]) if found else None

    def _by_function(
        self, discount: AutomaticDiscount, lines: Sequence[_Line], customer: int | None
    ) -> Iterable[_Part]:
        """Return what the function gives, each line for itself: Shopify drops a line that has a better discount."""
        try:
            output = self._run(self._root(discount, lines, customer))
        except FunctionFailed:
            return
        by_id = {line.body["id"]: line for line in lines}
        for operation in output["operations"]:
            for candidate in operation["productDiscountsAdd"]["candidates"]:
                amount = minor(candidate["value"]["fixedAmount"]["amount"], self._shop.currency)
                title = candidate.get("message") or discount.title
                for target in candidate["targets"]:
                    line = by_id[target["cartLine"]["id"]]
                    most = min(amount, line.price * line.quantity)
                    given = (Allocation(line.place, most, title, discount.id),)
                    yield _Part(given, frozenset({line.place}), _combines(discount))

    def _root(self, discount: AutomaticDiscount, lines: Sequence[_Line], customer: int | None) -> Tree:
        """Return the root of the function's schema, as far as its query asks for it."""
        owner = f"gid://shopify/DiscountAutomaticNode/{discount.id}"
        settings = self._shop.metafields.get(owner, "$app:pannier", "settings")
        buyer = None if customer is None else {"id": f"gid://shopify/Customer/{customer}"}
        return {
            "cart": {"buyerIdentity": {"customer": buyer}, "lines": [dict(line.body) for line in lines]},
            "discount": {
                "discountClasses": ["PRODUCT"],
                "metafield": lambda asked: self._metafield(owner, asked),
                "metafields": {"settings": settings["json_value"] if settings else None},
            },
            "presentmentCurrencyRate": "1.0",
            "shop": {"localTime": local_time(self._shop.now(), self._shop.timezone)},
        }


def _native(discount: AutomaticDiscount, lines: Sequence[_Line]) -> list[_Part]:
    """Return what a "buy X, get Y" gives a cart, as often as it may: every piece serves once."""
    free = {line.place: line.quantity for line in lines}
    given: dict[int, int] = {}
    uses = 0
    while discount.uses is None or uses < discount.uses:
        got = _take(lines, discount.gets, discount.got, free)
        bought = _take(lines, discount.buys, discount.bought, free) if got else None
        if got is None or bought is None:
            break
        for line in got:
            taken = Fraction(line.price) * Fraction(str(discount.percentage))
            given[line.place] = given.get(line.place, 0) + int(taken + Fraction(1, 2))
        for line in bought:
            given.setdefault(line.place, 0)
        uses += 1
    allocations = tuple(
        Allocation(place, amount, discount.title, discount.id) for place, amount in given.items() if amount
    )
    return [_Part(allocations, frozenset(given), _combines(discount))] if allocations else []


def _take(
    lines: Sequence[_Line], items: Mapping[str, set[int]], count: int, free: dict[int, int]
) -> list[_Line] | None:
    """Take ``count`` free pieces of ``items``, the cheapest first; None, and none taken, where there are fewer."""
    fitting = [
        line for line in lines if line.product in items["products"] or line.variant in items["variants"]
    ]
    pieces = [line for line in sorted(fitting, key=lambda line: line.price) for _ in range(free[line.place])][
        :count
    ]
    if len(pieces) < count:
        return None
    for line in pieces:
        free[line.place] -= 1
    return pieces


def _combines(discount: AutomaticDiscount) -> bool:
    return bool(discount.combines.get("productDiscounts"))


def _choices(parts: Sequence[_Part]) -> list[list[_Part]]:
    """Return what a shopper may get: a discount that combines with none, or those that do, the best first."""
    together: list[_Part] = []
    taken: set[int] = set()
    for part in sorted((part for part in parts if part.combines), key=lambda part: -part.amount):
        if taken.isdisjoint(part.lines):
            together.append(part)
            taken |= part.lines
    single: dict[int, list[_Part]] = {}
    for part in parts:
        if not part.combines:
            single.setdefault(part.allocations[0].discount, []).append(part)
    return [together, *single.values()]


def _attribute(value: str | None) -> dict[str, str] | None:
    return None if value is None else {"value": value}
