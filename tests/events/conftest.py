"""A store whose pages and servers send events."""

import pytest
from flask import Flask

from app.commerce.store import NewKeys, Store, add_store
from app.core.db import db


@pytest.fixture
def shop(app: Flask) -> tuple[Store, NewKeys]:
    """A store with its keys."""
    made = add_store("shopify", "events.myshopify.com", origins=["https://events.example"])
    db.session.commit()
    return made


@pytest.fixture
def store(shop: tuple[Store, NewKeys]) -> Store:
    """The store."""
    return shop[0]


@pytest.fixture
def send_keys(shop: tuple[Store, NewKeys]) -> NewKeys:
    """Its keys."""
    return shop[1]
