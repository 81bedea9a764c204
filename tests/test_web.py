"""The web process."""

import gc
import subprocess
import sys


def test_what_the_application_is_made_of_is_not_looked_through_for_garbage(
    environment: dict[str, str],
) -> None:
    program = (
        "import gc, app.web; app.web.create_web(); "
        "print(gc.get_freeze_count() > 100_000, len(gc.get_objects()) < 10_000)"
    )

    made = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert made.stdout.split() == ["True", "True"]
    assert gc.get_freeze_count() == 0, "of this process everything is"
