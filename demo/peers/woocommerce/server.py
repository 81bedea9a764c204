"""The peer as an application of its own, or inside another one, and how to serve it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, Response, request

from demo.loopback import LoopbackServer
from demo.peers.woocommerce import authorize, rest
from demo.peers.woocommerce.state import WooState


def install_peer(app: Flask, state: WooState) -> None:
    """Let ``app`` answer under ``/wp-json/`` and ``/wc-auth/`` for ``state``.

    Slashes that follow each other are kept apart in the whole app, as WordPress keeps them.
    """
    app.extensions["woocommerce_peer"] = state
    app.url_map.merge_slashes = False
    app.before_request(_meet_outage(state))
    app.register_blueprint(rest.blueprint)
    app.register_blueprint(authorize.blueprint)


def create_peer(state: WooState) -> Flask:
    """Return an application that answers like the store in ``state``, and nothing else."""
    app = Flask(__name__)
    install_peer(app, state)
    return app


@contextmanager
def serve(state: WooState, port: int = 0) -> Iterator[str]:
    """Serve ``state`` on 127.0.0.1 from threads and yield the address, without trailing slash.

    The site's address becomes that address. Port 0 takes a free one.

    Raises:
        OSError: if the port is taken.
    """
    server = LoopbackServer(create_peer(state), port, "woocommerce-peer")
    state.site.url = server.url
    server.start()
    try:
        yield state.site.url
    finally:
        state.outages.release()
        server.shutdown()


def _meet_outage(state: WooState) -> Any:
    def meet() -> Response | None:
        if request.path.startswith(("/wp-json", "/wc-auth")):
            return state.outages.meet(request.method, request.path)
        return None

    return meet
