"""From an event to another answer, over HTTP with everything running; and nothing of whoever did not agree."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from sqlalchemy import text

from app.commerce import ingest
from app.core.db import db
from app.privacy.subjects import VISITOR, digest
from app.recommendations import publishing
from app.recommendations.ready_lists import BEST_SELLERS, SIMILAR
from tests.end_to_end.house import House, open_house
from tests.recommendations.shops import state

NAMES = {"1": "Mug", "2": "Saucer", "3": "Tray", "4": "Kettle", "5": "Lamp"}
AGREEING, SILENT = "0f6ab8a3-agreeing", "77c1e09d-silent"


class Page:
    """A page of the shop with one visitor."""

    def __init__(self, house: House, visitor: str) -> None:
        self._url = house.url
        self._visitor = visitor
        self._http = requests.Session()
        self._http.headers["X-Pannier-Key"] = house.shops["shopify"].publishable_key

    def agrees(self, analytics: bool) -> None:
        """Record a choice."""
        choice = {"visitor_id": self._visitor, "analytics": analytics}
        self._http.put(f"{self._url}/v1/consent", json=choice, timeout=10).raise_for_status()

    def does(self, name: str, product: str) -> str:
        """Send an event as analytics.js does; return what became of it."""
        body = {"event": name, "anonymousId": self._visitor, "properties": {"product_id": product}}
        response = self._http.post(f"{self._url}/v1/track", json=body, timeout=10)
        return str(response.json()["results"][0]["status"])

    def shows(self, *, named: bool = True, **query: str) -> Any:
        """Return an answer's body as it came, with the visitor in the header."""
        headers = {"X-Pannier-Visitor": self._visitor} if named else {}
        asked = {"slot": "product_related", "product_id": "1", "limit": "3", **query}
        response = self._http.get(
            f"{self._url}/v1/recommendations", params=asked, headers=headers, timeout=10
        )
        response.raise_for_status()
        return response.content

    def products(self, **query: str) -> list[str]:
        """Return the products that are shown."""
        headers = {"X-Pannier-Visitor": self._visitor}
        asked = {"slot": "product_related", "product_id": "1", "limit": "3", **query}
        response = self._http.get(
            f"{self._url}/v1/recommendations", params=asked, headers=headers, timeout=10
        )
        return [r["product_id"] for r in response.json()["recommendations"]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A running house, whose shop has five products that are alike."""
    with open_house(tmp_path_factory.mktemp("session"), ("shopify",), 1) as opened:
        store_id = opened.shops["shopify"].store_id
        with opened.app.app_context():
            connection = db.session.connection()
            ingest.apply(connection, store_id, [state(p, title=title) for p, title in NAMES.items()])
            alike = {
                p: [{"id": o, "similarity": 0.9, "score": 1 / int(o)} for o in NAMES if o != p] for p in "12"
            }
            alike["5"] = [{"id": "4", "similarity": 0.9, "score": 1.0}]
            publishing.store_lists(connection, store_id, SIMILAR, alike)
            publishing.store_lists(connection, store_id, BEST_SELLERS, {"": []})
            db.session.commit()
        yield opened


def test_an_event_changes_the_next_answer(house: House) -> None:
    page = Page(house, AGREEING)
    page.agrees(True)
    before = page.products()

    start = time.monotonic()
    assert page.does("Product Viewed", "5") == "accepted"
    took = [time.monotonic() - start]
    after = page.products()
    took.append(time.monotonic() - start)

    print(f"event accepted after {took[0] * 1000:.0f} ms, another answer after {took[1] * 1000:.0f} ms")
    assert (before, after) == (["2", "3", "4"], ["4", "2", "3"])
    assert page.products(slot="recently_viewed") == ["5"]
    page.does("Product Removed", "4")
    assert page.products() == ["2", "3", "5"]


def test_who_takes_it_back_gets_what_everybody_gets_at_once(house: House) -> None:
    page = Page(house, "5d20-withdrawing")
    page.agrees(True)
    page.does("Product Viewed", "5")
    assert page.products() == ["4", "2", "3"]

    page.agrees(False)

    assert page.shows() == page.shows(named=False)
    assert not any(found(house, "event", digest_of(house, "5d20-withdrawing")))


def test_without_consent_nothing_changes_and_nothing_is_stored(house: House) -> None:
    page = Page(house, SILENT)
    everybodys = page.shows(named=False)

    assert page.does("Product Viewed", "5") == "rejected"
    assert page.shows() == page.shows(visitor_id=SILENT) == everybodys

    for name in (SILENT, digest_of(house, SILENT)):
        assert [table for table in tables(house) if any(found(house, table, name))] == []
        assert name not in kept_in_redis(house)
        assert name not in (house.directory / "processes.log").read_text(errors="replace")


def digest_of(house: House, visitor: str) -> str:
    with house.app.app_context():
        return digest(house.shops["shopify"].store_id, VISITOR, visitor).hex()


def kept_in_redis(house: House) -> str:
    """Return every key with its value, written out."""
    redis = house.app.extensions["pannier_redis"]
    reading = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"set": redis.smembers,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"zset": lambda key: redis.zrange(key, 0, -1),
        b"stream": redis.xrange,
        b"none": lambda _: None,  # expired meanwhile
    }
    return "\n".join(f"{key!r} {reading[redis.type(key)](key)!r}" for key in redis.scan_iter("*"))


def tables(house: House) -> list[str]:
    with house.app.app_context():
        names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        return list(db.session.scalars(text(names)))


def found(house: House, table: str, name: str) -> list[str]:
    """Return the rows of a table in which a name stands, also as bytes."""
    with house.app.app_context():
        rows = text(f"SELECT t::text FROM {table} t WHERE strpos(t::text, :name) > 0")
        return list(db.session.scalars(rows, {"name": name}))
