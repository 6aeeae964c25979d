"""The load test runs an installation of its own, and tells what became of every report."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.support.waiting import PATIENCE
from tools import loadtest
from tools.lib.errors import ToolError
from tools.load.device import Figures


def run(*arguments):
    command = [sys.executable, "-m", "tools.loadtest", "--json", "--drain", str(60 * PATIENCE), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=80 * PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
def test_what_150_devices_had_confirmed_is_stored_once_through_a_storm_and_bad_messages():
    result = run(
        *("--devices", "150", "--rate", "100", "--seconds", "8", "--burst", "3"),
        *("--storm", "3", "--slow", "5", "--skewed", "0.1", "--bad", "0.1"),
    )

    assert result["cut"] == 150 and result["connections"] >= 300 and result["bad"] > 0
    assert result["made"] >= 450 + 700 and result["unconfirmed"] == 0
    assert (result["stored"], result["stored_twice"], result["lost"]) == (result["made"], 0, 0)


def test_an_installation_is_only_loaded_when_it_is_confirmed_to_be_for_tests(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["loadtest", "--data", str(tmp_path)])
    with pytest.raises(ToolError, match="--yes"):
        loadtest.main()


def test_the_summary_names_what_is_lost_and_what_is_stored_twice():
    figures = Figures()
    figures.counts.update(made=10, confirmed=8, unconfirmed=2)
    figures.confirm_s = [0.1] * 8

    result = loadtest.summary(figures, 2.0, (9, 7))

    assert (result["lost"], result["stored_twice"], result["confirmed_per_s"]) == (1, 2, 4.0)
    assert result["confirm_s"]["p99"] == 0.1 and result["connect_s"] == {}
