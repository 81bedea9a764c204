"""Structured logs: static event names in snake_case, ids instead of objects.

A processor drops what must never be logged, whatever a caller passes: secrets, bodies and personal fields.
"""

import logging
import sys
from typing import Any, Final, TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

_NEVER_LOGGED: Final = frozenset(
    {
        "address", "authorization", "body", "credentials", "email", "ip", "key", "keys", "name", "password",
        "payload", "phone", "raw", "secret", "secrets", "signature", "token",
    }
)  # fmt: skip


def _drop_sensitive(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop fields with such a word in their name: ``customer_email`` as well as ``email``."""
    for field in event:
        if not _NEVER_LOGGED.isdisjoint(field.lower().split("_")):
            event[field] = "[dropped]"
    return event


class _Stderr:
    """Standard error as it is when a line is written: it may be another stream than when logs were set up."""

    def write(self, line: str) -> int:
        return sys.stderr.write(line)

    def flush(self) -> None:
        sys.stderr.flush()


# A module's logger speaks for good as it was set up at its first line, which makes a line cheaper. Where it is set up
# more than once, as in tests, that must not be.
CACHED = True


def configure_logging(level: str, log_format: str) -> None:
    """Set up logs for this process: ``console`` for people, ``json`` for machines, both to stderr."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _drop_sensitive,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Stderr())),
        cache_logger_on_first_use=CACHED,
    )
    logging.basicConfig(level=max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))
