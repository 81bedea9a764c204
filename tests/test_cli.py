"""The ``pannier`` command: good use, bad use, and what it prints."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import create_engine, make_url, select, text

from app.cli import cli
from app.commerce import ingest
from app.commerce.store import SETTINGS, AccessCache, Store, add_store
from app.core.db import db, now
from app.recommendations import rebuilding, refresh, sets
from app.recommendations.models import LearnedModel
from tests.command import Pannier, done, sentence
from tests.factories import at, incoming, keep, order_change, product_change, shopify_order
from webhooks.models import PROCESSED, QUARANTINED, WebhookDelivery

ROOT = Path(__file__).resolve().parents[1]


def leaves(command: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its whole name."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(leaves())


@pytest.fixture
def pannier(app: Flask, pannier: Pannier) -> Pannier:
    """Run the command on an empty database."""
    return pannier


@pytest.fixture
def store(app: Flask) -> Store:
    found, _ = add_store("shopify", "mine.myshopify.com", name="Mine")
    db.session.commit()
    return found


# --- all commands ---------------------------------------------------------------------------------------


def test_the_commands_are_those_that_are_tested_here() -> None:
    assert set(COMMANDS) == {
        "backfill",
        "decisions show",
        "demo",
        "events replay",
        "events status",
        "experiments decide",
        "experiments list",
        "experiments power",
        "experiments report",
        "experiments show",
        "experiments start",
        "experiments stop",
        "freshness",
        "import orders",
        "migrate",
        "new-secret-key",
        "offers approve",
        "offers end",
        "offers list",
        "offers propose",
        "prices approve",
        "prices changes",
        "prices experiment",
        "prices import-competitors",
        "prices ledger",
        "prices propose",
        "prices rules",
        "prices undo",
        "privacy erase",
        "privacy export",
        "privacy notice",
        "privacy requests",
        "privacy verify-receipt",
        "quotes rotate-secret",
        "recommendations checks",
        "recommendations evaluate",
        "recommendations readiness",
        "recommendations rebuild",
        "recommendations return",
        "recommendations sets",
        "recommendations show",
        "recommendations tune",
        "reconcile",
        "reports channels",
        "reports drift",
        "rules lint",
        "rules list",
        "rules undo",
        "segments list",
        "segments overlap",
        "segments preview",
        "segments refresh",
        "segments show",
        "services",
        "store add",
        "store connect",
        "store disconnect",
        "store list",
        "store rotate-keys",
        "store show",
        "store status",
        "synth",
        "webhooks replay",
        "webhooks status",
        "webhooks sweep",
    }


@pytest.mark.parametrize("name", ["", "store", "webhooks", "recommendations", *COMMANDS])
def test_every_command_explains_itself(name: str) -> None:
    for flag in ("--help", "-h"):
        result = CliRunner().invoke(cli, [*name.split(), flag], prog_name="pannier")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith(f"Usage: pannier {name}".rstrip())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name: str) -> None:
    command = COMMANDS[name]

    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.opts[0]}"


def test_summaries_fit_their_line() -> None:
    for name in ("", "store", "webhooks", "recommendations"):
        assert (
            "..." not in CliRunner().invoke(cli, [*name.split(), "--help"]).stdout.partition("Commands:")[2]
        )


def test_help_says_where_to_begin_and_what_the_exit_codes_mean() -> None:
    words = " ".join(CliRunner().invoke(cli, ["--help"]).stdout.split())

    assert "pannier demo" in words
    assert "Exit codes: 0 done, 1 the work failed, 2 bad use." in words


def test_version() -> None:
    result = CliRunner().invoke(cli, ["--version"])

    assert (result.exit_code, result.stdout) == (0, "pannier, version 0.1.0\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["--nonsense"],
        ["store"],
        ["store", "nonsense"],
        ["store", "add"],
        ["store", "add", "magento", "a.example"],
        ["store", "show"],
        ["store", "list", "extra"],
        ["webhooks", "replay"],
        ["webhooks", "replay", "--store", "1", "--status", "pending"],
        ["webhooks", "replay", "--store", "1", "--since", "yesterday"],
        ["recommendations", "show"],
        ["recommendations", "show", "--store", "1", "--limit", "0"],
        ["demo", "--port", "0"],
        ["demo", "--port", "http"],
        ["demo", "--orders", "0"],
        ["demo", "--orders", "3201"],
    ],
    ids=" ".join,
)
def test_wrong_words_are_bad_use(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli, arguments, prog_name="pannier")

    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert result.stderr.startswith("Usage: pannier")


# --- what every command needs ---------------------------------------------------------------------------

NEED_A_DATABASE = ["migrate", "store list", "store show x", "webhooks status", "webhooks sweep"]


@pytest.mark.parametrize("arguments", NEED_A_DATABASE)
@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL is no address such as postgresql://user:password@host/name."),
        ({"DATABASE_URL": "mysql://u:not-shown@h/d"}, "DATABASE_URL must name a PostgreSQL database (postgresql://…)."),
        ({"REDIS_URL": "nonsense"}, "REDIS_URL is no address such as redis://:password@host:6379/0."),
        ({"PANNIER_SECRET_KEYS": ""},
         "PANNIER_SECRET_KEYS is not set; make a key with `pannier new-secret-key` and keep it safe."),
        ({"PANNIER_SECRET_KEYS": "short"},
         "PANNIER_SECRET_KEYS must be one or more Fernet keys, separated by commas."),
        ({"PANNIER_WEB_THREADS": "many"}, "PANNIER_WEB_THREADS cannot be understood: Not a valid integer."),
    ],
    ids=["database", "mysql", "redis", "no keys", "short keys", "threads"],
)  # fmt: skip
def test_a_wrong_setting_is_one_sentence(
    pannier: Pannier, arguments: str, env: dict[str, str], said: str
) -> None:
    assert sentence(pannier(*arguments.split(), **env), 2) == said


@pytest.mark.parametrize("arguments", NEED_A_DATABASE)
def test_a_database_that_is_down_is_one_sentence(
    pannier: Pannier, dead_database: str, arguments: str
) -> None:
    said = sentence(pannier(*arguments.split(), DATABASE_URL=dead_database), 1)

    assert said == "The database does not answer; look at DATABASE_URL."


@pytest.fixture
def bare_database(database_url: str) -> Iterator[str]:
    """A database without a table."""
    url = make_url(database_url)
    name = f"{url.database}_bare"
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield url.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def test_from_a_bare_database_to_one_that_works_and_beyond(pannier: Pannier, bare_database: str) -> None:
    said = sentence(pannier("store", "list", DATABASE_URL=bare_database), 1)
    assert said == "The database lacks this version's tables; run `pannier migrate`."

    for _ in range(2):
        assert done(pannier("migrate", DATABASE_URL=bare_database)) == "The database is up to date.\n"
    # As hosting platforms write it.
    plain = bare_database.replace("postgresql+psycopg://", "postgres://")
    assert done(pannier("store", "list", "--json", DATABASE_URL=plain)) == "[]\n"

    engine = create_engine(bare_database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    engine.dispose()
    said = sentence(pannier("migrate", DATABASE_URL=bare_database), 1)
    assert said == "The database is newer than this version of Pannier; use that one."


def test_without_redis_commands_that_read_still_work(pannier: Pannier, store: Store, dead_redis: str) -> None:
    (row,) = json.loads(done(pannier("store", "list", "--json", REDIS_URL=dead_redis)))

    assert row["domain"] == "mine.myshopify.com"


@pytest.mark.parametrize(
    "reference", ["99", "nobody.myshopify.com", "9" * 40, "²", "'; DROP TABLE store; --"]
)
@pytest.mark.parametrize(
    "arguments",
    ["store show {}", "store rotate-keys {}", "webhooks status --store {}", "webhooks replay --all --store {}",
     "recommendations show --store {}", "recommendations rebuild --store {}"],
    ids=lambda arguments: arguments.rsplit(" ", 1)[0],
)  # fmt: skip
def test_a_store_that_is_not_there_is_one_sentence(pannier: Pannier, arguments: str, reference: str) -> None:
    said = sentence(pannier(*(part.format(reference) for part in arguments.split())), 2)

    assert said == f"There is no store {reference!r}; `pannier store list` shows them."


# --- installation ---------------------------------------------------------------------------------------


def test_a_new_secret_key_is_one(pannier: Pannier) -> None:
    first, second = (done(pannier("new-secret-key")).strip() for _ in range(2))

    assert first != second
    assert Fernet(first).decrypt(Fernet(first).encrypt(b"x")) == b"x"


def test_services_have_nothing_to_do_where_others_are_named(pannier: Pannier) -> None:
    said = sentence(pannier("services"), 2)

    assert said == "DATABASE_URL and REDIS_URL are set, so there is nothing to start."


def test_without_addresses_commands_bring_their_own_services(
    pannier: Pannier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command starts them for itself; while ``pannier services`` runs, others use those."""
    monkeypatch.chdir(tmp_path)  # so that no .env of the developer is read
    nothing_set = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "PANNIER_SECRET_KEYS"))

    done(pannier("store", "add", "shopify", "mine.myshopify.com", **nothing_set))

    directory = tmp_path / "var"
    environment = {k: v for k, v in os.environ.items() if k not in nothing_set}
    environment |= {"PANNIER_VAR_DIR": str(directory), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "from app.cli import main; main()", "services"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as services:
        assert services.stdout is not None
        try:
            assert (
                services.stdout.readline()
                == f"PostgreSQL and Redis run under {directory}. Ctrl-C ends them.\n"
            )
            (row,) = json.loads(done(pannier("store", "list", "--json", **nothing_set)))
        finally:
            services.send_signal(signal.SIGINT)

    assert services.returncode == 0
    assert row["domain"] == "mine.myshopify.com"


# --- stores ---------------------------------------------------------------------------------------------


def test_store_add_shopify(pannier: Pannier) -> None:
    words = "--name Mugs --currency EUR --timezone Europe/Berlin --setting min_orders=5 --json"
    origins = "--origin https://mugs.example --origin https://www.mugs.example/"

    shown = json.loads(
        done(pannier("store", "add", "shopify", "Mugs.myshopify.com", *words.split(), *origins.split()))
    )

    store = db.session.scalars(select(Store)).one()
    assert (store.domain, store.name, store.currency, store.timezone) == (
        "mugs.myshopify.com",
        "Mugs",
        "EUR",
        "Europe/Berlin",
    )
    assert store.origins == ["https://mugs.example", "https://www.mugs.example"]
    assert store.settings == {"min_orders": 5}
    assert shown == {
        "store": store.id,
        "domain": "mugs.myshopify.com",
        "publishable_key": shown["publishable_key"],
        "secret_key": shown["secret_key"],
    }
    for name, kind in (("publishable_key", "publishable"), ("secret_key", "secret")):
        access = AccessCache().get(shown[name])
        assert access is not None
        assert (access.store_id, access.kind) == (store.id, kind)


def test_store_add_woocommerce_says_where_to_deliver(pannier: Pannier) -> None:
    words = done(pannier("store", "add", "woocommerce", "https://Shop.example/"))

    store = db.session.scalars(select(Store)).one()
    assert f"domain: {store.domain}\n" in words
    assert store.domain == "https://shop.example"
    assert f"webhook path: /webhooks/woocommerce/{store.webhook_token}\n" in words
    assert f"webhook secret: {store.credentials['webhook_secret']}\n" in words
    assert words.endswith("The secret key is shown this once; keep it on your server.\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shopify", "example.com"], "'example.com' is no Shopify domain such as example.myshopify.com."),
        (["woocommerce", "example.com"], "'example.com' is no site address such as https://example.com."),
        (["woocommerce", "http://["], "'http://[' is no site address such as https://example.com."),
        (["woocommerce", "https://a.b:99999"], "'https://a.b:99999' is no site address such as https://example.com."),
        (["woocommerce", "https://a.b?c=d"], "'https://a.b?c=d' is no site address such as https://example.com."),
        (["shopify", "a.myshopify.com", "--currency", "eur"], "'eur' is no ISO 4217 currency code."),
        (["shopify", "a.myshopify.com", "--timezone", "Mars/Olympus"],
         "'Mars/Olympus' is no IANA time zone such as Europe/Berlin."),
        (["shopify", "a.myshopify.com", "--timezone", "../../etc/passwd"],
         "'../../etc/passwd' is no IANA time zone such as Europe/Berlin."),
        (["shopify", "a.myshopify.com", "--origin", "*"], "'*' is no origin such as https://example.com."),
        (["shopify", "a.myshopify.com", "--origin", "https://a.b/c"],
         "'https://a.b/c' is no origin such as https://example.com."),
        (["shopify", "a.myshopify.com", "--origin", "http://["], "'http://[' is no origin such as https://example.com."),
        (["shopify", "a.myshopify.com", "--setting", "min_lift"], "'min_lift' is not NAME=NUMBER."),
        (["shopify", "a.myshopify.com", "--setting", "min_lift=x"], "'min_lift=x' is not NAME=NUMBER."),
        (["shopify", "a.myshopify.com", "--setting", "min_lift=0"], "min_lift must be from 1 to 100."),
        (["shopify", "a.myshopify.com", "--setting", "min_lift=nan"], "min_lift must be from 1 to 100."),
        (["shopify", "a.myshopify.com", "--setting", "colour=1"],
         f"There is no setting 'colour'; known are {', '.join(SETTINGS)}."),
    ],
    ids=["domain", "site", "bracket", "port", "query", "currency", "zone", "path as zone", "star", "path", "bad origin",
         "no number", "no digit", "range", "nan", "unknown"],
)  # fmt: skip
def test_store_add_with_wrong_values(pannier: Pannier, arguments: list[str], said: str) -> None:
    assert sentence(pannier("store", "add", *arguments), 2) == said
    assert db.session.scalars(select(Store)).all() == []


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        ("HTTPS://Shop.example:443", "https://shop.example"),
        ("http://shop.example:8080", "http://shop.example:8080"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_origins_become_what_browsers_send(pannier: Pannier, given: str, origin: str) -> None:
    done(pannier("store", "add", "shopify", "a.myshopify.com", "--origin", given))

    assert db.session.scalars(select(Store)).one().origins == [origin]


def test_a_store_is_added_once(pannier: Pannier, store: Store) -> None:
    said = sentence(pannier("store", "add", "shopify", "mine.myshopify.com"), 2)

    assert said == "The shopify store mine.myshopify.com exists already."


def test_store_list(pannier: Pannier, store: Store) -> None:
    gone, _ = add_store("woocommerce", "https://gone.example")
    gone.uninstalled_at = now()
    gone.connection_problem = "lost"
    lost, _ = add_store("woocommerce", "https://lost.example")
    lost.connection_problem = "Connect it again."
    db.session.commit()
    ingest.apply(db.session.connection(), store.id, [product_change("p1"), order_change("o1", "p1")])
    db.session.commit()

    rows = json.loads(done(pannier("store", "list", "--json")))
    table = done(pannier("store", "list"))

    assert rows == [
        {"store": store.id, "platform": "shopify", "domain": "mine.myshopify.com", "orders": 1,
         "status": "connected"},
        {"store": gone.id, "platform": "woocommerce", "domain": "https://gone.example", "orders": 0,
         "status": "uninstalled"},
        {"store": lost.id, "platform": "woocommerce", "domain": "https://lost.example", "orders": 0,
         "status": "Connect it again."},
    ]  # fmt: skip
    head, *lines = table.splitlines()
    assert head.split() == ["store", "platform", "domain", "orders", "status"]
    assert [line.split(None, 4) for line in lines] == [[str(v) for v in row.values()] for row in rows]


def test_store_list_of_nothing(pannier: Pannier) -> None:
    assert done(pannier("store", "list")) == "There is no store yet. Add one with `pannier store add`.\n"
    assert done(pannier("store", "list", "--json")) == "[]\n"


def test_store_show(pannier: Pannier, store: Store) -> None:
    db.session.add(
        LearnedModel(
            store_id=store.id, epoch=now().date(), half_life_days=180, basket_cap=100, orders=12, version=1
        )
    )
    db.session.commit()

    facts = json.loads(done(pannier("store", "show", "mine.myshopify.com", "--json")))
    words = done(pannier("store", "show", str(store.id)))

    assert facts["store"] == store.id
    assert facts["publishable_key"].startswith("pk_")
    assert facts["orders_learned"] == 12
    assert facts["webhook_path"] is None
    assert {name: facts[name] for name in SETTINGS} == {
        name: default for name, (default, _, _) in SETTINGS.items()
    }
    assert datetime.fromisoformat(facts["installed_at"]).utcoffset() is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", facts["installed_at"])
    assert "orders learned: 12\n" in words
    assert "uninstalled at: –\n" in words
    assert "sk_" not in words


def test_store_show_changes_settings(pannier: Pannier, store: Store) -> None:
    shown = done(
        pannier("store", "show", "1", "--setting", "min_orders=7", "--setting", "min_lift=2", "--json")
    )
    done(pannier("store", "show", "1", "--setting", "min_orders=8"))

    assert (json.loads(shown)["min_orders"], json.loads(shown)["min_lift"]) == (7, 2)
    assert db.session.get_one(Store, store.id).settings == {"min_orders": 8, "min_lift": 2}

    assert sentence(pannier("store", "show", "1", "--setting", "min_orders=0"), 2) == (
        "min_orders must be from 1 to 1000."
    )
    assert db.session.get_one(Store, store.id).settings["min_orders"] == 8


def test_store_rotate_keys(pannier: Pannier, app: Flask) -> None:
    store, old = add_store("shopify", "mine.myshopify.com")
    db.session.commit()

    new = json.loads(done(pannier("store", "rotate-keys", str(store.id), "--json")))

    assert new["publishable_key"] != old.publishable
    for key in (old.publishable, old.secret, new["publishable_key"], new["secret_key"]):
        access = AccessCache().get(key)
        assert access is not None
        assert access.store_id == store.id


# --- webhooks -------------------------------------------------------------------------------------------


@pytest.fixture
def delivered(store: Store) -> Store:
    """A store with three deliveries: an order that was processed, one in quarantine, one that waits."""
    for number, (status, reason) in enumerate(
        [(PROCESSED, None), (QUARANTINED, "payload: line_items"), (None, None)], 1
    ):
        keep(incoming(store.id, body=shopify_order(number, 1, 2), received=at(number * 86_400)))
        if status:
            delivery = db.session.scalars(select(WebhookDelivery).where(WebhookDelivery.id == number)).one()
            delivery.status, delivery.reason, delivery.processed_at = status, reason, now()
            db.session.commit()
        db.session.rollback()
    return store


def statuses() -> list[str]:
    return [d.status for d in db.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id))]


@pytest.mark.parametrize("scope", [[], ["--store", "mine.myshopify.com"]], ids=["all", "one store"])
def test_webhooks_status(pannier: Pannier, delivered: Store, scope: list[str]) -> None:
    rows = json.loads(done(pannier("webhooks", "status", "--json", *scope)))

    assert rows == [
        {"store_id": 1, "topic": "orders/create", "status": status, "reason": reason, "deliveries": 1}
        for status, reason in (("pending", None), ("processed", None), ("quarantined", "payload"))
    ]
    assert "orders/create" in done(pannier("webhooks", "status", *scope))


def test_webhooks_status_of_nothing(pannier: Pannier, store: Store) -> None:
    assert done(pannier("webhooks", "status")) == "No delivery has arrived yet.\n"
    assert done(pannier("webhooks", "status", "--json")) == "[]\n"


@pytest.mark.parametrize(
    ("conditions", "taken"),
    [
        (["--status", "quarantined"], 1),
        (["--reason", "payload"], 1),
        (["--topic", "orders/create"], 2),
        (["--topic", "orders/paid"], 0),
        (["--since", "2026-01-07"], 1),
        (["--until", "2026-01-06T12:00:01"], 1),
        (["--all"], 2),
    ],
    ids=["status", "reason", "topic", "other topic", "since", "until", "all"],
)
def test_webhooks_replay(pannier: Pannier, delivered: Store, conditions: list[str], taken: int) -> None:
    words = done(pannier("webhooks", "replay", "--store", "1", *conditions))

    assert words == f"{taken} deliveries taken up again.\n"
    quarantined = "quarantined" if taken != 2 and conditions[0] in ("--topic", "--until") else "processed"
    assert statuses() == ["processed", quarantined, "processed"]


def test_webhooks_replay_says_what_is_left_to_others(pannier: Pannier, delivered: Store, app: Flask) -> None:
    """Another worker drains the store at this moment: the replayed ones are its work."""
    with db.engine.connect() as other:
        other.detach()  # so that the lock ends with this connection, whatever happens
        other.execute(text("SELECT pg_advisory_lock(2, 1)"))
        words = done(pannier("webhooks", "replay", "--store", "1", "--all"))

    assert words == "2 deliveries taken up again, 3 still wait for a worker.\n"


def test_webhooks_replay_wants_a_condition(pannier: Pannier, delivered: Store) -> None:
    said = sentence(pannier("webhooks", "replay", "--store", "1"), 2)

    assert said == "Say which deliveries (--status, --topic, --reason, --since, --until) or --all."
    assert statuses() == ["processed", "quarantined", "pending"]


def test_webhooks_sweep(pannier: Pannier, delivered: Store) -> None:
    words = done(pannier("webhooks", "sweep"))

    assert words == "1 stores have deliveries waiting; their workers were told.\n"


# --- recommendations ------------------------------------------------------------------------------------


@pytest.fixture
def bought(store: Store) -> Store:
    """A store in which 1 and 2 are bought together, and 3 by others."""
    orders = [order_change(f"a{n}", "1", "2") for n in range(20)]
    orders += [order_change(f"b{n}", "3") for n in range(30)]
    products = [product_change(p, lists_variants=False, title=f"Product {p}") for p in ("1", "2", "3")]
    ingest.apply(db.session.connection(), store.id, [*products, *orders])
    db.session.commit()
    return store


def test_recommendations_rebuild_and_show(pannier: Pannier, bought: Store) -> None:
    empty = done(pannier("recommendations", "show", "--store", "1"))
    result = pannier("recommendations", "rebuild", "--store", "mine.myshopify.com")
    rows = json.loads(done(pannier("recommendations", "show", "--store", "1", "--json")))
    table = done(pannier("recommendations", "show", "--store", "1", "--limit", "1"))
    of_one = json.loads(done(pannier("recommendations", "show", "--store", "1", "--product", "2", "--json")))

    assert empty == "Nothing is known to be bought together yet: more orders are needed.\n"
    assert (result.exit_code, result.stdout) == (0, "Learned from 50 orders.\n")
    assert result.stderr.startswith("Rebuilding")
    assert result.stderr.endswith("Working out sets …\nWorking out cold start …\n")
    (row,) = rows
    assert (row["product_id"], row["other_id"], row["orders"]) == ("1", "2", 20)
    assert (row["confidence"], row["lift"], row["support"]) == (1.0, 2.5, 0.4)
    assert table.splitlines()[0].split()[:2] == ["product_id", "product"]
    assert [(r["other_id"], r["other"]) for r in of_one] == [("1", "Product 1")]


def test_recommendations_checks_and_return(pannier: Pannier, bought: Store) -> None:
    nothing = done(pannier("recommendations", "checks", "--store", "1"))
    refused = pannier("recommendations", "return", "--store", "1")
    rebuilding.rebuild(bought.id)
    tested = done(pannier("recommendations", "checks", "--store", "1"))
    returned = done(pannier("recommendations", "return", "--store", "1"))
    rebuilt = pannier("recommendations", "rebuild", "--store", "1")
    held = pannier("recommendations", "checks", "--store", "1", "--limit", "1")
    forced = pannier("recommendations", "rebuild", "--store", "1", "--force")
    checks = json.loads(done(pannier("recommendations", "checks", "--store", "1", "--json")))

    assert nothing == "No model was tested yet: none was rebuilt.\n"
    assert sentence(refused, 1) == "There is no kept model to return to: the store's first rebuild makes one."
    head, row = tested.splitlines()
    assert head.split()[:4] == ["at", "model", "kind", "passed"]
    assert row.split()[1:] == ["1", "rebuild", "yes", "too_few_orders"]
    assert returned == "The kept model answers, until a rebuild with --force.\n"
    assert rebuilt.exit_code == forced.exit_code == held.exit_code == 0
    assert "The kept model answers. The merchant went back to the kept model" in rebuilt.stderr
    assert held.stderr.startswith("The kept model answers.")
    assert "The kept model answers" not in forced.stderr
    assert [check["reason"] for check in checks] == [
        "forced",
        "returned_by_hand",
        "returned_by_hand",
        "too_few_orders",
    ]


def test_recommendations_show_of_an_unknown_product(pannier: Pannier, bought: Store) -> None:
    assert (
        json.loads(done(pannier("recommendations", "show", "--store", "1", "--product", "9", "--json"))) == []
    )


def test_rebuild_works_out_what_the_shop_itself_says(pannier: Pannier, store: Store) -> None:
    products = [product_change(p, lists_variants=False, title=f"Oak lamp {p}") for p in ("1", "2")]
    ingest.apply(db.session.connection(), store.id, products)
    db.session.commit()

    rebuilt = pannier("recommendations", "rebuild", "--store", "1")

    assert rebuilt.exit_code == 0
    report = json.loads(
        done(pannier("recommendations", "readiness", "--store", "1", "--product", "1", "--json"))
    )
    assert report["answers_with"] == "similar"


def test_rebuild_says_which_lists_were_not_worked_out(
    pannier: Pannier, bought: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise refresh.RefreshFailed("sets")

    monkeypatch.setattr(refresh, "refresh", broken)

    result = pannier("recommendations", "rebuild", "--store", "1")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == (
        "Error: Orders were counted, but not all lists were worked out: sets."
    )
    assert json.loads(done(pannier("recommendations", "show", "--store", "1", "--json")))


def test_rebuild_of_a_store_without_orders(pannier: Pannier, store: Store) -> None:
    result = pannier("recommendations", "rebuild", "--store", "1")

    assert (result.exit_code, result.stdout) == (0, "Learned from 0 orders.\n")


def test_recommendations_sets(pannier: Pannier, store: Store) -> None:
    products = [product_change(p, lists_variants=False, title=f"Product {p}") for p in ("1", "2", "3")]
    orders = [order_change(f"a{n}", "1", "2", "3") for n in range(20)]
    orders += [order_change(f"b{n}", "4") for n in range(30)]
    ingest.apply(db.session.connection(), store.id, [*products, *orders])
    db.session.commit()
    empty = pannier("recommendations", "sets", "--store", "1")
    nothing = json.loads(done(pannier("recommendations", "sets", "--store", "1", "--json")))
    sets.refresh(db.session.connection(), store.id)
    db.session.commit()

    table = done(pannier("recommendations", "sets", "--store", "1"))
    (row,) = json.loads(done(pannier("recommendations", "sets", "--store", "mine.myshopify.com", "--json")))

    assert done(empty).startswith("No three products have been bought together in 3 orders yet")
    assert nothing == []
    assert (row["product_ids"], row["products"]) == ("1,2,3", "Product 1 + Product 2 + Product 3")
    assert (row["orders"], row["support"], row["lift"], row["lift_over_pair"]) == (20, 0.4, 6.25, 2.5)
    assert table.splitlines()[0].split() == list(row)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A file of a hundred orders, a day each: a with b, c with d, and e alone."""
    path = tmp_path / "lines.csv"
    rows = [
        f"{number},{product},{number * 86_400}"
        for number in range(100)
        for product in ("ab", "cd", "e")[number % 3]
    ]
    path.write_text("\n".join(["order_id,product_id,ts", *rows, ""]))
    return path


# Evaluating a file needs neither services nor settings.
NOWHERE = {"DATABASE_URL": "postgresql://127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}


def test_recommendations_evaluate_a_file(pannier: Pannier, lines: Path, tmp_path: Path) -> None:
    drawing = tmp_path / "figures.svg"
    arguments = [
        "recommendations",
        "evaluate",
        "--orders",
        str(lines),
        "--holdout",
        "0.3",
        "--resamples",
        "20",
    ]

    table = pannier(*arguments, "--plot", str(drawing), **NOWHERE)
    report = json.loads(pannier(*arguments, "--json", **NOWHERE).stdout)

    methods = ["popularity", "raw_count", "cosine", "llr_100", "weighted", "proven_pairs", "served"]
    assert table.stderr.splitlines() == [f"{method}: asked" for method in methods]
    head, columns, *rows = table.stdout.splitlines()
    assert head == (
        "Learned 70 orders with 5 products, held out the 30 orders after them, asked 20 times for a product that was"
        " hidden."
    )
    assert columns.split() == [
        "task", "method", "hit@1", "hit@4", "hit@10", "mrr", "coverage", "long_tail",
    ]  # fmt: skip
    assert [row.split()[:2] for row in rows] == [
        [task, method] for task in ("complete_the_cart", "product_page") for method in methods
    ]
    assert rows[6].split()[2:4] == ["1.000", "±0.000"]
    assert drawing.read_text().startswith("<svg ")
    assert (report["train_orders"], report["queries"], report["seed"]) == (70, 20, 0)
    served = [r["metrics"] for r in report["results"] if r["method"] == "served"]
    assert [found["hit@1"] for found in served] == [{"value": 1.0, "low": 1.0, "high": 1.0}] * 2


def test_recommendations_evaluate_what_a_file_asks(pannier: Pannier, lines: Path, tmp_path: Path) -> None:
    queries = tmp_path / "queries.csv"
    queries.write_text("cart,hidden,anchor\nb,a,b\nd|c,a,d\n")

    result = pannier(
        "recommendations", "evaluate", "--orders", str(lines), "--queries", str(queries), "--json", **NOWHERE
    )

    report = json.loads(result.stdout)
    found = {(r["task"], r["method"]): r["metrics"]["hit@1"]["value"] for r in report["results"]}
    assert report["queries"] == 2
    assert found["complete_the_cart", "served"] == found["product_page", "served"] == 0.5


def test_recommendations_evaluate_a_store(pannier: Pannier, store: Store) -> None:
    orders = [order_change(f"o{n}", *("12", "34", "5")[n % 3], placed=n) for n in range(60)]
    products = [product_change(p, lists_variants=False) for p in "12345"]
    ingest.apply(db.session.connection(), store.id, [*products, *orders])
    db.session.commit()

    usual = pannier("recommendations", "evaluate", "--store", "1", "--holdout", "0.2", "--json")
    done(pannier("store", "show", "1", "--setting", "min_orders=100"))
    strict = pannier(
        "recommendations", "evaluate", "--store", "mine.myshopify.com", "--holdout", "0.2", "--json"
    )

    def hits(result: Result) -> list[float]:
        report = json.loads(result.stdout)
        assert (report["train_orders"], report["test_orders"], report["queries"]) == (48, 12, 8)
        return [r["metrics"]["hit@1"]["value"] for r in report["results"] if r["method"] == "proven_pairs"]

    assert hits(usual) == [1.0, 1.0]
    assert hits(strict) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "Say which orders: either --store or --orders."),
        (["--store", "1", "--orders", "x.csv"], "Say which orders: either --store or --orders."),
        (["--store", "1", "--products", "x"], "--products goes with --orders."),
        (["--orders", "none.csv"], "There is no file none.csv."),
        (["--orders", "{}", "--plot", "x.png"], "x.png does not end with .svg; other kinds of drawings are not made."),
        (["--orders", "{}", "--holdout", "1"], "The share held out must lie between 0 and 1: 1."),
        (["--orders", "{}", "--products", "z"], "{} holds no order line to learn from."),
        (["--orders", "{}", "--products", "a"], "No held-out order has two products, so there is nothing to be found."),
        (["--orders", "{}", "--queries", "none.csv"], "There is no file none.csv."),
        (["--store", "1"], "0 orders are too few to hold 0.1 of them out."),
        (["--store", "9"], "There is no store '9'; `pannier store list` shows them."),
    ],
)  # fmt: skip
def test_recommendations_evaluate_refuses(
    pannier: Pannier, store: Store, lines: Path, arguments: list[str], text: str
) -> None:
    result = pannier("recommendations", "evaluate", *(word.format(lines) for word in arguments))

    assert sentence(result, 2) == text.format(lines)


def test_a_drawing_that_cannot_be_written(pannier: Pannier, lines: Path, tmp_path: Path) -> None:
    place = tmp_path / "none" / "x.svg"

    result = pannier(
        "recommendations", "evaluate", "--orders", str(lines), "--plot", str(place), "--resamples", "10"
    )

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == f"Error: {place} cannot be written: No such file or directory."


def test_every_command_that_prints_data_takes_json() -> None:
    printing = {"store add", "store list", "store show", "store rotate-keys", "webhooks status",
                "recommendations show", "recommendations evaluate", "recommendations sets",
                "recommendations readiness", "recommendations tune", "store status", "backfill",
                "reconcile", "privacy erase", "privacy requests", "privacy notice", "events status",
                "import orders", "reports channels", "segments list", "segments overlap", "segments preview",
                "segments refresh", "segments show", "experiments list", "experiments show", "experiments start",
                "experiments stop", "experiments decide", "experiments report", "experiments power",
                "decisions show", "freshness", "recommendations checks", "reports drift", "rules lint", "rules list",
                "rules undo", "synth", "offers approve", "offers end", "offers list", "offers propose",
                "prices approve", "prices changes", "prices experiment", "prices import-competitors", "prices ledger",
                "prices propose", "prices rules", "prices undo"}  # fmt: skip

    takes = {name for name, c in COMMANDS.items() if any("--json" in o.opts for o in c.params)}

    assert takes == printing


def test_times_are_utc_whatever_the_machine_says(pannier: Pannier, delivered: Store) -> None:
    before = datetime(2026, 1, 7, 12, 0, 1, tzinfo=UTC)
    assert at(2 * 86_400) < before

    words = done(
        pannier("webhooks", "replay", "--store", "1", "--until", "2026-01-07T12:00:01", TZ="Asia/Tokyo")
    )

    assert words == "2 deliveries taken up again.\n"


def test_data_of_a_row(pannier: Pannier, delivered: Store) -> None:
    rows: list[dict[str, Any]] = json.loads(done(pannier("webhooks", "status", "--json")))

    assert all(set(row) == {"store_id", "topic", "status", "reason", "deliveries"} for row in rows)
