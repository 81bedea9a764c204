"""What can go wrong when a platform is asked. Every message is one sentence for the merchant, without secrets."""


class PlatformError(Exception):
    """The platform did not do what was asked."""


class Unreachable(PlatformError):
    """No usable answer: network, time-out, 5xx, a page instead of JSON. Worth another try later."""


class Throttled(Unreachable):
    """The platform asks for patience."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ReconnectNeeded(PlatformError):
    """The key or token is dead: only the merchant can mend it, and asking again does harm."""


class Rejected(PlatformError):
    """The platform understood and refuses: the same request will never succeed.

    ``code`` is the platform's word for it and ``status`` that of HTTP, where it told them.
    """

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class NotFound(Rejected):
    """What was asked for does not exist there."""


class CursorLost(PlatformError):
    """A walk cannot go on where it stopped (an export expired or failed): begin it again."""
