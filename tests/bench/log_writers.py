"""
Measure how many entries a second one and several processes add to the log on PostgreSQL (fsync on).

    python -m tests.bench.log_writers [--writers 1 4] [--entries 500]

Each writer adds entries in transactions of their own, as web workers do. The chain lets one writer at a time in, so
more of them share the rate.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pydantic import SecretStr

from server import db, migrations, vault
from server.config import Settings
from server.services.audit import verification
from tests.conftest import ROOT
from tests.support import postgresql

WRITER = """
import sys
from server import db
from server.services.audit import log
sessions = db.open_sessions(sys.argv[1])
with sessions() as session:
    session.connection()
print("ready", flush=True)
sys.stdin.readline()
for turn in range(int(sys.argv[3])):
    with sessions.begin() as session:
        log.add(session, "test.wrote", sys.argv[2], {"turn": turn}, None, {"name": "Kim"})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--entries", type=int, default=500, help="of each writer")
    options = parser.parse_args()
    with postgresql.server(fsync=True) as database, tempfile.TemporaryDirectory() as folder:
        for number in options.writers:
            settings = Settings(data=Path(folder) / str(number), database_url=SecretStr(database()))
            rate = measure(settings, number, options.entries)
            print(f"{number} writers: {rate:.0f} entries a second", flush=True)


def measure(settings: Settings, writers: int, entries: int) -> float:
    """Return the entries a second that so many writers add; the chain is whole afterwards, or AssertionError."""
    migrations.upgrade(settings)
    vault.open_vault(settings)
    command = [sys.executable, "-c", WRITER, settings.url()]
    running = [
        subprocess.Popen(
            [*command, f"w{number}", str(entries)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(writers)
    ]
    for writer in running:
        assert writer.stdout and writer.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for writer in running:
        assert writer.stdin
        writer.stdin.write("\n")
        writer.stdin.close()
    assert [writer.wait(300) for writer in running] == [0] * writers
    took = time.perf_counter() - began
    sessions = db.open_sessions(settings.url())
    with sessions() as session:
        report = verification.verify(session)
    sessions.engine.dispose()
    assert report.entries >= writers * entries, report
    return writers * entries / took


if __name__ == "__main__":
    main()
