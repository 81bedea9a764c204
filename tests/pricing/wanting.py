"""Builders of price rules and goods: every argument has a default, so that a test names what it is about."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.pricing.proposing import Goods, Kind
from app.pricing.rules import Rule, Traits

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
STOCK = {"signal": "stock_cover", "weight_percent": 10, "low_days": 14, "high_days": 90}


def definition(*signals: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a rule's definition: all products, by stock unless signals are given."""
    return {"products": {"all": True}, "signals": list(signals) or [STOCK], "currency": "USD", **fields}


def rule(*signals: dict[str, Any], key: str = "r", mode: str = "approve", **fields: Any) -> Rule:
    """Return a rule."""
    return Rule.from_json(key, mode, definition(*signals, **fields))


def goods(*kinds: Kind, pieces: Sequence[float] = (1.0,) * 56, currency: str = "USD", **fields: Any) -> Goods:
    """Return a product that sells one piece a day, and whose stock of 1,000 presses the price down."""
    return Goods(Traits("p1", "Mugs"), currency, kinds or (kind(),), pieces=pieces, **fields)


def kind(variant_id: str = "v1", price: int = 1000, stock: int | None = 1000, **fields: Any) -> Kind:
    """Return a variant."""
    return Kind(variant_id, price, stock=stock, **{"base": price, **fields})
