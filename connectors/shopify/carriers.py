"""Writing the function's configuration: which products carry which offers, 25 metafields at once."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from connectors.errors import PlatformError
from connectors.shopify import function_offers
from connectors.shopify.discount_documents import DELETE_METAFIELDS, SET_METAFIELDS
from connectors.shopify.function_offers import Arranged
from connectors.shopify.refusals import Refusal, failure, refusal_of
from connectors.shopify.standing import FunctionDiscount

Ask = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""Sends a document with variables and returns the data; raises PlatformError."""


class Carriers:
    """The products that carry offers for the function, and the note of them at its discount.

    The note is written before and after the products are: between, what is being written has no mark. So a round that
    breaks off leaves behind which products have to be written again, or cleared.
    """

    def __init__(self, ask: Ask, function: FunctionDiscount) -> None:
        """Begin with what the note of ``function`` says."""
        self._ask = ask
        self._function = function
        self.refused: dict[str, Refusal] = {}  # by the id of the product that could not be written
        self.untouched = False  # whether no product was written, since the note could not be
        self.complete = True  # whether the shop says now what it was to say, and nothing else

    def write(self, arranged: Arranged, doubtful: Collection[str]) -> None:
        """Make the products carry what is arranged, and no others anything.

        Args:
            arranged: what is wanted.
            doubtful: products to write even where the note says that they carry the same.
        """
        before = self._function.owners
        marks = {carrier: function_offers.mark(value) for carrier, value in arranged.values.items()}
        stale = [carrier for carrier in before if carrier not in marks]
        sending = [
            carrier for carrier, mark in marks.items() if carrier in doubtful or before.get(carrier) != mark
        ]
        if not sending and not stale:
            return
        between = {**before, **dict.fromkeys((*sending, *stale), "")}
        problem = self._note(between)
        if problem is not None:
            self.refused = dict.fromkeys(sending, problem)
            self.untouched = True
            self.complete = False
            return
        written = self._send(arranged, sending)
        cleared = self._clear(stale)
        self.complete = len(written) == len(sending) and len(cleared) == len(stale)
        after = {carrier: mark for carrier, mark in between.items() if carrier not in cleared}
        self._note({**after, **{carrier: marks[carrier] for carrier in written}})

    def _note(self, owners: Mapping[str, str]) -> Refusal | None:
        """Remember which products carry offers; return why that could not be."""
        field = function_offers.owners_field(self._function.id, owners)
        try:
            errors = self._ask(SET_METAFIELDS, {"metafields": [field]})["metafieldsSet"]["userErrors"]
        except PlatformError as error:
            return failure(error)
        return refusal_of(errors) if errors else None

    def _send(self, arranged: Arranged, carriers: Sequence[str]) -> set[str]:
        """Write the offers of ``carriers`` and return those that were written."""
        written: set[str] = set()
        for batch in _batches(carriers):
            left = list(batch)
            while left:
                refused = self._send_batch(arranged, left)
                self.refused.update(refused)
                left = [carrier for carrier in left if carrier not in refused]
                if not refused:
                    written.update(left)
                    break
        return written

    def _send_batch(self, arranged: Arranged, batch: Sequence[str]) -> dict[str, Refusal]:
        """Write at most 25 metafields, all or none; return which ones are why none was."""
        fields = [function_offers.offers_field(carrier, arranged.values[carrier]) for carrier in batch]
        try:
            errors = self._ask(SET_METAFIELDS, {"metafields": fields})["metafieldsSet"]["userErrors"]
        except PlatformError as error:
            return dict.fromkeys(batch, failure(error))
        refused: dict[str, Refusal] = {}
        for problem in errors:
            place = problem.get("elementIndex")
            named = [batch[place]] if place is not None and 0 <= place < len(batch) else batch
            refused.update(dict.fromkeys(named, refusal_of([problem])))
        return refused

    def _clear(self, carriers: Sequence[str]) -> set[str]:
        """Take the offers from ``carriers``, and return those that carry none now."""
        cleared: set[str] = set()
        for batch in _batches(carriers):
            if self._clear_batch(batch):
                cleared.update(batch)
            else:
                # A product that is gone carries nothing, and must not keep the others from being cleared.
                cleared.update(carrier for carrier in batch if self._clear_batch([carrier]) is not None)
        return cleared

    def _clear_batch(self, batch: Sequence[str]) -> bool | None:
        """Delete metafields; False where Shopify refuses one of them, None where it does not answer."""
        places = [function_offers.offers_place(carrier) for carrier in batch]
        try:
            return not self._ask(DELETE_METAFIELDS, {"metafields": places})["metafieldsDelete"]["userErrors"]
        except PlatformError:
            return None


def _batches(carriers: Sequence[str]) -> list[Sequence[str]]:
    """Return ``carriers`` in parts of as many metafields as Shopify takes at once."""
    most = function_offers.MOST_METAFIELDS
    return [carriers[start : start + most] for start in range(0, len(carriers), most)]
