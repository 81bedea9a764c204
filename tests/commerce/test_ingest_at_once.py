"""Two that apply to one store at the same moment."""

import random
import threading
from collections.abc import Sequence

import pytest
from flask import Flask, current_app

from app.commerce import ingest
from app.commerce.changes import CommerceChange
from app.commerce.store import Store
from app.core.db import db
from tests.commerce.conftest import Apply, Tables
from tests.commerce.tables import dump
from tests.factories import (
    cart_change,
    customer_ref,
    line,
    new_store,
    order_change,
    order_deletion,
    product_change,
    refund,
    variant_state,
)


def history() -> list[CommerceChange]:
    """Return the changes of a few orders that share products, customers and seconds."""
    changes: list[CommerceChange] = []
    for number in range(12):
        order = f"o{number % 4}"
        changes += [
            order_change(
                order,
                line("p1", 3),
                f"p{number % 5}",
                seconds=number,
                customer=customer_ref(f"c{number % 3}", f"{number}@example.com"),
            ),
            product_change(
                f"p{number % 5}", variant_state(f"v{number % 5}", price=number), seconds=number // 2
            ),
            refund(order, number, number + 0.5, p1=1),
            cart_change(f"k{number % 2}", f"p{number % 3}", seconds=number),
        ]
    return [*changes, order_deletion("o3", 20)]


def apply_all(
    app: Flask, store_id: int, batches: Sequence[Sequence[CommerceChange]], start: threading.Barrier
) -> None:
    with app.app_context():
        start.wait(timeout=10)
        for batch in batches:
            ingest.apply(db.session.connection(), store_id, batch)
            db.session.commit()


@pytest.mark.parametrize("seed", [1, 2])
def test_two_at_the_same_moment_end_in_the_same_rows(store: Store, seed: int) -> None:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    alone = new_store().id
    ingest.apply(db.session.connection(), alone, history())
    db.session.commit()
    start, workers = threading.Barrier(3), []
    for number in range(3):
        changes = history()
        random.Random(seed * 10 + number).shuffle(changes)
        batches = [changes[n : n + 7] for n in range(0, len(changes), 7)]
        workers.append(threading.Thread(target=apply_all, args=(app, store.id, batches, start)))

    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)

    assert not any(worker.is_alive() for worker in workers)
    assert dump(db.session.connection(), store.id) == dump(db.session.connection(), alone)


def test_the_second_waits_and_then_sees_the_first(store: Store, apply: Apply, tables: Tables) -> None:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    late = order_change("order", "p1", seconds=1)
    ingest.apply(db.session.connection(), store.id, [order_change("order", "p1", "p2", seconds=2)])
    second = threading.Thread(target=apply_all, args=(app, store.id, [[late]], threading.Barrier(1)))

    second.start()
    second.join(timeout=0.3)
    waited = second.is_alive()
    db.session.commit()
    second.join(timeout=10)

    assert waited
    assert not second.is_alive()
    assert [row["basket"] for row in tables()["orders"]] == [["p1", "p2"]]
