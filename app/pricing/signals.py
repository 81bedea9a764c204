"""What moves a price: stock, demand, conversion, the response to earlier prices, competitors. Pure.

Every signal is of a product, never of a person: list prices follow goods. A signal is a measured ``value`` and a
``pressure`` from -1 (the price should fall) to 1 (it should rise); 0 where the measure is within what chance or the
merchant's thresholds allow. Where too little is known there is no signal (None).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

STOCK_COVER: Final = "stock_cover"
DEMAND: Final = "demand"
CONVERSION: Final = "conversion"
PRICE_RESPONSE: Final = "price_response"
COMPETITOR: Final = "competitor"
NAMES: Final = (STOCK_COVER, DEMAND, CONVERSION, PRICE_RESPONSE, COMPETITOR)

LOWEST: Final = "lowest"
MEDIAN: Final = "median"

# The days that a forecast is held against, and the fewest before them that it is made from.
RECENT_DAYS: Final = 7
LEAST_DAYS: Final = 28
# The fewest days of which a rate of demand is told, and views of which a conversion.
LEAST_RATE_DAYS: Final = 14
LEAST_VIEWS: Final = 100

# A conversion is drawn towards the store's own as if so many views had gone there.
_PRIOR_VIEWS: Final = 50
# A weekday's factor is drawn towards 1 as if so many pieces had been sold as on any day.
_PRIOR_PIECES: Final = 5.0
# What is known of price elasticities before a product's own sales: mean -2.62 over 1,851 of them (Bijmolt, van Heerde
# and Pieters 2005, "New Empirical Generalizations on the Determinants of Price Elasticity", Journal of Marketing
# Research 42, 141-156), and wide enough that most of those lie within two standard deviations.
PRIOR_ELASTICITY: Final = -2.62
PRIOR_DEVIATION: Final = 1.5
# Pressure is full where the best price is so far away, and a competitor's so far.
_FAR: Final = math.log(1.25)
_FAR_COMPETITOR: Final = math.log(1.10)
# A competitor nearer than this is no reason.
_NEAR: Final = math.log(1.01)


@dataclass(frozen=True, slots=True)
class Signal:
    """A reason to move a price: which, what was measured, how strongly it presses, and that in words."""

    name: str
    value: float
    pressure: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Demand:
    """What a product sells by day: pieces on an average day, and how each weekday (Monday is 0) relates to that."""

    level: float
    weekdays: tuple[float, ...]
    spread: float  # variance over mean of a day's pieces; at least 1

    def cap(self) -> float:
        """Return above how many pieces a day no longer counts whole: it was one large order, or an error."""
        return _cap(self.level)


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A stretch of one price: the price, pieces sold, and how much the whole store sold meanwhile (more than 0)."""

    price: int
    pieces: int
    exposure: float


@dataclass(frozen=True, slots=True)
class Response:
    """How demand follows the price: per cent more pieces for one per cent more price, and how sure that is."""

    elasticity: float
    deviation: float


def demand(pieces: Sequence[float], first_weekday: int) -> Demand:
    """Return what a product sells by day.

    The level is a mean in which no day counts for more than three standard deviations of a Poisson count, and one
    piece, above it: one order of 300 pieces is no demand. Weekdays are ratios to it, drawn towards 1.

    Args:
        pieces: sold by day, without gaps, oldest first; at least one day.
        first_weekday: of the first of them, Monday is 0.
    """
    level = _robust_mean(pieces)
    capped = [min(count, _cap(level)) for count in pieces]
    sums, days = [0.0] * 7, [0] * 7
    for place, count in enumerate(capped):
        sums[(first_weekday + place) % 7] += count
        days[(first_weekday + place) % 7] += 1
    raw = [(sums[day] + _PRIOR_PIECES) / (days[day] * level + _PRIOR_PIECES) for day in range(7)]
    factors = tuple(factor * 7 / sum(raw) for factor in raw)
    expected = [level * factors[(first_weekday + place) % 7] for place in range(len(pieces))]
    misses = sum((count - mean) ** 2 / mean for count, mean in zip(capped, expected, strict=True) if mean > 0)
    return Demand(level, factors, max(1.0, misses / max(len(pieces) - 1, 1)))


def stock_cover(stock: int, pieces: Sequence[float], low: float, high: float) -> Signal | None:
    """Return how long the stock lasts at the demand of ``pieces`` by day, against ``low`` and ``high`` days.

    Below ``low`` the price presses upwards, fully at nothing left; above ``high`` downwards, fully at twice that. The
    rate of a product that did not sell is half a piece over all days (Jeffreys' prior). None where nothing is left to
    sell, or fewer than ``LEAST_RATE_DAYS`` days are known.
    """
    if stock <= 0 or len(pieces) < LEAST_RATE_DAYS:
        return None
    rate = _robust_mean(pieces) + 0.5 / len(pieces)
    cover = stock / rate
    pressure = (low - cover) / low if cover < low else -max(cover - high, 0.0) / high
    sentence = f"stock lasts {_days(cover)} at the present demand (wanted are {low:g} to {high:g} days)"
    return _signal(STOCK_COVER, cover, pressure, sentence)


def demand_against_forecast(
    pieces: Sequence[float], first_weekday: int, deviations: float = 2.0
) -> Signal | None:
    """Return how the last ``RECENT_DAYS`` days sold against their forecast from the days before.

    Pressure begins where they differ by more standard deviations than ``deviations`` and is full at twice that. The
    deviation knows both the noise of counts and that the level itself is estimated. ``value`` is the ratio of sold to
    forecast. None where fewer than ``LEAST_DAYS`` days are known before, or nothing was sold at all.
    """
    before, recent = pieces[:-RECENT_DAYS], pieces[-RECENT_DAYS:]
    if len(before) < LEAST_DAYS or not any(pieces):
        return None
    known = demand(before, first_weekday)
    if known.level <= 0:
        return None
    begin = first_weekday + len(before)
    forecast = sum(known.level * known.weekdays[(begin + place) % 7] for place in range(RECENT_DAYS))
    sold = sum(min(count, known.cap()) for count in recent)
    variance = known.spread * (forecast + forecast**2 / (known.level * len(before)))
    off = (sold - forecast) / math.sqrt(variance)
    strength = min(max(abs(off) / deviations - 1.0, 0.0), 1.0)
    sentence = (
        f"{sum(recent):g} pieces were sold in {RECENT_DAYS} days, where {forecast:.1f} were to be expected"
    )
    return _signal(DEMAND, sold / forecast, math.copysign(strength, off), sentence)


def conversion(
    views: int, pieces: int, store_views: int, store_pieces: int, ratio: float = 1.5
) -> Signal | None:
    """Return how often views of a product become pieces sold, against the store's own rate.

    Only visitors who agreed are counted as views, of every product alike: the ratio of two rates does not know how
    many those are. Drawn towards the store's rate. Pressure begins where the ratio is beyond ``ratio`` (or its
    inverse) and two standard deviations of a Poisson count, and is full at the square of ``ratio``. None below
    ``LEAST_VIEWS`` views, or where the store knows no rate.
    """
    if views < LEAST_VIEWS or store_views <= 0 or store_pieces <= 0:
        return None
    usual = store_pieces / store_views
    found = (pieces + _PRIOR_VIEWS * usual) / (views + _PRIOR_VIEWS) / usual
    off = abs(pieces - views * usual) / math.sqrt(views * usual)
    strength = abs(math.log(found)) / math.log(ratio) - 1.0 if off >= 2 else 0.0
    sentence = f"{views} views became {pieces} sales, {found:.1f} times as often as usual in the shop"
    return _signal(CONVERSION, found, math.copysign(max(strength, 0.0), found - 1.0), sentence)


def response(points: Sequence[PricePoint]) -> Response:
    """Return how demand follows the price, by the stretches of a product's own prices.

    A log-linear regression of the product's share of the store's sales on the price, each stretch weighted by its
    pieces (the logarithm of a Poisson count has variance 1 / count), drawn towards ``PRIOR_ELASTICITY`` by a normal
    prior of ``PRIOR_DEVIATION``. Where stretches differ by more than counts do, they say less by as much.
    """
    rows = [
        (math.log(point.price), math.log((point.pieces + 0.5) / point.exposure), point.pieces + 0.5)
        for point in points
        if point.price > 0 and point.exposure > 0
    ]
    total = sum(weight for _, _, weight in rows)
    precision = PRIOR_DEVIATION**-2
    if len(rows) < 2:
        return Response(PRIOR_ELASTICITY, PRIOR_DEVIATION)
    mean_x = sum(x * weight for x, _, weight in rows) / total
    mean_y = sum(y * weight for _, y, weight in rows) / total
    square = sum(weight * (x - mean_x) ** 2 for x, _, weight in rows)
    cross = sum(weight * (x - mean_x) * (y - mean_y) for x, y, weight in rows)
    slope = cross / square if square > 0 else 0.0
    left = sum(weight * (y - mean_y - slope * (x - mean_x)) ** 2 for x, y, weight in rows)
    noise = max(1.0, left / max(len(rows) - 2, 1))
    known = square / noise + precision
    return Response((cross / noise + PRIOR_ELASTICITY * precision) / known, known**-0.5)


def best_price(cost: float, elasticity: float) -> float:
    """Return the price of the largest profit where demand follows ``price ** elasticity``: cost × e / (e + 1).

    ``cost`` with the tax that the price contains. Infinite where a higher price always brings more.
    """
    return cost * elasticity / (elasticity + 1.0) if elasticity < -1.0 else math.inf


def price_response(points: Sequence[PricePoint], price: int, cost: int | None, tax: int = 0) -> Signal | None:
    """Return where the best price lies by what earlier prices sold. ``value`` is the elasticity.

    Only a price that is wrong at both ends of what is likely (a standard deviation around the elasticity) is pressed,
    towards the nearer one. None where the cost is unknown, or the product's own prices have told less than was known
    before them.
    """
    found = response(points)
    if cost is None or cost <= 0 or price <= 0 or found.deviation > PRIOR_DEVIATION / math.sqrt(2):
        return None
    full_cost = cost * (10_000 + tax) / 10_000
    low = best_price(full_cost, found.elasticity - found.deviation)
    high = best_price(full_cost, found.elasticity + found.deviation)
    target = low if low > price else min(high, price)
    words = "hardly follows" if found.elasticity > -1 else "follows"
    sentence = f"demand {words} the price (elasticity {found.elasticity:.1f} by its own sales)"
    return _signal(PRICE_RESPONSE, found.elasticity, math.log(target / price) / _FAR, sentence)


def competitor(price: int, others: Sequence[int], to: str = MEDIAN, position: int = 0) -> Signal | None:
    """Return how the price stands to competitors' ones.

    Args:
        price: of the product.
        others: fresh prices of the same thing elsewhere, in the same currency.
        to: which of them counts: ``lowest`` or ``median``.
        position: where the price is wanted to that; hundredths of a percent, -200 is two per cent below.

    Returns:
        The signal, whose ``value`` is the ratio of price to what is wanted; None without competitors.
    """
    known = [other for other in others if other > 0]
    if not known or price <= 0:
        return None
    reference = min(known) if to == LOWEST else median(known)
    wanted = reference * (10_000 + position) / 10_000
    gap = math.log(wanted / price)
    pressure = gap / _FAR_COMPETITOR if abs(gap) >= _NEAR else 0.0
    where = "above" if gap < 0 else "below"
    sentence = f"the price is {abs(price / wanted - 1) * 100:.0f} % {where} where it is wanted to competitors"
    return _signal(COMPETITOR, price / wanted, pressure, sentence)


def _signal(name: str, value: float, pressure: float, sentence: str) -> Signal:
    # Adding 0.0 makes -0.0 a plain zero.
    return Signal(name, round(value, 4), round(min(max(pressure, -1.0), 1.0), 4) + 0.0, sentence)


def _days(count: float) -> str:
    return f"{count:.0f} days" if count < 1_000 else "more than 1000 days"


def _cap(level: float) -> float:
    return level + 3.0 * math.sqrt(level) + 1.0


def _robust_mean(pieces: Sequence[float]) -> float:
    """Return the mean of days none of which counts for more than the cap that follows from the mean itself."""
    if not pieces:
        return 0.0
    level = sum(pieces) / len(pieces)
    for _ in range(50):
        lower = sum(min(count, _cap(level)) for count in pieces) / len(pieces)
        if level - lower < 1e-9:
            break
        level = lower
    return level
