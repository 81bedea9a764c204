"""A store whose decisions are logged."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app.commerce.store import NewKeys, Store, add_store
from app.core.db import db
from app.decisions.log import DecisionLog


@pytest.fixture
def shop(app: Flask) -> tuple[Store, NewKeys]:
    """A store with its keys."""
    made = add_store("shopify", "decisions.myshopify.com", origins=["https://decisions.example"])
    db.session.commit()
    return made


@pytest.fixture
def store(shop: tuple[Store, NewKeys]) -> Store:
    """The store."""
    return shop[0]


@pytest.fixture
def logbook(app: Flask) -> Iterator[DecisionLog]:
    """A log of its own, that nothing but the test writes into."""
    made = DecisionLog(db.engine)
    yield made
    made.discard()
    made.close()
