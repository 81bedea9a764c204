"""Where a merchant wants alerts: one address for each store, with a secret of its own that is shown once."""

from datetime import datetime, timedelta
from typing import Any, Final

from flask import current_app
from sqlalchemy import update

from app.core.config import Settings
from app.core.db import db, now
from app.monitoring.models import Alert, AlertEndpoint
from app.monitoring.signatures import new_secret
from connectors.outbound import Outbound

# A receiver's answer is its status; what it writes beside it is not read.
_MAX_BYTES: Final = 65_536
# The standard asks for 15 to 30 seconds.
DEADLINE_S: Final = 20.0
# For how long messages are signed with the old secret, too.
GRACE: Final = timedelta(hours=24)


def line() -> Outbound:
    """Return the guarded line that messages are sent over."""
    settings: Settings = current_app.extensions["pannier_settings"]
    return Outbound(
        allow_loopback=settings.allow_loopback_stores, max_bytes=_MAX_BYTES, deadline_s=DEADLINE_S
    )


def put(store_id: int, url: str, *, renew: bool) -> tuple[AlertEndpoint, str | None]:
    """Set the address, and commit; return the endpoint, and its secret where that is new.

    An endpoint that was disabled is tried again, with what it has not heard of what is open.

    Args:
        store_id: the store.
        url: an address that was checked.
        renew: whether to make another secret; the old one signs beside it for ``GRACE``.
    """
    found = db.session.get(AlertEndpoint, store_id, with_for_update=True)
    shown = new_secret() if found is None or renew else None
    if found is None:
        assert shown is not None
        found = AlertEndpoint(store_id=store_id, url=url, secret={"current": shown})
        db.session.add(found)
    else:
        found.url, found.disabled_at, found.problem = url, None, None
        if shown is not None:
            until = (now() + GRACE).isoformat()
            found.secret = {
                "current": shown, "previous": found.secret["current"], "previous_until": until,
            }  # fmt: skip
    untold = Alert.next_attempt_at.is_not(None) | (Alert.told_at.is_(None) & Alert.cleared_at.is_(None))
    db.session.execute(
        update(Alert).where(Alert.store_id == store_id, untold).values(attempts=0, next_attempt_at=now())
    )
    db.session.commit()
    return found, shown


def remove(store_id: int) -> str | None:
    """Delete the address, and commit; return it, or None where there was none.

    What is open stays to be told to the next one; what is over does not.
    """
    found = db.session.get(AlertEndpoint, store_id)
    if found is None:
        return None
    url = found.url
    db.session.delete(found)
    db.session.execute(
        update(Alert)
        .where(Alert.store_id == store_id, Alert.cleared_at.is_not(None))
        .values(next_attempt_at=None)
    )
    db.session.commit()
    return url


def secrets_of(kept: dict[str, Any], moment: datetime) -> list[str]:
    """Return the secrets that sign at ``moment``, the current one first."""
    found = [str(kept["current"])]
    if "previous" in kept and moment < datetime.fromisoformat(kept["previous_until"]):
        found.append(str(kept["previous"]))
    return found
