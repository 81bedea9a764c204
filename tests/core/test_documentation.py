"""``/docs`` and ``/docs/problems``: complete, self-contained, in order."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.errors import PROBLEMS

_VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Collects what a page links to, its anchors and its text; refuses wrong nesting."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if given.get("id"):
            self.anchors.append(str(given["id"]))
        if tag == "a":
            self.links.append(str(given["href"]))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


@pytest.fixture
def pages(client: FlaskClient) -> dict[str, Page]:
    return {address: Page(client.get(address).text) for address in ("/docs", "/docs/problems")}


@pytest.mark.parametrize("address", ["/docs", "/docs/problems"])
def test_pages_need_nothing_from_elsewhere(client: FlaskClient, address: str) -> None:
    response = client.get(address)

    assert response.content_type == "text/html; charset=utf-8"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert not re.search(r"https?:|<script|<link|<img|@import|url\(", response.text)


def test_every_link_leads_somewhere(client: FlaskClient, pages: dict[str, Page]) -> None:
    for address, page in pages.items():
        assert len(page.anchors) == len(set(page.anchors))
        for link in page.links:
            path, _, fragment = link.partition("#")
            assert client.get(path or address).status_code == 200
            if fragment:
                assert fragment in pages[path or address].anchors


def test_every_route_is_documented(app: Flask, pages: dict[str, Page]) -> None:
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in set(rule.methods or ()) - {"HEAD", "OPTIONS"}:
            assert f"{method}{path}" in pages["/docs"].text


def test_every_operation_says_what_it_takes_and_gives(client: FlaskClient, pages: dict[str, Page]) -> None:
    document: dict[str, Any] = client.get("/openapi.json").json or {}
    text = pages["/docs"].text

    for item in document["paths"].values():
        shared = item.pop("parameters", [])
        for operation in item.values():
            assert operation["summary"] in text
            for parameter in [*shared, *operation.get("parameters", [])]:
                assert parameter["name"] in text
    for name, schema in document["components"]["schemas"].items():
        assert f"schema-{name}" in pages["/docs"].anchors
        for field in schema["properties"]:
            assert field in text


def test_every_problem_is_explained_where_its_type_leads(pages: dict[str, Page]) -> None:
    page = pages["/docs/problems"]

    assert page.anchors == [kind.slug for _, kind in sorted(PROBLEMS.items())]
    for kind in PROBLEMS.values():
        assert f"{kind.title} {kind.status}" in page.text


def test_texts_are_escaped() -> None:
    from app.core.documentation import _inline

    assert _inline("a ``<b>`` & <i>") == "a <code>&lt;b&gt;</code> &amp; &lt;i&gt;"
