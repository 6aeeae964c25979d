"""The detectors on the air lab's recordings, which are part of the project."""

from functools import cache

import pytest

from tests.conftest import ROOT
from tools.airlab import scenarios, score
from tools.airlab.scenario import CAMERA, OTHER
from tools.traffic import record_file

FOLDER = ROOT / "tests" / "data" / "airlab"
PATHS = sorted(FOLDER.rglob(f"*{record_file.SUFFIX}"))
MOST_BYTES = 10_000_000


def named(name):
    return next(path for path in PATHS if path.name.startswith(f"{name}."))


@cache
def results(name, way):
    return [result for result in score.score_file(named(name), way) if result.label in (CAMERA, OTHER)]


def test_the_recordings_stay_small():
    assert sum(path.stat().st_size for path in PATHS) <= MOST_BYTES


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_recording_says_where_it_comes_from(path):
    header = record_file.header(path)
    made = scenarios.by_name(header["scenario"])

    assert "no recording of anybody's radio" in header["made_by"]
    assert header["problems"] == []
    assert set(header["versions"]) == {"linux", "hostapd", "ffmpeg"}
    assert header["is_held_out"] == made.is_held_out == (path.parent.name == "held_out")
    assert {(station["name"], station["label"], station["kind"]) for station in header["stations"]} == {
        (station.name, station.label, station.kind) for station in made.stations
    }


@pytest.mark.parametrize("name", ["cam_gateway", "cam_pppp_each_acknowledged", "cam_own_ap_open_mjpeg"])
def test_a_camera_is_noticed_within_10_s_on_its_channel(name):
    cameras = [result for result in results(name, score.WAYS[0]) if result.label == CAMERA]

    assert [result.noticed_s <= 10 for result in cameras if result.noticed_s is not None] == [True]


@pytest.mark.parametrize("name", ["home_mqtt", "web_ssh_typing", "flat"])
def test_other_devices_cause_no_alarm_on_their_channel(name):
    assert [result.name for result in results(name, score.WAYS[0]) if result.alarm_windows] == []


@cache
def all_results():
    return [result for result in score.score(FOLDER) if result.scenario]


@pytest.mark.long
def test_cameras_that_send_a_picture_every_second_are_noticed_on_their_channel():
    cameras = [
        result
        for result in all_results()
        if result.label == CAMERA
        and 0 < result.every_s <= 1
        and result.way == "on channel"
        and result.began_s is not None
    ]

    missed = [result.file for result in cameras if result.noticed_s is None]
    assert len(cameras) >= 20
    assert len(missed) <= len(cameras) * 0.05, missed


@pytest.mark.long
def test_homes_phones_pages_and_measurements_cause_no_alarm():
    # A one-way stream of long datagrams at 200 kbit/s: by its headers it is a camera's.
    known = "telemetry_waveform"
    quiet = ("home", "telemetry", "phone", "web", "download", "")

    alarms = [
        f"{result.file} {result.name} {result.way} {result.seed}"
        for result in all_results()
        if result.label != CAMERA and result.kind in quiet and result.alarm_windows and result.scenario != known
    ]

    assert alarms == []


@pytest.mark.long
def test_one_way_live_video_causes_no_alarm_before_60_s():
    early = [
        result.file
        for result in all_results()
        if result.kind == "live" and result.alarmed_s is not None and result.alarmed_s < 60
    ]

    assert early == []
