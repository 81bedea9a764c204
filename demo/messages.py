"""What a shop has to tell, before and after it is signed."""

import base64
import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Literal, overload


@dataclass(frozen=True, slots=True)
class Message:
    """One webhook to be: its topic, the moment of the event, the resource, and how to build the body.

    Bodies are built only when they are needed: all of a shop's together take a hundred megabytes.
    """

    topic: str
    at: datetime
    resource: str
    build: Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request as a platform sends it.

    ``headers`` lacks Host and Content-Length, which the sender adds. ``topic`` is for people.
    """

    headers: dict[str, str]
    body: bytes
    topic: str = ""
    method: str = "POST"


@dataclass(frozen=True)
class Mailbag(Sequence[Delivery]):
    """Deliveries that are built and signed one by one, each time they are looked at; equal every time."""

    messages: Sequence[Message]
    sign: Callable[[Message], Delivery] = field(repr=False)

    def __len__(self) -> int:
        return len(self.messages)

    @overload
    def __getitem__(self, index: int) -> Delivery: ...

    @overload
    def __getitem__(self, index: slice) -> "Mailbag": ...

    def __getitem__(self, index: int | slice) -> "Delivery | Mailbag":
        if isinstance(index, slice):
            return Mailbag(self.messages[index], self.sign)
        return self.sign(self.messages[index])

    def only(self, topics: Iterable[str]) -> "Mailbag":
        """Return the deliveries of these topics."""
        wanted = frozenset(topics)
        return Mailbag([message for message in self.messages if message.topic in wanted], self.sign)

    def shuffled(self, seed: int, repeat: int = 1) -> "Mailbag":
        """Return every delivery ``repeat`` times, all in one random order that ``seed`` decides."""
        messages = list(self.messages) * repeat
        Random(seed).shuffle(messages)
        return Mailbag(messages, self.sign)


Platform = Literal["shopify", "woocommerce"]


def signature(raw: bytes, secret: str) -> str:
    """Return what both platforms put into a header to sign a body: the base64 of its HMAC-SHA256."""
    return base64.b64encode(hmac.digest(secret.encode(), raw, "sha256")).decode()
