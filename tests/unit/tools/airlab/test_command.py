"""The command line of the air lab, and what it says when the machine is missing."""

import dataclasses
import json

import pytest

from tools.airlab import __main__ as command
from tools.airlab import machine, recording, scenarios
from tools.lib.errors import ToolError
from tools.traffic import record_file


def test_the_list_has_every_scenario(capsys):
    assert command.main(["list"]) == 0

    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [made.name for made in scenarios.ALL]


def test_without_a_machine_a_run_says_what_to_do(tmp_path):
    with pytest.raises(ToolError, match=r"has no machine; run `python -m tools.airlab build"):
        machine.boot(tmp_path, scenarios.by_name("cam_idle"), tmp_path / "out")


def test_a_blank_in_a_path_is_refused(tmp_path):
    work = tmp_path / "a b"
    for name in ("linux", "root/usr/bin/airlab-medium"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).touch()

    with pytest.raises(ToolError, match="has a blank in its path"):
        machine.boot(work, scenarios.by_name("cam_idle"), tmp_path / "out")


def test_a_build_needs_root(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)

    with pytest.raises(ToolError, match="need root"):
        command.main(["build", str(tmp_path / "work")])


def test_a_build_names_the_packages_that_are_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine.shutil, "which", lambda program: None if program in ("bc", "ssh-keygen") else program)

    with pytest.raises(ToolError, match="run `apt install bc openssh-client`"):
        command.main(["build", str(tmp_path / "work")])
    assert not (tmp_path / "work").exists()


def test_a_step_that_fails_is_named(tmp_path):
    with pytest.raises(ToolError, match=r"`false` failed \(1\); see the end of .*build.log"):
        machine._run(tmp_path, "false")


def test_an_unknown_scenario_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(ToolError, match="there is no scenario nothing"):
        command.main(["run", str(tmp_path), "nothing", "--out", str(tmp_path)])


def test_a_scenario_that_was_recorded_is_not_run_again(tmp_path):
    (tmp_path / "cam_idle.1.records.xz").touch()

    assert command.main(["run", str(tmp_path), "cam_idle", "--out", str(tmp_path)]) == 0


def test_a_folder_without_recordings_cannot_be_scored(tmp_path):
    with pytest.raises(ToolError, match=r"has no .records.xz file"):
        command.main(["score", str(tmp_path)])


def test_the_lists_of_packages_are_names(tmp_path):
    packages = machine.read_list("guest-packages.txt")

    assert {"hostapd", "wpasupplicant", "ffmpeg", "mosquitto", "x11vnc"} <= set(packages)
    assert set(machine.NEEDED.values()) <= set(machine.read_list("host-packages.txt"))
    assert all("==" in name for name in machine.read_list("guest-python.txt"))


def test_the_capture_is_cut_to_the_scenario(tmp_path):
    made = dataclasses.replace(scenarios.by_name("cam_idle"), seconds=3)
    beacon = bytes.fromhex("80000000ffffffffffff00005e00530100005e0053010000")
    radiotap = bytes.fromhex("00000d002800000085098000c5")
    frames = [(4.5, beacon), (5.5, beacon), (8.9, beacon), (9.5, beacon)]
    capture = tmp_path / "x.pcap"
    capture.write_bytes(_pcap([(at_s, radiotap + frame) for at_s, frame in frames]))
    summary = {"begun_ns": 6_000_000_000, "problems": [], "versions": {"linux": "6.1"}}

    recording.convert(capture, made, summary, tmp_path / "x.records.xz")

    times = [time_us for time_us, _ in record_file.records(tmp_path / "x.records.xz")]
    assert times == pytest.approx([500_000, 3_900_000], abs=record_file.TIME_STEP_US)
    header = record_file.header(tmp_path / "x.records.xz")
    assert (header["scenario"], header["versions"]) == ("cam_idle", {"linux": "6.1"})
    assert [station["label"] for station in header["stations"]] == ["infrastructure", "idle_camera"]
    assert json.dumps(header)


def _pcap(frames):
    data = bytes.fromhex("d4c3b2a102000400000000000000000000000400 7f000000")
    for at_s, frame in frames:
        seconds, microseconds = int(at_s), round(at_s % 1 * 1e6)
        data += b"".join(number.to_bytes(4, "little") for number in (seconds, microseconds, len(frame), len(frame) + 4))
        data += frame
    return data
