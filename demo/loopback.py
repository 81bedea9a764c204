"""Serving an application on loopback from threads."""

import logging
import socket
import threading
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

_LOOK_S = 0.05  # how long the end of a server may take to be seen


class LoopbackServer:
    """An application on 127.0.0.1, in a thread of its own for each connection."""

    def __init__(self, app: Flask, port: int, name: str) -> None:
        """Take ``port``; 0 takes a free one. Requests wait until ``start``.

        Args:
            app: answers.
            port: to listen on.
            name: of the thread.

        Raises:
            OSError: if the port is taken.
        """
        # Werkzeug ends the whole process when it finds the port taken, so the port is bound here.
        with socket.create_server(("127.0.0.1", port)) as listener:
            self.port: int = listener.getsockname()[1]
            self._server = make_server(
                "127.0.0.1",
                self.port,
                app,
                threaded=True,
                request_handler=_QuietHandler,
                fd=listener.fileno(),
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": _LOOK_S}, name=name, daemon=True
        )

    @property
    def url(self) -> str:
        """Its address, without trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def shutdown(self) -> None:
        """Answer no more, and free the port."""
        self._server.shutdown()
        self._thread.join(timeout=10)
        self._server.server_close()


class _QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, _level: str, message: str, *args: Any) -> None:
        """Log requests without their query, which may hold keys, for whoever wants to see them."""
        del message, args
        path = getattr(self, "path", "").partition("?")[0]
        logging.getLogger("demo.loopback").debug("%s %s", self.command, path)
