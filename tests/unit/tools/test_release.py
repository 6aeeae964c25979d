"""A firmware version of this checkout is added to a server's database."""

import pytest

from server import db, migrations, vault
from server.config import Settings
from server.services.sensors import rollout
from tests.conftest import ROOT
from tools import release
from tools.lib.errors import ToolError


def test_this_checkout_becomes_a_version(tmp_path):
    settings = Settings(data=tmp_path)
    migrations.upgrade(settings)
    vault.open_vault(settings)

    files = release.collect_files()
    size, digest = release.add_release(tmp_path, "0.9.0", files, ["esp32_devkit"])

    assert "firmware/start.mpy" in files and "ansim/__init__.mpy" in files
    assert not [path for path in files if path.rpartition("/")[2].split(".")[0] in ("boot", "main") or path[0] == "/"]
    sessions = db.open_sessions(settings.url())
    with sessions() as session:
        (added,) = rollout.list_releases(session)
        assert (added.version, added.bytes, added.sha256, added.boards) == ("0.9.0", size, digest, ["esp32_devkit"])
    sessions.engine.dispose()


def test_the_newest_program_is_one_that_fits_the_server(tmp_path):
    assert sum(map(len, release.collect_files().values())) < rollout.MOST_BYTES
    assert (ROOT / "firmware/start.py").exists()


def test_files_that_are_no_program_are_refused_in_one_line(tmp_path):
    vault.open_vault(Settings(data=tmp_path))

    with pytest.raises(ToolError, match="release_bad"):
        release.add_release(tmp_path, "1", {"x": b""}, [])
