"""The offline access tokens of one app in one shop, with Shopify's rules for expiring ones.

A shop has one active pair: getting another by any way ends the one before. A refresh token that was used
already works again until its replacement is used, for 30 days at most. Source: shopify.dev, offline access
tokens, and its changelog of 2026-08-28.
"""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

TOKEN_LIFE_S: Final = 3600
REFRESH_LIFE_S: Final = 90 * 86_400
RETRY_FOR: Final = timedelta(days=30)


class InvalidGrant(Exception):
    """A refresh token that is unknown, spent or too old."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An access token with the refresh token that replaces it."""

    access_token: str
    expires_at: datetime
    refresh_token: str
    refresh_expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Used:
    token: str
    at: datetime
    expires_at: datetime


class Tokens:
    """The tokens of one shop. ``life_s`` is that of access tokens issued from now on, in seconds."""

    def __init__(self, life_s: float = TOKEN_LIFE_S) -> None:
        self.life_s = life_s
        self.issued = 0
        self._lock = threading.Lock()
        self._active: Pair | None = None
        self._used: _Used | None = None
        self._uses_left: int | None = None

    @property
    def active(self) -> Pair | None:
        """The one pair that counts, its access token expired or not."""
        return self._active

    def issue(self, now: datetime) -> Pair:
        """Return a new pair for a merchant who is present; earlier ones end."""
        with self._lock:
            self._used = None
            return self._new(now)

    def refresh(self, token: str, now: datetime) -> Pair:
        """Return a new pair for a refresh token.

        Raises:
            InvalidGrant: if the token is not the active pair's, nor the one that made the active pair.
        """
        with self._lock:
            active, used = self._active, self._used
            if active is not None and token == active.refresh_token and now < active.refresh_expires_at:
                self._used = _Used(token, now, active.refresh_expires_at)
                return self._new(now)
            if used is not None and token == used.token and now < min(used.at + RETRY_FOR, used.expires_at):
                return self._new(now)
            raise InvalidGrant

    def accepts(self, token: str, now: datetime) -> bool:
        """Tell whether the API takes ``token`` now; counts as one use of it."""
        with self._lock:
            if self._active is None or token != self._active.access_token or now >= self._active.expires_at:
                return False
            if self._uses_left is not None:
                self._uses_left -= 1
                return self._uses_left >= 0
            return True

    def expire_after(self, uses: int) -> None:
        """Have the access token that is active now die after so many further uses, whatever the clock says."""
        with self._lock:
            self._uses_left = uses

    def revoke(self) -> None:
        """End everything, as an uninstall does."""
        with self._lock:
            self._active = self._used = None

    def kept(self) -> dict[str, str] | None:
        """Return the pair that counts, ready for JSON; None if there is none."""
        with self._lock:
            pair = self._active
        if pair is None:
            return None
        return {
            "access_token": pair.access_token,
            "expires_at": pair.expires_at.isoformat(),
            "refresh_token": pair.refresh_token,
            "refresh_expires_at": pair.refresh_expires_at.isoformat(),
        }

    def restore(self, kept: Mapping[str, str]) -> None:
        """Have the pair that ``kept`` returned count again, as after a restart."""
        with self._lock:
            self._used = self._uses_left = None
            self._active = Pair(
                access_token=kept["access_token"],
                expires_at=datetime.fromisoformat(kept["expires_at"]),
                refresh_token=kept["refresh_token"],
                refresh_expires_at=datetime.fromisoformat(kept["refresh_expires_at"]),
            )

    def _new(self, now: datetime) -> Pair:
        self.issued += 1
        self._uses_left = None
        self._active = Pair(
            access_token=f"shpat_{secrets.token_hex(16)}",
            expires_at=now + timedelta(seconds=self.life_s),
            refresh_token=f"shprt_{secrets.token_hex(16)}",
            refresh_expires_at=now + timedelta(seconds=REFRESH_LIFE_S),
        )
        return self._active
