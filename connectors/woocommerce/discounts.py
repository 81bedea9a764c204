"""Offers as discounts of WooCommerce: by Pannier's plugin, or by coupons where the merchant accepts their limits.

The plugin grants each offer by a virtual coupon that demands all components. What it knows is one signed
configuration, replaced as a whole. Without the plugin there are only coupons of the shop's own, and those cannot
demand several products: ``product_ids`` of a coupon means any of them (WooCommerce 10.5,
includes/class-wc-discounts.php, validate_coupon_product_ids).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from app.commerce.checkout import digest, offer_to_config
from app.commerce.offers import DiscountKind, Terms
from app.core.money import to_major
from connectors.discounts import COUPON, PLUGIN, LiveOffer, Published, QuoteKey, RefusedOffer
from connectors.errors import PlatformError, ReconnectNeeded, Rejected, Unreachable
from connectors.woocommerce.client import NO_ROUTE, WooCommerceClient
from connectors.woocommerce.plugin import Plugin, PluginStatus, SwitchedOff, payload, sign, signing_key

# How long a shop grants its offers without a word from us, and from when on the configuration is sent anew.
VALID_FOR: Final = timedelta(days=90)
RENEWED_AFTER: Final = timedelta(days=30)
# Of a configuration. Shared hosts cut requests above a megabyte, and MySQL packets too.
MOST_BYTES: Final = 900_000
PER_REQUEST: Final = 100
# A slow host does not save a hundred coupons within its half minute.
WRITTEN_AT_ONCE: Final = 50
# What the plugin takes of one offer: bytes of its title, pieces and variants of a component.
MOST_TITLE: Final = 1000
MOST_PIECES: Final = 1000
MARK: Final = "_pannier_offer"
CODE_PREFIX: Final = "pannier-"
COUPON_LIMITS: Final = (
    "The shopper has to enter the code.",
    "The shop gives the discount as soon as one discounted product is in the cart, whatever else is.",
    "It cannot be combined with other coupons.",
)
SPREAD_LIMIT: Final = "The amount is spread over everything in the cart."

_NO_PLUGIN: Final = (
    "Only the Pannier plugin can grant this: a coupon of WooCommerce cannot demand that all products are in the cart. "
    "Install or update the plugin."
)
_NO_QUOTES: Final = "Only the Pannier plugin can accept quoted prices: install or update it."
_COUPONS_OFF: Final = (
    "Coupons are switched off in the shop: enable the use of coupon codes under WooCommerce, Settings, "
    "General."
)
_TOO_MANY: Final = "The shop's list of offers is full: end others first."
_NOT_ALL_TAKEN: Final = "The Pannier plugin of the shop does not understand all offers: update it."
_TOO_LARGE: Final = "The plugin takes no title so long, and no product with so many pieces or variants."
_NOT_BEGUN: Final = "A coupon holds at once, and this offer begins later: it is made when the offer begins."


_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _Coupon:
    """A coupon of ours in the shop."""

    id: str
    code: str
    digest: str
    usable: bool


class WooCommerceDiscounts:
    """One shop's discounts."""

    def __init__(
        self,
        client: WooCommerceClient,
        currency: str,
        *,
        plugin_secret: Callable[[], bytes],
        inexact_coupons: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Speak to the shop of ``client``.

        Args:
            client: knows the shop.
            currency: of its prices, ISO 4217.
            plugin_secret: returns what signs the plugin's configuration; asked when it is needed.
            inexact_coupons: whether coupons of the shop's own may stand in for a missing plugin.
            clock: the present, timezone-aware.
        """
        self._client = client
        self._plugin = Plugin(client)
        self._currency = currency
        self._secret = plugin_secret
        self._inexact = inexact_coupons
        self._clock = clock

    def publish(self, wanted: Sequence[Terms], known: Mapping[str, LiveOffer]) -> Published:
        """See ``Discounts.publish``. Coupons that the plugin makes unnecessary are deleted."""
        try:
            status = self._plugin.status()
        except SwitchedOff as off:
            # It grants nothing, and would grant again what it knows: nobody is told of an offer meanwhile.
            refused = tuple(RefusedOffer(terms.key, "not_allowed", str(off), again=True) for terms in wanted)
            return Published(refused=refused, left=self._withdraw(known))
        if status is None:
            return self._by_coupons(wanted, known)
        live, refused = self._by_plugin(status, wanted, known)
        return Published(live, refused, self._withdraw(known))

    def granted(self, known: Mapping[str, LiveOffer]) -> frozenset[str]:
        """See ``Discounts.granted``. With the plugin gone, or coupons switched off, nothing is granted."""
        by_plugin = {key: offer for key, offer in known.items() if offer.mechanism == PLUGIN}
        serial = self._granting() if by_plugin else None
        kept = {key for key, offer in by_plugin.items() if offer.handle == serial}
        coupons = {offer.handle: key for key, offer in known.items() if offer.mechanism == COUPON}
        usable = self._usable([handle for handle in coupons if handle])
        return frozenset(kept | {coupons[handle] for handle in usable})

    def publish_keys(self, keys: Sequence[QuoteKey]) -> None:
        """See ``Discounts.publish_keys``.

        Raises:
            Rejected: if there are keys and no plugin to have them.
        """
        try:
            self._plugin.put_keys([*keys, signing_key(self._secret())])
        except Rejected as refusal:
            if refusal.code != NO_ROUTE:
                raise
            if keys:
                raise Rejected(_NO_QUOTES) from None

    # -- by the plugin --

    def _granting(self) -> str | None:
        """Return the serial of the configuration by which the plugin grants offers now, None if it grants none."""
        try:
            status = self._plugin.status()
        except SwitchedOff:
            return None
        if status is None or not status.coupons_enabled or self._age(status.serial) >= VALID_FOR:
            return None
        return str(status.serial)

    def _by_plugin(
        self, status: PluginStatus, wanted: Sequence[Terms], known: Mapping[str, LiveOffer]
    ) -> tuple[tuple[LiveOffer, ...], tuple[RefusedOffer, ...]]:
        refused: list[RefusedOffer] = []
        offers: list[Terms] = []
        gone = self._gone([terms for terms in wanted if not _same(terms, known, PLUGIN)])
        room = MOST_BYTES
        for terms in wanted:
            refusal = _unfit(terms, status, gone)
            if refusal is None:
                room -= len(_compact(terms)) + 1
                refusal = None if room >= 0 else RefusedOffer(terms.key, "limit_reached", _TOO_MANY, True)
            if refusal is None:
                offers.append(terms)
            else:
                refused.append(refusal)
        serial = self._configured(status, offers, known)
        live = tuple(LiveOffer(terms.key, PLUGIN, digest(terms), handle=str(serial)) for terms in offers)
        return live, tuple(refused)

    def _configured(
        self, status: PluginStatus, offers: Sequence[Terms], known: Mapping[str, LiveOffer]
    ) -> int | None:
        """Make ``offers`` the plugin's configuration and return its serial; the same one is not sent twice."""
        before = [offer for offer in known.values() if offer.mechanism == PLUGIN]
        same = len(before) == len(offers) and all(_same(terms, known, PLUGIN) for terms in offers)
        theirs = status.serial is None if not before else all(o.handle == str(status.serial) for o in before)
        if same and theirs and self._age(status.serial) < RENEWED_AFTER:
            return status.serial
        key = signing_key(self._secret())
        if key.id not in status.keys:
            self._plugin.put_keys([key])
        try:
            return self._send(status.serial, offers, key)
        except Rejected as refusal:
            # The plugin's keys or its configuration changed since it was asked.
            if refusal.status not in {401, 409}:
                raise
            if refusal.status == 401:
                self._plugin.put_keys([key])
            now = self._plugin.status()
            return self._send(now.serial if now else None, offers, key)

    def _send(self, last: int | None, offers: Sequence[Terms], key: QuoteKey) -> int:
        now = self._clock()
        serial = max(int(now.timestamp() * 1000), (last or 0) + 1)
        configs = [offer_to_config(terms) for terms in offers]
        text = payload(serial, self._client.store_url, now + VALID_FOR, configs)
        if self._plugin.put_configuration(text, sign(text, key)) != len(offers):
            raise Rejected(_NOT_ALL_TAKEN)
        return serial

    def _age(self, serial: int | None) -> timedelta:
        if serial is None:
            return timedelta(0)
        return self._clock() - datetime.fromtimestamp(serial / 1000, UTC)

    def _gone(self, offers: Sequence[Terms]) -> frozenset[str]:
        """Return which of the offers' products the shop does not have (any more)."""
        wanted = sorted({part.product_id for terms in offers for part in terms.components})
        found: set[str] = set()
        for ids in _chunks([id_ for id_ in wanted if id_.isdecimal()]):
            params = {"include": ids, "status": "any", "per_page": PER_REQUEST, "_fields": "id"}
            found.update(str(body.get("id")) for body in _objects(self._client.get("products", params).body))
        return frozenset(wanted) - found

    # -- by coupons --

    def _by_coupons(self, wanted: Sequence[Terms], known: Mapping[str, LiveOffer]) -> Published:
        if not self._inexact:
            refused = tuple(RefusedOffer(terms.key, "inexact", _NO_PLUGIN) for terms in wanted)
            return Published(refused=refused, left=self._withdraw(known))
        if wanted and not self._coupons_enabled():
            refused = tuple(
                RefusedOffer(terms.key, "not_allowed", _COUPONS_OFF, again=True) for terms in wanted
            )
            return Published(refused=refused, left=self._withdraw(known))
        return self._coupons(wanted)

    def _coupons(self, wanted: Sequence[Terms]) -> Published:
        existing = {coupon.code: coupon for coupon in self._ours()}
        refusals = {terms.key: refusal for terms in wanted if (refusal := self._no_coupon(terms))}
        fit = [terms for terms in wanted if terms.key not in refusals]
        kept: dict[str, _Coupon] = {}
        for terms in fit:
            coupon = existing.get(_code(terms))
            if coupon and coupon.usable and coupon.digest == digest(terms):
                kept[terms.key] = coupon
        staying = {coupon.code for coupon in kept.values()}
        stuck = self._delete([coupon for coupon in existing.values() if coupon.code not in staying])
        blocked = {coupon.code for coupon in stuck}
        new = [terms for terms in fit if terms.key not in kept and _code(terms) not in blocked]
        made = {key: coupon.id for key, coupon in kept.items()}
        for terms in fit:
            if _code(terms) in blocked:
                reason = "The offer's former coupon could not be deleted; this is tried again."
                refusals[terms.key] = RefusedOffer(terms.key, "unreachable", reason, again=True)
        for chunk in _chunks(new, WRITTEN_AT_ONCE):
            created, failed = self._create(chunk)
            made |= created
            refusals |= failed
        live = tuple(_live(terms, made[terms.key]) for terms in wanted if terms.key in made)
        refused = tuple(refusals[terms.key] for terms in wanted if terms.key in refusals)
        left = tuple(
            LiveOffer(coupon.code.removeprefix(CODE_PREFIX), COUPON, coupon.digest, coupon.id, coupon.code)
            for coupon in stuck
        )
        return Published(live, refused, left)

    def _no_coupon(self, terms: Terms) -> RefusedOffer | None:
        if terms.currency != self._currency:
            return _other_currency(terms, self._currency)
        if terms.starts_at > self._clock():
            return RefusedOffer(terms.key, "not_allowed", _NOT_BEGUN, again=True)
        return None

    def _coupons_enabled(self) -> bool:
        body = self._client.get("settings/general/woocommerce_enable_coupons").body
        return isinstance(body, dict) and body.get("value") == "yes"

    def _ours(self) -> Iterator[_Coupon]:
        """Yield the coupons of ours that the shop has."""
        page, params = 1, {"search": CODE_PREFIX, "per_page": PER_REQUEST, "orderby": "id", "order": "asc"}
        while True:
            body = self._client.get("coupons", {**params, "page": page}).body
            found = _objects(body)
            yield from (coupon for entry in found if (coupon := _coupon(entry)))
            if len(found) < PER_REQUEST:
                return
            page += 1

    def _usable(self, handles: Sequence[str]) -> Iterator[str]:
        """Yield the ids of those coupons that stand in the shop and count."""
        for ids in _chunks(handles):
            params = {"include": ids, "per_page": PER_REQUEST, "_fields": "id,status"}
            for body in _objects(self._client.get("coupons", params).body):
                if body.get("status", "publish") == "publish":
                    yield str(body.get("id"))

    def _create(self, offers: Sequence[Terms]) -> tuple[dict[str, str], dict[str, RefusedOffer]]:
        """Make coupons and return the ids of those that stand now, and why the others do not, by offer."""
        try:
            bodies = [_coupon_body(terms) for terms in offers]
            answered = self._client.post("coupons/batch", {"create": bodies}).body
        except ReconnectNeeded:
            raise
        except PlatformError as error:
            code = "unreachable" if isinstance(error, Unreachable) else "rejected"
            again = isinstance(error, Unreachable)
            return {}, {t.key: RefusedOffer(t.key, code, str(error), again) for t in offers}
        results = _objects(answered.get("create") if isinstance(answered, dict) else None)
        made: dict[str, str] = {}
        failed: dict[str, RefusedOffer] = {}
        for place, terms in enumerate(offers):
            result = results[place] if place < len(results) else {}
            if result.get("id") and "error" not in result:
                made[terms.key] = str(result["id"])
            else:
                reason = f"The shop refuses the coupon ({_error_code(result)})."
                failed[terms.key] = RefusedOffer(terms.key, "rejected", reason)
        return made, failed

    def _delete(self, coupons: Sequence[_Coupon]) -> list[_Coupon]:
        """Delete coupons for good and return those that may still stand."""
        left: list[_Coupon] = []
        for chunk in _chunks(coupons, WRITTEN_AT_ONCE):
            try:
                body = self._client.post(
                    "coupons/batch", {"delete": [int(coupon.id) for coupon in chunk]}
                ).body
            except ReconnectNeeded:
                raise
            except PlatformError:
                left += chunk
                continue
            results = _objects(body.get("delete") if isinstance(body, dict) else None)
            for place, coupon in enumerate(chunk):
                result = results[place] if place < len(results) else {"error": {}}
                if "error" in result and not _error_code(result).endswith("_invalid_id"):
                    left.append(coupon)
        return left

    def _withdraw(self, known: Mapping[str, LiveOffer]) -> tuple[LiveOffer, ...]:
        """Delete the coupons among ``known`` and return those that may still stand."""
        offers = {o.handle: o for o in known.values() if o.mechanism == COUPON and o.handle}
        left = self._delete([_Coupon(handle, o.code or "", o.digest, True) for handle, o in offers.items()])
        return tuple(offers[coupon.id] for coupon in left)


def _unfit(terms: Terms, status: PluginStatus, gone: frozenset[str]) -> RefusedOffer | None:
    """Return why the plugin cannot have an offer, None where it can."""
    if not status.coupons_enabled:
        return RefusedOffer(terms.key, "not_allowed", _COUPONS_OFF, again=True)
    if terms.currency != status.currency:
        return _other_currency(terms, status.currency)
    if len(terms.title.encode()) > MOST_TITLE or any(
        part.quantity > MOST_PIECES or len(part.variant_ids or ()) > MOST_PIECES for part in terms.components
    ):
        return RefusedOffer(terms.key, "rejected", _TOO_LARGE)
    missing = [part.product_id for part in terms.components if part.product_id in gone]
    if missing:
        reason = f"The shop does not have product {missing[0][:50]} any more."
        return RefusedOffer(terms.key, "product_gone", reason)
    return None


def _other_currency(terms: Terms, currency: str) -> RefusedOffer:
    reason = f"The offer is in {terms.currency[:3]}, the shop sells in {currency[:3]}: make it anew."
    return RefusedOffer(terms.key, "rejected", reason)


def _same(terms: Terms, known: Mapping[str, LiveOffer], mechanism: str) -> bool:
    offer = known.get(terms.key)
    return offer is not None and offer.mechanism == mechanism and offer.digest == digest(terms)


def _compact(terms: Terms) -> str:
    return payload(0, "", datetime.fromtimestamp(0, UTC), [offer_to_config(terms)])


def _code(terms: Terms) -> str:
    # WooCommerce keeps codes in lower case.
    return f"{CODE_PREFIX}{terms.key.lower()}"


def _live(terms: Terms, coupon_id: str) -> LiveOffer:
    limits: tuple[str, ...] = COUPON_LIMITS
    if terms.discount.kind is DiscountKind.AMOUNT:
        limits = (*limits, SPREAD_LIMIT)
    return LiveOffer(terms.key, COUPON, digest(terms), coupon_id, _code(terms), limits)


def _coupon_body(terms: Terms) -> dict[str, Any]:
    """Return the coupon that comes nearest to an offer."""
    paying = [part for part in terms.components if part.product_id in terms.discounted]
    percent = terms.discount.kind is DiscountKind.PERCENT
    ids = [id_ for part in paying for id_ in part.variant_ids or (part.product_id,)]
    body: dict[str, Any] = {
        "code": _code(terms),
        "description": terms.title,
        "discount_type": "percent" if percent else "fixed_cart",
        "amount": _percent(terms.discount.value)
        if percent
        else to_major(terms.discount.value, terms.currency),
        "product_ids": [int(id_) for id_ in ids if id_.isdecimal()],
        "individual_use": True,
        "meta_data": [{"key": MARK, "value": digest(terms)}],
    }
    if percent:
        body["limit_usage_to_x_items"] = sum(part.quantity for part in paying)
    if terms.ends_at is not None:
        # With its zone: without one WooCommerce takes it for the site's own time.
        body["date_expires"] = terms.ends_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return body


def _percent(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _coupon(body: Mapping[str, Any]) -> _Coupon | None:
    """Return a coupon of the shop if it is one of ours."""
    marks = [entry.get("value") for entry in _objects(body.get("meta_data")) if entry.get("key") == MARK]
    code, id_ = body.get("code"), body.get("id")
    if not marks or not isinstance(marks[0], str) or not isinstance(code, str) or not isinstance(id_, int):
        return None
    return _Coupon(str(id_), code, marks[0], body.get("status", "publish") == "publish")


def _error_code(result: Mapping[str, Any]) -> str:
    error = result.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code[:100] if isinstance(code, str) and code.replace("_", "").isalnum() else "no reason given"


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, none of anything else."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _chunks(items: Sequence[_Item], most: int = PER_REQUEST) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]
