"""Giving a place now and then to a product that stands further back, so that it can show what it is worth. Pure.

Whoever is only shown what was shown before confirms themselves. With a small probability one place of an answer is
given to one of the reserve, each place and each product being equally likely. The draw is made from the decision's id:
it can be repeated, and the probability of everything that was shown is known exactly. With these propensities an
inverse propensity score estimates without bias how other lists would have done (Horvitz and Thompson, "A generalization
of sampling without replacement from a finite universe", JASA 47, 1952; for logged answers of a service: Li, Chu,
Langford and Wang, "Unbiased offline evaluation of contextual-bandit-based news article recommendation algorithms",
WSDM 2011).
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

# How far back a product may stand. The fewer there are, the sooner each has shown something.
MOST_RESERVE: Final = 20
_PERSON: Final = b"pannier-explore"
_BITS: Final = 64
_UNIT: Final = 2.0**-53


@dataclass(frozen=True, slots=True)
class Explored:
    """What is shown after the draw.

    Attributes:
        shown: the products, in their order.
        position: the place (from 0) that was given away, None where none was.
        product: the product that got it.
        propensity: how probable it was that this product stood at this place; without one, how probable it was that
            the list stayed as it was.
        propensities: for each place of ``shown``, how probable it was that this product stood there.
    """

    shown: list[str]
    position: int | None = None
    product: str | None = None
    propensity: float = 1.0
    propensities: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what a decision logs of it."""
        return {
            "position": self.position,
            "product": self.product,
            "propensity": self.propensity,
            "propensities": list(self.propensities),
        }


def explore(
    shown: Sequence[str],
    reserve: Sequence[str],
    seed: bytes,
    percent: float,
    *,
    pinned: Collection[int] = (),
) -> Explored:
    """Return what is shown after the draw that ``seed`` stands for.

    The first place is never given away, nor a pinned one. Place and product are drawn evenly: with ``p`` places and
    ``r`` products of the reserve, a product of the reserve stands at a place with probability ``e / (p * r)`` and the
    place's own with ``1 - e / p``, where ``e`` is ``percent / 100``.

    Args:
        shown: products, best first.
        reserve: products that may be shown as well, best first; of those not shown the first ``MOST_RESERVE``.
        seed: the decision's id, in bytes.
        percent: of how many answers one place is given away, 0 to 100.
        pinned: places (from 0) that stay as they are.
    """
    places = [place for place in range(1, len(shown)) if place not in pinned]
    taken = set(shown)
    others = [product for product in dict.fromkeys(reserve) if product not in taken][:MOST_RESERVE]
    share = min(max(percent, 0.0), 100.0) / 100
    if not places or not others or share == 0:
        return Explored(list(shown), propensities=(1.0,) * len(shown))
    kept = 1 - share / len(places)
    propensities = [kept if place in places else 1.0 for place in range(len(shown))]
    chance, which_place, which_product = _draws(seed)
    if (chance >> (_BITS - 53)) * _UNIT >= share:
        return Explored(list(shown), propensity=1 - share, propensities=tuple(propensities))
    place = places[which_place * len(places) >> _BITS]
    product = others[which_product * len(others) >> _BITS]
    given = share / (len(places) * len(others))
    propensities[place] = given
    changed = [*shown[:place], product, *shown[place + 1 :]]
    return Explored(changed, place, product, given, tuple(propensities))


def _draws(seed: bytes) -> tuple[int, int, int]:
    """Return three independent, evenly distributed numbers of 64 bits."""
    digest = hashlib.blake2b(seed, digest_size=24, person=_PERSON).digest()
    return (
        int.from_bytes(digest[:8], "big"),
        int.from_bytes(digest[8:16], "big"),
        int.from_bytes(digest[16:], "big"),
    )
