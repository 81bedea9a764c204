"""What every test may stand on: real PostgreSQL, real Redis, an application on both.

Services named by DATABASE_URL and REDIS_URL are used, else the embedded ones, started once for all test
processes. Each test process has a database of its own, emptied before each test that asks for one.
"""

import functools
import io
import os
import shutil
import signal
import socket
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import create_engine, make_url, text
from xdist.scheduler import LoadScopeScheduling

from app.commerce.store import NewKeys, Store, add_store
from app.core import api, embedded, queues
from app.core import logging as app_logging
from app.core.config import Settings, load_settings
from app.core.crypto import open_vault
from app.core.db import Model, db
from app.core.held import forget_everything
from app.core.logging import configure_logging
from app.core.migrations import migrate
from app.core.redis import Breaker
from app.factory import create_app
from app.recommendations import stale
from tests.command import Pannier
from webhooks import intake, jobs

SHOPIFY_SECRET = "hush"
SHOPIFY_OLD_SECRET = "old-hush"
SHOPIFY_DOMAIN = "pannier-test.myshopify.com"
WOO_SECRET = "whsec-local-test"
WOO_SITE = "http://127.0.0.1:8081"
# No test is failed for the time it takes: machines are busy, and compiling counts too.
hypothesis.settings.register_profile("pannier", deadline=None)
hypothesis.settings.load_profile("pannier")

SECRET_KEY = Fernet.generate_key().decode()
# What these open takes far longer than their tests: one test process runs all of a file.
TOGETHER = (
    "tests/end_to_end/test_demo_shops.py",
    "tests/end_to_end/test_session.py",
    "tests/recommendations/test_spark.py",
)

_DIRECTORY = pytest.StashKey[Path]()
_RUNNING = pytest.StashKey[embedded.Running]()


def pytest_configure(config: pytest.Config) -> None:
    """Set up logs, and start the services in the controlling process only: test processes inherit their addresses."""
    app_logging.CACHED = False
    configure_logging("error", "json")
    _take_long_turns()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background by a shell without job control: children would not hear Ctrl-C either.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    missing = {name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)}
    if missing:
        directory = Path(tempfile.mkdtemp(prefix="pannier-tests-"))
        running = embedded.start(directory, postgres="DATABASE_URL" in missing, redis="REDIS_URL" in missing)
        config.stash[_DIRECTORY] = directory
        config.stash[_RUNNING] = running
    else:
        running = None
    services = running.services if running else None
    os.environ["PANNIER_TEST_DATABASE_URL"] = os.environ.get("DATABASE_URL") or services.database_url
    os.environ["PANNIER_TEST_REDIS_URL"] = os.environ.get("REDIS_URL") or services.redis_url


def _take_long_turns() -> None:
    """Let jobs that give their worker back after seconds end what they are at: nobody here takes up the rest.

    Like Hypothesis's deadline, how much fits into two seconds is the machine's affair, not a test's.
    """
    for module in (jobs, stale):
        module._TURN_S = 3600.0  # type: ignore[attr-defined]


class _ByFile(LoadScopeScheduling):
    """Hands out tests one by one, and those of some files together. Of tests with one id it would run a single one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests that share an id: all but one would be passed over in silence."""
    if twice := [id_ for id_, number in Counter(item.nodeid for item in items).items() if number > 1]:
        raise pytest.UsageError(f"{len(twice)} ids of tests stand for several, such as {twice[0]}.")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Tell pytest-xdist how tests are handed out."""
    return _ByFile(config, log)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    running = config.stash.get(_RUNNING, None)
    if running is not None:
        running.stop()
        shutil.rmtree(config.stash[_DIRECTORY], ignore_errors=True)


@pytest.fixture(scope="session")
def database_url(worker_id: str) -> Iterator[str]:
    """A migrated database of this test process."""
    url = make_url(os.environ["PANNIER_TEST_DATABASE_URL"])
    name = f"pannier_test_{worker_id}"
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
        # Commits become visible as ever; only a crash of the machine could lose them.
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    own = url.set(database=name)
    engine = create_engine(own)
    migrate(engine)
    engine.dispose()
    yield own.render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(scope="session")
def redis_url(worker_id: str) -> str:
    """A Redis database of this test process."""
    number = int(worker_id.removeprefix("gw")) + 1 if worker_id != "master" else 0
    return f"{os.environ['PANNIER_TEST_REDIS_URL'].split('?')[0].rstrip('/')}/{number}"


@pytest.fixture(scope="session")
def settings(database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a test application."""
    return replace(
        load_settings(),
        database_url=database_url,
        redis_url=redis_url,
        shopify_api_key="test-key",
        shopify_api_secret=SHOPIFY_SECRET,
        shopify_old_api_secret=SHOPIFY_OLD_SECRET,
        secret_keys=(SECRET_KEY,),
        var_dir=tmp_path_factory.mktemp("var"),
        log_level="error",
        log_format="json",
        ready_bytes_ms=0,
    )


@pytest.fixture(scope="session")
def shared_app(settings: Settings) -> Iterator[Flask]:
    """The application of this test process."""
    app = create_app(settings)
    # The ids of the new database begin at 1 again: a Redis that is older must not answer for them.
    app.extensions["pannier_redis"].flushdb()
    yield app
    _close_connections(app)


def _close_connections(app: Flask) -> None:
    """Close what an application holds open, the connections of its writers too."""
    app.extensions["pannier_intake"].inbox.close()
    app.extensions["pannier_events"].writer.close()
    app.extensions["pannier_decisions"].close()
    with app.app_context():
        db.engine.dispose()


@functools.cache
def _emptying() -> str:
    """Return what empties every table: a tenth of the time of TRUNCATE, which makes new files.

    Called when the migrations have imported all tables. Ids begin at 1 again.
    """
    tables = [f"DELETE FROM {table.name}" for table in reversed(Model.metadata.sorted_tables)]
    return "; ".join([*tables, "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Take back what a test before did to the process: another vault, other logs, values held.

    A held value would answer for a new store that has the number of an old one. It is done before any fixture is made:
    what one of a whole module encrypts is read by the tests that follow.
    """
    if "shared_app" in getattr(item, "fixturenames", ()):
        open_vault((SECRET_KEY,))
        configure_logging("error", "json")
        forget_everything()


@pytest.fixture(autouse=True)
def _state_of_the_shared_app(request: pytest.FixtureRequest) -> None:
    """Take back what a test before did to the application: a Redis that was down, failures counted against us."""
    if "shared_app" in request.fixturenames:
        shared_app: Flask = request.getfixturevalue("shared_app")
        shared_app.extensions["pannier_redis_breaker"] = Breaker()
        shared_app.extensions["pannier_failures"]._counts.clear()


@pytest.fixture
def app(shared_app: Flask) -> Iterator[Flask]:
    """The application on an empty database and an empty Redis, inside its context."""
    with shared_app.app_context():
        # What the test before has marked would arrive in this one's queue.
        shared_app.extensions["pannier_intake"].hints.idle.wait(10)
        shared_app.extensions["pannier_events"].tallies.discard()
        shared_app.extensions["pannier_decisions"].discard()
        with db.engine.begin() as connection:
            connection.exec_driver_sql(_emptying())
        shared_app.extensions["pannier_redis"].flushdb()
        yield shared_app
        db.session.rollback()


@pytest.fixture
def environment(settings: Settings, tmp_path: Path) -> dict[str, str]:
    """What a process on the services of this test finds set; what it keeps in files is this test's alone."""
    return {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "PANNIER_SECRET_KEYS": SECRET_KEY,
        "PANNIER_VAR_DIR": str(tmp_path / "var"),
        "PANNIER_LOG_LEVEL": "error",
    }


@pytest.fixture
def pannier(environment: dict[str, str]) -> Pannier:
    """Run the ``pannier`` command on the services of this test."""
    return Pannier(environment)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """An HTTP client of the application."""
    return app.test_client()


@pytest.fixture
def make_app(settings: Settings) -> Iterator[Callable[..., Flask]]:
    """Make further applications on the same services, with other settings."""
    made: list[Flask] = []

    def make(**changes: Any) -> Flask:
        made.append(create_app(replace(settings, **changes)))
        return made[-1]

    yield make
    for app in made:
        _close_connections(app)


@pytest.fixture
def closed_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def dead_database(closed_port: int) -> str:
    """The address of a PostgreSQL that is down."""
    return f"postgresql+psycopg://pannier:not-logged@127.0.0.1:{closed_port}/pannier"


@pytest.fixture
def dead_redis(closed_port: int) -> str:
    """The address of a Redis that is down."""
    return f"redis://:not-logged@127.0.0.1:{closed_port}/0"


@pytest.fixture
def logged(shared_app: Flask, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the routes and error handlers write into the log during this test, at every level."""
    written = io.StringIO()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(written),
        processors=structlog.get_config()["processors"],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    for module in (api, intake, queues):
        monkeypatch.setattr(module, "log", logger)
    return written


@pytest.fixture
def redis(app: Flask) -> Redis:
    """The application's Redis."""
    return app.extensions["pannier_redis"]


@pytest.fixture
def redis_down(app: Flask, dead_redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Redis of the application is down during this test."""
    for name in ("pannier_redis", "pannier_queue_redis"):
        monkeypatch.setitem(app.extensions, name, Redis.from_url(dead_redis, retry=None))


@pytest.fixture
def shopify(app: Flask) -> Store:
    """A Shopify store."""
    store, _ = add_store("shopify", SHOPIFY_DOMAIN, currency="USD")
    db.session.commit()
    return store


@pytest.fixture
def woocommerce(app: Flask) -> Store:
    """A WooCommerce store."""
    store, _ = add_store("woocommerce", WOO_SITE, currency="EUR", webhook_secret=WOO_SECRET)
    db.session.commit()
    return store


@pytest.fixture
def keys(app: Flask) -> dict[str, Any]:
    """Two stores with their keys, for tests of who may see what."""
    found: dict[str, tuple[Store, NewKeys]] = {}
    for name in ("mine", "other"):
        found[name] = add_store("shopify", f"{name}.myshopify.com", origins=[f"https://{name}.example"])
    db.session.commit()
    return found
