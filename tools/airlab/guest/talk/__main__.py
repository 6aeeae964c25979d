"""Run one of the talkers: `python3 -m tools.airlab.guest.talk WORD ARGUMENT...`; all arguments are text."""

import importlib
import sys

from tools.airlab.guest.talk import WORDS


def main(word: str, *arguments: str) -> None:
    module = next(name for name, words in WORDS.items() if word in words)
    getattr(importlib.import_module(f"tools.airlab.guest.talk.{module}"), word)(*arguments)


main(*sys.argv[1:])
