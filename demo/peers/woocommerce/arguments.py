"""Arguments of REST requests: read as PHP reads a query, checked as WordPress checks them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from flask import Request, request

from demo.peers.woocommerce.problems import Fault, RestProblem, invalid_arguments
from demo.peers.woocommerce.site import Site

_TRUE, _FALSE = ("1", "true"), ("0", "false", "")


class Query:
    """A query string as PHP's ``$_GET``: of a repeated name the last value stays, ``name[]`` makes a list."""

    def __init__(self, raw: str) -> None:
        """Read ``raw``, what stands behind the question mark."""
        self._values: dict[str, str | list[str]] = {}
        for name, value in parse_qsl(raw, keep_blank_values=True):
            base, bracket, _ = name.partition("[")
            if not bracket:
                self._values[name] = value
                continue
            listed = self._values.get(base)
            if not isinstance(listed, list):
                listed = self._values[base] = []
            listed.append(value)

    def names(self) -> list[str]:
        """Return the names, in the order they first came."""
        return list(self._values)

    def value(self, name: str) -> str | list[str]:
        """Return a value.

        Raises:
            KeyError: if there is none.
        """
        return self._values[name]

    def text(self, name: str) -> str | None:
        """Return a value that is no list."""
        value = self._values.get(name)
        return value if isinstance(value, str) else None

    def parts(self, name: str) -> list[str]:
        """Return a list that was given as ``name[]`` or as text with commas."""
        value = self._values.get(name, [])
        if isinstance(value, list):
            return value
        return [part.strip() for part in value.replace(" ", ",").split(",") if part.strip()]


def query_of(asked: Request) -> Query:
    """Return a request's query."""
    return Query(asked.query_string.decode("utf-8", "replace"))


class Arguments:
    """Reads arguments one by one; what is wrong with them is told all at once by ``check``."""

    def __init__(self, query: Query) -> None:
        """Read from ``query``."""
        self._query = query
        self._faults: dict[str, Fault] = {}

    def check(self) -> None:
        """Raise if anything that was read is not acceptable.

        Raises:
            RestProblem: naming every argument at fault.
        """
        if self._faults:
            raise invalid_arguments(self._faults)

    def integer(
        self, name: str, default: int | None, *, least: int = 0, most: int | None = None
    ) -> int | None:
        """Return a whole number."""
        text = self._query.text(name)
        if text is None:
            return default
        try:
            number = int(text)
        except ValueError:
            self._faults[name] = Fault("rest_invalid_type", f"{name} is not of type integer.")
            return default
        if most is not None and not least <= number <= most:
            self._faults[name] = Fault(
                "rest_out_of_bounds", f"{name} must be between {least} (inclusive) and {most} (inclusive)"
            )
        elif number < least:
            self._faults[name] = Fault(
                "rest_out_of_bounds", f"{name} must be greater than or equal to {least}"
            )
        return number

    def integers(self, name: str) -> list[int]:
        """Return a list of whole numbers."""
        numbers = []
        for place, part in enumerate(self._query.parts(name)):
            try:
                numbers.append(int(part))
            except ValueError:
                message = f"{name}[{place}] is not of type integer."
                self._faults[name] = Fault("rest_invalid_type", message)
        return numbers

    def choice(self, name: str, default: str, allowed: Sequence[str]) -> str:
        """Return one of ``allowed``."""
        text = self._query.text(name)
        if text is None:
            return default
        if text not in allowed:
            self._faults[name] = Fault("rest_not_in_enum", f"{name} is not one of {_spoken(allowed)}.")
        return text

    def choices(self, name: str, default: Sequence[str], allowed: Sequence[str]) -> list[str]:
        """Return some of ``allowed``."""
        if name not in self._query.names():
            return list(default)
        parts = self._query.parts(name)
        for place, part in enumerate(parts):
            if part not in allowed:
                message = f"{name}[{place}] is not one of {_spoken(allowed)}."
                self._faults[name] = Fault("rest_not_in_enum", message)
        return parts

    def boolean(self, name: str) -> bool:
        """Return a truth value; none is false."""
        text = (self._query.text(name) or "").lower()
        if text not in (*_TRUE, *_FALSE):
            self._faults[name] = Fault("rest_invalid_type", f"{name} is not of type boolean.")
        return text in _TRUE

    def moment(self, name: str, site: Site) -> str | None:
        """Return a date as ``Site.bound`` reads it."""
        text = self._query.text(name)
        if text is None:
            return None
        try:
            return site.bound(text)
        except ValueError:
            self._faults[name] = Fault("rest_invalid_date", "Invalid date.")
            return None


def body_of_request() -> dict[str, Any]:
    """Return what the current request carries: a JSON object, or else the fields of a form.

    Raises:
        RestProblem: if it is called JSON and is none.
    """
    if not request.is_json:
        return dict(request.form)
    body = request.get_json(silent=True)
    if body is None and request.get_data():
        raise RestProblem(
            "rest_invalid_json",
            "Invalid JSON body passed.",
            400,
            json_error_code=4,
            json_error_message="Syntax error",
        )
    return body if isinstance(body, dict) else {}


def only_fields(body: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """Return ``body`` with the fields of ``_fields`` alone; ``a.b`` reaches into objects, not into lists."""
    tree: dict[str, Any] = {}
    for path in wanted:
        branch = tree
        *above, last = path.split(".")
        for part in above:
            inner = branch.get(part)
            if inner is True:
                break
            branch = branch.setdefault(part, {})
        else:
            branch[last] = True
    return _pruned(body, tree)


def _pruned(body: Mapping[str, Any], tree: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in body.items():
        inner = tree.get(name)
        if inner is True or (inner is not None and not isinstance(value, dict | list)):
            kept[name] = value
        elif inner is not None:
            kept[name] = _pruned(value, inner) if isinstance(value, dict) else []
    return kept


def _spoken(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])}, and {words[-1]}"
