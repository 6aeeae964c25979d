"""What all tests share: where things are, and why some cannot run here."""

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

# marker -> (is it here?, what to do about it)
NEEDS = {
    "mosquitto": (
        lambda: shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin"),
        "the mosquitto broker is not installed (Debian: apt install mosquitto)",
    ),
    "chromium": (
        lambda: shutil.which("chromium") or shutil.which("google-chrome"),
        "Chromium is not installed (Debian: apt install chromium)",
    ),
    "captures": (lambda: (SHARED / "captures" / "manifest.csv").exists(), "no captures folder beside the project"),
    "restrooms": (lambda: (SHARED / "restrooms").is_dir(), "no folder of real restroom files beside the project"),
    "postgresql": (
        lambda: any(Path("/usr/lib/postgresql").glob("*/bin/postgres")),
        "PostgreSQL is not installed (Debian: apt install postgresql)",
    ),
    "build": (lambda: shutil.which("cc") and shutil.which("make"), "no C compiler and make"),
    "long": (lambda: os.environ.get("ANSIM_LONG") == "1", "takes minutes; run with `python3 tools/test.py --all`"),
}


def pytest_collection_modifyitems(items):
    # Last, because Playwright keeps an event loop running in this thread, and asyncio.run() refuses a second one.
    items.sort(key=lambda item: "browser" in item.path.parts)
    for item in items:
        for name, (is_here, why) in NEEDS.items():
            if item.get_closest_marker(name) and not is_here():
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def micropython() -> str:
    """Path of the real MicroPython interpreter, from the pinned requirements."""
    beside = Path(sys.executable).parent / "micropython"
    found = str(beside) if beside.exists() else shutil.which("micropython")
    assert found, "micropython is missing; pip install -r requirements-dev.txt brings it"
    return found
