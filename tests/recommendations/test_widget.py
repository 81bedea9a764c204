"""The widget's script, as shops load it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.recommendations import widget
from tests.recommendations.shops import Shop


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A script that stands in for the built one."""
    path = tmp_path / "pannier.js"
    path.write_text("customElements;")
    monkeypatch.setattr(widget, "SCRIPT", path)
    widget._script.cache_clear()
    yield path
    widget._script.cache_clear()


@pytest.fixture
def client(shop: Shop) -> FlaskClient:
    return shop.client


def test_every_page_may_load_it_without_a_key(script: Path, client: FlaskClient) -> None:
    response = client.get("/v1/widget.js", headers={"Origin": "https://any.example"})

    assert (response.status_code, response.text) == (200, "customElements;")
    assert response.content_type == "text/javascript; charset=utf-8"
    assert response.headers["Cache-Control"] == "public, max-age=3600, stale-while-revalidate=86400"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Set-Cookie" not in response.headers


def test_who_has_it_gets_304(script: Path, client: FlaskClient) -> None:
    etag = client.get("/v1/widget.js").headers["ETag"]

    response = client.get("/v1/widget.js", headers={"If-None-Match": etag})

    assert (response.status_code, response.data) == (304, b"")
    assert client.get("/v1/widget.js", headers={"If-None-Match": '"old"'}).status_code == 200


def test_without_a_build_it_is_404_until_there_is_one(script: Path, client: FlaskClient) -> None:
    script.unlink()

    response = client.get("/v1/widget.js")

    assert response.status_code == 404
    assert response.get_json()["detail"] == "The widget is not built. Run `make setup`."
    script.write_text("built;")
    assert client.get("/v1/widget.js").text == "built;"


def test_only_the_script_is_open_to_every_page(client: FlaskClient, script: Path) -> None:
    """No other answer may be read by every page, whatever it is asked with."""
    for rule in client.application.url_map.iter_rules():
        address = rule.rule.replace("<token>", "token")
        for method in sorted(set(rule.methods or ())):
            response = client.open(address, method=method, headers={"Origin": "https://any.example"})
            allowed = response.headers.get("Access-Control-Allow-Origin")
            assert allowed == ("*" if rule.rule == "/v1/widget.js" and method in ("GET", "HEAD") else None)
            assert "Access-Control-Allow-Credentials" not in response.headers
