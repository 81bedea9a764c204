"""The web process."""

import gc
import subprocess
import sys


def made_web(environment: dict[str, str], then: str) -> list[str]:
    """Return the words that a web process prints which does ``then`` when its application is made."""
    made = subprocess.run(
        [sys.executable, "-c", f"import gc, app.web; app.web.create_web(); {then}"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return made.stdout.split()


def test_what_the_application_is_made_of_is_not_looked_through_for_garbage(
    environment: dict[str, str],
) -> None:
    told = made_web(environment, "print(gc.get_freeze_count() > 100_000, len(gc.get_objects()) < 10_000)")

    assert told == ["True", "True"]
    assert gc.get_freeze_count() == 0, "of this process everything is"


def test_what_some_requests_hold_is_not_looked_through_for_garbage(environment: dict[str, str]) -> None:
    count = "gc.get_stats()[0]['collections']"
    told = made_web(
        environment, f"before = {count}; held = [[] for _ in range(10_000)]; print({count} - before)"
    )

    assert told == ["0"]
    before = gc.get_stats()[0]["collections"]
    held = [[] for _ in range(10_000)]
    assert held
    assert gc.get_stats()[0]["collections"] > before, "by Python's own threshold it would be"
