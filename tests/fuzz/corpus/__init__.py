"""Inputs that failed once, by target: corpus/<target>/<digest>."""

from pathlib import Path

FOLDER = Path(__file__).parent


def read(target: str) -> list[bytes]:
    """Return the inputs of a target."""
    return [path.read_bytes() for path in sorted((FOLDER / target).glob("*")) if path.is_file()]
