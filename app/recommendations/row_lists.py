"""The rows that carts are scored from, as they are published, and as they are read for an answer.

A published row is one item: parallel lists, since a cart of fifty products means fifty rows to read. ``proven`` holds,
for the companions that pass the store's gates, their place in the lists and the evidence.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from app.recommendations.cache import Candidate
from app.recommendations.scoring import Entries

if TYPE_CHECKING:  # Numba is imported in jobs only
    from app.recommendations.cart_rows import CartRows, ItemWeights
    from app.recommendations.ranking import Ranked

_DIGITS: Final = 4

# The lists of a published row, and the attributes of ``CartRows`` that they are made of.
_NUMBERS: Final = {"w": "weighted", "e": "item", "c": "together", "s": "shares"}

Row = dict[str, Any]


def as_lists(
    rows: "CartRows", gated: "Ranked", platform_ids: Mapping[int, str]
) -> dict[str, list[Candidate]]:
    """Return rows as the lists that are published, by the platform's ids.

    Args:
        rows: of some products.
        gated: the companions of the same products that pass the gates.
        platform_ids: of all products that are named; a companion without one is left out.
    """
    proven = _proven(gated)
    lists: dict[str, list[Candidate]] = {}
    for place, product in enumerate(rows.products.tolist()):
        span = slice(int(rows.indptr[place]), int(rows.indptr[place + 1]))
        others = rows.others[span].tolist()
        kept = [i for i, other in enumerate(others) if other in platform_ids]
        evidence = proven.get(product, {})
        row: Row = {
            "ids": [platform_ids[others[i]] for i in kept],
            "orders": rows.orders[span][kept].tolist(),
            "proven": [[at, *evidence[others[i]]] for at, i in enumerate(kept) if others[i] in evidence],
        }
        for name, attribute in _NUMBERS.items():
            row[name] = _rounded(getattr(rows, attribute)[span][kept])
        lists[platform_ids[product]] = [row]
    return lists


def _proven(gated: "Ranked") -> dict[int, dict[int, tuple[float, float, float]]]:
    """Return (confidence, lift, llr) of each pair that passes the gates."""
    found: dict[int, dict[int, tuple[float, float, float]]] = {}
    for place, product in enumerate(gated.products.tolist()):
        span = slice(int(gated.indptr[place]), int(gated.indptr[place + 1]))
        evidence = zip(
            gated.confidence[span].round(4).tolist(),
            gated.lift[span].round(2).tolist(),
            gated.llr[span].round(1).tolist(),
            strict=True,
        )
        found[product] = dict(zip(gated.others[span].tolist(), evidence, strict=True))
    return found


def _rounded(values: npt.NDArray[np.float64]) -> list[float]:
    """Return numbers with a few significant digits."""
    if not values.any():
        return [0.0] * len(values)
    return [float(f"{value:.{_DIGITS}g}") for value in values.tolist()]


def named_by_item_model(lists: Mapping[str, list[Candidate]]) -> set[str]:
    """Return the companions that published rows keep a weight of the item model for."""
    rows = (row for items in lists.values() for row in items if any(row["e"]))
    return {other for row in rows for other, weight in zip(row["ids"], row["e"], strict=True) if weight}


def item_weights_of(lists: Mapping[str, list[Candidate]], ids: Mapping[str, int]) -> "ItemWeights":
    """Return what published rows keep of the item model, by internal ids; ``ids`` knows all that are wanted."""
    from app.recommendations.cart_rows import ItemWeights

    products: list[int] = []
    lengths = [0]
    others: list[int] = []
    weights: list[float] = []
    for subject in sorted((s for s in lists if s in ids and lists[s]), key=ids.__getitem__):
        row = lists[subject][0]
        said = sorted((ids[o], e) for o, e in zip(row["ids"], row["e"], strict=True) if e and o in ids)
        products.append(ids[subject])
        lengths.append(len(said))
        others += [other for other, _ in said]
        weights += [weight for _, weight in said]
    return ItemWeights(
        np.array(products, np.int64),
        np.cumsum(lengths),
        np.array(others, np.int64),
        np.array(weights, np.float64),
    )


class Numbers(dict[str, int]):
    """Numbers products in the order in which they are first met."""

    def __missing__(self, id_: str) -> int:
        self[id_] = number = len(self)
        return number

    def ids(self) -> list[str]:
        """Return the products by number."""
        return list(self)


def entries(rows: Sequence[Row], numbers: Numbers, trust: Iterable[float] | None = None) -> Entries:
    """Return what rows say, one behind the other, numbering whom they name."""
    others = [numbers[id_] for row in rows for id_ in row["ids"]]
    weighted, item, together = (
        np.array([value for row in rows for value in row[name]], np.float64) for name in ("w", "e", "c")
    )
    each = None
    if trust is not None:
        each = np.repeat(np.array(list(trust), np.float64), [len(row["ids"]) for row in rows])
    return Entries(np.array(others, np.int64), weighted, item, together, each)
