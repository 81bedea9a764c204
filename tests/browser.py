"""The browser of the tests: the Chromium that the operating system has, so nothing is downloaded."""

import shutil
from typing import Any

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def launch_arguments() -> dict[str, Any]:
    """Return what Playwright's ``launch()`` needs to start the system's Chromium.

    Raises:
        FileNotFoundError: if none of the known names is on the PATH.
    """
    for name in _NAMES:
        if path := shutil.which(name):
            return {"executable_path": path, "args": list(_ARGUMENTS), "headless": True}
    raise FileNotFoundError(f"the browser tests need one of {', '.join(_NAMES)} on the PATH")
