"""Folders of the checkout that the tools run from."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
SCENES = TOOLS / "scenes"
