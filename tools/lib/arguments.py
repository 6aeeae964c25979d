"""Command-line parts that several tools share."""

import argparse

from tools.lib.errors import ToolError


def summary_line(doc: str | None) -> str:
    """Return the first line of a module docstring, for a parser's description."""
    return (doc or "").strip().partition("\n")[0]


def full_parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser whose --help shows a module docstring as it is written."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def port(text: str) -> int:
    """Parse a TCP port; an argparse `type`. Raises argparse.ArgumentTypeError."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port; give a number from 1 to 65535")
    return int(text)


def check_loss(share: float) -> None:
    """Raise ToolError if the value of --loss is not a share of frames."""
    if not 0 <= share < 1:
        raise ToolError(f"--loss {share} is not a share of frames; give 0 to 0.99")
