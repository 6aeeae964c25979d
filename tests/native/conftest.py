"""Interpreters with the sniffer module, built once and kept in build/native."""

import pytest

from tools import native
from tools.lib.errors import ToolError


def _built(sanitize):
    try:
        return str(native.build_host(sanitize))
    except ToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def interpreter() -> str:
    """Path of a MicroPython with rfsniff and its host backend."""
    return _built(sanitize=False)


@pytest.fixture(scope="session")
def sanitized_interpreter() -> str:
    """The same, built with ThreadSanitizer."""
    return _built(sanitize=True)
