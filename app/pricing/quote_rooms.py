"""What quotes know of a person, for export and erasure."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from app.privacy.rooms import Person


class QuotesRoom:
    """Prices that were signed for a person (see ``app.privacy.rooms``)."""

    name = "quotes"

    def export(self, connection: Connection, person: Person) -> Mapping[str, Any]:
        """Return the person's quotes: what was offered at which price, when and why."""
        rows = connection.exec_driver_sql(
            "SELECT product_id, variant_id, price, list_price, currency, reason, issued_at, expires_at, redeemed_at"
            " FROM price_quote WHERE store_id = %(store)s AND customer = ANY(%(subjects)s::bytea[])"
            " ORDER BY issued_at, id",
            _of(person),
        ).mappings()
        found = [
            {
                **row,
                **{
                    name: row[name].isoformat() if row[name] else None
                    for name in ("issued_at", "expires_at", "redeemed_at")
                },
            }
            for row in rows
        ]
        return {"quotes": found} if found else {}

    def erase(self, connection: Connection, person: Person) -> Mapping[str, int]:
        """Remove the person's quotes; one that is still out counts no more where it is verified here."""
        removed = connection.exec_driver_sql(
            "DELETE FROM price_quote WHERE store_id = %(store)s AND customer = ANY(%(subjects)s::bytea[])",
            _of(person),
        )
        return {"price_quotes": removed.rowcount}

    def forget(self, person: Person) -> None:
        """Do nothing: quotes are kept in PostgreSQL alone."""


def _of(person: Person) -> dict[str, Any]:
    return {"store": person.store_id, "subjects": sorted(person.subjects)}
