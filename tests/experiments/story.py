"""A store in which visitors come upon arms and buy: rows are written as the service writes them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from app.commerce import ingest
from app.commerce.changes import CommerceChange
from app.core.db import db
from app.events import links
from app.privacy.subjects import customer_node
from tests.factories import BEGIN, digest, new_store


def day(number: float) -> datetime:
    """Return so many days after the beginning."""
    return BEGIN + timedelta(days=number)


class Story:
    """What happened in one store. Visitors are called by any name. What is told is committed by what is sold."""

    def __init__(self, **settings: float) -> None:
        self.store = new_store(**settings)
        self.id = self.store.id

    def subject(self, visitor: str) -> bytes:
        return digest(f"{self.id}:{visitor}")[:16]

    def node(self, visitor: str) -> str:
        return f"visitor:{self.subject(visitor).hex()}"

    def decide(
        self,
        decision: str,
        visitor: str | None = None,
        at: datetime = BEGIN,
        *,
        arms: Mapping[str, str] | None = None,
        slot: str = "product",
        strategy: str = "trending",
        reason: str = "DEFAULT",
        shown: Sequence[str] = (),
    ) -> None:
        self._execute(
            "INSERT INTO decision (store_id, id, day, made_at, subject, slot, strategy, reason, arms, model_version,"
            " cache, latency_us, shown, answers) VALUES (%(store)s, %(id)s, %(day)s, %(at)s, %(subject)s, %(slot)s,"
            " %(strategy)s, %(reason)s, %(arms)s::jsonb, '1', 'made', 1, %(shown)s, 1)",
            id=decision,
            day=at.date(),
            at=at,
            subject=self.subject(visitor) if visitor else None,
            arms=orjson.dumps(arms or {}).decode(),
            slot=slot,
            strategy=strategy,
            reason=reason,
            shown=list(shown),
        )

    def tell(
        self,
        name: str,
        visitor: str,
        at: datetime = BEGIN,
        *,
        products: Sequence[str] = (),
        received: datetime | None = None,
        **properties: Any,
    ) -> None:
        self._execute(
            "INSERT INTO event (store_id, received_at, occurred_at, subject, type, name, products, properties,"
            " purposes, source, message) VALUES (%(store)s, %(received)s, %(at)s, %(subject)s, 'track', %(name)s,"
            " %(products)s, %(properties)s::jsonb, 1, 'page', %(message)s)",
            at=at,
            received=received or at,
            subject=self.subject(visitor),
            name=name,
            products=list(products),
            properties=orjson.dumps(properties).decode(),
            message=digest(f"{visitor}{name}{at}{properties}")[:16],
        )

    def view(self, visitor: str, decision: str, at: datetime = BEGIN, **more: Any) -> None:
        self.tell("Product List Viewed", visitor, at, decision_id=decision, **more)

    def expose(self, visitor: str, arm: str, at: datetime = BEGIN, experiment: str = "one") -> None:
        self._execute(
            "INSERT INTO experiment_exposure (store_id, experiment, subject, arm, first_at, decision_id)"
            " VALUES (%(store)s, %(experiment)s, %(subject)s, %(arm)s, %(at)s, 'd')",
            experiment=experiment,
            subject=self.subject(visitor),
            arm=arm,
            at=at,
        )

    def log_in(self, visitor: str, customer: str, at: datetime = BEGIN) -> None:
        self.join(self.node(visitor), customer_node(customer), at)

    def join(self, one: str, other: str, at: datetime = BEGIN) -> None:
        links.link(db.session.connection(), self.id, [(one, other, links.LOGGED_IN)], at)
        db.session.commit()

    def sell(self, *changes: CommerceChange) -> None:
        ingest.apply(db.session.connection(), self.id, changes)
        db.session.commit()

    def exposures(self, experiment: str | None = None) -> list[tuple[str, str, bytes, datetime]]:
        rows = db.session.connection().exec_driver_sql(
            "SELECT experiment, arm, subject, first_at FROM experiment_exposure WHERE store_id = %(store)s"
            " AND experiment = COALESCE(%(experiment)s, experiment) ORDER BY 1, 2, 3",
            {"store": self.id, "experiment": experiment},
        )
        return [(key, arm, bytes(subject), at) for key, arm, subject, at in rows]

    def _execute(self, statement: str, **values: Any) -> None:
        db.session.connection().exec_driver_sql(statement, {"store": self.id, **values})
