"""The merchant's price rules: added, changed, deleted. Each takes its store's currency when it is written."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select

from app.commerce.store import StoreAccess
from app.core.db import db, now
from app.core.errors import Conflict, InvalidParameters, NotFound
from app.pricing import changes
from app.pricing.guards import Ending
from app.pricing.models import PriceRule
from app.pricing.schemas import TOO_MANY_DECIMALS

MOST_RULES: Final = 100
CHANGED: Final = "The rule was changed."
DELETED: Final = "The rule was deleted."
_COLUMNS: Final = ("key", "name", "mode", "active")


def listed(store_id: int) -> Sequence[PriceRule]:
    """Return a store's rules by key."""
    query = select(PriceRule).where(PriceRule.store_id == store_id).order_by(PriceRule.key)
    return db.session.scalars(query).all()


def find(store_id: int, key: str) -> PriceRule:
    """Return a rule.

    Raises:
        NotFound: if the store has no such rule.
    """
    found = db.session.scalars(
        select(PriceRule).where(PriceRule.store_id == store_id, PriceRule.key == key)
    ).one_or_none()
    if found is None:
        raise NotFound(f"This store has no price rule {key[:50]!r}.")
    return found


def add(access: StoreAccess, wanted: Mapping[str, Any]) -> PriceRule:
    """Add a rule, in the caller's transaction.

    Raises:
        Conflict: if there is a rule of this key, or no room for more.
        InvalidParameters: if an ending has more decimals than the store's currency.
    """
    changes.hold(access.store_id)
    known = {rule.key for rule in listed(access.store_id)}
    if wanted["key"] in known:
        raise Conflict("There is a price rule of this key already.")
    if len(known) >= MOST_RULES:
        raise Conflict(f"A store has {MOST_RULES} price rules at most.")
    at = now()
    rule = PriceRule(
        store_id=access.store_id,
        **{name: wanted[name] for name in _COLUMNS},
        definition=_definition(access, wanted),
        created_at=at,
        updated_at=at,
    )
    db.session.add(rule)
    db.session.flush()
    return rule


def replace(access: StoreAccess, key: str, wanted: Mapping[str, Any]) -> PriceRule:
    """Make a rule otherwise; what it proposed before and is not written yet is void. In the caller's transaction.

    Raises:
        NotFound: if the store has no such rule.
        InvalidParameters: if an ending has more decimals than the store's currency.
    """
    changes.hold(access.store_id)
    rule = find(access.store_id, key)
    definition = _definition(access, wanted)
    if (rule.mode, rule.active, rule.definition) != (wanted["mode"], wanted["active"], definition):
        changes.void(access.store_id, key, CHANGED, now())
    rule.name, rule.mode, rule.active = wanted["name"], wanted["mode"], wanted["active"]
    rule.definition, rule.updated_at = definition, now()
    db.session.flush()
    return rule


def delete(access: StoreAccess, key: str) -> None:
    """Delete a rule; prices that it wrote stay, and their history. In the caller's transaction.

    Raises:
        NotFound: if the store has no such rule.
    """
    changes.hold(access.store_id)
    rule = find(access.store_id, key)
    changes.void(access.store_id, key, DELETED, now())
    db.session.delete(rule)
    db.session.flush()


def state(rule: PriceRule) -> dict[str, Any]:
    """Return a rule as it is told."""
    return {
        **rule.definition,
        **{name: getattr(rule, name) for name in (*_COLUMNS, "created_at", "updated_at")},
    }


def _definition(access: StoreAccess, wanted: Mapping[str, Any]) -> dict[str, Any]:
    wrong = {}
    for place, text in enumerate(wanted.get("guards", {}).get("endings", ())):
        try:
            Ending.of(text, access.currency)
        except ValueError:
            wrong[f"guards.endings.{place}"] = TOO_MANY_DECIMALS
    if wrong:
        raise InvalidParameters(wrong)
    return {
        **{name: value for name, value in wanted.items() if name not in _COLUMNS},
        "currency": access.currency,
    }
