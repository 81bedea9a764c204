"""The widget's scripts, as shops load them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.recommendations import widget
from tests.recommendations.shops import Shop

ADDRESSES = {"SCRIPT": "/v1/widget.js", "OFFERS": "/v1/widget-offers.js"}


@pytest.fixture(params=ADDRESSES)
def name(request: pytest.FixtureRequest) -> str:
    """Which of the two."""
    return str(request.param)


@pytest.fixture
def address(name: str) -> str:
    """Where it is loaded from."""
    return ADDRESSES[name]


@pytest.fixture
def script(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A script that stands in for the built one."""
    path = tmp_path / "pannier.js"
    path.write_text("customElements;")
    monkeypatch.setattr(widget, name, path)
    widget._script.cache_clear()
    yield path
    widget._script.cache_clear()


@pytest.fixture
def client(shop: Shop) -> FlaskClient:
    return shop.client


def test_every_page_may_load_it_without_a_key(script: Path, client: FlaskClient, address: str) -> None:
    response = client.get(address, headers={"Origin": "https://any.example"})

    assert (response.status_code, response.text) == (200, "customElements;")
    assert response.content_type == "text/javascript; charset=utf-8"
    assert response.headers["Cache-Control"] == "public, max-age=3600, stale-while-revalidate=86400"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Set-Cookie" not in response.headers


def test_who_has_it_gets_304(script: Path, client: FlaskClient, address: str) -> None:
    etag = client.get(address).headers["ETag"]

    response = client.get(address, headers={"If-None-Match": etag})

    assert (response.status_code, response.data) == (304, b"")
    assert client.get(address, headers={"If-None-Match": '"old"'}).status_code == 200


def test_without_a_build_it_is_404_until_there_is_one(
    script: Path, client: FlaskClient, address: str
) -> None:
    script.unlink()

    response = client.get(address)

    assert response.status_code == 404
    assert response.get_json()["detail"] == "The widget is not built. Run `make setup`."
    script.write_text("built;")
    assert client.get(address).text == "built;"


def test_only_the_scripts_are_open_to_every_page(client: FlaskClient) -> None:
    """No other answer may be read by every page, whatever it is asked with."""
    for rule in client.application.url_map.iter_rules():
        address = rule.rule.replace("<token>", "token")
        for method in sorted(set(rule.methods or ())):
            response = client.open(address, method=method, headers={"Origin": "https://any.example"})
            allowed = response.headers.get("Access-Control-Allow-Origin")
            open_ = (
                rule.rule in ADDRESSES.values() and method in ("GET", "HEAD") and response.status_code == 200
            )
            assert allowed == ("*" if open_ else None)
            assert "Access-Control-Allow-Credentials" not in response.headers
