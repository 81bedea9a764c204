"""The line to the service: HTTP, and what a shop says over it. It knows the house by its addresses alone."""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import orjson
import requests

from demo.messages import Delivery

_TIMEOUT_S = 30
# What another process takes until it has written its decisions, and until it has heard of new rules.
_WRITTEN_S = 3.0
_HELD_S = 6.0


class SynthError(Exception):
    """The run cannot go on. One sentence."""


class Line(Protocol):
    """Carries requests to a service."""

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        ...

    def settle(self) -> None:
        """Return when decisions are written."""
        ...

    def take_up(self) -> None:
        """Return when what was changed for the store is in effect."""
        ...


class AtAddress:
    """A service that runs elsewhere, on the same database."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Return status and body of the answer.

        Raises:
            SynthError: if nobody answers.
        """
        try:
            answer = self._session.request(
                method, f"{self._address}{path}", data=body, headers=dict(headers), timeout=_TIMEOUT_S,
                allow_redirects=False,
            )  # fmt: skip
        except requests.RequestException as error:
            raise SynthError(f"{self._address} does not answer.") from error
        return answer.status_code, answer.content

    def settle(self) -> None:
        """Wait for as long as a process takes to write its decisions."""
        time.sleep(_WRITTEN_S)

    def take_up(self) -> None:
        """Wait for as long as a process holds what it knows of a store."""
        time.sleep(_HELD_S)


class Api:
    """The store's side of the API: JSON in and out, under the store's keys."""

    def __init__(self, line: Line, publishable: str, secret: str) -> None:
        """Speak over ``line`` with the store's two keys."""
        self.line = line
        self._page = {"X-Pannier-Key": publishable}
        self._server = {"Authorization": f"Bearer {secret}"}

    def page(self, method: str, path: str, body: Any = None, *, visitor: str | None = None) -> Any:
        """Return what a shop's page is answered, to ``visitor`` if one is named.

        Raises:
            SynthError: if the answer is no success.
        """
        headers = self._page if visitor is None else {**self._page, "X-Pannier-Visitor": visitor}
        return self._json(method, path, body, headers)

    def server(self, method: str, path: str, body: Any = None) -> Any:
        """Return what the shop's server is answered.

        Raises:
            SynthError: if the answer is no success.
        """
        return self._json(method, path, body, self._server)

    def deliver(self, deliveries: Iterable[Delivery]) -> None:
        """Send webhooks.

        Raises:
            SynthError: if one is not accepted.
        """
        for delivery in deliveries:
            status, _ = self.line.send("POST", "/webhooks/shopify", delivery.body, delivery.headers)
            if status != 200:
                raise SynthError(
                    f"A delivery of {delivery.topic} was answered {status}; is the secret the service's?"
                )

    def _json(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Any:
        raw = None if body is None else orjson.dumps(body)
        status, answer = self.line.send(method, path, raw, {"Content-Type": "application/json", **headers})
        if not 200 <= status < 300:
            raise SynthError(
                f"{method} {path.partition('?')[0]} was answered {status}: {answer[:300].decode()}"
            )
        return orjson.loads(answer) if answer else None
