"""The errors that callers are told about, as RFC 9457 problem details.

::

    ProblemError                 500 internal
    ├── BadRequest               400 bad-request
    │   └── InvalidParameters    422 invalid-parameters (names the parameters)
    ├── Unauthorized             401 unauthorized
    ├── Forbidden                403 forbidden
    ├── NotFound                 404 not-found
    ├── MethodNotAllowed         405 method-not-allowed (carries Allow)
    ├── Conflict                 409 conflict
    ├── TooLarge                 413 too-large
    ├── UnsupportedMediaType     415 unsupported-media-type
    ├── TooManyRequests          429 too-many-requests (carries Retry-After)
    └── Unavailable              503 unavailable (carries Retry-After)

``type`` is a path of this service's documentation, ``/docs/problems#<slug>``, where the first paragraph of each
class stands.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final


class ProblemError(Exception):
    """Something went wrong here, not in the request. It has been logged.

    The base of all: a status, a title and one sentence of detail. Never carries secrets or bodies.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.invalid_params: list[dict[str, str]] = []


class BadRequest(ProblemError):
    """The request cannot be read: its body is not JSON, or HTTP itself was misused."""

    status = 400
    slug = "bad-request"
    title = "Bad request"


class InvalidParameters(BadRequest):
    """Single parameters are wrong. ``invalid_params`` lists each with its name and the reason."""

    status = 422
    slug = "invalid-parameters"
    title = "Invalid parameters"

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))
        self.invalid_params = [{"name": name, "reason": reason} for name, reason in reasons.items()]


class Unauthorized(ProblemError):
    """No valid key or signature came with the request. Why it is not valid is not told."""

    status = 401
    slug = "unauthorized"
    title = "Unauthorized"


class Forbidden(ProblemError):
    """The key is valid and may not be used so, such as on the pages of another site."""

    status = 403
    slug = "forbidden"
    title = "Forbidden"


class NotFound(ProblemError):
    """There is no such address, or nothing of that name belongs to this store."""

    status = 404
    slug = "not-found"
    title = "Not found"


class MethodNotAllowed(ProblemError):
    """The address exists and does not know this method. ``Allow`` lists those that it knows."""

    status = 405
    slug = "method-not-allowed"
    title = "Method not allowed"


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


class UnsupportedMediaType(ProblemError):
    """The body has another media type than this route takes."""

    status = 415
    slug = "unsupported-media-type"
    title = "Unsupported media type"


class TooManyRequests(ProblemError):
    """Too many calls from this address failed. ``Retry-After`` says after how many seconds to go on."""

    status = 429
    slug = "too-many-requests"
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


class Unavailable(ProblemError):
    """Something that the answer needs is down. ``Retry-After`` says after how many seconds to try again."""

    status = 503
    slug = "unavailable"
    title = "Unavailable"

    def __init__(self, detail: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


def _all_of(problem: type[ProblemError]) -> Iterator[type[ProblemError]]:
    yield problem
    for kind in problem.__subclasses__():
        yield from _all_of(kind)


# Every problem that this service knows, by its HTTP status, which is one to one.
PROBLEMS: Final = {
    problem.status: problem for problem in sorted(_all_of(ProblemError), key=lambda p: p.status)
}
