"""What a person allowed: as it is stated with a call, as it was recorded, and what follows from both.

Nothing here trusts silence. Where nobody said anything, nothing is allowed; where two say something, only what both
allow; where a browser sends Global Privacy Control, nothing (https://www.w3.org/TR/gpc/).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from app.core.db import now
from app.privacy.purposes import Purposes, read_purposes

CHOICE: Final = "choice"  # the person chose
DEFAULT: Final = "default"  # nobody chose: the platform's rule for the person's region
BASES: Final = (CHOICE, DEFAULT)

# Where the law lets shops go on until somebody objects, so that a default may count. Everywhere else, and wherever the
# region is not known, people are asked first: the EEA and the United Kingdom (Directive 2002/58/EC, Art. 5(3); GDPR,
# Art. 4(11)), Switzerland, Québec (Act respecting the protection of personal information in the private sector,
# s. 8.1), and New Zealand, whose Privacy Act 2020 does not ask for it, by Pannier's own rule.
# US: opt-out, as in California Civil Code § 1798.120. CA: opt-out under PIPEDA, by the Privacy Commissioner's policy
# position on online behavioural advertising; not where the province is unknown, because of Québec. AU: Privacy Act
# 1988, APP 3.2.
_OPT_OUT: Final = frozenset({"US", "AU", "CA"})
_ASKED_FIRST_IN: Final = {"CA": frozenset({"QC", ""})}
_REGION: Final = re.compile(r"([A-Z]{2})(?:-?([A-Z0-9]{1,3}))?")

_LOCK: Final = 21
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Signal:
    """What was stated.

    Attributes:
        purposes: what it allows, once the law's floor is applied.
        source: who says so, such as ``widget`` or ``server``.
        basis: ``choice`` or ``default``.
        region: ISO 3166-1 or 3166-2 code of where the person is, ``NZ`` or ``US-CA``; None where that is unknown.
        chosen_at: when it was chosen; None where that was not said.
    """

    purposes: Purposes
    source: str
    basis: str
    region: str | None
    chosen_at: datetime | None


def read_signal(
    stated: Any, *, gpc: bool, source: str, explicit: bool = True, chosen_at: datetime | None = None
) -> Signal | None:
    """Return what ``stated`` allows, None where nothing was stated. Pure.

    Args:
        stated: Segment's ``context.consent`` (``{"categoryPreferences": {…}}``), or purposes by their names; ``gpc``,
            ``basis`` and ``region`` may stand beside them. Anything that is no object allows nothing.
        gpc: whether the request carries ``Sec-GPC: 1``.
        source: who says so.
        explicit: the store's setting ``explicit_consent``: no default counts, wherever the person is.
        chosen_at: when it was chosen.
    """
    if stated is None and not gpc:
        return None
    said: Mapping[str, Any] = stated if isinstance(stated, Mapping) else {}
    basis = DEFAULT if said.get("basis", CHOICE) != CHOICE else CHOICE
    region = read_region(said.get("region"))
    purposes = read_purposes(said.get("categoryPreferences", said))
    if gpc or said.get("gpc") is True or (basis == DEFAULT and (explicit or asked_first(region))):
        purposes = Purposes.NONE
    return Signal(purposes, source, basis, region, chosen_at)


def read_region(stated: Any) -> str | None:
    """Return ``NZ`` or ``US-CA``, also from ``nz``, ``USCA`` (as Shopify writes it) and ``UK``; None for no region."""
    found = _REGION.fullmatch(stated.strip().upper()) if isinstance(stated, str) else None
    if found is None:
        return None
    country, part = found[1].replace("UK", "GB"), found[2]
    return f"{country}-{part}" if part else country


def asked_first(region: str | None) -> bool:
    """Return whether people of a region must be asked first; yes where that is not known. Pure."""
    country, _, part = (region or "").partition("-")
    return country not in _OPT_OUT or part in _ASKED_FIRST_IN.get(country, ())


def allowed(stated: Signal | None, recorded: Purposes | None) -> Purposes:
    """Return what is allowed: what both allow, or the one that is there; nothing if none is. Pure."""
    if stated is None:
        return recorded or Purposes.NONE
    return stated.purposes if recorded is None else stated.purposes & recorded


def recorded(
    connection: Connection, store_id: int, subjects: Collection[bytes], *, hold: bool = False
) -> dict[bytes, Purposes]:
    """Return what those of ``subjects`` (16 bytes each) allowed who chose; nothing for those who were erased.

    With ``hold`` a withdrawal or an erasure waits until the caller's transaction ends: what the caller stores on the
    strength of the answer is then removed by it, and does not slip in behind it.
    """
    if not subjects:
        return {}
    if hold:
        connection.execute(
            text("SELECT pg_advisory_xact_lock_shared(:room, :store)"),
            {"room": _LOCK, "store": store_id % 2**31},
        )
    rows = connection.exec_driver_sql(
        """
        SELECT subject, purposes FROM consent_state
        WHERE store_id = %(store)s AND subject = ANY(%(subjects)s::bytea[])
        UNION ALL
        SELECT digest, 0 FROM suppression
        WHERE store_id = %(store)s AND digest = ANY(%(subjects)s::bytea[])
        """,
        {"store": store_id, "subjects": list(subjects)},
    )
    found: dict[bytes, Purposes] = {}
    for subject, purposes in rows:
        found[bytes(subject)] = Purposes(purposes) & found.get(bytes(subject), Purposes(purposes))
    return found


def hold_off(connection: Connection, store_id: int) -> None:
    """Wait for those who store on the strength of ``recorded(…, hold=True)``; new ones wait for this transaction."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:room, :store)"), {"room": _LOCK, "store": store_id % 2**31}
    )


def record(connection: Connection, store_id: int, subject: bytes, signal: Signal) -> Purposes:
    """Keep a choice as evidence, and return what counts from now on.

    The newest choice counts; of two of the same moment what both allow. Nobody chooses in the future. Somebody of
    whom nothing is kept and who allows nothing stays unknown; somebody who was erased allows nothing and stays so.
    """
    known = recorded(connection, store_id, [subject]).get(subject)
    if signal.purposes == Purposes.NONE and known is None:
        return Purposes.NONE
    if is_erased(connection, store_id, subject):
        return Purposes.NONE
    return keep(connection, store_id, subject, signal)


def keep(connection: Connection, store_id: int, subject: bytes, signal: Signal) -> Purposes:
    """Keep a choice, whoever it is of and whatever it allows; return what counts from now on."""
    at = max(min(signal.chosen_at or now(), now()), _EARLIEST)
    signal = replace(signal, chosen_at=at)
    values = {
        "store": store_id,
        "subject": subject,
        "purposes": int(signal.purposes),
        "source": signal.source,
        "basis": signal.basis,
        "region": signal.region,
        "at": at,
    }
    connection.exec_driver_sql(
        "INSERT INTO consent_choice (store_id, subject, purposes, source, basis, region, chosen_at)"
        " VALUES (%(store)s, %(subject)s, %(purposes)s, %(source)s, %(basis)s, %(region)s, %(at)s)",
        values,
    )
    counts: int = connection.exec_driver_sql(
        """
        INSERT INTO consent_state AS s (store_id, subject, purposes, chosen_at)
        VALUES (%(store)s, %(subject)s, %(purposes)s, %(at)s)
        ON CONFLICT (store_id, subject) DO UPDATE SET
            purposes = CASE WHEN excluded.chosen_at > s.chosen_at THEN excluded.purposes
                WHEN excluded.chosen_at = s.chosen_at THEN s.purposes & excluded.purposes ELSE s.purposes END,
            chosen_at = GREATEST(s.chosen_at, excluded.chosen_at)
        RETURNING purposes
        """,
        values,
    ).scalar_one()
    return Purposes(counts)


def is_erased(connection: Connection, store_id: int, subject: bytes) -> bool:
    """Return whether somebody was erased and must not come back."""
    found = connection.exec_driver_sql(
        "SELECT 1 FROM suppression WHERE store_id = %(store)s AND digest = %(subject)s",
        {"store": store_id, "subject": subject},
    )
    return found.first() is not None
