"""List prices of WooCommerce, written by REST in batches and never over somebody else's change.

A product's ``regular_price`` is its list price, and ``sale_price`` what it costs while it is on sale. What the shopper
pays now, ``price``, is the price of the shared model; the regular price is what that is compared with, during a sale
alone. So a price without one to compare with is written as the regular price, with no sale; one with it is written as
the sale price beside that regular price. A sale that the merchant planned by dates is left alone: its dates would be
lost, and no undo could bring them back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.core.money import to_major, to_minor
from connectors.errors import NotFound, PlatformError, ReconnectNeeded, Unreachable
from connectors.prices import ListPrice, PriceOutcome, PriceWrite
from connectors.woocommerce.client import WooCommerceClient

# WooCommerce's own limit of a page, and of a batch; a slow host does not save so many within its half minute.
PER_REQUEST: Final = 100
WRITTEN_AT_ONCE: Final = 50
_FIELDS: Final = (
    "id,type,price,regular_price,sale_price,on_sale,date_on_sale_from_gmt,date_on_sale_to_gmt,variations"
)

_NOT_TOLD: Final = "The shop did not answer in time: whether the price stands is known when it is read."
_NOT_SENT: Final = "The shop did not answer, so this price was not sent any more."


@dataclass(frozen=True, slots=True)
class _Standing:
    """What stands in the shop.

    Attributes:
        price: what a shopper pays, None: it has no price.
        compare_at_price: the regular price during a sale.
        sale: whether there is a sale price, in force or not.
        dated: whether there are dates of a sale.
        variable: whether its variations have the prices.
        whole: whether all amounts are in whole minor units; others could not be put back.
    """

    price: int | None
    compare_at_price: int | None
    sale: bool
    dated: bool
    variable: bool
    whole: bool


class WooCommercePrices:
    """One shop's list prices."""

    def __init__(self, client: WooCommerceClient, currency: str) -> None:
        """Speak to the shop of ``client``, whose prices are in ``currency``."""
        self._client = client
        self._currency = currency

    def read(self, product_id: str) -> Mapping[str, ListPrice]:
        """Return the prices of a product's variants as they stand now; those without a price are left out.

        Raises:
            NotFound: if the product is gone.
        """
        if not product_id.isdecimal():
            raise NotFound(f"The shop has no product {product_id[:50]}.")
        body = self._client.get(f"products/{product_id}", {"_fields": _FIELDS}).body
        standing = {product_id: _standing(body, self._currency)}
        if standing[product_id].variable:
            standing = dict(self._standing(f"products/{product_id}/variations", None))
        return {
            id_: ListPrice(id_, now.price, now.compare_at_price)
            for id_, now in standing.items()
            if now.price is not None
        }

    def write(self, writes: Sequence[PriceWrite]) -> Sequence[PriceOutcome]:
        """See ``Prices.write``. Everything is read before anything is written.

        Raises:
            PlatformError: while reading: then nothing was written.
        """
        outcomes: dict[int, PriceOutcome] = {}
        sendable: dict[str, list[int]] = {}
        for path, places in _by_collection(writes).items():
            standing = self._read_again(path, [writes[place].variant_id for place in places])
            for place in places:
                refusal = self._refusal(writes[place], standing.get(writes[place].variant_id))
                if refusal is None:
                    sendable.setdefault(path, []).append(place)
                else:
                    outcomes[place] = refusal
        outcomes |= self._write(writes, sendable)
        return [outcomes[place] for place in range(len(writes))]

    def _read_again(self, path: str, ids: Sequence[str]) -> dict[str, _Standing]:
        try:
            return dict(self._standing(path, [id_ for id_ in ids if id_.isdecimal()]))
        except NotFound:
            return {}  # the product of these variations is gone

    def _standing(self, path: str, ids: Sequence[str] | None) -> Iterator[tuple[str, _Standing]]:
        """Yield what stands in a collection, for all or for ``ids``, by id."""
        chunks = (
            [None] if ids is None else [ids[n : n + PER_REQUEST] for n in range(0, len(ids), PER_REQUEST)]
        )
        for chunk in chunks:
            page = 1
            while True:
                params = {"include": chunk, "status": "any", "per_page": PER_REQUEST, "page": page}
                order = {"orderby": "id", "order": "asc", "_fields": _FIELDS}
                body = self._client.get(path, {**params, **order}).body
                found = [entry for entry in body if isinstance(entry, dict)] if isinstance(body, list) else []
                for entry in found:
                    yield str(entry.get("id")), _standing(entry, self._currency)
                if chunk is not None or len(found) < PER_REQUEST:
                    break
                page += 1

    def _refusal(self, write: PriceWrite, now: _Standing | None) -> PriceOutcome | None:
        """Return why a price is not to be written, None where it is."""
        if write.currency != self._currency:
            return PriceOutcome(
                write, f"The shop sells in {self._currency}, not in this currency.", "rejected"
            )
        if write.price < 0 or (write.compare_at_price is not None and write.compare_at_price <= write.price):
            reason = "WooCommerce takes as a price to compare with only a higher one."
            return PriceOutcome(write, reason, "rejected")
        if now is None:
            return PriceOutcome(write, "The shop does not have this product any more.", "product_gone")
        if now.variable or now.price != write.expected:
            reason = "Somebody has changed the price in the shop since it was looked at: it was left alone."
            return PriceOutcome(write, reason, "changed_meanwhile")
        if now.dated and (now.sale or write.compare_at_price is not None):
            reason = "A sale with dates is planned for this product in the shop: it was left alone."
            return PriceOutcome(write, reason, "rejected")
        if not now.whole:
            reason = "The price in the shop has fractions of the smallest coin: it was left alone."
            return PriceOutcome(write, reason, "rejected")
        return None

    def _write(
        self, writes: Sequence[PriceWrite], sendable: Mapping[str, Sequence[int]]
    ) -> dict[int, PriceOutcome]:
        """Write what may be written; once the shop does not answer, nothing more is sent."""
        outcomes: dict[int, PriceOutcome] = {}
        silent = False
        for path, places in sendable.items():
            for start in range(0, len(places), WRITTEN_AT_ONCE):
                chunk = [(place, writes[place]) for place in places[start : start + WRITTEN_AT_ONCE]]
                if silent:
                    outcomes |= {place: PriceOutcome(w, _NOT_SENT, "unreachable") for place, w in chunk}
                    continue
                try:
                    outcomes |= self._batch(path, chunk)
                except Unreachable:
                    silent = True
                    outcomes |= {place: PriceOutcome(w, _NOT_TOLD, "unreachable") for place, w in chunk}
                except ReconnectNeeded:
                    if not outcomes:
                        raise
                    outcomes |= {place: PriceOutcome(w, _NOT_SENT, "unreachable") for place, w in chunk}
                except PlatformError as error:
                    outcomes |= {place: PriceOutcome(w, str(error), "rejected") for place, w in chunk}
        return outcomes

    def _batch(self, path: str, chunk: Sequence[tuple[int, PriceWrite]]) -> dict[int, PriceOutcome]:
        body = self._client.post(f"{path}/batch", {"update": [_update(write) for _, write in chunk]}).body
        results = body.get("update") if isinstance(body, dict) else None
        outcomes: dict[int, PriceOutcome] = {}
        for number, (place, write) in enumerate(chunk):
            result = results[number] if isinstance(results, list) and number < len(results) else {}
            outcomes[place] = self._outcome(write, result if isinstance(result, dict) else {})
        return outcomes

    def _outcome(self, write: PriceWrite, result: Mapping[str, Any]) -> PriceOutcome:
        """Return what became of a write, from what the shop says stands there now."""
        error = result.get("error")
        if isinstance(error, dict):
            code = error.get("code")
            if isinstance(code, str) and code.endswith("_invalid_id"):
                return PriceOutcome(write, "The shop does not have this product any more.", "product_gone")
            return PriceOutcome(write, "The shop refuses this price.", "rejected")
        if "price" not in result:
            return PriceOutcome(write, _NOT_TOLD, "unreachable")
        now = _standing(result, self._currency)
        if (now.price, now.compare_at_price) != (write.price, write.compare_at_price):
            return PriceOutcome(write, "The shop made another price of it than was written.", "rejected")
        return PriceOutcome(write)


def _by_collection(writes: Sequence[PriceWrite]) -> dict[str, list[int]]:
    """Return the places of ``writes`` by the collection that they go to: products, or one product's variations."""
    places: dict[str, list[int]] = {}
    for place, write in enumerate(writes):
        own = write.variant_id == write.product_id
        path = "products" if own else f"products/{write.product_id}/variations"
        places.setdefault(path, []).append(place)
    return places


def _update(write: PriceWrite) -> dict[str, Any]:
    """Return the fields that make a price; see the head of this module."""
    price = to_major(write.price, write.currency)
    was = write.compare_at_price
    return {
        "id": int(write.variant_id),
        "regular_price": price if was is None else to_major(was, write.currency),
        "sale_price": "" if was is None else price,
    }


def _standing(body: Any, currency: str) -> _Standing:
    """Return what a product's or a variation's body says of its price."""
    data = body if isinstance(body, dict) else {}
    price, regular = _minor(data.get("price"), currency), _minor(data.get("regular_price"), currency)
    on_sale = bool(data.get("on_sale")) and price is not None and regular is not None and regular > price
    dated = bool(data.get("date_on_sale_from_gmt") or data.get("date_on_sale_to_gmt"))
    variable = bool(data.get("variations")) or str(data.get("type", "")).startswith("variable")
    whole = all(_whole(data.get(name), currency) for name in ("price", "regular_price", "sale_price"))
    return _Standing(
        price, regular if on_sale else None, bool(data.get("sale_price")), dated, variable, whole
    )


def _whole(amount: Any, currency: str) -> bool:
    minor = _minor(amount, currency)
    return minor is None or Decimal(to_major(minor, currency)) == Decimal(str(amount))


def _minor(amount: Any, currency: str) -> int | None:
    """Return a price in minor units, None where there is none."""
    try:
        return to_minor(str(amount), currency) if amount not in (None, "") else None
    except ValueError:
        return None
