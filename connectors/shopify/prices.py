"""List prices of Shopify. One product is written at a time, so that what is expected is read just before."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.core.money import to_major, to_minor
from connectors.errors import NotFound, PlatformError, ReconnectNeeded, Unreachable
from connectors.prices import ListPrice, PriceOutcome, PriceWrite
from connectors.shopify import scopes
from connectors.shopify.client import ShopifyClient
from connectors.shopify.discount_documents import PRICES_OF_PRODUCT, WRITE_PRICES
from connectors.shopify.documents import ACCESS_SCOPES

# https://shopify.dev/docs/api/usage/limits: no list in the input of a mutation holds more.
_AT_ONCE: Final = 250
_GONE: Final = frozenset({"PRODUCT_DOES_NOT_EXIST", "PRODUCT_VARIANT_DOES_NOT_EXIST"})
_GONE_SENTENCE: Final = "The product is not in the shop any more."
_TEXT_LENGTH: Final = 200


class ShopifyPrices:
    """One shop's list prices."""

    def __init__(self, client: ShopifyClient, currency: str) -> None:
        """Speak to the shop of ``client``, whose prices are in ``currency``."""
        self._client = client
        self._currency = currency
        self._over: PlatformError | None = None

    def read(self, product_id: str) -> Mapping[str, ListPrice]:
        """Return the prices of a product's variants, by variant id, as they stand now.

        Raises:
            NotFound: if the product is gone.
            PlatformError: if the shop does not tell.
        """
        prices: dict[str, ListPrice] = {}
        after = None
        while True:
            said = {"id": _gid("Product", product_id), "after": after}
            product = self._client.run(PRICES_OF_PRODUCT, said).data["product"]
            if product is None:
                raise NotFound(_GONE_SENTENCE)
            page = product["variants"]
            prices.update((node["legacyResourceId"], self._price(node)) for node in page["nodes"])
            if not page["pageInfo"]["hasNextPage"]:
                return prices
            after = page["pageInfo"]["endCursor"]

    def write(self, writes: Sequence[PriceWrite]) -> Sequence[PriceOutcome]:
        """Write prices, product by product, and say what became of each, in order.

        Shopify cannot compare before it writes: what stands there is read at once before, and who writes in between
        is overwritten. Without the permission nothing is written (``not_allowed``). Once the shop does not answer, it
        is not asked about the other products.

        Raises:
            PlatformError: if the shop cannot be asked at all; then nothing was written.
        """
        to_grant = self._to_grant() if writes else None
        if to_grant is not None:
            return [PriceOutcome(write, to_grant, "not_allowed") for write in writes]
        outcomes: dict[int, PriceOutcome] = {}
        self._over = None
        for product_id in dict.fromkeys(write.product_id for write in writes):
            places = [place for place, write in enumerate(writes) if write.product_id == product_id]
            told = self._write_product(product_id, [writes[place] for place in places])
            outcomes.update(zip(places, told, strict=True))
        return [outcomes[place] for place in range(len(writes))]

    def _to_grant(self) -> str | None:
        """Return what the merchant has to grant first, None if nothing is missing."""
        installation = self._client.run(ACCESS_SCOPES).data["currentAppInstallation"]
        granted = [scope["handle"] for scope in installation["accessScopes"]]
        return scopes.to_grant(granted, scopes.FOR_PRICES)

    def _write_product(self, product_id: str, writes: Sequence[PriceWrite]) -> list[PriceOutcome]:
        """Write the prices of one product, and say what became of each, in order."""
        if self._over is not None:
            return [_failed(write, self._over) for write in writes]
        try:
            standing = self.read(product_id)
        except PlatformError as error:
            self._remember(error)
            return [_failed(write, error) for write in writes]
        outcomes = {write.variant_id: self._judge(write, standing.get(write.variant_id)) for write in writes}
        due = [write for write in writes if outcomes[write.variant_id] is None]
        for start in range(0, len(due), _AT_ONCE):
            part = due[start : start + _AT_ONCE]
            told = self._send(product_id, part)
            outcomes.update((write.variant_id, outcome) for write, outcome in zip(part, told, strict=True))
        return [outcomes[write.variant_id] or PriceOutcome(write) for write in writes]

    def _judge(self, write: PriceWrite, standing: ListPrice | None) -> PriceOutcome | None:
        """Return what is known of a write before it is done, None if it is to be done."""
        if standing is None:
            return PriceOutcome(write, "The variant is not in the shop any more.", "product_gone")
        if write.currency != self._currency:
            reason = f"The price is in {write.currency}, but the shop's prices are in {self._currency}."
            return PriceOutcome(write, reason, "rejected")
        if (standing.price, standing.compare_at_price) == (write.price, write.compare_at_price):
            return PriceOutcome(write)
        if standing.price != write.expected:
            reason = "Somebody changed the price in Shopify meanwhile: it was left as it is."
            return PriceOutcome(write, reason, "changed_meanwhile")
        return None

    def _send(self, product_id: str, writes: Sequence[PriceWrite]) -> list[PriceOutcome]:
        """Send at most 250 prices of one product."""
        if self._over is not None:
            return [_failed(write, self._over) for write in writes]
        variants = [
            {
                "id": _gid("ProductVariant", write.variant_id),
                "price": to_major(write.price, self._currency),
                "compareAtPrice": None
                if write.compare_at_price is None
                else to_major(write.compare_at_price, self._currency),
            }
            for write in writes
        ]
        try:
            said = {"product": _gid("Product", product_id), "variants": variants}
            answer = self._client.run(WRITE_PRICES, said).data["productVariantsBulkUpdate"]
        except PlatformError as error:
            self._remember(error)
            return [_failed(write, error) for write in writes]
        stands = {node["legacyResourceId"]: self._price(node) for node in answer["productVariants"] or ()}
        return [
            self._outcome(write, place, stands.get(write.variant_id), answer["userErrors"])
            for place, write in enumerate(writes)
        ]

    def _outcome(
        self, write: PriceWrite, place: int, stands: ListPrice | None, errors: Sequence[Mapping[str, Any]]
    ) -> PriceOutcome:
        """Return what became of the write at ``place`` of its request."""
        if stands == ListPrice(write.variant_id, write.price, write.compare_at_price):
            return PriceOutcome(write)
        own = [error for error in errors if str(place) in (error.get("field") or ())]
        error = next(iter(own or errors), None)
        if error is None:
            return PriceOutcome(write, "Shopify took the price, but shows another one.", "rejected")
        if error.get("code") in _GONE:
            return PriceOutcome(write, _GONE_SENTENCE, "product_gone")
        text = "".join(char for char in str(error.get("message") or "") if char.isprintable())[:_TEXT_LENGTH]
        return PriceOutcome(write, f"Shopify refused the price: {text}", "rejected")

    def _price(self, node: Mapping[str, Any]) -> ListPrice:
        compared = node["compareAtPrice"]
        return ListPrice(
            node["legacyResourceId"],
            to_minor(node["price"], self._currency),
            None if compared is None else to_minor(compared, self._currency),
        )

    def _remember(self, error: PlatformError) -> None:
        """Ask no more once the shop is out of reach."""
        if isinstance(error, (Unreachable, ReconnectNeeded)):
            self._over = error


def _failed(write: PriceWrite, error: PlatformError) -> PriceOutcome:
    """Return the outcome of a write that an error of the connection ended."""
    if isinstance(error, NotFound):
        return PriceOutcome(write, str(error), "product_gone")
    code = "unreachable" if isinstance(error, Unreachable) else "rejected"
    return PriceOutcome(write, str(error), code)


def _gid(kind: str, number: str) -> str:
    return f"gid://shopify/{kind}/{number}"
