"""Simulated boards for the tests of this folder."""

import pytest

from tests.support.simulated_board import SILENCE, Board


@pytest.fixture
def board(tmp_path) -> Board:
    """A board that hears a camera, access points and a watch."""
    return Board(tmp_path)


@pytest.fixture
def silent_board(tmp_path) -> Board:
    """A board with nothing on the air."""
    return Board(tmp_path, SILENCE)
