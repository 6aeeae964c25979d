"""Several processes add to the log at once, as web workers, ingest and commands do: the chain does not fork."""

import subprocess
import sys

import pytest
from pydantic import SecretStr

from server import db, migrations, vault
from server.config import Settings
from server.services.audit import heads, signing_key, verification
from tests.conftest import ROOT
from tests.support import postgresql
from tests.support.waiting import PATIENCE

PROCESSES, ENTRIES = 8, 20
WRITER = f"""
import sys
from server import db
from server.services.audit import log
db.BUSY_MS = 600_000  # eight writers on a busy machine
sessions = db.open_sessions(sys.argv[1])
sys.stdin.readline()
for turn in range({ENTRIES}):
    with sessions.begin() as session:
        log.add(session, "test.wrote", sys.argv[2], {{"turn": turn}}, None, {{"name": "Kim"}})
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def settings(request, tmp_path):
    if request.param == "sqlite":
        yield Settings(data=tmp_path)
    else:
        with postgresql.server() as database:
            yield Settings(data=tmp_path, database_url=SecretStr(database()))


def test_eight_processes_that_write_at_once_make_one_chain(settings):
    keys = vault.open_vault(settings)
    migrations.upgrade(settings)
    command = [sys.executable, "-c", WRITER, settings.url()]
    writers = [
        subprocess.Popen([*command, f"w{number}"], cwd=ROOT, stdin=subprocess.PIPE) for number in range(PROCESSES)
    ]
    for writer in writers:
        assert writer.stdin
        writer.stdin.write(b"\n")
        writer.stdin.close()
    assert [writer.wait(100 * PATIENCE) for writer in writers] == [0] * PROCESSES

    sessions = db.open_sessions(settings.url())
    with sessions.begin() as session:
        heads.sign(session, signing_key.load(keys))
    with sessions() as session:
        report = verification.verify(session)
    assert (report.problem, report.entries, report.heads) == (None, PROCESSES * ENTRIES + 1, 1)
    sessions.engine.dispose()
