"""A PostgreSQL of our own for a test session: in a temporary folder, on a socket only."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.ports import free_port


def programs() -> Path:
    """The folder of the newest PostgreSQL that Debian installed."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


@contextlib.contextmanager
def server(fsync: bool = False):
    """
    Yield a function that makes an empty database and returns its SQLAlchemy URL.

    fsync  True: it waits for the disk as in operation, for benchmarks
    """
    folder = Path(tempfile.mkdtemp(prefix="ansim-pg-"))
    # PostgreSQL refuses to run as root; its own account may read the folder then.
    as_user = []
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    port = free_port()

    def run(*arguments):
        subprocess.run([*as_user, *map(str, arguments)], check=True, cwd=folder, stdout=subprocess.DEVNULL)

    data = folder / "data"
    run(programs() / "initdb", "-D", data, "-A", "trust", "-U", "ansim", "-E", "UTF8", "--no-sync")
    options = f"-k {folder} -p {port} -c listen_addresses='' -c fsync={'on' if fsync else 'off'} -c lc_messages=C"
    run(programs() / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    made = 0

    def database():
        nonlocal made
        made += 1
        run(programs() / "createdb", "-h", folder, "-p", port, "-U", "ansim", f"test{made}")
        return f"postgresql+psycopg://ansim@/test{made}?host={folder}&port={port}"

    def crash() -> None:
        """Restart the server as after kill -9: connections end, and it recovers from its write-ahead log."""
        run(programs() / "pg_ctl", "-D", data, "-m", "immediate", "-o", options, "-l", folder / "log", "-w", "restart")

    database.crash = crash  # pyright: ignore[reportFunctionMemberAccess]
    try:
        yield database
    finally:
        run(programs() / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
