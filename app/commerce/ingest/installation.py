"""Writing what is said of the installation itself: that the app was removed, that the shop refuses us."""

from typing import Any

from sqlalchemy import Connection

from app.commerce.changes import ConnectionProblem, StoreUninstalled


def apply_installation(connection: Connection, store_id: int, kinds: dict[type, list[Any]]) -> None:
    """Write that a shop has removed the app, or does not let us in; both are void after a later installation."""
    for gone in kinds.get(StoreUninstalled, []):
        # Late or repeated news of an earlier installation means nothing.
        connection.exec_driver_sql(
            "UPDATE store SET uninstalled_at = LEAST(uninstalled_at, %(at)s)"
            " WHERE id = %(store)s AND GREATEST(installed_at, connected_at) < %(at)s",
            {"store": store_id, "at": gone.uninstalled_at},
        )
    problems: list[ConnectionProblem] = kinds.get(ConnectionProblem, [])
    if problems:
        newest = max(problems, key=lambda problem: (problem.noticed_at, problem.detail))
        connection.exec_driver_sql(
            "UPDATE store SET connection_problem = %(detail)s, connection_problem_at = %(at)s"
            " WHERE id = %(store)s AND GREATEST(installed_at, connected_at) < %(at)s",
            {"store": store_id, "detail": newest.detail, "at": newest.noticed_at},
        )
