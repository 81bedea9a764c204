"""How offers are told to the merchant."""

from collections.abc import Sequence
from typing import Any

from app.bundles.models import Offer, OfferEvent
from app.bundles.states import WANTED, State

_STILL_GRANTED = "The shop still grants it; it is taken away as soon as the shop lets us."


def offer_state(offer: Offer, events: Sequence[OfferEvent] | None = None) -> dict[str, Any]:
    """Return an offer as the API tells it, with what happened to it where that is given."""
    platform = offer.platform or {}
    state: dict[str, Any] = {
        "key": offer.key,
        "state": offer.state,
        "reason": reason_of(offer),
        "reason_code": offer.reason_code,
        "title": offer.title,
        "components": offer.components,
        "discounted": offer.discounted,
        "discount": {"kind": offer.discount_kind, "value": offer.discount_value},
        "currency": offer.currency,
        "starts_at": offer.starts_at,
        "ends_at": offer.ends_at,
        "origin": offer.origin,
        "rule_id": offer.rule_id,
        "evidence": offer.evidence or None,
        "profit": offer.profit,
        "prices": offer.prices,
        "on_platform": offer.platform is not None,
        "mechanism": platform.get("mechanism"),
        "code": platform.get("code"),
        "platform_limits": platform.get("limits", []),
        "attempts": offer.attempts,
        "retry_at": offer.retry_at,
        "version": offer.version,
        "created_at": offer.created_at,
        "updated_at": offer.updated_at,
        "approved_at": offer.approved_at,
        "approved_by": offer.approved_by,
        "live_at": offer.live_at,
        "ended_at": offer.ended_at,
    }
    if events is not None:
        state["events"] = [_event_state(event) for event in events]
    return state


def reason_of(offer: Offer) -> str | None:
    """Return why an offer stands where it stands, and that the shop still grants it where it should not."""
    parts = [offer.reason] if offer.reason else []
    if offer.platform is not None and State(offer.state) not in WANTED:
        parts.append(_STILL_GRANTED)
    return " ".join(parts) or None


def _event_state(event: OfferEvent) -> dict[str, Any]:
    return {"at": event.at, "actor": event.actor, "action": event.action, "detail": event.detail}
