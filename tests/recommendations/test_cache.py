"""Ready lists and cards: Redis first, PostgreSQL behind it."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import insert

from app.commerce import ingest
from app.commerce.changes import CommerceChange, ProductStatus
from app.commerce.store import Store
from app.core import held
from app.core.db import db, now
from app.recommendations import cache
from app.recommendations.cache import Card
from app.recommendations.models import LearnedModel
from app.recommendations.strategies import BEST_SELLERS, FREQUENTLY_BOUGHT_TOGETHER, STRATEGIES
from tests.factories import (
    inventory_change,
    new_store,
    product_change,
    product_deletion,
    variant_change,
    variant_state,
)

TOGETHER = FREQUENTLY_BOUGHT_TOGETHER
TRAY: dict[str, Any] = {"id": "p2", "orders": 3}
BOWL: dict[str, Any] = {"id": "p3", "orders": 2}


@pytest.fixture
def store(app: Flask) -> Store:
    """A store of this test alone."""
    return new_store()


def publish(store: Store, subject: str, *items: dict[str, Any]) -> None:
    """Put a list into PostgreSQL alone."""
    db.session.connection().exec_driver_sql(
        "INSERT INTO published_list (store_id, strategy, subject, items, published_at)"
        " VALUES (%s, %s, %s, %s::jsonb, now())"
        " ON CONFLICT (store_id, strategy, subject) DO UPDATE SET items = excluded.items",
        (store.id, TOGETHER, subject, orjson.dumps(items).decode()),
    )
    db.session.commit()


def write(store: Store, *changes: CommerceChange) -> set[str]:
    """Apply changes and return whose cards changed."""
    applied = ingest.apply(db.session.connection(), store.id, changes)
    db.session.commit()
    return applied.products


def test_a_list_is_read_from_postgresql_and_kept_in_redis(store: Store, redis: Redis) -> None:
    publish(store, "p1", TRAY)
    first = cache.get_lists(store.id, TOGETHER, ["p1"])

    publish(store, "p1", BOWL)

    assert first == {"p1": [TRAY]}
    assert cache.get_lists(store.id, TOGETHER, ["p1"]) == {"p1": [TRAY]}
    ttl = redis.ttl(f"pannier:{store.id}:list:{TOGETHER}:p1")
    assert STRATEGIES[TOGETHER].ttl_s / 2 < ttl <= STRATEGIES[TOGETHER].ttl_s


def test_lists_are_joined_from_both(store: Store) -> None:
    publish(store, "p1", TRAY)
    cache.put_lists(store.id, TOGETHER, {"p2": [BOWL]})

    assert cache.get_lists(store.id, TOGETHER, ["p1", "p2", "p9"]) == {"p1": [TRAY], "p2": [BOWL], "p9": []}


def test_what_is_asked_for_in_vain_is_remembered_for_seconds(store: Store, redis: Redis) -> None:
    assert cache.get_lists(store.id, TOGETHER, ["p9"]) == {"p9": []}

    assert 0 < redis.ttl(f"pannier:{store.id}:list:{TOGETHER}:p9") <= cache.CARD_TTL_S


def test_a_published_empty_list_lives_as_long_as_any(store: Store, redis: Redis) -> None:
    cache.put_lists(store.id, BEST_SELLERS, {"": []})

    assert redis.ttl(f"pannier:{store.id}:list:{BEST_SELLERS}:") > STRATEGIES[BEST_SELLERS].ttl_s / 2


def test_what_was_put_there_together_is_not_missed_together(store: Store, redis: Redis) -> None:
    subjects = [f"p{number}" for number in range(50)]

    cache.put_lists(store.id, TOGETHER, {subject: [TRAY] for subject in subjects})
    cache.get_cards(store.id, subjects)

    for kind, most_s in ((f"list:{TOGETHER}", STRATEGIES[TOGETHER].ttl_s), ("card", cache.CARD_TTL_S)):
        lives = [redis.pttl(f"pannier:{store.id}:{kind}:{subject}") / 1000 for subject in subjects]
        assert most_s / 2 < min(lives) <= max(lives) <= most_s
        assert max(lives) - min(lives) > most_s / 10


def test_a_reader_does_not_replace_what_a_publisher_put_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, "p1", TRAY)
    load_lists = cache.load_lists

    def slow(*arguments: Any) -> Any:
        loaded = load_lists(*arguments)
        cache.put_lists(store.id, TOGETHER, {"p1": [BOWL]})
        return loaded

    with monkeypatch.context() as patched:
        patched.setattr(cache, "load_lists", slow)
        assert cache.get_lists(store.id, TOGETHER, ["p1"]) == {"p1": [TRAY]}

    assert cache.get_lists(store.id, TOGETHER, ["p1"]) == {"p1": [BOWL]}


def test_no_lists_are_no_work(store: Store) -> None:
    assert cache.get_lists(store.id, TOGETHER, []) == {}
    assert cache.put_lists(store.id, TOGETHER, {}) is True
    assert cache.get_cards(store.id, []) == {}


def test_without_redis_everything_comes_from_postgresql(store: Store, redis_down: None) -> None:
    publish(store, "p1", TRAY)
    write(store, product_change("p2", variant_state("v2"), title="Tray"))

    assert cache.get_lists(store.id, TOGETHER, ["p1", "p9"]) == {"p1": [TRAY], "p9": []}
    assert cache.put_lists(store.id, TOGETHER, {"p1": []}) is False
    assert cache.get_cards(store.id, ["p2", "p9"])["p2"].title == "Tray"
    cache.replace_cards(db.session.connection(), store.id, ["p2"])


def test_stores_do_not_see_each_others_lists_and_cards(store: Store) -> None:
    other = new_store()
    publish(store, "p1", TRAY)
    write(store, product_change("p1", variant_state("v1")))
    cache.get_lists(store.id, TOGETHER, ["p1"])
    cache.get_cards(store.id, ["p1"])

    assert cache.get_lists(other.id, TOGETHER, ["p1"]) == {"p1": []}
    assert cache.get_cards(other.id, ["p1"]) == {}


@pytest.mark.parametrize("cached", [False, True], ids=["from PostgreSQL", "from Redis"])
def test_a_card_shows_what_a_shopper_sees(store: Store, cached: bool) -> None:
    write(store, product_change("p1", variant_state("v1", price=1200), title="Mug", price=1200))
    if cached:
        cache.get_cards(store.id, ["p1"])
        db.session.connection().exec_driver_sql("UPDATE product SET title = 'changed'")
        db.session.commit()

    assert cache.get_cards(store.id, ["p1"]) == {
        "p1": Card(
            product_id="p1",
            variant_id="v1",
            title="Mug",
            url=None,
            image_url=None,
            price=1200,
            currency="USD",
            eligible=True,
        )
    }


def test_a_product_without_variants_has_its_own_price(store: Store) -> None:
    write(store, product_change("p1", price=700, available=True))

    card = cache.get_cards(store.id, ["p1"])["p1"]

    assert (card.variant_id, card.price, card.eligible) == (None, 700, True)


@pytest.mark.parametrize(
    ("changes", "chosen"),
    [
        ([product_change("p1", variant_state("v1", position=2), variant_state("v2", position=1))], "v2"),
        (
            [product_change("p1", variant_state("v1", stock=0, position=1), variant_state("v2", position=2))],
            "v2",
        ),
        (
            [
                product_change(
                    "p1",
                    variant_state("v1", stock=0, position=1, sells_when_out=True),
                    variant_state("v2", position=2),
                )
            ],
            "v1",
        ),
        (
            [
                product_change(
                    "p1",
                    variant_state("v1", item="i1", position=1),
                    variant_state("v2", item="i2", stock=0, position=2),
                ),
                inventory_change("i1", 0),
                inventory_change("i2", 4),
            ],
            "v2",
        ),
        (
            [
                product_change("p1", lists_variants=False),
                variant_change("p1", variant_state("v1", position=1), available=False),
                variant_change("p1", variant_state("v2", position=2, stock=0), available=True),
            ],
            "v2",
        ),
        (
            [product_change("p1", variant_state("v1", stock=0), variant_state("v2", stock=0, position=2))],
            "v1",
        ),
    ],
    ids=["first position", "in stock", "backorders", "newer levels", "the shop's word", "all sold out"],
)
def test_the_card_shows_the_first_variant_that_can_be_bought(
    store: Store, changes: list[CommerceChange], chosen: str
) -> None:
    write(store, *changes)

    assert cache.get_cards(store.id, ["p1"])["p1"].variant_id == chosen


@pytest.mark.parametrize(
    "news",
    [
        product_change("p1", variant_state("v1", item="i1"), seconds=5, status=ProductStatus.DRAFT),
        product_change("p1", variant_state("v1", item="i1"), seconds=5, visible=False),
        product_change("p1", variant_state("v1", item="i1", stock=0), seconds=5),
        product_deletion("p1", 5),
        inventory_change("i1", 0, seconds=5),
    ],
    ids=["unpublished", "hidden", "sold out", "deleted", "level"],
)
def test_a_card_in_redis_is_replaced_by_the_change(store: Store, news: CommerceChange) -> None:
    write(store, product_change("p1", variant_state("v1", item="i1")))
    before = cache.get_cards(store.id, ["p1"])["p1"]

    changed = write(store, news)
    cache.replace_cards(db.session.connection(), store.id, changed)

    assert before.eligible is True
    assert cache.get_cards(store.id, ["p1"])["p1"].eligible is False


def test_a_reader_does_not_put_the_old_card_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store, product_change("p1", variant_state("v1")))
    load_cards = cache.load_cards

    def slow(connection: Any, store_id: int, product_ids: list[str]) -> Any:
        loaded = load_cards(connection, store_id, product_ids)
        monkeypatch.setattr(cache, "load_cards", load_cards)
        changed = write(store, product_deletion("p1", 5))
        cache.replace_cards(db.session.connection(), store_id, changed)
        return loaded

    monkeypatch.setattr(cache, "load_cards", slow)
    assert cache.get_cards(store.id, ["p1"])["p1"].eligible is True

    assert cache.get_cards(store.id, ["p1"])["p1"].eligible is False


def test_a_card_lives_for_seconds(store: Store, redis: Redis) -> None:
    write(store, product_change("p1", variant_state("v1")))

    cache.get_cards(store.id, ["p1", "p9"])

    for product in ("p1", "p9"):
        assert 0 < redis.ttl(f"pannier:{store.id}:card:{product}") <= 15


def test_a_product_that_is_not_there_is_remembered_too(store: Store, redis: Redis) -> None:
    assert cache.get_cards(store.id, ["p9"]) == {}

    assert redis.get(f"pannier:{store.id}:card:p9") == b"[]"
    assert cache.get_cards(store.id, ["p9"]) == {}


def test_a_model_is_known_for_seconds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(held, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    assert cache.get_model(store.id) == (0, False)
    db.session.execute(
        insert(LearnedModel).values(
            store_id=store.id, epoch=date(2026, 1, 1), half_life_days=180, basket_cap=100, orders=1, version=7,
            held_at=now(),
        )
    )  # fmt: skip
    db.session.commit()

    assert cache.get_model(store.id) == (0, False)
    clock[0] += 5.1
    assert cache.get_model(store.id) == (7, True)
