"""Made-up events of one visitor, as sessions are read from them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import insert

from app.core.db import db
from app.core.db import now as clock
from app.events.models import Event
from app.events.session import Happening, Session, from_events
from app.privacy.purposes import Purposes

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ADD, REMOVE = "Product Added", "Product Removed"


def event(minutes_ago: float, name: str | None, *products: str, **properties: Any) -> Happening:
    """Return an event of so many minutes ago."""
    return Happening(NOW - timedelta(minutes=minutes_ago), name, products, properties)


def told(*events: Happening) -> Session:
    """Return the session that runs now."""
    return from_events(events, NOW)


def keep(
    store_id: int,
    subject: bytes,
    *events: tuple[float, str, list[str]],
    received_later_s: float = 0,
    **properties: Any,
) -> None:
    """Store events of somebody that happened so many seconds ago, all with the same properties."""
    at = clock()
    db.session.execute(
        insert(Event),
        [
            {
                "store_id": store_id, "subject": subject, "type": "track", "name": name, "products": products,
                "properties": properties, "purposes": int(Purposes.ANALYTICS), "source": "browser",
                "message": f"{subject!r}{seconds}{name}".encode(),
                "occurred_at": at - timedelta(seconds=seconds),
                "received_at": at - timedelta(seconds=seconds - received_later_s),
            }
            for seconds, name, products in events
        ],
    )  # fmt: skip
    db.session.commit()


names = st.sampled_from([None, "Product Viewed", ADD, REMOVE, "Cart Viewed", "Checkout Started",
                         "Order Completed", "Products Searched", "Anything Else"])  # fmt: skip
happenings = st.builds(
    Happening,
    at=st.integers(0, 5400).map(lambda s: NOW - timedelta(seconds=s)),
    name=names,
    products=st.lists(st.sampled_from("abcd"), max_size=3).map(tuple),
    properties=st.one_of(st.none(), st.fixed_dictionaries({}, optional={
        "query": st.one_of(st.none(), st.text(max_size=5), st.integers()),
        "quantity": st.one_of(st.integers(-2, 3), st.floats(), st.text(max_size=2)),
        "products": st.just([]),
    })),
)  # fmt: skip
histories = st.lists(happenings, max_size=25)
