"""Making a shop grant the offers that are wanted, and no others of ours.

Two mechanisms serve: discounts of Shopify's own ("buy X, get Y", ``native_offers``), of which there is little room,
and one discount that runs the app's function over the configuration of any number of offers (``function_offers``).
docs/adr/0035 says which offer goes where.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from app.commerce.checkout import digest
from app.commerce.offers import Terms
from connectors.discounts import FUNCTION, NATIVE, LiveOffer, Published, RefusedOffer
from connectors.errors import PlatformError, ReconnectNeeded, Unreachable
from connectors.shopify import function_offers, native_offers
from connectors.shopify.carriers import Carriers
from connectors.shopify.client import ShopifyClient
from connectors.shopify.discount_documents import (
    CREATE_FUNCTION,
    CREATE_NATIVE,
    DELETE_AUTOMATIC,
    PRODUCTS_FOR_OFFERS,
    UPDATE_NATIVE,
)
from connectors.shopify.refusals import NO_ROOM, SWITCHED_OFF, Refusal, failure, refusal_of
from connectors.shopify.standing import FunctionDiscount, Native, Standing

NODES_AT_ONCE: Final = 100
_CROWDED: Final = (
    "Its products carry as many offers already as Shopify lets a checkout read: end one of those."
)


class Publication:
    """One round of publishing. What fails refuses the offers it belongs to, and leaves the others alone."""

    def __init__(self, client: ShopifyClient, standing: Standing, known: Mapping[str, LiveOffer]) -> None:
        """Begin with what there is and what was live after the last round, by key."""
        self._client = client
        self._standing = standing
        self._known = known
        self._natives = {native.id: native for native in standing.natives}
        self._function = standing.function
        self._live: dict[str, LiveOffer] = {}
        self._refused: dict[str, RefusedOffer] = {}
        self._several_prices: set[str] = set()
        self._left_in_function = False
        self._over: PlatformError | None = None

    def run(self, wanted: Sequence[Terms]) -> Published:
        """Return what is live after making it so; the most valuable of ``wanted`` come first."""
        self._end({terms.key for terms in wanted})
        try:
            sound = self._sound(wanted)
        except PlatformError as error:
            return self._unchanged(wanted, failure(error))
        natively, together = self._choose(sound)
        if together and self._function is None:
            refusal = self._create_function(natively)
            if refusal is not None:
                natively, together = self._without_function(sound, refusal), []
        together += self._grant_natively(natively)
        self._grant_together(together)
        self._drop(native for native in self._natives.values() if not self._is_live_by(native))
        return self._outcome(wanted)

    # -- what is wanted --

    def _sound(self, wanted: Sequence[Terms]) -> list[Terms]:
        """Return the offers whose products are all there; the others are refused.

        Raises:
            PlatformError: if the shop does not tell.
        """
        changed = [terms for terms in wanted if not self._stands(terms)]
        products = {part.product_id for terms in changed for part in terms.components}
        there = self._products(sorted(products))
        for terms in changed:
            if gone := [part.product_id for part in terms.components if part.product_id not in there]:
                reason = f"Product {gone[0]} is not in the shop any more."
                self.refuse([terms], Refusal("product_gone", reason))
        return [terms for terms in wanted if terms.key not in self._refused]

    def _products(self, product_ids: Sequence[str]) -> set[str]:
        """Return which of the products there are, and note those whose variants differ in price."""
        there = set()
        for start in range(0, len(product_ids), NODES_AT_ONCE):
            ids = product_ids[start : start + NODES_AT_ONCE]
            gids = [function_offers.product_gid(product_id) for product_id in ids]
            for product_id, node in zip(
                ids, self._ask(PRODUCTS_FOR_OFFERS, {"ids": gids})["nodes"], strict=True
            ):
                if node is not None:
                    there.add(product_id)
                    prices = node["priceRangeV2"]
                    if prices["minVariantPrice"]["amount"] != prices["maxVariantPrice"]["amount"]:
                        self._several_prices.add(product_id)
        return there

    def _stands(self, terms: Terms) -> bool:
        """Tell whether the shop grants exactly these terms already."""
        known = self._known.get(terms.key)
        if known is None or known.digest != digest(terms):
            return False
        if known.mechanism == FUNCTION:
            return self._function is not None and self._function.active and known.handle == self._function.id
        native = self._natives.get(known.handle or "")
        return native is not None and native.active

    def _by_function(self, terms: Terms) -> bool:
        known = self._known.get(terms.key)
        return known is not None and known.mechanism == FUNCTION

    # -- which mechanism --

    def _choose(self, sound: Sequence[Terms]) -> tuple[list[Terms], list[Terms]]:
        """Return which offers are to be discounts of their own, and which ones the function's.

        An offer stays where it is while it may: moving costs calls, and a moment.
        """
        alone = native_offers.alone(sound)
        exact = [
            terms
            for terms in sound
            if native_offers.fits(terms)
            and terms.key in alone
            and self._several_prices.isdisjoint(terms.discounted)
        ]
        free = native_offers.MOST_AUTOMATIC - self._standing.taken
        if self._function is None and len(exact) == len(sound) <= free:
            return exact, []
        if self._function is not None and not self._function.active:
            return self._without_function(sound, Refusal("not_allowed", SWITCHED_OFF, again=True)), []
        granted = {native.key for native in self._natives.values()}
        staying = [terms for terms in exact if self._function is None or not self._by_function(terms)]
        staying.sort(key=lambda terms: terms.key not in granted)
        natively = staying[: max(free - 1, 0)]
        chosen = {terms.key for terms in natively}
        return natively, [terms for terms in sound if terms.key not in chosen]

    def _without_function(self, sound: Sequence[Terms], refusal: Refusal) -> list[Terms]:
        """Return which offers can be granted without the function; the others are refused."""
        fitting = [terms for terms in sound if native_offers.fits(terms)]
        apart = native_offers.apart(fitting)
        free = native_offers.MOST_AUTOMATIC - self._standing.taken
        possible = [terms for terms in fitting if terms.key in apart]
        self.refuse([terms for terms in sound if terms.key not in apart], refusal)
        self.refuse(possible[max(free, 0) :], Refusal("limit_reached", NO_ROOM, again=True))
        return possible[: max(free, 0)]

    # -- discounts of Shopify's own --

    def _grant_natively(self, offers: Sequence[Terms]) -> list[Terms]:
        """Grant ``offers`` one by one; return those that there is no room for but the function can grant."""
        full = []
        for terms in offers:
            if self._stands(terms):
                self._live[terms.key] = self._known[terms.key]
                continue
            refusal = self._grant_one(terms)
            if refusal is not None and refusal.code == "limit_reached" and self._function is not None:
                full.append(terms)
            elif refusal is not None:
                self.refuse([terms], refusal)
        return full

    def _grant_one(self, terms: Terms) -> Refusal | None:
        """Create or update the discount of one offer; return why it could not be."""
        own = [native for native in self._natives.values() if native.key == terms.key]
        same = next((native for native in own if native_offers.items_tag(terms) in native.tags), None)
        self._drop(native for native in own if native is not same)
        try:
            if same is None:
                said = native_offers.input_of(terms)
                answer = self._ask(CREATE_NATIVE, {"discount": said})["discountAutomaticBxgyCreate"]
            else:
                said = native_offers.input_of(terms, items=False)
                answer = self._ask(UPDATE_NATIVE, {"id": same.id, "discount": said})[
                    "discountAutomaticBxgyUpdate"
                ]
        except PlatformError as error:
            return failure(error)
        if answer["userErrors"]:
            return refusal_of(answer["userErrors"])
        gid = answer["automaticDiscountNode"]["id"]
        self._natives[gid] = Native(gid, terms.key, frozenset(said["tags"]), active=True)
        limits = () if self._several_prices.isdisjoint(terms.discounted) else (native_offers.SEVERAL_PRICES,)
        self._live[terms.key] = LiveOffer(terms.key, NATIVE, digest(terms), gid, limits=limits)
        return None

    def _is_live_by(self, native: Native) -> bool:
        live = self._live.get(native.key)
        return live is not None and live.handle == native.id

    def _end(self, wanted: set[str]) -> None:
        """Delete the discounts of offers that nobody wants any more: first of all, since that makes room."""
        self._drop(native for native in self._natives.values() if native.key not in wanted)
        for gid in self._standing.spare:
            self._delete(gid)

    def _drop(self, natives: Iterable[Native]) -> None:
        for native in list(natives):
            if self._delete(native.id):
                del self._natives[native.id]

    def _delete(self, gid: str) -> bool:
        """Delete an automatic discount, and tell whether it is gone."""
        try:
            errors = self._ask(DELETE_AUTOMATIC, {"id": gid})["discountAutomaticDelete"]["userErrors"]
        except PlatformError:
            return False
        # An error about the id says that there is none: the merchant was quicker.
        return all((error.get("field") or [None])[-1] == "id" for error in errors)

    # -- the function --

    def _create_function(self, natively: Sequence[Terms]) -> Refusal | None:
        """Create the discount that runs the function; return why it could not be."""
        if self._standing.taken + len(self._natives) >= native_offers.MOST_AUTOMATIC:
            kept = {terms.key for terms in natively}
            self._drop([native for native in self._natives.values() if native.key not in kept][-1:])
        try:
            answer = self._ask(CREATE_FUNCTION, {"discount": function_offers.discount_input()})
        except PlatformError as error:
            return failure(error)
        answer = answer["discountAutomaticAppCreate"]
        if answer["userErrors"]:
            return refusal_of(answer["userErrors"])
        self._function = FunctionDiscount(answer["automaticAppDiscount"]["discountId"], active=True)
        return None

    def _grant_together(self, offers: Sequence[Terms]) -> None:
        """Make ``offers`` those that the function reckons, and no others."""
        function = self._function
        if function is None or not function.active:
            return
        arranged = function_offers.arrange(offers)
        self.refuse(arranged.crowded, Refusal("limit_reached", _CROWDED, again=True))
        doubtful = {
            carrier for carrier, parts in arranged.offers.items() if not all(map(self._stands, parts))
        }
        carriers = Carriers(self._ask, function)
        carriers.write(arranged, doubtful)
        for carrier, parts in arranged.offers.items():
            for terms in parts:
                # While nothing was written, what stood before still stands.
                if carrier in carriers.refused and not (carriers.untouched and self._stands(terms)):
                    self.refuse([terms], carriers.refused[carrier])
                else:
                    self._live[terms.key] = LiveOffer(terms.key, FUNCTION, digest(terms), function.id)
        self._left_in_function = not carriers.complete
        if not offers and carriers.complete and not function.settings.get("keys"):
            self._delete(function.id)

    # -- the outcome --

    def _unchanged(self, wanted: Sequence[Terms], refusal: Refusal) -> Published:
        """Return the outcome where nothing could be begun: what stood still stands, and nothing else."""
        for terms in wanted:
            if self._stands(terms):
                self._live[terms.key] = self._known[terms.key]
            elif terms.key not in self._refused:
                self.refuse([terms], refusal)
        self._left_in_function = True
        return self._outcome(wanted)

    def _outcome(self, wanted: Sequence[Terms]) -> Published:
        return Published(
            tuple(self._live[terms.key] for terms in wanted if terms.key in self._live),
            tuple(self._refused[terms.key] for terms in wanted if terms.key in self._refused),
            self._left({terms.key for terms in wanted}),
        )

    def _ask(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the data of an answer. Once the shop is out of reach it is asked no more."""
        if self._over is not None:
            raise self._over
        try:
            return self._client.run(document, variables).data
        except (Unreachable, ReconnectNeeded) as broken:
            self._over = broken
            raise

    def refuse(self, offers: Iterable[Terms], refusal: Refusal) -> None:
        """Refuse ``offers``, whatever was thought of them before."""
        for terms in offers:
            self._live.pop(terms.key, None)
            self._refused[terms.key] = refusal.of(terms)

    def _left(self, wanted: set[str]) -> tuple[LiveOffer, ...]:
        """Return what was to go and is still granted."""
        return tuple(
            offer
            for key, offer in self._known.items()
            if key not in wanted
            and (self._left_in_function if offer.mechanism == FUNCTION else offer.handle in self._natives)
        )
