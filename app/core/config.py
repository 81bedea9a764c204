"""Settings, all from the environment.

Every setting stands in ``.env.example`` with its default and in ``docs/settings.md``; a test keeps both
complete. A setting that cannot be understood stops the start with one sentence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from environs import Env, EnvValidationError
from marshmallow import validate

_OUTSIDE: Final = (
    "DATABASE_URL",
    "REDIS_URL",
    "SHOPIFY_API_KEY",
    "SHOPIFY_API_SECRET",
    "SHOPIFY_OLD_API_SECRET",
)


class ConfigurationError(Exception):
    """A setting is missing or cannot be understood. The text is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. Durations carry their unit in the name."""

    database_url: str | None
    redis_url: str | None
    shopify_api_key: str | None
    shopify_api_secret: str | None = field(repr=False)
    shopify_old_api_secret: str | None = field(repr=False)
    secret_keys: tuple[str, ...] = field(repr=False)
    var_dir: Path
    host: str
    port: int
    public_url: str
    web_processes: int
    web_threads: int
    worker_processes: int
    log_level: str
    log_format: str
    webhook_max_bytes: int
    request_max_bytes: int
    drain_batch: int
    delivery_retention_days: int
    event_retention_days: int
    decision_retention_days: int
    cart_retention_days: int
    consent_retention_days: int
    receipt_retention_days: int
    least_people: int
    ready_bytes_ms: int
    failures_per_minute: int
    shopify_address: str
    allow_loopback_stores: bool

    @property
    def shopify_secrets(self) -> tuple[bytes, ...]:
        """Return the app secrets that may sign a webhook, current first."""
        return tuple(s.encode() for s in (self.shopify_api_secret, self.shopify_old_api_secret) if s)


def load_settings() -> Settings:
    """Return the settings of this process.

    Reads ``.env`` in the working directory first, without overriding what is set already.

    Raises:
        ConfigurationError: if a value cannot be understood.
    """
    env = Env(eager=False)  # so that what is wrong comes with its name, from ``seal``
    env.read_env(Path(".env"), recurse=False)
    at_least_one = validate.Range(min=1)
    # Names fixed by custom, without our prefix; empty means not set.
    outside = {name.lower(): env.str(name, "") or None for name in _OUTSIDE}
    with env.prefixed("PANNIER_"):
        host = env.str("HOST", "127.0.0.1")
        port = env.int("PORT", 8000, validate=validate.Range(min=1, max=65535))
        settings = Settings(
            **outside,
            secret_keys=tuple(filter(None, map(str.strip, env.list("SECRET_KEYS", [])))),
            var_dir=Path(env.str("VAR_DIR", "var")).absolute(),
            host=host,
            port=port,
            public_url=env.str("PUBLIC_URL", "").rstrip("/") or f"http://{host}:{port}",
            web_processes=env.int("WEB_PROCESSES", 2, validate=at_least_one),
            web_threads=env.int("WEB_THREADS", 4, validate=at_least_one),
            worker_processes=env.int("WORKER_PROCESSES", 2, validate=at_least_one),
            log_level=env.str(
                "LOG_LEVEL", "info", validate=validate.OneOf(["debug", "info", "warning", "error"])
            ),
            log_format=env.str("LOG_FORMAT", "console", validate=validate.OneOf(["console", "json"])),
            webhook_max_bytes=env.int("WEBHOOK_MAX_BYTES", 5_000_000, validate=at_least_one),
            request_max_bytes=env.int("REQUEST_MAX_BYTES", 100_000, validate=at_least_one),
            drain_batch=env.int("DRAIN_BATCH", 200, validate=at_least_one),
            delivery_retention_days=env.int("DELIVERY_RETENTION_DAYS", 30, validate=at_least_one),
            event_retention_days=env.int("EVENT_RETENTION_DAYS", 180, validate=at_least_one),
            decision_retention_days=env.int("DECISION_RETENTION_DAYS", 90, validate=at_least_one),
            cart_retention_days=env.int("CART_RETENTION_DAYS", 180, validate=at_least_one),
            consent_retention_days=env.int("CONSENT_RETENTION_DAYS", 730, validate=at_least_one),
            receipt_retention_days=env.int("RECEIPT_RETENTION_DAYS", 1095, validate=at_least_one),
            least_people=env.int("LEAST_PEOPLE", 5, validate=at_least_one),
            ready_bytes_ms=env.int("READY_BYTES_MS", 250, validate=validate.Range(min=0, max=15_000)),
            failures_per_minute=env.int("FAILURES_PER_MINUTE", 600, validate=validate.Range(min=0)),
            shopify_address=env.str(
                "SHOPIFY_ADDRESS", "https://{shop}", validate=validate.Regexp(r"^https?://.*\{shop\}$")
            ),
            allow_loopback_stores=env.bool("ALLOW_LOOPBACK_STORES", False),
        )
    try:
        env.seal()
    except EnvValidationError as error:
        wrong = error.error_messages
        assert isinstance(wrong, Mapping)
        name, reasons = next(iter(wrong.items()))
        raise ConfigurationError(f"{name} cannot be understood: {' '.join(reasons)}") from error
    return settings
