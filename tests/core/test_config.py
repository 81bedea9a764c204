"""Settings: what the environment may say, and the one sentence when it makes no sense."""

import os
from pathlib import Path

import pytest

from app.core.config import ConfigurationError, Settings, load_settings

OUTSIDE = ("DATABASE_URL", "REDIS_URL", "SHOPIFY_API_KEY", "SHOPIFY_API_SECRET", "SHOPIFY_OLD_API_SECRET")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting is set, and the working directory is empty."""
    for name in list(os.environ):
        if name.startswith("PANNIER_") or name in OUTSIDE:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_everything_has_a_default(tmp_path: Path) -> None:
    assert load_settings() == Settings(
        database_url=None,
        redis_url=None,
        shopify_api_key=None,
        shopify_api_secret=None,
        shopify_old_api_secret=None,
        secret_keys=(),
        var_dir=tmp_path / "var",
        host="127.0.0.1",
        port=8000,
        public_url="http://127.0.0.1:8000",
        web_processes=2,
        web_threads=4,
        worker_processes=2,
        log_level="info",
        log_format="console",
        webhook_max_bytes=5_000_000,
        request_max_bytes=100_000,
        drain_batch=200,
        delivery_retention_days=30,
        event_retention_days=180,
        decision_retention_days=90,
        cart_retention_days=180,
        consent_retention_days=730,
        receipt_retention_days=1095,
        least_people=5,
        ready_bytes_ms=250,
        failures_per_minute=600,
        shopify_address="https://{shop}",
        allow_loopback_stores=False,
    )


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "DATABASE_URL": "postgresql://db",
        "REDIS_URL": "",
        "SHOPIFY_API_SECRET": "new",
        "SHOPIFY_OLD_API_SECRET": "old",
        "PANNIER_SECRET_KEYS": " one , two,",
        "PANNIER_VAR_DIR": "elsewhere",
        "PANNIER_PORT": "8001",
        "PANNIER_PUBLIC_URL": "https://pannier.example/",
        "PANNIER_READY_BYTES_MS": "0",
    }.items():
        monkeypatch.setenv(name, value)

    settings = load_settings()

    assert (settings.database_url, settings.redis_url) == ("postgresql://db", None)
    assert settings.shopify_secrets == (b"new", b"old")
    assert settings.secret_keys == ("one", "two")
    assert settings.var_dir == tmp_path / "elsewhere"
    assert (settings.port, settings.public_url) == (8001, "https://pannier.example")
    assert settings.ready_bytes_ms == 0


def test_a_file_speaks_where_the_environment_is_silent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PANNIER_PORT", "9001")
    monkeypatch.setenv("REDIS_URL", "redis://environment")
    (tmp_path / ".env").write_text(
        "PANNIER_PORT=9002\nPANNIER_DRAIN_BATCH=7\n"
        "DATABASE_URL=postgresql://file\nREDIS_URL=redis://file\nSHOPIFY_API_SECRET=hush\n"
    )

    settings = load_settings()

    assert (settings.port, settings.drain_batch) == (9001, 7)
    assert (settings.database_url, settings.redis_url) == ("postgresql://file", "redis://environment")
    assert settings.shopify_secrets == (b"hush",)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("PANNIER_PORT", "eighty", "Not a valid integer."),
        ("PANNIER_PORT", "", "Not a valid integer."),
        ("PANNIER_PORT", "0", "Must be greater than or equal to 1 and less than or equal to 65535."),
        ("PANNIER_WEB_THREADS", "0", "Must be greater than or equal to 1."),
        ("PANNIER_WORKER_PROCESSES", "-2", "Must be greater than or equal to 1."),
        ("PANNIER_LOG_LEVEL", "loud", "Must be one of: debug, info, warning, error."),
        ("PANNIER_LOG_FORMAT", "xml", "Must be one of: console, json."),
        (
            "PANNIER_READY_BYTES_MS",
            "15001",
            "Must be greater than or equal to 0 and less than or equal to 15000.",
        ),
        ("PANNIER_DELIVERY_RETENTION_DAYS", "1.5", "Not a valid integer."),
    ],
    ids=["word", "empty", "zero", "no threads", "negative", "level", "format", "too stale", "half a day"],
)
def test_a_wrong_setting_is_one_sentence_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as raised:
        load_settings()

    assert str(raised.value) == f"{name} cannot be understood: {reason}"


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHOPIFY_API_SECRET", "SHOPIFY_OLD_API_SECRET", "PANNIER_SECRET_KEYS"):
        monkeypatch.setenv(name, f"marker-{name}")

    assert "marker" not in repr(load_settings())
