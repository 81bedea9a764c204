"""The line to an application in this process."""

from collections.abc import Mapping

from flask import Flask

from app.core.held import forget_everything
from app.decisions.log import DecisionLog


class InProcess:
    """An application in this process, through all of its WSGI layers."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._client = app.test_client()

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        answer = self._client.open(path, method=method, data=body, headers=dict(headers))
        return answer.status_code, answer.data

    def settle(self) -> None:
        """Write the decisions."""
        log: DecisionLog = self._app.extensions["pannier_decisions"]
        log.flush()

    def take_up(self) -> None:
        """Forget what this process holds of stores."""
        forget_everything()
