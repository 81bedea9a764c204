"""What the tests of offers stand on: a store with products, and a platform that does what a test says."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete

from app.bundles import keeping, live, roll_out
from app.bundles.models import Offer
from app.commerce.catalog import Product, Variant
from app.commerce.checkout import digest
from app.commerce.offers import Terms
from app.commerce.store import Store
from app.core.db import db, now
from app.core.redis import Breaker
from connectors.discounts import FUNCTION, LiveOffer, Published, QuoteKey, RefusedOffer
from tests.factories import connected
from tests.factories import digest as digest_of


@dataclass
class Platform:
    """A platform in memory: it grants what it is asked, unless a test has said otherwise.

    Attributes:
        grants: what it grants now, by key.
        refuses: offers that it refuses, by key.
        keeps: keys of offers that it does not let go.
        fails: what every call raises.
        meanwhile: what happens while an offer is published.
        asked: the keys of what was wanted, for each time.
    """

    grants: dict[str, LiveOffer] = field(default_factory=dict)
    refuses: dict[str, RefusedOffer] = field(default_factory=dict)
    keeps: set[str] = field(default_factory=set)
    fails: Exception | None = None
    mechanism: str = FUNCTION
    meanwhile: Callable[[], None] = lambda: None
    asked: list[list[str]] = field(default_factory=list)
    known: list[set[str]] = field(default_factory=list)

    def publish(self, wanted: Sequence[Terms], known: Mapping[str, LiveOffer]) -> Published:
        """See ``Discounts.publish``."""
        self.asked.append([terms.key for terms in wanted])
        self.known.append(set(known))
        self.meanwhile()
        if self.fails is not None:
            raise self.fails
        live = {
            terms.key: LiveOffer(terms.key, self.mechanism, digest(terms))
            for terms in wanted
            if terms.key not in self.refuses
        }
        refused = [self.refuses[terms.key] for terms in wanted if terms.key in self.refuses]
        left = {key: offer for key, offer in known.items() if key in self.keeps and key not in live}
        self.grants = {**live, **left}
        return Published(tuple(live.values()), tuple(refused), tuple(left.values()))

    def granted(self, known: Mapping[str, LiveOffer]) -> frozenset[str]:
        """See ``Discounts.granted``."""
        if self.fails is not None:
            raise self.fails
        return frozenset(known) & frozenset(self.grants)

    def publish_keys(self, keys: Sequence[QuoteKey]) -> None:
        """See ``Discounts.publish_keys``; quotes are not the subject here."""


@pytest.fixture(autouse=True)
def _answers_are_forgotten_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no page remember an offer: the shop need not keep it any longer."""
    monkeypatch.setattr(keeping, "TOLD_FOR", timedelta(seconds=-1))


@pytest.fixture
def store(shared_app: Flask) -> Iterator[Store]:
    """A connected store of this test alone, which sells products ``a`` to ``d`` for 10.00 each."""
    with shared_app.app_context():
        shared_app.extensions["pannier_redis_breaker"] = Breaker()
        found = connected()
        for product in "abcd":
            stock_up(found.id, product)
        db.session.commit()
        live.forget()
        yield found
        # Jobs look at every store: what is left would be looked at by all tests after.
        db.session.rollback()
        db.session.execute(delete(Store).where(Store.id == found.id))
        db.session.commit()


@pytest.fixture
def platform(store: Store, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """The store's platform."""
    made = Platform()
    monkeypatch.setattr(roll_out, "discounts_for", lambda _: made)
    return made


def stock_up(store_id: int, product_id: str, **changes: Any) -> None:
    """Let the store sell a product with one variant, for 10.00, which costs 4.00; fifty pieces."""
    product = Product(
        store_id=store_id, platform_id=product_id, status="active", visible=True, available=True,
        title=f"Title {product_id}", tags=[], gift_card=False, currency="USD", price=1000,
    )  # fmt: skip
    db.session.add(product)
    db.session.flush()
    fields = {"price": 1000, "cost": 400, "stock": 50, "sells_when_out": False, **changes}
    db.session.add(
        Variant(
            store_id=store_id, product_id=product.id, platform_id=f"{product_id}-v", title="One size", position=1,
            source_updated_at=now(), state_digest=digest_of(product_id), **fields,
        )
    )  # fmt: skip


def change_variant(store_id: int, product_id: str, **changes: Any) -> None:
    """Let the shop change the variant of a product, and commit."""
    variant = db.session.query(Variant).filter_by(store_id=store_id, platform_id=f"{product_id}-v").one()
    for name, value in changes.items():
        setattr(variant, name, value)
    db.session.commit()


def change_product(store_id: int, product_id: str, **changes: Any) -> None:
    """Let the shop change a product, and commit."""
    product = db.session.query(Product).filter_by(store_id=store_id, platform_id=product_id).one()
    for name, value in changes.items():
        setattr(product, name, value)
    db.session.commit()


def again(offer: Offer) -> Offer:
    """Return an offer as it stands in the database now."""
    db.session.rollback()
    return db.session.get_one(Offer, offer.id, populate_existing=True)
