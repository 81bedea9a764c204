"""Answers that are the same for everybody, held as bytes for a moment and given before Flask.

Most calls of a storefront are of nobody in particular and ask what was asked just now. Flask's way to a view and back
costs several times what such an answer does, so the WSGI server's call looks here first. What is not held, or is of
somebody, goes on to the routes, which make it and have it held.
"""

import functools
import hashlib
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import Response, current_app, g, request

from app.core import metrics
from app.core.api import security_headers
from app.core.held import Held
from app.decisions.log import DecisionLog

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Price and stock may be 15 seconds old at most, all places together in which the answer is held.
_HELD_S: Final = 15
_STALE_S: Final = 5
_MOST: Final = 5_000
# Characters of everything that an answer may vary in: what callers write at such length they do not ask again.
_LONGEST_KEY: Final = 4_000
# What the answer depends on beside its address, for caches of others.
_VARY: Final = "Origin, X-Pannier-Key, Authorization, X-Pannier-Visitor, X-Pannier-Customer"
_PERSONS: Final = ("HTTP_X_PANNIER_VISITOR", "HTTP_X_PANNIER_CUSTOMER")
_PATH: Final = "/v1/recommendations"
# Looked up once: finding a labelled counter costs more than counting.
_MADE: Final = metrics.ANSWERS.labels("made")
_READY: Final = metrics.ANSWERS.labels("ready")

# Query, publishable key, secret key, origin.
_Key = tuple[str, str | None, str | None, str | None]
_Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Ready:
    """A finished answer.

    Attributes:
        body: its bytes.
        etag: what a caller who has it sends as If-None-Match.
        headers: all headers of the answer.
        unchanged: all headers of 304.
        decided: what tells the log that it is given again: store, decision id, slot, reason.
    """

    body: bytes
    etag: str
    headers: _Headers
    unchanged: _Headers
    decided: tuple[int, str, str, str]

    def is_known(self, environ: Mapping[str, Any]) -> bool:
        """Return whether the caller says to have this answer already."""
        known: str | None = environ.get("HTTP_IF_NONE_MATCH")
        return known is not None and (known == "*" or self.etag in known)


class ReadyBytes:
    """Finished answers by everything that the request may vary in, for a moment."""

    def __init__(self, lifetime_ms: int) -> None:
        """Hold answers for so long; 0 holds none."""
        self.held: Held[_Key, Ready] = Held(lifetime_ms / 1000, _MOST)
        whole_s = math.ceil(self.held.ttl_s)
        # While one request makes an answer anew others get the old one, within the seconds that callers are told.
        self._grace_s = (whole_s - self.held.ttl_s) / 2
        left_s = _HELD_S - whole_s
        stale_s = min(_STALE_S, left_s)
        self._cache_control = f"public, max-age={left_s - stale_s}, stale-while-revalidate={stale_s}"

    def find(self, environ: Mapping[str, Any]) -> Ready | None:
        """Return what is held for this request, None where it is to be made."""
        return self.held.find_or_renew(self.key(environ), self._grace_s)

    @staticmethod
    def key(environ: Mapping[str, Any]) -> _Key:
        """Return what the answer to this request may depend on: whoever asks without a key finds nothing."""
        return (
            environ.get("QUERY_STRING", ""),
            environ.get("HTTP_X_PANNIER_KEY"),
            environ.get("HTTP_AUTHORIZATION"),
            environ.get("HTTP_ORIGIN"),
        )

    def put(self, key: _Key, body: bytes, decided: tuple[int, str, str, str]) -> Ready:
        """Hold ``body`` ready for ``key``, unless that is so long that such would fill the memory."""
        etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        headers = [("ETag", etag), ("Cache-Control", self._cache_control), ("Vary", _VARY)]
        if (origin := key[3]) is not None:  # let in by ``storefront_access``
            headers.append(("Access-Control-Allow-Origin", origin))
        ready = Ready(
            body,
            etag,
            _sent(Response(body, headers=headers, content_type="application/json")),
            _sent(Response(status=304, headers=headers)),
            decided,
        )
        if self.held.ttl_s and sum(len(part or "") for part in key) <= _LONGEST_KEY:
            self.held.hold(key, ready)
        return ready


class ReadyLane:
    """WSGI middleware around ``app``: gives what is held ready, and tells the log of decisions."""

    def __init__(self, app: "WSGIApplication", ready: ReadyBytes, log: DecisionLog) -> None:
        self._app = app
        self._ready = ready
        self._log = log

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer what is held; leave every other request to ``app``."""
        if (
            environ.get("PATH_INFO") != _PATH
            or environ["REQUEST_METHOD"] != "GET"
            or _is_of_somebody(environ)
        ):
            return self._app(environ, start_response)
        began = time.perf_counter_ns()
        ready = self._ready.find(environ)
        if ready is None:
            return self._app(environ, start_response)
        self._log.repeat(*ready.decided, (time.perf_counter_ns() - began) // 1000)
        _READY.inc()
        if ready.is_known(environ):
            start_response("304 NOT MODIFIED", ready.unchanged)
            return []
        start_response("200 OK", ready.headers)
        return [ready.body]


def held_ready(view: Callable[[], Response]) -> Callable[[], Response]:
    """Have what ``view`` makes held ready, unless it is of somebody or private."""

    @functools.wraps(view)
    def answer() -> Response:
        made = view()
        if _is_of_somebody(request.environ) or "Cache-Control" in made.headers:
            return made
        bytes_: ReadyBytes = current_app.extensions["pannier_ready_bytes"]
        ready = bytes_.put(bytes_.key(request.environ), made.get_data(), g.decided)
        _MADE.inc()
        if ready.is_known(request.environ):
            return Response(status=304, headers=ready.unchanged)
        return Response(ready.body, headers=ready.headers)

    return answer


def _is_of_somebody(environ: Mapping[str, Any]) -> bool:
    return any(environ.get(name) for name in _PERSONS)


def _sent(response: Response) -> _Headers:
    """Return the headers with which a response goes out."""
    return security_headers(response).get_wsgi_headers({}).to_wsgi_list()
