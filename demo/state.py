"""What one run of the demo leaves to the next."""

import dataclasses
import json
import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args

from demo.messages import Platform

PLATFORMS: Final[tuple[Platform, ...]] = get_args(Platform)


@dataclass(slots=True)
class State:
    """What one run leaves to the next, in ``var/demo.json``.

    Attributes:
        now: the moment that the shops' history ends.
        shop_ports: of the storefronts.
        platform_port: of the Shopify stand-in.
        client_id: of the app at Shopify.
        secrets: the app's client secret, under ``shopify``.
        orders: how many of each shop's orders there are.
        keys: the publishable keys that the merchant was shown.
        access: what the merchants granted: tokens, keys, webhooks.
    """

    now: str
    shop_ports: dict[str, int]
    platform_port: int
    secrets: dict[str, str]
    client_id: str = field(default_factory=lambda: secrets.token_hex(16))
    orders: int = 0
    keys: dict[str, str] = field(default_factory=dict)
    access: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path, port: int) -> "State":
        """Return the state of the last run, or a new one; what an older version left out is new."""
        kept = json.loads(path.read_text()) if path.exists() else {}
        fresh: dict[str, Any] = {
            "now": datetime.now(UTC).replace(second=0, microsecond=0).isoformat(),
            "shop_ports": {platform: port + 1 + n for n, platform in enumerate(PLATFORMS)},
            "platform_port": port + 1 + len(PLATFORMS),
            "secrets": {"shopify": secrets.token_hex(25)},
        }
        known = {name.name for name in dataclasses.fields(cls)}
        return cls(**{**fresh, **{name: value for name, value in kept.items() if name in known}})

    def save(self, path: Path) -> None:
        """Keep the state, readable by its owner alone."""
        draft = path.with_suffix(".tmp")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(dataclasses.asdict(self), file)
        draft.replace(path)
