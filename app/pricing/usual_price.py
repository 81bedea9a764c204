"""The usual price: whether a "was" price may stand beside the price now. Pure, but for the loaders at the end.

The bar follows New Zealand's Fair Trading Act 1986: trade must not mislead (section 9), make a claim without reasonable
grounds (12A) or a false or misleading representation of a price (13(g)). What the Commerce Commission reminded
retailers of says when a was-price misleads: where it is not what is usually asked, where it was raised before the sale
to make the discount look larger, and where the "sale" goes on so long that its price is the usual one (media releases
of 9 December 2015 and November 2021, open letter to retailers of May 2017; Bike Barn was fined in 2017 where 30 of
nearly 6,000 sales had been at the "full" price).

The Act names no number of days: the figures of ``BAR`` are this project's, on the careful side, and no legal advice.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from app.core.db import now
from app.core.money import to_major
from app.pricing import ledger
from app.pricing.ledger import PANNIER, Period

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Bar:
    """How long a price must have been asked to be called usual.

    Attributes:
        charged: for how much time of the ``window`` before the reduction, so that it is no price of a few days.
        window: what is looked at.
        straight: for how much time directly before the reduction, with no other price between: it was not raised for
            the sale.
        recent: within how much time before the reduction ``straight`` must lie, where it could not be bought meanwhile.
        oldest: how long the reduction may last before its price is itself the usual one.
    """

    charged: timedelta = timedelta(days=28)
    window: timedelta = timedelta(days=90)
    straight: timedelta = timedelta(days=14)
    recent: timedelta = timedelta(days=28)
    oldest: timedelta = timedelta(days=90)


BAR: Final = Bar()


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a was-price can be proved.

    Attributes:
        proven: whether it may be shown.
        reason: why, or why not, in a sentence.
        was: the price in question, minor units.
        currency: of the amounts.
        price: what is asked now; None where the product cannot be bought.
        reduced_at: since when less than ``was`` is asked.
        charged: for how long ``was`` was asked in the window before that.
        straight: for how long directly before it, with no other price between.
        until: when the proof runs out if nothing changes; None where there is none.
    """

    proven: bool
    reason: str
    was: int
    currency: str
    price: int | None = None
    reduced_at: datetime | None = None
    charged: timedelta = timedelta()
    straight: timedelta = timedelta()
    until: datetime | None = None

    def sentences(self) -> list[str]:
        """Return what the verdict stands on, sentence by sentence."""
        was = _money(self.was, self.currency)
        told = [] if self.price is None else [f"The price is {_money(self.price, self.currency)} now."]
        if self.reduced_at is not None:
            told += [
                f"Less than {was} has been asked since {self.reduced_at:%Y-%m-%d %H:%M} UTC.",
                f"In the {_days(BAR.window)} before that, {was} was asked on {_days(self.charged)}.",
                f"Directly before it, {was} was asked for {_days(self.straight)} with no other price between.",
            ]
        return [*told, self.reason]


@dataclass(slots=True)
class _Story:
    """The periods of one variant around a reduction."""

    before: list[Period] = field(default_factory=list)
    since: list[Period] = field(default_factory=list)


def prove(periods: Iterable[Period], was: int, currency: str, at: datetime, bar: Bar = BAR) -> Proof:
    """Return whether ``was`` may be called the price before the one that is asked at ``at``.

    Time in which a variant could not be bought counts for nothing and breaks nothing.

    Args:
        periods: those of one variant, in any order, going back far enough (see ``reach``).
        was: minor units of ``currency``.
        currency: ISO 4217.
        at: when the claim would be made.
        bar: how much must be proved.
    """
    known = sorted(
        (p for p in periods if p.from_at <= at and (p.until_at is None or p.until_at > p.from_at)),
        key=lambda period: period.from_at,
    )
    current = known[-1] if known and (known[-1].until_at is None or known[-1].until_at > at) else None
    refused = _Refusing(was, currency)
    if current is None:
        return refused("The product cannot be bought now.")
    if current.currency != currency:
        return refused(f"The price is in {current.currency} now.")
    refused.price = current.price
    if current.price >= was:
        return refused("The price now is not lower.")
    story = _story(known, was, currency)
    if not story.before:
        return refused(f"The ledger has no time at which {_money(was, currency)} was asked.")
    if dearer := next((p for p in story.since if p.currency != currency or p.price > was), None):
        return refused(
            f"After {_money(was, currency)}, {_money(dearer.price, dearer.currency)} was asked, before the price"
            " came down."
        )
    return _weighed(story, current.price, was, currency, at, bar)


def _story(known: Sequence[Period], was: int, currency: str) -> _Story:
    """Split periods after the last one at ``was``."""
    last = max(
        (place for place, p in enumerate(known) if p.price == was and p.currency == currency), default=-1
    )
    return _Story(list(known[: last + 1]), list(known[last + 1 :]))


def _weighed(story: _Story, price: int, was: int, currency: str, at: datetime, bar: Bar) -> Proof:
    """Hold the times of a reduction against the bar."""
    reduced_at = story.since[0].from_at
    asked = [p for p in story.before if p.price == was and p.currency == currency]
    charged = _time(asked, reduced_at - bar.window, reduced_at)
    run: list[Period] = []
    for period in reversed(story.before):
        if period.price != was or period.currency != currency:
            break
        run.append(period)
    straight = _time(run, reduced_at - bar.recent, reduced_at)
    amount = _money(was, currency)
    if charged < bar.charged:
        reason = (
            f"{amount} was asked on {_days(charged)} of the {_days(bar.window)} before the reduction;"
            f" {_days(bar.charged)} are needed."
        )
    elif straight < bar.straight:
        reason = (
            f"Directly before the reduction {amount} was asked for {_days(straight)};"
            f" {_days(bar.straight)} are needed."
        )
    elif at - reduced_at > bar.oldest:
        reason = f"The reduction is more than {_days(bar.oldest)} old: its price is the usual one by now."
    else:
        reason = f"{amount} was the usual price until the reduction."
        return Proof(
            True,
            reason,
            was,
            currency,
            price,
            reduced_at,
            charged,
            straight,
            until=reduced_at + bar.oldest,
        )
    return Proof(False, reason, was, currency, price, reduced_at, charged, straight)


@dataclass(slots=True)
class _Refusing:
    """Makes refusals that stand on no reduction."""

    was: int
    currency: str
    price: int | None = None

    def __call__(self, reason: str) -> Proof:
        return Proof(False, reason, self.was, self.currency, self.price)


def usual_before(
    periods: Iterable[Period], price: int, currency: str, at: datetime, bar: Bar = BAR
) -> int | None:
    """Return the was-price that could be claimed if the price fell to ``price`` at ``at``; None where none could.

    It is the price that is asked now, or, in the midst of a reduction, the one before it.
    """
    known = sorted((p for p in periods if p.from_at < at), key=lambda period: period.from_at)
    ended = [p if p.until_at is not None and p.until_at <= at else replace(p, until_at=at) for p in known]
    fallen = [*ended, Period("", "", price, None, currency, at, None, PANNIER, None, "")]
    candidates = dict.fromkeys(p.price for p in reversed(known) if p.currency == currency and p.price > price)
    return next((was for was in candidates if prove(fallen, was, currency, at, bar).proven), None)


def reach(bar: Bar = BAR) -> timedelta:
    """Return how far before now a proof looks."""
    return bar.oldest + bar.window


def proven(
    connection: Connection, store_id: int, product_ids: Collection[str], at: datetime | None = None
) -> dict[str, int]:
    """Return, by product, the was-price that the shop states and the ledger proves; minor units. One statement.

    A product's is that of its cheapest variants, whose price cards show: where several have that price, all must prove
    it. One that is missing has none, or none that may be shown.
    """
    at = at or now()
    rows = connection.exec_driver_sql(
        f"""
        SELECT p.platform_id, p.price AS now_price, p.compare_at_price AS was, p.currency AS now_currency, e.*
        FROM product p CROSS JOIN LATERAL (
            SELECT {ledger.COLUMNS} FROM price_period
            WHERE store_id = p.store_id AND product_id = p.platform_id AND (until_at IS NULL OR until_at > %(since)s)
            OFFSET 0
        ) e
        WHERE p.store_id = %(store)s AND p.platform_id = ANY(%(products)s::text[]) AND p.compare_at_price > p.price
        """,
        {"store": store_id, "products": sorted(product_ids), "since": at - reach()},
    )
    claims: dict[str, tuple[int, int, str]] = {}
    periods: dict[str, dict[str, list[Period]]] = {}
    for product_id, price, was, currency, *fields in rows:
        claims[product_id] = price, was, currency
        period = Period(*fields)
        periods.setdefault(product_id, {}).setdefault(period.variant_id, []).append(period)
    return {
        product_id: was
        for product_id, (price, was, currency) in claims.items()
        if _proven_by_all(periods[product_id].values(), price, was, currency, at)
    }


def _proven_by_all(
    variants: Iterable[Sequence[Period]], price: int, was: int, currency: str, at: datetime
) -> bool:
    """Return whether every variant that costs ``price`` now proves ``was``, and there is one."""
    proofs = [prove(periods, was, currency, at) for periods in variants]
    cheapest = [proof for proof in proofs if proof.price == price]
    return bool(cheapest) and all(proof.proven for proof in cheapest)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ledger says of one variant that can be bought now.

    Attributes:
        variant_id: the variant.
        price: what is asked now, minor units.
        currency: of the amounts.
        usual: what could stand as "was" beside a lower price, minor units; None for nothing.
        proof: of the was-price in question; None where the shop states none.
    """

    variant_id: str
    price: int
    currency: str
    usual: int | None
    proof: Proof | None


def verdicts(
    connection: Connection, store_id: int, product_id: str, at: datetime, was: int | None = None
) -> list[Verdict]:
    """Return the verdict on each variant of a product that can be bought at ``at``, by variant id.

    Args:
        connection: to read with.
        store_id: the store.
        product_id: the product.
        at: when the claim would be made.
        was: the was-price in question, in minor units; None for that which the shop states for each variant.
    """
    found = []
    for variant_id, periods in sorted(ledger.periods_of(connection, store_id, [product_id]).items()):
        current = next((p for p in periods if p.until_at is None), None)
        if current is None:
            continue
        claim = current.compare_at_price if was is None else was
        found.append(
            Verdict(
                variant_id,
                current.price,
                current.currency,
                usual_before(periods, current.price - 1, current.currency, at),
                None if claim is None else prove(periods, claim, current.currency, at),
            )
        )
    return found


def _time(periods: Iterable[Period], start: datetime, end: datetime) -> timedelta:
    """Return for how long of ``start`` to ``end`` the periods lasted; they do not overlap."""
    lasted = (min(p.until_at or end, end) - max(p.from_at, start) for p in periods)
    return sum((each for each in lasted if each > timedelta()), timedelta())


def _money(minor: int, currency: str) -> str:
    return f"{to_major(minor, currency)} {currency}"


def _days(time: timedelta) -> str:
    """Return a time in days, rounded down to a tenth: never more than was."""
    tenths = time * 10 // _DAY
    whole, rest = divmod(tenths, 10)
    number = f"{whole}.{rest}" if rest else str(whole)
    return f"{number} day{'' if number == '1' else 's'}"
