"""The rows of the store's database: what the REST interface filters by, and the body itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from demo.peers.woocommerce.site import Site

Kind = Literal["product", "variation", "order", "refund", "coupon", "customer"]
KINDS: tuple[Kind, ...] = ("product", "variation", "order", "refund", "coupon", "customer")
_PARTS = ("line_items", "shipping_lines", "fee_lines", "tax_lines", "refunds")


@dataclass(slots=True)
class Record:
    """One resource. ``created`` and ``modified`` are UTC without a zone, to the second.

    The body is kept as JSON: it is small so, and whoever reads it has a copy.
    """

    kind: Kind
    id: int
    parent_id: int
    status: str
    created: str
    modified: str
    packed: bytes

    @property
    def body(self) -> dict[str, Any]:
        """A copy of the body, without ``_links``."""
        body: dict[str, Any] = orjson.loads(self.packed)
        return body


def record(kind: Kind, body: Mapping[str, Any], site: Site) -> Record:
    """Return the row of ``body``; its local times are calculated anew from those in GMT.

    Raises:
        KeyError: if the body has no ``id``.
    """
    kept = {name: value for name, value in body.items() if name != "_links"}
    created = kept.get("date_created_gmt") or site.stamp()
    modified = kept.get("date_modified_gmt") or created
    kept["date_created_gmt"] = created
    if kind != "refund":
        kept["date_modified_gmt"] = modified
    for name in [name for name in kept if name.startswith("date_") and name.endswith("_gmt")]:
        kept[name.removesuffix("_gmt")] = site.local(kept[name]) if kept[name] else None
    return Record(
        kind=kind,
        id=int(kept["id"]),
        parent_id=int(kept.get("parent_id") or 0),
        status=str(kept.get("status", "publish")),
        created=created,
        modified=modified,
        packed=orjson.dumps(kept),
    )


def largest_id(body: Mapping[str, Any]) -> int:
    """Return the largest id in an order's body: its own, its lines' or its refunds'."""
    parts = [part for name in _PARTS for part in body.get(name, ())]
    return max(int(body["id"]), *(int(part["id"]) for part in parts), 0)
