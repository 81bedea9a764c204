"""What is known of a person who may be recognised.

Nothing here decides whether that is allowed: see ``visitors``. What was worked out is kept for a minute under a keyed
hash of the customer, never under their id.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from app.core.crypto import vault
from app.core.db import db, now
from app.privacy.rooms import Person
from app.recommendations import cache
from app.recommendations.cache import Candidate
from app.recommendations.purchases import Purchase, of_customers, orders_of_customers
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


def shopper(store_id: int, customers: Collection[str]) -> Shopper:
    """Return what is known of a person, by the platform's customer ids; nothing of one who is not known."""
    who = _pseudonyms(store_id, customers)
    kept = cache.get_personal(store_id, who[0])
    if kept is not None:
        of, weights, due_now, resting, purchases, orders = orjson.loads(kept)
        if of == who:
            return Shopper(
                weights, tuple(due_now), frozenset(resting), tuple(Bought(*b) for b in purchases), orders
            )
    connection = db.session.connection()
    bought = of_customers(connection, store_id, customers)[:MOST_REMEMBERED]
    orders = orders_of_customers(connection, store_id, customers) if bought else 0
    lists = cache.get_lists(store_id, REPEATS, [p.product for p in bought]) if bought else {}
    repeats = {product: Repeat.of(items[0]) for product, items in lists.items() if items}
    found = summarize(bought, repeats, now().date(), orders)
    body = orjson.dumps(
        [who, found.weights, found.due, sorted(found.resting), list(map(list, found.bought)), found.orders]
    )
    cache.put_personal(store_id, who[0], body, PERSONAL_TTL_S)
    return found


def _pseudonyms(store_id: int, customers: Collection[str]) -> list[str]:
    """Return the keyed hashes of a person's customer ids; the first is the one that answers are kept under."""
    return sorted(vault().pseudonym(store_id, f"customer:{customer}") for customer in customers)


class PersonalRoom:
    """What answers keep of a person: the copy of a minute, which an erasure or a withdrawal does not wait for.

    Ready lists and counts are sums over many people; the orders behind them are the commerce room's.
    """

    name = "recommendations"

    def export(self, connection: Connection, person: Person) -> Mapping[str, Any]:  # noqa: ARG002
        """Return nothing: what is kept here is worked out of orders, which are exported where they are kept."""
        return {}

    def erase(self, connection: Connection, person: Person) -> Mapping[str, int]:  # noqa: ARG002
        """Remove nothing: there is no row of a person here."""
        return {}

    def forget(self, person: Person) -> None:
        """Remove the copy of a minute."""
        if person.platform_ids:
            cache.forget_personal(person.store_id, _pseudonyms(person.store_id, person.platform_ids))


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
