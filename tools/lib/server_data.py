"""Settings of the server whose data folder a tool works on."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tools.lib.errors import ToolError
from tools.lib.paths import WORK

if TYPE_CHECKING:
    from server.config import Settings

DEFAULT_FOLDER = WORK / "data" / "site"  # as tools/run.py uses it


def load_settings(data: Path) -> "Settings":
    """Return the server's settings from the environment, for a data folder. Raises ToolError if any is not usable."""
    # Imported here: a tool may have to enter the virtual environment first.
    from server import config

    try:
        return config.from_environment({**os.environ, "ANSIM_DATA": str(data)})
    except config.BadSettings as error:
        raise ToolError("; ".join(str(error).splitlines())) from error
