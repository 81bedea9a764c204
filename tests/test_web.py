"""The web process."""

import gc
import subprocess
import sys

from app.core.config import Settings


def test_what_the_application_is_made_of_is_not_looked_through_for_garbage(settings: Settings) -> None:
    program = (
        "import gc, app.web; app.web.create_web(); "
        "print(gc.get_freeze_count() > 100_000, len(gc.get_objects()) < 10_000)"
    )
    environment = {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "PANNIER_SECRET_KEYS": ",".join(settings.secret_keys),
    }

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
