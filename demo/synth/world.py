"""The planted truth of a synthetic store: its goods, what goes together, who buys and how often. Pure.

Everything is drawn from the seed and from names, never from the order in which it is asked for: the same seed is the
same store on every machine, whichever arms its visitors are assigned to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import product as pairs_of
from random import Random
from typing import Final

CURRENCY: Final = "EUR"
# Of a visitor who is shown nothing, before the segment is counted in.
CONVERSION: Final = 0.2
# How much less is bought where irrelevant goods stand.
ANNOYANCE: Final = 0.7
# How long before the end the stopped feed of orders has stopped: longer than any rhythm of such a store lets pass.
SILENCE: Final = timedelta(days=4)
# Of visitors whose exposure is lost in one arm, where that is planted.
LOST_EXPOSURES: Final = 0.4
# Returning customers of the past.
CUSTOMERS: Final = 200

_TRIPLES: Final = 15
_PAIRS: Final = 15
_STAPLES: Final = 8
# What an order of a bundle holds besides: now and then one part alone, and often something that everybody buys.
_ALONE: Final = 0.15
_WITH_STAPLE: Final = 0.5
_MOST_CONVERSION: Final = 0.95
_LOOKS: Final = ("Oak", "Linen", "Copper", "Slate", "Cedar", "Amber", "Cotton", "Marble", "Willow", "Cobalt")
_THINGS: Final = ("lamp", "bowl", "stool", "kettle", "shelf", "vase", "tray", "clock", "basket")
_CATEGORIES: Final = ("Light", "Table", "Kitchen", "Storage", "Decor")


class Fault(StrEnum):
    """What can be planted to go wrong."""

    STOPPED_ORDERS = "stopped-orders"
    SAMPLE_RATIO = "sample-ratio"
    IRRELEVANT_SLOT = "irrelevant-slot"
    SPOILED_ORDERS = "spoiled-orders"
    DUPLICATES_AND_DISORDER = "duplicates-and-disorder"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for.

    Attributes:
        seed: everything is drawn from it.
        shoppers: visitors who go through the API, one request after the other.
        crowd: visitors who are written down in bulk (see ``crowd``).
        orders: of the past, before anybody is shown anything.
        days: how far back the past goes.
        uplift: by how much more is bought where what goes together is shown; 0.5 for half as much again.
        faults: what goes wrong.
    """

    seed: int = 1
    shoppers: int = 300
    crowd: int = 6000
    orders: int = 900
    days: int = 28
    uplift: float = 0.5
    faults: frozenset[Fault] = frozenset()

    @property
    def domain(self) -> str:
        """The store's."""
        return f"synth-{self.seed}.myshopify.com"


@dataclass(frozen=True, slots=True)
class Product:
    """Something on sale. ``price`` in minor units."""

    number: int
    title: str
    category: str
    price: int

    @property
    def id(self) -> str:
        """As the platform calls it."""
        return str(self.number)


@dataclass(frozen=True, slots=True)
class Segment:
    """A kind of shopper: its share of all, and how its conversion compares."""

    name: str
    share: float
    factor: float


SEGMENTS: Final = (Segment("regulars", 0.3, 1.4), Segment("browsers", 0.5, 0.8), Segment("givers", 0.2, 1.0))


@dataclass(frozen=True, slots=True)
class Order:
    """An order: when it was placed, by whom, and the numbers of its products. ``customer`` is None for a guest."""

    number: int
    placed_at: datetime
    basket: tuple[int, ...]
    customer: int | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """A visitor at a moment, and the bundle that the visitor has in mind. ``draws`` settles what comes of it."""

    visitor: str
    at: datetime
    segment: Segment
    bundle: tuple[int, ...]
    draws: Mapping[str, float] = field(default_factory=dict)

    @property
    def product(self) -> int:
        """The product whose page is visited."""
        return self.bundle[0]

    def buys(self, conversion: float) -> bool:
        """Return whether something is bought by visitors of this segment who buy so often."""
        return self.draws["buys"] < min(conversion * self.segment.factor, _MOST_CONVERSION)


class World:
    """A store that is drawn from a plan, as it is at ``now``."""

    def __init__(self, plan: Plan, now: datetime) -> None:
        """Plan it; ``now`` is the moment of the run (UTC)."""
        self.plan = plan
        self.now = now.replace(microsecond=0)
        self.begin = self.now - timedelta(days=plan.days)

    def random(self, name: str) -> Random:
        """Return the chance that belongs to a name."""
        return Random(f"{self.plan.seed}/{name}")

    @property
    def orders_end(self) -> datetime:
        """When the last order is told of."""
        return self.now - SILENCE if Fault.STOPPED_ORDERS in self.plan.faults else self.now

    @cached_property
    def products(self) -> dict[int, Product]:
        """The catalogue, by number."""
        random = self.random("products")
        titles = [f"{look} {thing}" for look, thing in pairs_of(_LOOKS, _THINGS)]
        random.shuffle(titles)
        count = 3 * _TRIPLES + 2 * _PAIRS + _STAPLES
        return {
            1000 + n: Product(
                1000 + n, titles[n], _CATEGORIES[n % len(_CATEGORIES)], random.randrange(500, 5000, 10)
            )
            for n in range(count)
        }

    @cached_property
    def bundles(self) -> tuple[tuple[int, ...], ...]:
        """What really goes together: triples first, then pairs."""
        numbers = iter(self.products)
        sizes = [3] * _TRIPLES + [2] * _PAIRS
        return tuple(tuple(next(numbers) for _ in range(size)) for size in sizes)

    @cached_property
    def staples(self) -> tuple[int, ...]:
        """What everybody buys, with anything."""
        bundled = {number for bundle in self.bundles for number in bundle}
        return tuple(number for number in self.products if number not in bundled)

    @property
    def annoying(self) -> tuple[int, ...]:
        """What drives visitors away where exactly this stands: goods that fit nobody in particular."""
        return tuple(reversed(self.staples))

    @cached_property
    def partners(self) -> dict[int, frozenset[int]]:
        """What goes with each bundled product."""
        return {number: frozenset(bundle) - {number} for bundle in self.bundles for number in bundle}

    def basket(self, random: Random, bundle: tuple[int, ...]) -> tuple[int, ...]:
        """Return what somebody buys who has a bundle in mind."""
        parts = 1 if random.random() < _ALONE else random.randint(2, len(bundle))
        staple = (random.choice(self.staples),) if random.random() < _WITH_STAPLE else ()
        return (*random.sample(bundle, parts), *staple)

    @cached_property
    def past(self) -> tuple[Order, ...]:
        """The orders before anybody was shown anything, oldest first."""
        random = self.random("past")
        span = (self.orders_end - self.begin).total_seconds()
        times = sorted(random.uniform(0, span) for _ in range(self.plan.orders))
        return tuple(
            Order(
                10_000_000 + n,
                self.begin + timedelta(seconds=int(seconds)),
                self.basket(random, random.choice(self.bundles)),
                customer=500_000 + random.randrange(CUSTOMERS),
            )
            for n, seconds in enumerate(times)
        )

    def visit(self, visitor: str, begin: datetime, end: datetime) -> Visit:
        """Return the one visit of a visitor, between ``begin`` and ``end``."""
        random = self.random(visitor)
        (segment,) = random.choices(SEGMENTS, [each.share for each in SEGMENTS])
        bundle = list(random.choice(self.bundles))
        random.shuffle(bundle)
        at = begin + (end - begin) * random.random()
        draws = {name: random.random() for name in ("buys", "lost", "waits")}
        return Visit(visitor, at, segment, tuple(bundle), draws)

    def order_of(self, visit: Visit, number: int, placed_at: datetime) -> Order:
        """Return what a visitor buys who buys, as a guest."""
        return Order(number, placed_at, self.basket(self.random(f"{visit.visitor}/basket"), visit.bundle))

    @cached_property
    def mixed_up(self) -> dict[int, int]:
        """For each product another one: what a mapping that broke makes of it."""
        numbers = list(self.products)
        others = list(numbers)
        self.random("mixed up").shuffle(others)
        return dict(zip(numbers, others, strict=True))
