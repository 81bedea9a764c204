"""List prices of a platform that a test scripts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.errors import NotFound
from connectors.prices import ListPrice, PriceOutcome, PriceWrite


@dataclass
class ScriptedPrices:
    """Keeps prices as a shop does. ``refuses`` and ``breaks`` say what goes wrong, each for one call of ``write``.

    Attributes:
        stands: price and compare-at by product and variant.
        refuses: problem and code by variant, instead of taking its price.
        breaks: raised by the next ``write``, after as many writes as ``taken`` were done.
        unreadable: raised by the next ``read``.
        written: every write that was taken.
        asked: how often anything was read.
    """

    stands: dict[str, dict[str, tuple[int, int | None]]] = field(default_factory=dict)
    refuses: dict[str, tuple[str, str]] = field(default_factory=dict)
    breaks: Exception | None = None
    taken: int = 0
    unreadable: Exception | None = None
    written: list[PriceWrite] = field(default_factory=list)
    asked: int = 0

    def read(self, product_id: str) -> Mapping[str, ListPrice]:
        """Return the prices of a product."""
        self.asked += 1
        if self.unreadable is not None:
            error, self.unreadable = self.unreadable, None
            raise error
        if product_id not in self.stands:
            raise NotFound("The product is gone.")
        return {v: ListPrice(v, *price) for v, price in self.stands[product_id].items()}

    def write(self, writes: Sequence[PriceWrite]) -> Sequence[PriceOutcome]:
        """Take prices, those that stand as expected."""
        error, self.breaks = self.breaks, None
        outcomes = []
        for place, write in enumerate(writes):
            if error is not None and place >= self.taken:
                raise error
            outcomes.append(self._one(write))
        if error is not None:
            raise error
        return outcomes

    def _one(self, write: PriceWrite) -> PriceOutcome:
        if write.variant_id in self.refuses:
            return PriceOutcome(write, *self.refuses.pop(write.variant_id))
        variants = self.stands[write.product_id]
        if variants[write.variant_id][0] != write.expected:
            return PriceOutcome(write, "Somebody was faster.", "changed_meanwhile")
        variants[write.variant_id] = write.price, write.compare_at_price
        self.written.append(write)
        return PriceOutcome(write)
