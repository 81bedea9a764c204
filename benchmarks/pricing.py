"""A year under a price rule against the same year at fixed prices, and the ledger held against the truth.

A synthetic shop whose demand is known: each product sells by a constant elasticity of its own, by weekday and season,
with noise, and sells out until it is restocked. Before the year each product's price is tried out, week by week at
random, since nothing can be learned from a price that never moved. Both years draw the same random numbers: they differ
by prices alone. What the rule knows is what it would know in a shop: prices, costs, stock and sales, not the demand
behind them.

Two questions:

- is the margin (revenue less cost of goods) under the rule lower than at fixed prices? By a bootstrap over products;
- does the ledger prove or refuse each was-price rightly? It hears of prices by messages that come late and twice; the
  truth is counted hour by hour from what was really asked, and planted campaigns have their verdict by construction.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.pricing import ledger
from app.pricing.ledger import Asked, Period
from app.pricing.proposing import Goods, Kind, Shop, propose
from app.pricing.rules import AUTOMATIC, Rule, Traits
from app.pricing.signals import PricePoint
from app.pricing.usual_price import BAR, prove
from benchmarks.report import Result, print_table

PRODUCTS: Final = 40
DAYS: Final = 365
SEEDS: Final = 5
CURRENCY: Final = "NZD"
# Before the year: twelve weeks in which prices are tried out, each product's by itself.
WARM_UP: Final = 84
TRIED: Final = (0.92, 1.0, 1.08)

_BEGIN: Final = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
# Restocked, priced and sold out at these hours of a day.
_RESTOCKED: Final = 5
_PRICED: Final = 6
_SOLD_OUT: Final = 18
_DEMAND_DAYS: Final = 91
_RESTOCK_DAYS: Final = 28
_BOOTSTRAPS: Final = 2_000

# The rule of the year, as it would be over HTTP: small steps near the merchant's own price, by what was learned.
DEFINITION: Final[dict[str, Any]] = {
    "currency": CURRENCY,
    "products": {"all": True},
    "signals": [
        {"signal": "price_response", "weight_percent": 25},
    ],
    "guards": {
        "least_margin_percent": 20,
        "floor_percent": 90,
        "ceiling_percent": 112,
        "largest_step_percent": 5,
        "least_step_percent": 1,
        "cooling_hours": 168,
        "endings": [".49", ".99"],
    },
}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ware:
    """A product of the synthetic shop.

    Attributes:
        name: its id.
        base: its fixed price, minor units.
        cost: of a piece.
        rate: pieces wanted on a mean day at the fixed price.
        elasticity: per cent more pieces wanted for one per cent more price.
        lead: days between ordering a restock and its arrival.
        safety: it is ordered when what is left lasts for so many times these days, by the sales of four weeks.
        lot: a restock is what is sold in so many days.
    """

    name: str
    base: int
    cost: int
    rate: float
    elasticity: float
    lead: int
    safety: float
    lot: float

    def wanted(self, price: int) -> float:
        """Return the pieces wanted on a mean day at ``price``."""
        return self.rate * math.exp(self.elasticity * math.log(price / self.base))


def wares(count: int, random: np.random.Generator) -> list[Ware]:
    """Draw the products of a shop. Merchants price near the best price of a product, and rarely at it."""
    drawn = []
    for number in range(count):
        elasticity = -float(np.clip(random.normal(2.62, 0.8), 1.5, 4.5))
        best = elasticity / (elasticity + 1)
        base = round(float(random.lognormal(math.log(3_500), 0.4)) / 50) * 50 - 1
        cost = round(base / best * float(random.lognormal(0, 0.15)))
        drawn.append(
            Ware(
                f"p{number}",
                base,
                min(cost, base * 3 // 4),
                rate=float(random.lognormal(math.log(6), 0.5)),
                elasticity=elasticity,
                lead=int(random.integers(3, 15)),
                safety=float(random.uniform(0.7, 1.4)),
                lot=float(random.uniform(20, 60)),
            )
        )
    return drawn


@dataclass(frozen=True, slots=True)
class Weather:
    """What no price changes: how much more is wanted on a day, and the chance that decides each count.

    Attributes:
        factors: float64[products, days], weekday, season and noise; mean 1.
        chances: float64[products, days], uniform.
        tried: int64[products, weeks], which of ``TRIED`` is asked in a week of the warm-up.
    """

    factors: Floats
    chances: Floats
    tried: npt.NDArray[np.int64]


def weather(products: int, days: int, random: np.random.Generator) -> Weather:
    """Draw the weather of a year: weekends sell more, summers less, and every day is its own."""
    day = np.arange(days)
    weekday = np.array([0.85, 0.8, 0.85, 0.95, 1.1, 1.3, 1.15])[day % 7]
    phase = random.uniform(0, 2 * math.pi, size=(products, 1))
    season = 1 + 0.2 * np.sin(2 * math.pi * day[None, :] / 365 + phase)
    noise = random.gamma(8, 1 / 8, size=(products, days))
    tried = random.integers(0, len(TRIED), size=(products, -(-WARM_UP // 7)))
    return Weather(weekday[None, :] * season * noise, random.uniform(size=(products, days)), tried)


def count_of(mean: float, chance: float) -> int:
    """Return the Poisson count of ``mean`` at the quantile ``chance``: larger means never give smaller counts."""
    count, term = 0, math.exp(-mean)
    total = term
    while chance > total and count < 10_000:
        count += 1
        term *= mean / count
        total += term
    return count


@dataclass(slots=True)
class Shelf:
    """A product in the course of a year. ``asked`` has (since, price), a price of None: it cannot be bought."""

    ware: Ware
    price: int
    stock: int
    coming: list[tuple[int, int]] = field(default_factory=list)
    sold: list[int] = field(default_factory=list)
    prices: list[int | None] = field(
        default_factory=list
    )  # of each day; None: not the same for the whole of it
    margin: int = 0
    sold_out: int = 0
    changed: list[datetime] = field(default_factory=list)
    asked: list[tuple[datetime, int | None]] = field(default_factory=list)

    def ask(self, at: datetime) -> None:
        """Note what is asked from now on."""
        price = self.price if self.stock > 0 else None
        if not self.asked or self.asked[-1][1] != price:
            self.asked.append((at, price))


def year(goods: Sequence[Ware], sky: Weather, rule: Rule | None, days: int = DAYS) -> list[Shelf]:
    """Sell for ``days`` after the warm-up, at fixed prices or by ``rule``; margins are of the year alone."""
    shelves = [Shelf(ware, ware.base, math.ceil(ware.rate * ware.lot)) for ware in goods]
    total: list[int] = []
    for day in range(WARM_UP + days):
        begins = _BEGIN + day * _DAY
        for place, shelf in enumerate(shelves):
            shelf.stock += sum(lot for when, lot in shelf.coming if when == day)
            shelf.ask(begins + _RESTOCKED * _HOUR)
            if day < WARM_UP and day % 7 == 0:
                shelf.price = round(shelf.ware.base * TRIED[sky.tried[place, day // 7]])
            elif day == WARM_UP:
                shelf.price = shelf.ware.base
            elif rule is not None and day > WARM_UP and shelf.stock > 0:
                _reprice(shelf, rule, day, total)
            shelf.ask(begins + _PRICED * _HOUR)
        for place, shelf in enumerate(shelves):
            _sell(shelf, sky, place, day)
        total.append(sum(shelf.sold[-1] for shelf in shelves))
    return shelves


def _sell(shelf: Shelf, sky: Weather, place: int, day: int) -> None:
    ware = shelf.ware
    mean = ware.wanted(shelf.price) * float(sky.factors[place, day])
    wanted = count_of(mean, float(sky.chances[place, day]))
    sold = min(wanted, shelf.stock)
    shelf.stock -= sold
    # The day of a change, of a restock after nothing was left, and of the last piece belong to no price.
    whole = shelf.stock > 0 and shelf.asked[-1][0] < _BEGIN + day * _DAY
    shelf.prices.append(shelf.price if whole else None)
    shelf.sold.append(sold)
    if day >= WARM_UP:
        shelf.margin += sold * (shelf.price - ware.cost)
        shelf.sold_out += wanted > sold
    rate = sum(shelf.sold[-_RESTOCK_DAYS:]) / min(len(shelf.sold), _RESTOCK_DAYS) + 0.1
    if shelf.stock + sum(lot for when, lot in shelf.coming if when > day) <= rate * ware.lead * ware.safety:
        shelf.coming.append((day + ware.lead, math.ceil(rate * ware.lot)))
    shelf.ask(_BEGIN + day * _DAY + _SOLD_OUT * _HOUR)


def _reprice(shelf: Shelf, rule: Rule, day: int, total: Sequence[int]) -> None:
    """Have the rule look at a product, and write what it proposes."""
    at = _BEGIN + day * _DAY + _PRICED * _HOUR
    if shelf.changed and at - shelf.changed[-1] < rule.guards.common.cooling:
        return
    ware = shelf.ware
    known = shelf.sold[-_DEMAND_DAYS:]
    kind = Kind(
        ware.name, shelf.price, None, ware.base, ware.cost, shelf.stock, changed=tuple(shelf.changed[-1:])
    )
    product = Goods(
        Traits(ware.name),
        CURRENCY,
        (kind,),
        pieces=[float(count) for count in known],
        first_weekday=(day - len(known)) % 7,
        points=_points(shelf, total),
    )
    for proposal in propose(rule, product, Shop(), at).proposals:
        shelf.price = proposal.new_price
        shelf.changed.append(at)


def _points(shelf: Shelf, total: Sequence[int]) -> tuple[PricePoint, ...]:
    """Return what the product sold at each of its prices, on days on which it could be bought."""
    pieces: dict[int, int] = {}
    exposure: dict[int, int] = {}
    for price, sold, whole in zip(shelf.prices, shelf.sold, total, strict=True):
        if price is not None:
            pieces[price] = pieces.get(price, 0) + sold
            exposure[price] = exposure.get(price, 0) + whole
    return tuple(PricePoint(p, pieces[p], float(exposure[p])) for p in sorted(pieces) if exposure[p])


# --- the ledger -----------------------------------------------------------------------------------------------


class Book:
    """The ledger of one variant in memory: what a shop's messages make of it."""

    def __init__(self, variant_id: str) -> None:
        """Begin with nothing."""
        self.periods: list[Period] = []
        self._variant = variant_id
        self._newest: datetime | None = None

    def hear(self, since: datetime, price: int | None, at: datetime, change: tuple[int, str] | None) -> None:
        """Take in a state of the shop: what is asked ``since`` then, heard ``at``; older ones are passed over."""
        if self._newest is not None and since <= self._newest:
            return
        self._newest = since
        asked = None if price is None else Asked("p", price, None, CURRENCY, since, since)
        last = self.periods[-1] if self.periods else None
        if last and last.until_at is None and asked and last.price == price:
            return
        ends, begins = ledger.entry(self._variant, asked, last, change, since, at)
        if ends is not None and last is not None:
            self.periods[-1] = replace(last, until_at=ends)
        if begins is not None:
            self.periods.append(begins)


def written_down(
    asked: Sequence[tuple[datetime, int | None]], own: Sequence[datetime], random: np.random.Generator
) -> list[Period]:
    """Return the ledger of what was asked: each message comes up to five hours late, one in three once more, later.

    Args:
        asked: (since, price) in the order of time.
        own: when Pannier wrote prices: their echoes are known as such.
        random: decides about messages.
    """
    book = Book("v")
    writes = set(own)
    heard = []
    for number, (since, _) in enumerate(asked):
        heard.append((since + float(random.uniform(0, 0.9)) * _HOUR, number))
        if random.uniform() < 1 / 3:
            heard.append((since + float(random.uniform(1, 90)) * _HOUR, number))
    for at, number in sorted(heard):
        since, price = asked[number]
        change = (number, "A rule.") if since in writes else None
        book.hear(since, price, at, change)
    return book.periods


def truly_usual(asked: Sequence[tuple[datetime, int | None]], was: int, at: datetime) -> bool:
    """Return whether ``was`` was the usual price, counted hour by hour from what was really asked."""
    hours: list[int | None] = []
    for (since, price), until in zip(asked, [*(when for when, _ in asked[1:]), at], strict=True):
        hours += [price] * max((min(until, at) - since) // _HOUR, 0)
    now = next((price for since, price in reversed(asked) if since <= at), None)
    if now is None or now >= was or was not in hours:
        return False
    last = len(hours) - 1 - hours[::-1].index(was)
    after = [place for place in range(last + 1, len(hours)) if hours[place] is not None]
    reduced = after[0] if after else len(hours)
    if any((hours[place] or 0) > was for place in after):
        return False
    window, recent = BAR.window // _HOUR, BAR.recent // _HOUR
    charged = sum(price == was for price in hours[max(reduced - window, 0) : reduced])
    straight = 0
    for price in reversed(hours[max(reduced - recent, 0) : reduced]):
        if price not in (was, None):
            break
        straight += price == was
    enough = charged >= BAR.charged // _HOUR and straight >= BAR.straight // _HOUR
    return enough and len(hours) - reduced <= BAR.oldest // _HOUR


@dataclass(frozen=True, slots=True)
class Claim:
    """A was-price, the ledger's verdict on it, and the truth."""

    was: int
    proven: bool
    true: bool


def claims_of(shelf: Shelf, random: np.random.Generator, days: int = DAYS) -> Iterator[Claim]:
    """Yield claims about a product at times of its year: its fixed price, its highest, its last, and invented ones."""
    periods = written_down(shelf.asked, shelf.changed, random)
    for day in range(WARM_UP + 15, WARM_UP + days, 20):
        at = _BEGIN + day * _DAY + 12 * _HOUR
        asked = [(since, price) for since, price in shelf.asked if since <= at]
        seen = [price for since, price in asked if price is not None and since > at - 120 * _DAY]
        different = [price for price in seen if price != seen[-1]]
        candidates = {shelf.ware.base, shelf.ware.base * 6 // 5, *(seen and [max(seen)]), *different[-1:]}
        for was in sorted(candidates):
            proof = prove([p for p in periods if p.from_at <= at], was, CURRENCY, at)
            yield Claim(was, proof.proven, truly_usual(asked, was, at))


# Campaigns of a merchant: (days, price) one after the other, the price that is claimed, and whether it was usual.
CAMPAIGNS: Final[dict[str, tuple[tuple[tuple[int, int | None], ...], int, bool]]] = {
    "an honest sale": (((120, 5_000), (10, 4_000)), 5_000, True),
    "an honest sale in steps": (((120, 5_000), (10, 4_500), (10, 4_000)), 5_000, True),
    "sold out just before the sale": (((120, 5_000), (9, None), (10, 4_000)), 5_000, True),
    "raised for the sale": (((120, 4_000), (10, 5_000), (10, 4_000)), 5_000, False),
    "raised while sold out": (((120, 4_000), (40, None), (1, 5_000), (10, 4_000)), 5_000, False),
    "a price that nobody asked": (((120, 4_200), (10, 4_000)), 5_000, False),
    "a sale without end": (((120, 5_000), (100, 4_000)), 5_000, False),
    "sale after sale": (
        ((60, 5_000), (20, 4_000), (7, 5_000), (20, 4_000), (7, 5_000), (9, 4_000)),
        5_000,
        False,
    ),
    "a new product": (((20, 5_000), (10, 4_000)), 5_000, False),
    "claimed after the sale": (((120, 5_000), (10, 4_000), (5, 5_000)), 5_000, False),
    "dearer in between": (((120, 5_000), (5, 6_000), (10, 4_000)), 5_000, False),
}


def campaign(name: str, random: np.random.Generator) -> Claim:
    """Play one of ``CAMPAIGNS``, and ask the ledger."""
    spells, was, true = CAMPAIGNS[name]
    asked: list[tuple[datetime, int | None]] = []
    at = _BEGIN
    for days, price in spells:
        asked.append((at, price))
        at += days * _DAY
    return Claim(was, prove(written_down(asked, (), random), was, CURRENCY, at).proven, true)


# --- the comparison -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Comparison:
    """Margins of products under the rule and at fixed prices, minor units, and the claims about their prices."""

    ruled: Floats
    fixed: Floats
    sold_out: tuple[int, int]
    changes: int
    claims: tuple[Claim, ...]

    def gain(self) -> float:
        """Return by how much the margin is higher under the rule; a share of the margin at fixed prices."""
        return float(self.ruled.sum() / self.fixed.sum() - 1)

    def interval(self, random: np.random.Generator) -> tuple[float, float]:
        """Return the 95 % interval of the gain, by a bootstrap over products."""
        picks = random.integers(0, len(self.fixed), size=(_BOOTSTRAPS, len(self.fixed)))
        gains = self.ruled[picks].sum(axis=1) / self.fixed[picks].sum(axis=1) - 1
        low, high = np.quantile(gains, [0.025, 0.975])
        return float(low), float(high)


def compare(seeds: Sequence[int], products: int = PRODUCTS, days: int = DAYS) -> Comparison:
    """Sell a year of each seed twice, at fixed prices and under the rule."""
    rule = Rule.from_json("year", AUTOMATIC, DEFINITION)
    ruled: list[int] = []
    fixed: list[int] = []
    claims: list[Claim] = []
    out = [0, 0]
    changes = 0
    for seed in seeds:
        random = np.random.default_rng(seed)
        goods = wares(products, random)
        sky = weather(products, WARM_UP + days, random)
        moved, still = year(goods, sky, rule, days), year(goods, sky, None, days)
        ruled += [shelf.margin for shelf in moved]
        fixed += [shelf.margin for shelf in still]
        out[0] += sum(shelf.sold_out for shelf in moved)
        out[1] += sum(shelf.sold_out for shelf in still)
        changes += sum(len(shelf.changed) for shelf in moved)
        claims += [claim for shelf in moved for claim in claims_of(shelf, random, days)]
        claims += [campaign(name, random) for name in CAMPAIGNS]
    return Comparison(
        np.array(ruled, dtype=np.float64),
        np.array(fixed, dtype=np.float64),
        (out[0], out[1]),
        changes,
        tuple(claims),
    )


def run(seeds: int = SEEDS, products: int = PRODUCTS) -> Iterator[Result]:
    """Yield the margin against fixed prices, both ends of its interval, and how many claims were judged rightly."""
    found = compare(range(seeds), products)
    low, high = found.interval(np.random.default_rng(0))
    years = seeds * products
    yield Result(
        f"margin of {years} products' years under a price rule",
        float(found.ruled.sum()) / 100,
        CURRENCY,
        "fixed prices",
        float(found.fixed.sum()) / 100,
        1 + found.gain(),
        1.0,
    )
    yield Result("  of that more than at fixed prices", found.gain() * 100, "%")
    yield Result("  its 95 % interval from", low * 100, "%")
    yield Result("  its 95 % interval to", high * 100, "%")
    yield Result("  changes of prices for a product in a year", found.changes / years, "changes")
    yield Result(
        "days on which somebody wanted more than was left",
        found.sold_out[0],
        "days",
        "fixed prices",
        found.sold_out[1],
    )
    for name, true in (("proved", True), ("refused", False)):
        asked = [claim for claim in found.claims if claim.true is true]
        right = sum(claim.proven is true for claim in asked)
        yield Result(
            f"was-prices rightly {name} by the ledger",
            right,
            "claims",
            "in truth",
            len(asked),
            right / len(asked),
            1.0,
        )


def main() -> int:
    """Print the margin's difference with its interval, and the ledger's verdicts. Returns 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=SEEDS, help="years of a whole shop")
    parser.add_argument("--products", type=int, default=PRODUCTS)
    given = parser.parse_args()
    results = list(run(given.seeds, given.products))
    print_table(results)
    return int(any(result.verdict == "MISSED" for result in results))


if __name__ == "__main__":
    sys.exit(main())
