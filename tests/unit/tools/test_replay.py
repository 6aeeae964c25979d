"""Output and errors of the replay."""

import bz2
import gzip
import itertools
import json
import lzma
import os
import subprocess
import sys
import threading

import pytest

from ansim.detect import engine as detection
from ansim.finding import ALARM, CLEARED, RAISED, UPDATED, Evidence, Finding
from firmware.radio import plan as planning
from tests.conftest import ROOT
from tests.support import made_captures as captures
from tools import replay
from tools.lib.errors import ToolError
from tools.traffic import patterns, playback, streams
from tools.traffic.scene import Scene

KEYS = {"t_s", "event", "level", "kind", "subject", "score", "channel", "rssi_dbm", "evidence", "considered", "likely"}
CAMERA = {
    "pattern": {"kind": "camera", "kbps": 700, "acks": "tcp"},
    "channel": 9,
    "mac": "ac:de:48:00:00:09",
    "start_s": 3,
}


@pytest.fixture
def camera_stream(tmp_path):
    path = tmp_path / "camera.hdr.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("t_s,up,mpdu_len,rssi\n")
        for t_s, up, length in patterns.frames({"kind": "camera", "kbps": 700, "duration_s": 30}, 1):
            file.write(f"{t_s:.4f},{up},{length},\n")
    return path


@pytest.fixture
def camera_scene(tmp_path):
    path = tmp_path / "scene.json"
    path.write_text(json.dumps({"duration_s": 60, "emitters": [CAMERA, {"pattern": {"kind": "iot"}, "channel": 1}]}))
    return path


def printed(capsys, *arguments):
    """(findings, summary) of a run with --json."""
    replay.main([*map(str, arguments), "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return lines[:-1], lines[-1]["summary"]


def test_a_stream_is_a_station_on_channel_6(camera_stream, capsys):
    findings, summary = printed(capsys, camera_stream)

    assert {(finding["subject"], finding["channel"]) for finding in findings} == {("ac:de:48:00:00:00", 6)}
    assert summary["frames"] == len(list(streams.frames(camera_stream)))
    assert summary["stations"] >= 1
    assert 30 <= summary["seconds"] <= 40
    assert set(summary) == {"frames", "stations", "seconds", "frames_per_s"}


def test_each_line_of_json_is_one_finding_with_its_evidence(camera_stream, capsys):
    findings, _ = printed(capsys, camera_stream)

    first = findings[0]
    assert set(first) == KEYS
    assert (first["event"], first["kind"]) == ("raised", "camera_stream")
    assert 60 <= first["score"] <= 100
    assert all(set(finding) == {"rule", "value", "threshold", "weight"} for finding in first["evidence"])


def test_a_scene_is_received_on_all_channels_without_a_plan(camera_scene, capsys):
    findings, summary = printed(capsys, camera_scene)

    raised = [finding for finding in findings if finding["event"] == "raised"]
    assert [(finding["subject"], finding["channel"]) for finding in raised[:1]] == [("ac:de:48:00:00:09", 9)]
    assert raised[0]["t_s"] < 3 + 10
    assert 59 <= summary["seconds"] <= 60


def test_with_a_plan_one_sensor_hops_and_still_finds_it_within_30_s(camera_scene, capsys):
    findings, summary = printed(capsys, camera_scene, "--plan")
    all_frames = printed(capsys, camera_scene)[1]["frames"]

    assert any(
        finding["event"] == "raised" and finding["subject"] == "ac:de:48:00:00:09" and finding["t_s"] <= 33
        for finding in findings
    )
    assert summary["frames"] < 0.8 * all_frames


def test_a_capture_is_played_with_its_own_addresses(tmp_path, capsys):
    path = tmp_path / "night.pcap"
    frames = [(number * 100_000, captures.radiotap(frequency_mhz=2412) + captures.data()) for number in range(50)]
    path.write_bytes(captures.pcap(frames))

    findings, summary = printed(capsys, path)

    assert findings == []
    assert (summary["frames"], summary["stations"]) == (50, 1)


def test_loss_leaves_frames_out_and_the_seed_decides_which(camera_stream, capsys):
    whole = printed(capsys, camera_stream)[1]["frames"]
    one = printed(capsys, camera_stream, "--loss", "0.5", "--seed", "1")
    same = printed(capsys, camera_stream, "--loss", "0.5", "--seed", "1")
    other = printed(capsys, camera_stream, "--loss", "0.5", "--seed", "2")

    assert 0.4 * whole < one[1]["frames"] < 0.6 * whole
    assert (one[0], one[1]["frames"]) == (same[0], same[1]["frames"])
    assert one[1]["frames"] != other[1]["frames"]


def test_without_json_a_line_says_camera_like_and_never_more(camera_stream, capsys):
    replay.main([str(camera_stream)])

    text = capsys.readouterr().out
    assert "camera-like: ac:de:48:00:00:00 (camera_stream, notice), score" in text
    assert "replayed at" in text.splitlines()[-1]


@pytest.mark.parametrize("loss", ["1", "-0.1", "nan"])
def test_a_loss_that_is_no_share_is_refused(camera_stream, loss):
    with pytest.raises(ToolError, match="--loss"):
        replay.main([str(camera_stream), f"--loss={loss}"])


def test_a_truncated_file_ends_in_one_line_and_status_1(tmp_path):
    path = tmp_path / "cut.pcap"
    path.write_bytes(captures.pcap([(0, captures.radiotap() + captures.data())] * 3)[:-5])

    ended = subprocess.run(
        [sys.executable, "-m", "tools.replay", path], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1


def camera_capture(tmp_path, header):
    """A capture of a camera; `header` are the bytes before each frame."""
    frames = []
    for number, (t_s, up, length) in enumerate(patterns.frames({"kind": "camera", "kbps": 700, "duration_s": 30}, 1)):
        frame = captures.data(flags=0x01 if up else 0x02, sequence=number % 4096, body=b"x" * max(0, length - 28))
        if not up:
            frame = frame[:4] + captures.STATION + captures.ACCESS_POINT + captures.ROUTER + frame[22:]
        frames.append((int(t_s * 1e6), header + frame))
    path = tmp_path / "camera.pcap"
    path.write_bytes(captures.pcap(frames))
    return path


def test_what_a_capture_does_not_tell_is_null_and_said(tmp_path, capsys):
    path = camera_capture(tmp_path, captures.raw_radiotap([0], b""))

    replay.main([str(path), "--json"])
    output = capsys.readouterr()
    finding = json.loads(output.out.splitlines()[0])

    assert finding["event"] == "raised"
    assert (finding["channel"], finding["rssi_dbm"]) == (None, None)
    assert not [row for row in finding["evidence"] if row["rule"].startswith("rssi")]
    assert "have no channel" in output.err and "have no signal strength" in output.err

    replay.main([str(path)])
    assert "unknown signal" in capsys.readouterr().out


def test_a_capture_that_tells_both_has_no_note(tmp_path, capsys):
    path = camera_capture(tmp_path, captures.radiotap(frequency_mhz=2412, signal_dbm=-66))

    replay.main([str(path), "--json"])
    output = capsys.readouterr()

    assert json.loads(output.out.splitlines()[0])["channel"] == 1
    assert output.err == ""


@pytest.mark.parametrize("compress", [False, True])
def test_a_capture_may_come_through_a_pipe(tmp_path, compress):
    frames = [(number * 100_000, captures.radiotap() + captures.data(sequence=number)) for number in range(50)]
    content = captures.pcap(frames)

    ended = subprocess.run(
        [sys.executable, "-m", "tools.replay", "-", "--json"],
        cwd=ROOT,
        input=gzip.compress(content) if compress else content,
        capture_output=True,
        timeout=60,
    )

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["summary"]["frames"] == 50


def test_a_named_pipe_is_read_once(tmp_path, capsys):
    content = captures.pcap([(number * 1000, captures.radiotap() + captures.data()) for number in range(50)])
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()

    _, summary = printed(capsys, pipe)

    writer.join(10)
    assert summary["frames"] == 50


def test_what_lies_before_the_damage_is_replayed(tmp_path, capsys):
    path = camera_capture(tmp_path, captures.radiotap())
    path.write_bytes(path.read_bytes()[:-7])

    with pytest.raises(ToolError, match="cut off"):
        replay.main([str(path), "--json"])

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["event"] == "raised"
    assert lines[-1]["summary"]["frames"] > 100


@pytest.mark.parametrize(("magic", "name"), [(b"\x28\xb5\x2f\xfd", "zstd"), (b"\x04\x22\x4d\x18", "lz4")])
def test_another_compression_is_named(tmp_path, magic, name):
    path = tmp_path / "night.pcap.packed"
    path.write_bytes(magic + bytes(100))

    with pytest.raises(ToolError, match=f"compressed by {name}"):
        replay.main([str(path)])


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress])
def test_a_compressed_capture_is_read_as_it_is(tmp_path, capsys, compress):
    path = camera_capture(tmp_path, captures.radiotap())
    packed = tmp_path / "night.pcap.packed"
    packed.write_bytes(compress(path.read_bytes()))

    assert printed(capsys, packed)[0] == printed(capsys, path)[0]


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress])
def test_a_compressed_capture_that_is_damaged_says_so(tmp_path, compress):
    path = camera_capture(tmp_path, captures.radiotap())
    packed = tmp_path / "night.pcap.packed"
    data = compress(path.read_bytes())
    packed.write_bytes(data[: len(data) // 2])

    with pytest.raises(ToolError, match="cut off or damaged"):
        replay.main([str(packed)])


def test_updates_that_leave_the_level_are_not_printed(camera_stream, capsys, monkeypatch):
    monkeypatch.setattr(playback, "make_engine", lambda: detection.Engine([_Talkative()]))

    findings, _ = printed(capsys, camera_stream)

    assert {finding["event"] for finding in findings} == {RAISED, CLEARED}


class _Talkative:
    name = "camera_stream"

    def judge(self, now_ms):
        event = (RAISED, UPDATED, CLEARED)[now_ms // 1000 % 3]
        return [
            Finding(
                event,
                self.name,
                "ac:de:48:00:00:00",
                now_ms,
                0,
                70,
                6,
                -50,
                "",
                [Evidence("a", 1, 2, 3)],
                [],
                "",
                ALARM,
                "",
            )
        ]


class _Notebook:
    """A detector that records its calls."""

    name = "notebook"

    def __init__(self):
        self.judged_ms, self.tuned, self.records, self.scanned, self.advertised, self.spectra = [], [], [], [], [], []

    def tune(self, channel, now_ms):
        self.tuned.append((channel, now_ms))

    def take(self, records, count):
        self.records += [bytes(records[at * 36 : at * 36 + 36]) for at in range(count)]

    def access_points(self, found, now_ms):
        self.scanned.append((now_ms, len(found)))

    def advertisement(self, advertisement):
        self.advertised.append(advertisement)

    def spectrum(self, spectrum):
        self.spectra.append(spectrum)

    def judge(self, now_ms):
        self.judged_ms.append(now_ms)
        return []


def traffic(times_us, channel=6):
    return playback.Traffic(iter([(at, bytes(11) + bytes([channel]) + bytes(24)) for at in times_us]))


def test_the_detectors_judge_each_second():
    notebook = _Notebook()

    list(playback.play_on_channel(traffic(range(0, 10_000_000, 100_000)), lambda: detection.Engine([notebook])))

    assert notebook.judged_ms == [1000 * second for second in range(1, 15)]
    assert len(notebook.records) == 100


def test_a_year_of_silence_is_skipped():
    notebook = _Notebook()
    year_us = 365 * 86_400_000_000

    list(playback.play_on_channel(traffic([0, year_us]), lambda: detection.Engine([notebook])))

    assert len(notebook.judged_ms) < 200
    assert notebook.judged_ms == sorted(notebook.judged_ms)


@pytest.mark.parametrize("times_us", [[], [0], [0, 365 * 86_400_000_000]])
def test_hopping_ends_soon_after_the_last_frame(times_us):
    notebook = _Notebook()
    played_traffic = traffic(times_us)
    totals = playback.Totals()

    list(
        playback.play_hopping(
            played_traffic, detection.Engine([notebook]), playback.firmware_plan(played_traffic), totals
        )
    )

    assert len(notebook.judged_ms) < 1000
    assert 0 <= totals.now_ms - (times_us[-1] // 1000 if times_us else 0) < 16_000


def test_hopping_receives_only_the_tuned_channel():
    notebook = _Notebook()
    played_traffic = playback.from_scene(
        Scene({"duration_s": 60, "emitters": [{**CAMERA, "channel": channel} for channel in (1, 13)]})
    )

    list(playback.play_hopping(played_traffic, detection.Engine([notebook]), playback.firmware_plan(played_traffic)))

    tuned = dict.fromkeys(channel for channel, _ in notebook.tuned)
    assert set(tuned) == set(range(14))
    assert {record[11] for record in notebook.records} == {1, 13}
    for record in notebook.records:
        at_ms = int.from_bytes(record[:4], "little") / 1000
        channel = [tuned for tuned, since_ms in notebook.tuned if since_ms <= at_ms][-1]
        assert channel == record[11]


class _QuietNotebook(_Notebook):
    """Reports correctly whether a frame was received."""

    def __init__(self):
        super().__init__()
        self.told = 0

    def is_quiet(self):
        count, self.told = self.told, len(self.records)
        return count == len(self.records)


def test_a_sniff_ends_early_on_a_quiet_channel():
    notebook = _QuietNotebook()
    played_traffic = playback.from_scene(Scene({"duration_s": 20, "emitters": [{**CAMERA, "channel": 5}]}))
    totals = playback.Totals()

    list(
        playback.play_hopping(
            played_traffic, detection.Engine([notebook]), playback.firmware_plan(played_traffic), totals
        )
    )

    visits = {}
    for (channel, since_ms), (_, until_ms) in itertools.pairwise(notebook.tuned):
        visits.setdefault(channel, []).append(until_ms - since_ms)
    assert set(visits[4]) <= set(planning.QUIET_MS)
    assert max(visits[5]) == planning.SNIFF_MS


def test_the_other_radios_receive_their_part_of_a_scene():
    description = {
        "duration_s": 60,
        "access_points": [{"ssid": "cafe", "bssid": "ac:de:48:01:00:06", "channel": 6, "rssi_dbm": -50}],
        "ble": [{"addr": "c0:ff:ee:00:00:01", "name": "V380_x", "rssi_dbm": -70}],
        "analogue": [{"centre_mhz": 2432, "width_mhz": 18}],
    }
    for hops in (False, True):
        notebook = _Notebook()
        played_traffic = playback.from_scene(Scene(description))
        engine = detection.Engine([notebook])
        list(
            playback.play_hopping(played_traffic, engine, playback.firmware_plan(played_traffic))
            if hops
            else playback.play_on_channel(played_traffic, lambda engine=engine: engine)
        )

        assert notebook.scanned and notebook.scanned[0][1] == 1
        assert notebook.advertised and notebook.advertised[0].payload.endswith(b"V380_x")
        assert notebook.spectra and len(notebook.spectra[0].busy) == 126
