"""Dropping personal fields from bodies: how every platform's redaction walks, and what it judges alike.

A field is judged by the words of its name, wherever it stands. Which names are personal and which parts
need a look of their own differs by platform and stands in ``<platform>/redaction.py``.
"""

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, ClassVar, Final

from connectors.base import Pseudonym

# Deeper nesting than any platform's bodies have is cut off: it could only exhaust the stack.
_DEPTH_LIMIT: Final = 20
_VERDICTS_LIMIT: Final = 5_000

# A field with one of these words in its name is personal on every platform.
PERSONAL_WORDS: Final = frozenset({
    "email", "emails", "mail", "phone", "phones", "mobile", "fax", "address", "addresses", "company",
    "zip", "postcode", "postal", "city", "latitude", "longitude", "ip", "birthday", "birthdate", "gender",
    "avatar", "note", "notes", "token", "password", "secret",
})  # fmt: skip

# "shirt@2x.png" in an image's address is no e-mail address. The bounds keep the search linear.
_EMAIL_ADDRESS: Final = re.compile(r"[\w.+%'-]{1,64}@(?!\d[\d.]*x\.)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_EMAIL_LIMIT: Final = 320


class Fate(Enum):
    """What happens to a field that is neither kept nor looked at on its own."""

    DROPPED = auto()
    SIGN_OF_A_PERSON = auto()  # dropped, and tells what the object around it is
    TELLING = auto()  # left to ``Redaction.complete``, which sees the whole object


# Looking up an enum's member costs more than a name of the module.
_DROPPED: Final = Fate.DROPPED
_SIGN_OF_A_PERSON: Final = Fate.SIGN_OF_A_PERSON
_TELLING: Final = Fate.TELLING

# Returns what is kept of a field: ``look(redaction, value, depth)``.
Look = Callable[["Redaction", Any, int], Any]
# None keeps the field.
Verdict = Fate | Look | None


class Verdicts(dict[str, Verdict]):
    """The verdict on each field name met so far: judging takes longer than looking up."""

    def __init__(self, judge: Callable[[str], Verdict]) -> None:
        super().__init__()
        self._judge = judge

    def __missing__(self, name: str) -> Verdict:
        verdict = self._judge(name)
        if len(self) < _VERDICTS_LIMIT:
            self[name] = verdict
        return verdict


def judge(
    name: str, *, words: frozenset[str], fields: frozenset[str], signs_of_a_person: frozenset[str]
) -> Fate | None:
    """Return what happens to a field called ``name``, None to keep it.

    Args:
        name: the field's name, in any spelling; ``customerEmail`` is judged as ``customer_email``.
        words: one of them anywhere in the name makes it personal.
        fields: whole names that are personal.
        signs_of_a_person: whole names that only an object about a person has.
    """
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    if snake in signs_of_a_person:
        return Fate.SIGN_OF_A_PERSON
    if snake in fields or not name.isprintable():
        return Fate.DROPPED
    return None if words.isdisjoint(re.split(r"[^a-z]+", snake)) else Fate.DROPPED


class Redaction:
    """The walk through one body. A platform's subclass says what it knows of the platform.

    Attributes:
        verdicts: what happens to a field, by its name.
        kept_of_a_person: the fields that are left of an object about a person.
        pseudonym: turns a normalised e-mail address into its keyed hash.
    """

    __slots__ = ("pseudonym",)

    verdicts: ClassVar[Verdicts]
    kept_of_a_person: ClassVar[tuple[str, ...]]

    def __init__(self, pseudonym: Pseudonym) -> None:
        self.pseudonym = pseudonym

    def complete(self, value: dict[str, Any], kept: dict[str, Any], depth: int) -> None:
        """Add to what was ``kept`` of an object that has telling fields, or take from it."""
        raise NotImplementedError

    def redacted(self, value: Any, depth: int = 0) -> Any:
        """Return any JSON value without personal fields."""
        kind = type(value)
        if kind is dict:
            return self._object(value, depth + 1)
        if kind is list:
            return self._list(value, depth + 1)
        return clean(value) if kind is str else value

    def person(self, kept: dict[str, Any]) -> dict[str, Any]:
        """Return what may be kept of an object about a person."""
        return {name: kept[name] for name in self.kept_of_a_person if name in kept}

    def _list(self, value: list[Any], depth: int) -> list[Any] | None:
        """Return a JSON array without personal fields, None where it lies too deep."""
        if depth > _DEPTH_LIMIT:
            return None
        return [
            self._object(item, depth + 1) if type(item) is dict else self.redacted(item, depth)
            for item in value
        ]

    def _object(self, value: dict[str, Any], depth: int) -> dict[str, Any] | None:
        """Return a JSON object without personal fields, None where it lies too deep.

        Every field of every order passes here within the request that receives it: texts are looked at
        in place, because a call for each would take longer than all the rest.
        """
        if depth > _DEPTH_LIMIT:
            return None
        kept: dict[str, Any] = {}
        about_a_person = telling = False
        verdicts = self.verdicts
        for name, inner in value.items():
            verdict = verdicts[name]
            if verdict is None:
                kind = type(inner)
                if kind is str:
                    kept[name] = clean(inner) if "@" in inner or "\x00" in inner else inner
                elif kind is dict:
                    kept[name] = self._object(inner, depth + 1)
                elif kind is list and inner:
                    kept[name] = self._list(inner, depth + 1)
                else:
                    kept[name] = inner
            elif verdict is _SIGN_OF_A_PERSON:
                about_a_person = True
            elif verdict is _TELLING:
                telling = True
            elif verdict is not _DROPPED:
                kept[name] = None if inner is None else verdict(self, inner, depth)
        if telling:
            self.complete(value, kept, depth)
        return self.person(kept) if about_a_person and "line_items" not in kept else kept


def email_address(value: Any) -> str:
    """Return a field's value as an e-mail address in its normal form, "" where it is none."""
    normal = value.strip().lower() if type(value) is str else ""
    return normal if "@" in normal and len(normal) <= _EMAIL_LIMIT else ""


def clean(text: str) -> str:
    """Return ``text`` without e-mail addresses and without NUL, which PostgreSQL cannot hold."""
    return _EMAIL_ADDRESS.sub("", text.replace("\x00", ""))
