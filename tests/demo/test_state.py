"""What one run of the demo leaves to the next."""

import json
import stat
from pathlib import Path

from demo.state import State


def test_the_next_run_has_what_the_last_one_left(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    state = State.load(file, 8000)
    state.orders, state.keys["shopify"] = 40, "pk_one"

    state.save(file)

    assert State.load(file, 9000) == state
    assert state.shop_ports == {"shopify": 8001, "woocommerce": 8002}
    assert state.platform_port == 8003


def test_nobody_but_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"

    State.load(file, 8000).save(file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_another_version_left_is_taken_as_far_as_it_is_known(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    file.write_text(json.dumps({"now": "2026-11-22T12:00:00+00:00", "orders": 40, "colour": "red"}))

    state = State.load(file, 8000)

    assert (state.now, state.orders) == ("2026-11-22T12:00:00+00:00", 40)
    assert (state.keys, state.access) == ({}, {})
    assert len(state.secrets["shopify"]) == 50
