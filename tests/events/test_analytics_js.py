"""Segment's own analytics.js in a browser, pointed at Pannier: each message is taken, and once."""

import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page
from sqlalchemy import select

from app.commerce.store import NewKeys, Store, add_store
from app.core.db import db
from app.events.models import IdentityLink
from tests.browser import launch_arguments
from tests.end_to_end.connections import served
from tests.events.sending import kept
from tests.widgets.storefront import Reply, Site, serve

_ROOT = Path(__file__).parents[2]
_PAGE = (
    '<!doctype html><title>Teapot</title><link rel="icon" href="data:,"><script src="/session.js"></script>'
)
_YES = {"Analytics": True, "Functional": True, "Advertising": False}
_TRACKED = [
    ("Products Searched", []),
    ("Product List Viewed", ["201", "202"]),
    ("Product Clicked", ["201"]),
    ("Product Viewed", ["201"]),
    ("Product Added", ["201"]),
    ("Product Added", ["202"]),
    ("Product Removed", ["201"]),
    ("Cart Viewed", ["202"]),
    ("Checkout Started", ["202"]),
    ("Order Completed", ["202"]),
]
_MESSAGES = len(_TRACKED) + 2  # a page and an identify
_ONE_BY_ONE = {"strategy": "standard"}
_BATCHES = {"strategy": "batching", "config": {"size": 5, "timeout": 200}}


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the system's Chromium (pytest-playwright's hook)."""
    return launch_arguments()


@pytest.fixture(scope="module")
def session_script(tmp_path_factory: pytest.TempPathFactory) -> str:
    """analytics.js as it comes from npm, with a shopper's session."""
    built = tmp_path_factory.mktemp("session") / "session.js"
    node = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
    assert node, "the tests in the browser need Node: install the development dependencies"
    options = {
        "entryPoints": [str(Path(__file__).with_name("analytics_session.mjs"))],
        "outfile": str(built),
        "bundle": True,
        "logLevel": "warning",
    }
    # By its interface: npm puts a script or a program of the machine behind the command's name.
    program = f"import('esbuild').then(({{ build }}) => build({json.dumps(options)}))"
    subprocess.run([node, "--eval", program], check=True, timeout=60, cwd=_ROOT)
    return built.read_text(encoding="utf-8")


@pytest.fixture
def site(session_script: str) -> Iterator[Site]:
    """A shop's page with the script."""
    with serve() as shop:
        shop.routes["GET /"] = Reply(_PAGE, content_type="text/html")
        shop.routes["GET /session.js"] = Reply(session_script, content_type="text/javascript")
        yield shop


@pytest.fixture
def tea(app: Flask, site: Site) -> tuple[Store, NewKeys]:
    """The shop's store, with its keys."""
    made = add_store("shopify", "tea.myshopify.com", origins=[site.origin])
    db.session.commit()
    return made


@dataclass
class Tape:
    """Everything that was sent to the application: a WSGI middleware, for browsers show no answer to ``keepalive``."""

    app: Any
    calls: list[tuple[str, bytes, bytes]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """Keep path, body and answer of a POST."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        path = environ["PATH_INFO"]
        answer = b"".join(self.app(environ | {"wsgi.input": io.BytesIO(body)}, start_response))
        if environ["REQUEST_METHOD"] == "POST":
            self.calls.append((path, body, answer))
        return [answer]

    def results(self) -> list[Any]:
        """Return what became of each message."""
        return [result for _, _, answer in self.calls for result in json.loads(answer)["results"]]


@pytest.fixture
def tape(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Tape:
    """What the application is sent from now on."""
    recorder = Tape(app.wsgi_app)
    monkeypatch.setattr(app, "wsgi_app", recorder)
    return recorder


def _go_shopping(page: Page, site: Site, tape: Tape, url: str, key: str, delivery: Any, consent: Any) -> None:
    """Run the session until the service has answered every message."""
    page.goto(site.origin)
    host = f"{url.removeprefix('http://')}/v1"
    page.evaluate(
        "(wishes) => shop(wishes)", {"key": key, "host": host, "delivery": delivery, "consent": consent}
    )
    deadline = time.monotonic() + 30
    while len(tape.results()) < _MESSAGES:
        assert time.monotonic() < deadline, f"{len(tape.results())} of {_MESSAGES} messages were answered"
        page.wait_for_timeout(50)


@pytest.mark.parametrize(
    ("delivery", "paths"),
    [
        pytest.param(_ONE_BY_ONE, {"/v1/p", "/v1/t", "/v1/i"}, id="one by one"),
        pytest.param(_BATCHES, {"/v1/b"}, id="in batches"),
    ],
)
def test_session_of_analytics_js_is_taken_item_by_item_and_once(
    page: Page,
    app: Flask,
    site: Site,
    tape: Tape,
    tea: tuple[Store, NewKeys],
    delivery: Any,
    paths: set[str],
) -> None:
    store, keys = tea

    # when a shopper who agreed to analytics goes through the shop
    with served(app) as url:
        _go_shopping(page, site, tape, url, keys.publishable, delivery, _YES)

    # then each message is accepted, and kept under one digest without what names the person
    assert {path for path, _, _ in tape.calls} == paths
    assert [result["status"] for result in tape.results()] == ["accepted"] * _MESSAGES
    events = kept(store)
    assert sorted(event.type for event in events) == ["identify", "page", *["track"] * len(_TRACKED)]
    assert len({event.subject for event in events}) == 1
    tracked = [(event.name, event.products) for event in events if event.type == "track"]
    assert sorted(tracked, key=str) == sorted(_TRACKED, key=str)
    assert not any("ada" in str(event.properties).lower() for event in events)
    # and the page's word for who it is links nobody: only the cart is the visitor's
    assert list(db.session.scalars(select(IdentityLink.reason))) == ["cart"]

    # and the same requests once more change nothing
    before = [event.id for event in events]
    client = app.test_client()
    for path, body, _ in list(tape.calls):
        client.post(path, data=body, headers={"Origin": site.origin, "Content-Type": "text/plain"})
    assert [result["status"] for result in tape.results()[_MESSAGES:]] == ["duplicate"] * _MESSAGES
    assert [event.id for event in kept(store)] == before


def test_session_without_consent_leaves_nothing(
    page: Page, app: Flask, site: Site, tape: Tape, tea: tuple[Store, NewKeys]
) -> None:
    store, keys = tea

    with served(app) as url:
        _go_shopping(page, site, tape, url, keys.publishable, _BATCHES, {"Analytics": False})

    assert [result["reason"] for result in tape.results()] == ["no_consent"] * _MESSAGES
    assert kept(store) == []
