"""What the shop has of automatic discounts: its own, and ours."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.shopify.client import ShopifyClient
from connectors.shopify.discount_documents import AUTOMATIC_DISCOUNTS
from connectors.shopify.native_offers import key_of

_BXGY = "DiscountAutomaticBxgy"
_APP = "DiscountAutomaticApp"


@dataclass(frozen=True, slots=True)
class Native:
    """A discount of Shopify's own that grants one of our offers."""

    id: str
    key: str
    tags: frozenset[str]
    active: bool


@dataclass(frozen=True, slots=True)
class FunctionDiscount:
    """The discount that runs our function.

    Attributes:
        id: its global id.
        active: whether it is applied.
        owners: the mark of what was written last, by the id of the product that carries it.
        settings: of the function.
    """

    id: str
    active: bool
    owners: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is.

    Attributes:
        taken: how many active automatic discounts are not ours, those of other apps included.
        natives: ours of Shopify's own kind.
        function: the one that runs our function, None if there is none.
        spare: further ones that do, which are too many.
    """

    taken: int
    natives: tuple[Native, ...]
    function: FunctionDiscount | None
    spare: tuple[str, ...] = ()


def look(client: ShopifyClient) -> Standing:
    """Return what the shop of ``client`` has now.

    Raises:
        PlatformError: if it does not tell.
    """
    data = client.run(AUTOMATIC_DISCOUNTS).data
    nodes = {node["id"]: node for part in ("active", "newest") for node in data[part]["nodes"]}
    natives = tuple(filter(None, map(_native, nodes.values())))
    functions = sorted(filter(None, map(_function, nodes.values())), key=lambda found: _number(found.id))
    ours = {native.id for native in natives} | {found.id for found in functions}
    active = {node["id"] for node in data["active"]["nodes"]}
    return Standing(
        len(active - ours),
        natives,
        functions[0] if functions else None,
        tuple(found.id for found in functions[1:]),
    )


def _native(node: Mapping[str, Any]) -> Native | None:
    discount = node["automaticDiscount"]
    tags = frozenset(discount.get("tags") or ())
    key = key_of(tags) if discount["__typename"] == _BXGY else None
    return None if key is None else Native(node["id"], key, tags, _applies(discount))


def _function(node: Mapping[str, Any]) -> FunctionDiscount | None:
    discount = node["automaticDiscount"]
    # Tags are the merchant's to change; the metafield is the app's alone.
    if discount["__typename"] != _APP or not node["settings"]:
        return None
    return FunctionDiscount(node["id"], _applies(discount), _json(node["owners"]), _json(node["settings"]))


def _applies(discount: Mapping[str, Any]) -> bool:
    return discount.get("status") in ("ACTIVE", "SCHEDULED")


def _json(metafield: Mapping[str, Any] | None) -> Mapping[str, Any]:
    value = metafield["jsonValue"] if metafield else None
    return value if isinstance(value, dict) else {}


def _number(gid: str) -> int:
    return int(gid.rpartition("/")[2])


def applying(nodes: Iterable[Mapping[str, Any] | None]) -> frozenset[str]:
    """Return the ids of those discounts that are applied, or will be."""
    return frozenset(node["id"] for node in nodes if node and _applies(node.get("automaticDiscount") or {}))
