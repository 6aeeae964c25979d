"""Interpreters and simulated boards for the tests of this folder."""

import pytest

from tests.support.simulated_board import SILENCE, Board
from tools import native
from tools.lib.errors import ToolError


@pytest.fixture(scope="session", params=["64-bit", pytest.param("32-bit", marks=pytest.mark.build)])
def micropython(request, micropython) -> str:
    """Path of an interpreter: the one from PyPI, and one of 32 bits, whose objects and integers are as on a board."""
    if request.param == "64-bit":
        return micropython
    try:
        return str(native.build_host(frozen=True))
    except ToolError as error:
        pytest.skip(str(error))


@pytest.fixture
def board(tmp_path) -> Board:
    """A board that hears a camera, access points and a watch."""
    return Board(tmp_path)


@pytest.fixture
def silent_board(tmp_path) -> Board:
    """A board with nothing on the air."""
    return Board(tmp_path, SILENCE)
