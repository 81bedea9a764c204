"""What no price may break, whoever wants it: floor, ceiling, margin, step, cooling time and endings. Pure.

Everything is an integer in minor units. A percentage is in hundredths of a percent, so that no float touches a price.
A wanted price is first brought between the bounds, and then onto the nearest allowed ending that lies between them too:
rounding never leads beyond a guard. Where nothing is left between the bounds, the price stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.core.money import exponent

# A percentage in hundredths of a percent.
WHOLE: Final = 10_000

FLOOR: Final = "floor"
CEILING: Final = "ceiling"
MARGIN: Final = "margin"
STEP: Final = "step"
LEAST_STEP: Final = "least_step"
COOLING: Final = "cooling"
ENDING: Final = "ending"
NAMES: Final = (FLOOR, CEILING, MARGIN, STEP, LEAST_STEP, COOLING, ENDING)


@dataclass(frozen=True, slots=True)
class Guards:
    """The bounds of one variant's price.

    Attributes:
        floor: no price is lower, in minor units; None: no floor.
        ceiling: no price is higher; None: no ceiling.
        margin: of a price without tax, what is left of it at least after the cost of the piece; hundredths of a
            percent, below ``WHOLE``. Binds only where the cost is known.
        tax: what shoppers pay on top of the price without tax and the price contains; hundredths of a percent of the
            price without tax.
        step: by how much of the present price one change may move it; hundredths of a percent.
        least_step: changes of less are not worth the unrest; hundredths of a percent of the present price.
        cooling: how long a price stands at least, whoever set it.
        endings: how prices end, as the merchant writes them (see ``Ending``); none: in any way.
    """

    floor: int | None = None
    ceiling: int | None = None
    margin: int = 0
    tax: int = 0
    step: int = 1_000
    least_step: int = 0
    cooling: timedelta = timedelta(days=1)
    endings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounded:
    """A price within the guards; None: it stays as it is. ``binding`` names the guards that made the difference."""

    price: int | None
    binding: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """The last digits of a price: minor units ``remainder`` modulo ``modulus``, a power of ten."""

    modulus: int
    remainder: int

    @classmethod
    def of(cls, text: str, currency: str) -> "Ending":
        """Return the ending that a merchant writes as the end of a price in major units.

        ``.99`` is 99 cents, ``9.95`` any ten and 9.95, ``80`` in yen 80 of any hundred; in a currency with three
        decimals ``.9`` is 900 of a thousand. What is not written after the point is zero.

        Raises:
            ValueError: if ``text`` is no such end, or has more decimals than the currency. One sentence.
        """
        whole, _, fraction = text.partition(".")
        digits = exponent(currency)
        written = whole + fraction
        if not (written.isascii() and written.isdecimal()) or len(written) > 9 or text.endswith("."):
            raise ValueError(f"{text[:20]!r} is not how a price ends, such as .99 or 80.")
        if len(fraction) > digits:
            raise ValueError(f"Prices in {currency} have {digits} decimals.")
        minor = whole + fraction.ljust(digits, "0")
        return cls(10 ** len(minor), int(minor))

    def below(self, price: int) -> int:
        """Return the largest price of this ending that is not above ``price``; negative where there is none."""
        return price - (price - self.remainder) % self.modulus

    def above(self, price: int) -> int:
        """Return the smallest price of this ending that is not below ``price``."""
        return price + (self.remainder - price) % self.modulus


def lowest_with_margin(cost: int, margin: int, tax: int) -> int:
    """Return the lowest price that leaves the margin.

    A price p contains p / (1 + tax) for the shop; of that ``margin`` is to be left after the cost: p × (1 − margin) ≥
    cost × (1 + tax), rounded up to the minor unit.

    Raises:
        ValueError: if ``margin`` is all of the price or more.
    """
    if not 0 <= margin < WHOLE:
        raise ValueError("a margin is at least 0 and less than the whole price")
    return -(-cost * (WHOLE + tax) // (WHOLE - margin))


def bounded(
    current: int,
    wanted: int,
    guards: Guards,
    cost: int | None,
    history: Sequence[datetime],
    currency: str,
    at: datetime,
) -> Bounded:
    """Return the price nearest to ``wanted`` that breaks no guard.

    Args:
        current: what the variant costs now; more than 0.
        wanted: what the signals ask for.
        guards: the bounds.
        cost: what a piece costs the merchant; None where that is unknown.
        history: when the price changed before, by whomever, in any order.
        currency: of the amounts, ISO 4217.
        at: now.

    Returns:
        A price other than ``current``, or None. A price that stands outside of the bounds is brought back even where
        the signals ask for nothing; an ending alone never moves a price, and never turns the direction about.

    Raises:
        ValueError: if an ending or the margin is none, or ``current`` is not more than 0.
    """
    if current <= 0:
        raise ValueError("a price that is to change is more than 0")
    endings = [Ending.of(text, currency) for text in guards.endings]
    lows, highs = _bounds(current, guards, cost)
    low, high = max(lows.values()), min(highs.values())
    if low > high:
        return Bounded(None, (*_at(lows, low), *_at(highs, high)))
    if wanted == current and low <= current <= high:
        return Bounded(None)
    if any(at - moment < guards.cooling for moment in history):
        return Bounded(None, (COOLING,))
    target = min(max(wanted, low), high)
    binding = _at(lows, low) if wanted < low else _at(highs, high) if wanted > high else ()
    price = _with_ending(target, low, high, endings)
    if price is None:
        return Bounded(None, (*binding, ENDING))
    if price != target:
        binding = (*binding, ENDING)
    if (price - current) * (target - current) <= 0:
        return Bounded(None, binding)
    if abs(price - current) * WHOLE < guards.least_step * current:
        return Bounded(None, (*binding, LEAST_STEP))
    return Bounded(price, binding)


def _bounds(current: int, guards: Guards, cost: int | None) -> tuple[dict[str, int], dict[str, int]]:
    """Return the lowest and the highest price by the name of each guard that says one."""
    step = current * guards.step // WHOLE
    # Something has to be paid: a price of 0 is a gift, and nothing leads back from it by steps of a percentage.
    lows = {STEP: max(current - step, 1)}
    highs = {STEP: current + step}
    if guards.floor is not None:
        lows[FLOOR] = guards.floor
    if cost is not None:
        lows[MARGIN] = lowest_with_margin(cost, guards.margin, guards.tax)
    if guards.ceiling is not None:
        highs[CEILING] = guards.ceiling
    return lows, highs


def _at(bounds: dict[str, int], bound: int) -> tuple[str, ...]:
    return tuple(name for name in NAMES if bounds.get(name) == bound)


def _with_ending(target: int, low: int, high: int, endings: Sequence[Ending]) -> int | None:
    """Return the price from ``low`` to ``high`` with an allowed ending that is nearest to ``target``.

    Of two that are equally near the lower one: in doubt for the shopper.
    """
    if not endings:
        return target
    found = {price for ending in endings for price in (ending.below(target), ending.above(target))}
    allowed = [price for price in found if low <= price <= high]
    return min(allowed, key=lambda price: (abs(price - target), price), default=None)
