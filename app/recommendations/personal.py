"""What is known of a customer whom the shop allows to be recognised.

Nothing here decides whether that is allowed: see ``routes``. What was worked out is kept for a minute under a keyed
hash of the customer, never under their id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import orjson

from app.core.crypto import vault
from app.core.db import db, now
from app.recommendations import cache
from app.recommendations.cache import Candidate
from app.recommendations.purchases import Purchase, of_customer, orders_of_customer
from app.recommendations.ready_lists import REPEATS
from app.recommendations.repeats import Repeat, due, rests
from app.recommendations.strategies import PERSONAL_TTL_S
from app.recommendations.whole_carts import Bought

# After so many days a purchase counts half.
HALF_LIFE_DAYS: Final = 90
# How many purchases say what somebody likes, newest first, and how many are looked at for what is due.
MOST_WEIGHED: Final = 50
MOST_REMEMBERED: Final = 500
# What is less due than this is not offered: of twenty such customers fewer than one is about to buy.
LEAST_DUE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Shopper:
    """A customer's purchases, as far as answers need them. Ids are the platform's.

    Attributes:
        weights: what they bought, each with its weight between 0 and 1: recent purchases weigh more.
        due: what they are about to need again, most urgent first.
        resting: what they bought and will not need again for long.
        bought: what they bought, newest first.
        orders: how many orders they placed.
    """

    weights: Mapping[str, float]
    due: tuple[Candidate, ...]
    resting: frozenset[str]
    bought: tuple[Bought, ...] = ()
    orders: int = 0


def shopper(store_id: int, customer_id: str) -> Shopper:
    """Return what is known of a customer, by the platform's id; nothing of one who is not known."""
    pseudonym = vault().pseudonym(store_id, f"customer:{customer_id}")
    kept = cache.get_personal(store_id, pseudonym)
    if kept is not None:
        weights, due_now, resting, purchases, orders = orjson.loads(kept)
        return Shopper(
            weights, tuple(due_now), frozenset(resting), tuple(Bought(*b) for b in purchases), orders
        )
    connection = db.session.connection()
    bought = of_customer(connection, store_id, customer_id)[:MOST_REMEMBERED]
    orders = orders_of_customer(connection, store_id, customer_id) if bought else 0
    lists = cache.get_lists(store_id, REPEATS, [p.product for p in bought]) if bought else {}
    repeats = {product: Repeat.of(items[0]) for product, items in lists.items() if items}
    found = summarize(bought, repeats, now().date(), orders)
    body = orjson.dumps(
        [found.weights, found.due, sorted(found.resting), list(map(list, found.bought)), found.orders]
    )
    cache.put_personal(store_id, pseudonym, body, PERSONAL_TTL_S)
    return found


def summarize(
    bought: Sequence[Purchase], repeats: Mapping[str, Repeat], today: date, orders: int = 0
) -> Shopper:
    """Return what purchases, newest first, and the rhythm of products say. Pure.

    A purchase weighs ``0.5 ** (age in days / 90)``. A product of which no rhythm is known is neither due nor resting.
    """
    ages = {p.product: max((today - p.last_day).days, 0) for p in bought}
    urgency = {
        p.product: due(ages[p.product], p.times, repeats[p.product]) for p in bought if p.product in repeats
    }
    resting = frozenset(product for product in urgency if rests(ages[product], repeats[product]))
    wanted = [p for p in bought if urgency.get(p.product, 0.0) >= LEAST_DUE and p.product not in resting]
    wanted.sort(key=lambda p: (-urgency[p.product], p.product))
    return Shopper(
        weights={p.product: 0.5 ** (ages[p.product] / HALF_LIFE_DAYS) for p in bought[:MOST_WEIGHED]},
        due=tuple({"id": p.product, "times": p.times, "days": repeats[p.product].days} for p in wanted),
        resting=resting,
        bought=tuple(Bought(p.product, p.times, ages[p.product]) for p in bought),
        orders=orders,
    )
