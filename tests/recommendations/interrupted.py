"""A process that rebuilds one store and stops where it is told to, so that it can be killed there.

``python -m tests.recommendations.interrupted STORE_ID writing|committed`` prints the name of the place when it has
come there, and waits: while lists are being written, or when they are committed and Redis has heard of none.
"""

import signal
import sys
from typing import Any

from app.core.config import load_settings
from app.factory import create_app
from app.recommendations import rebuilding


def main() -> None:
    """Rebuild up to the place."""
    store_id, place = int(sys.argv[1]), sys.argv[2]

    def wait(*_: Any) -> None:
        print(place, flush=True)
        signal.pause()

    if place == "committed":
        rebuilding._hand_to_redis = wait
    with create_app(load_settings()).app_context():
        rebuilding.rebuild(store_id, wait if place == "writing" else None)


if __name__ == "__main__":
    main()
