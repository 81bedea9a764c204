"""A decision as the API and the command line show it."""

from collections.abc import Mapping
from typing import Any

from app.decisions.reading import Found


def head(found: Found) -> dict[str, Any]:
    """Return what was decided: see ``schemas.DecisionHead``."""
    return {
        "decision_id": found.id,
        "made_at": found.made_at.isoformat(),
        "slot": found.slot,
        "strategy": found.strategy,
        "reason": found.reason,
        "arms": found.arms,
        "model_version": found.model_version,
        "cache": found.cache,
        "latency_us": found.latency_us,
        "shown": found.shown,
        "answers": found.answers,
        "visitor": found.subject.hex() if found.subject is not None else None,
        "whole": found.whole,
    }


def whole(found: Found, replayed: Mapping[str, Any]) -> dict[str, Any]:
    """Return a decision with everything that decided: see ``schemas.DecisionState``."""
    return {**head(found), "record": found.body, "replay": dict(replayed)}
