"""Offers as discounts of Shopify."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.commerce.offers import Terms
from connectors.discounts import FUNCTION, NATIVE, LiveOffer, Published, QuoteKey
from connectors.errors import Rejected
from connectors.shopify import function_offers, scopes
from connectors.shopify.client import ShopifyClient
from connectors.shopify.discount_documents import (
    CREATE_FUNCTION,
    DISCOUNT_STATES,
    OFFERS_OF_PRODUCTS,
    SET_METAFIELDS,
)
from connectors.shopify.documents import ACCESS_SCOPES
from connectors.shopify.publishing import NODES_AT_ONCE, Publication
from connectors.shopify.refusals import SWITCHED_OFF, Refusal, refusal_of
from connectors.shopify.standing import FunctionDiscount, applying, look


class ShopifyDiscounts:
    """One shop's discounts."""

    def __init__(self, client: ShopifyClient, currency: str, timezone: str) -> None:
        """Speak to the shop of ``client``, whose prices are in ``currency`` and whose clocks show ``timezone``."""
        self._client = client
        self._currency = currency
        self._timezone = timezone

    def publish(self, wanted: Sequence[Terms], known: Mapping[str, LiveOffer]) -> Published:
        """Make ``wanted`` the offers that the shop grants, and no others of ours; see ``Discounts.publish``.

        Offers in another currency than the shop's are refused: Shopify's own discounts and the function reckon in
        that alone. Without the permissions that it takes every offer is refused, with what the merchant is to grant.

        Raises:
            PlatformError: if the shop does not tell what it grants now.
        """
        keys = {terms.key for terms in wanted}
        to_grant = self._to_grant()
        if to_grant is not None:
            refused = tuple(Refusal("not_allowed", to_grant, again=True).of(terms) for terms in wanted)
            return Published((), refused, tuple(offer for key, offer in known.items() if key not in keys))
        foreign = [terms for terms in wanted if terms.currency != self._currency]
        publication = Publication(self._client, look(self._client), known)
        for terms in foreign:
            reason = f"The offer is in {terms.currency}, but the shop's prices are in {self._currency}."
            publication.refuse([terms], Refusal("inexact", reason))
        return publication.run(wanted)

    def granted(self, known: Mapping[str, LiveOffer]) -> frozenset[str]:
        """Return the keys of those of ``known`` that the shop still grants.

        Raises:
            PlatformError: if the shop does not tell.
        """
        natives = {
            offer.handle: key for key, offer in known.items() if offer.mechanism == NATIVE and offer.handle
        }
        there = applying(self._nodes(DISCOUNT_STATES, list(natives)))
        found = {natives[gid] for gid in there}
        together = {key: offer.handle for key, offer in known.items() if offer.mechanism == FUNCTION}
        if together:
            function = look(self._client).function
            if function is not None and function.active:
                told = self._told(function)
                found |= {key for key, handle in together.items() if key in told and handle == function.id}
        return frozenset(found)

    def publish_keys(self, keys: Sequence[QuoteKey]) -> None:
        """Make ``keys``, the first four of them, those under which the checkout accepts quotes.

        Raises:
            PlatformError: if the shop cannot be told; then the keys before hold until their own ends.
        """
        to_grant = self._to_grant()
        if to_grant is not None:
            raise Rejected(to_grant)
        function = look(self._client).function
        said = function_offers.settings(keys, self._timezone)
        if function is None and not keys:
            return
        if function is None:
            function = self._create()
        if keys and not function.active:
            raise Rejected(SWITCHED_OFF)
        if dict(function.settings) == said:
            return
        field = function_offers.settings_field(function.id, said)
        _raise(self._client.run(SET_METAFIELDS, {"metafields": [field]}).data["metafieldsSet"])

    def _to_grant(self) -> str | None:
        """Return what the merchant has to grant first, None if nothing is missing."""
        installation = self._client.run(ACCESS_SCOPES).data["currentAppInstallation"]
        granted = [scope["handle"] for scope in installation["accessScopes"]]
        return scopes.to_grant(granted, scopes.FOR_OFFERS)

    def _create(self) -> FunctionDiscount:
        """Create the discount that runs the function, for quotes alone."""
        answer = self._client.run(CREATE_FUNCTION, {"discount": function_offers.discount_input()}).data
        answer = answer["discountAutomaticAppCreate"]
        _raise(answer)
        return FunctionDiscount(answer["automaticAppDiscount"]["discountId"], active=True)

    def _told(self, function: FunctionDiscount) -> set[str]:
        """Return the keys of the offers whose configuration the function finds."""
        products = [function_offers.product_gid(carrier) for carrier in function.owners]
        told: set[str] = set()
        for node in self._nodes(OFFERS_OF_PRODUCTS, products):
            metafield = node.get("metafield") or {}
            told.update(offer["k"] for offer in metafield.get("jsonValue") or ())
        return told

    def _nodes(self, document: str, gids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield those of ``gids`` that there are."""
        for start in range(0, len(gids), NODES_AT_ONCE):
            data = self._client.run(document, {"ids": list(gids[start : start + NODES_AT_ONCE])}).data
            yield from filter(None, data["nodes"])


def _raise(answer: Mapping[str, Any]) -> None:
    """Raise Rejected with the sentence of the first user error, if there is one."""
    if answer["userErrors"]:
        raise Rejected(refusal_of(answer["userErrors"]).reason)
