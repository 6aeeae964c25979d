"""Folders of the checkout, or of the installed wheel (tools/package.py), that the tools run from."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
SCENES = TOOLS / "scenes"
IS_INSTALLED = ROOT.name == "ansim_release"  # by pip: data and builds are elsewhere
WORK = Path.cwd() if IS_INSTALLED else ROOT
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ansim"
BUILD = _CACHE if IS_INSTALLED else ROOT / "build"
