"""The errors that callers are told about, as RFC 9457 problem details.

::

    ProblemError                 500 internal
    ├── BadRequest               400 bad-request
    │   └── InvalidParameters    422 invalid-parameters (names the parameters)
    ├── Unauthorized             401 unauthorized
    ├── Forbidden                403 forbidden
    ├── NotFound                 404 not-found
    ├── Conflict                 409 conflict
    ├── TooLarge                 413 too-large
    └── Unavailable              503 unavailable (carries Retry-After)

``type`` is a path of this service's documentation, ``/docs/problems#<slug>``.
"""

from collections.abc import Mapping
from typing import ClassVar


class ProblemError(Exception):
    """A refusal with a status, a title and one sentence of detail. Never carries secrets or bodies."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.invalid_params: list[dict[str, str]] = []


class BadRequest(ProblemError):
    """The request cannot be read."""

    status = 400
    slug = "bad-request"
    title = "Bad request"


class InvalidParameters(BadRequest):
    """Single parameters are wrong; ``invalid_params`` lists ``{"name", "reason"}``."""

    status = 422
    slug = "invalid-parameters"
    title = "Invalid parameters"

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))
        self.invalid_params = [{"name": name, "reason": reason} for name, reason in reasons.items()]


class Unauthorized(ProblemError):
    """No valid key or signature. Says no more than that."""

    status = 401
    slug = "unauthorized"
    title = "Unauthorized"


class Forbidden(ProblemError):
    """The key is valid and may not do this."""

    status = 403
    slug = "forbidden"
    title = "Forbidden"


class NotFound(ProblemError):
    """Nothing of that name belongs to this store."""

    status = 404
    slug = "not-found"
    title = "Not found"


class Conflict(ProblemError):
    """The state does not allow it now."""

    status = 409
    slug = "conflict"
    title = "Conflict"


class TooLarge(ProblemError):
    """The body is larger than this route takes."""

    status = 413
    slug = "too-large"
    title = "Too large"


class Unavailable(ProblemError):
    """Something that the answer needs is down; the caller should try again."""

    status = 503
    slug = "unavailable"
    title = "Unavailable"

    def __init__(self, detail: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})
