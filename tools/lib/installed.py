"""The commands of the installed wheel. Its files are in one folder, ansim_release, with the layout of the checkout."""

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def run() -> None:
    """`ansim`: as `python3 tools/run.py`."""
    _prepare()
    from tools import run as command

    try:
        command.main()
    except KeyboardInterrupt:
        sys.exit("\nStopped.")


def flask() -> None:
    """`ansim-server`: as `flask --app server`."""
    _prepare()
    from flask.cli import main

    sys.argv[1:1] = ["--app", "server"]
    main()


def _prepare():
    # Modules are imported by the checkout's names, here and in the processes that are started.
    sys.path.insert(0, str(_ROOT))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
