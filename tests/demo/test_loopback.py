"""Serving an application on loopback."""

import logging
import socket

import pytest
import requests
from flask import Flask

from demo.loopback import LoopbackServer


def test_it_answers_until_it_is_shut_down_and_frees_its_port() -> None:
    app = Flask(__name__)
    app.add_url_rule("/", "home", lambda: "here")
    server = LoopbackServer(app, 0, "test")
    server.start()
    try:
        assert requests.get(server.url, timeout=10).text == "here"
        with pytest.raises(OSError, match="in use"):
            LoopbackServer(app, server.port, "another")
    finally:
        server.shutdown()

    with socket.create_server(("127.0.0.1", server.port)):
        pass


def test_the_log_has_no_query(caplog: pytest.LogCaptureFixture) -> None:
    server = LoopbackServer(Flask(__name__), 0, "test")
    server.start()
    try:
        with caplog.at_level(logging.DEBUG, logger="demo.loopback"):
            requests.get(f"{server.url}/page?key=sk_secret", timeout=10)
    finally:
        server.shutdown()

    told = [record.getMessage() for record in caplog.records if record.name == "demo.loopback"]
    assert told == ["GET /page"]
