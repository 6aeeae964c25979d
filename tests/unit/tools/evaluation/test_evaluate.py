"""The whole evaluation on a small generated folder: tables, look-alikes, crowded scenes, report, plots."""

import gzip
import random
import re
from dataclasses import replace

import pytest

from ansim.detect import engine as detection
from ansim.finding import ALARM, CLEARED, RAISED, Evidence, Finding
from ansim.frame_header import LENGTH, RECORD_BYTES, address_text
from tools import evaluate
from tools.evaluation import crowded, dataset, lookalikes, report, run, tables
from tools.lib.errors import ToolError
from tools.traffic import patterns, playback

FILES = {
    "cam_stream/one": {"kind": "camera", "kbps": 300, "duration_s": 20},
    "cam_stream/two": {"kind": "camera_pppp", "kbps": 200, "duration_s": 20},
    "cam_ap_stream/three": {"kind": "camera", "kbps": 300, "duration_s": 20},
    "cam_idle/four": {"kind": "camera_idle", "keepalive_s": 1, "duration_s": 60},
    "neg_iot/five": {"kind": "iot", "every_s": 0.5, "duration_s": 60},
    "neg_videocall/six": {"kind": "call", "up_kbps": 200, "down_kbps": 200, "duration_s": 15},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("recordings")
    for name, spec in FILES.items():
        path = root / f"{name}.hdr.csv.gz"
        path.parent.mkdir(exist_ok=True)
        with gzip.open(path, "wt") as file:
            file.write("t_s,up,mpdu_len,rssi\n")
            file.writelines(f"{t_s:.4f},{up},{length},\n" for t_s, up, length in patterns.frames(spec, 3))
    return root


class _Loud:
    """A detector that raises every sender of 10 kB in a second, clears the others, and provides scores()."""

    name = "camera_stream"

    def __init__(self):
        self._bytes, self._raised, self._scores = {}, set(), {}

    def take(self, records, count):
        for at in range(0, count * RECORD_BYTES, RECORD_BYTES):
            address = bytes(records[at + 20 : at + 26])
            self._bytes[address] = self._bytes.get(address, 0) + int.from_bytes(
                records[at + LENGTH : at + LENGTH + 2], "little"
            )

    def scores(self, now_ms):
        return list(self._scores.items())

    def judge(self, now_ms):
        found = []
        self._scores = {address: min(100, size // 160) for address, size in self._bytes.items()}
        for address in set(self._scores) | self._raised:
            score = self._scores.get(address, 0)
            if score >= 60 and address not in self._raised:
                self._raised.add(address)
                found.append(self._finding(RAISED, address, now_ms, score))
            elif score < 60 and address in self._raised:
                self._raised.discard(address)
                found.append(self._finding(CLEARED, address, now_ms, score))
        self._bytes = {}
        return found

    def _finding(self, event, address, now_ms, score):
        considered = [("upload", "for"), ("video_call", "against")]
        rows = [Evidence("bytes", score, 60, score)]
        return Finding(
            event, self.name, address_text(address), now_ms, 0, score, 6, -50, "", rows, considered, "", ALARM, ""
        )


@pytest.fixture
def loud(monkeypatch):
    monkeypatch.setattr(playback, "make_engine", lambda: detection.Engine([_Loud()]))
    # small, because this is about the machinery and not about figures
    monkeypatch.setattr(
        lookalikes, "GENERATED", {"bulk upload": [{"kind": "upload", "kbps": 300}], "lamp": [{"kind": "iot"}]}
    )
    monkeypatch.setattr(lookalikes, "SEEDS_EACH", 1)
    monkeypatch.setattr(lookalikes, "SECONDS", 65)
    monkeypatch.setattr(crowded, "MOST_OTHERS", 3)
    monkeypatch.setattr(crowded, "FRAMES_PER_S", (0,))
    monkeypatch.setattr(crowded, "AFTER_S", 12)
    monkeypatch.setattr(crowded, "BEFORE_S", 5)
    monkeypatch.setattr(evaluate, "run_jobs", lambda title, function, jobs: [function(*job) for job in jobs])


def outcomes_of(folder, *conditions):
    return [run.play(case, condition, 1) for condition in conditions for case in dataset.read(folder)]


def test_each_recording_is_judged_by_its_kind(folder, loud):
    outcomes = {outcome.case.id: outcome for outcome in outcomes_of(folder, run.Condition("on channel"))}

    assert all(
        session.detected for case_id in ("one", "two", "three") for session in outcomes[case_id].summary.sessions
    )
    assert all(outcomes[case_id].summary.sessions for case_id in ("one", "two", "three"))
    assert outcomes["four"].false == outcomes["five"].false == []
    assert set(outcomes["six"].false) == set(outcomes["six"].summary.active)


def test_a_camera_is_detected_only_by_a_finding_about_itself(folder, loud):
    class Wrong(_Loud):
        def _finding(self, event, address, now_ms, score):
            return super()._finding(event, b"\xac\xde\x48\x00\xff\xff", now_ms, score)

    playback.make_engine = lambda: detection.Engine([Wrong()])

    outcomes = {outcome.case.id: outcome for outcome in outcomes_of(folder, run.Condition("on channel"))}

    assert not any(session.detected for session in outcomes["one"].summary.sessions)
    assert outcomes["six"].false


def test_a_camera_in_access_point_mode_is_played_as_one(folder, loud):
    case = next(case for case in dataset.read(folder) if case.id == "three")

    outcome = run.play(case, run.Condition("on channel"), 1)

    assert {subject for _, _, _, subject, *_ in outcome.events} == {"ac:de:48:00:00:00"}


def test_the_same_seed_gives_the_same_outcome(folder, loud):
    condition = run.Condition("hopping", True, 0.5, 120)

    first, second = outcomes_of(folder, condition), outcomes_of(folder, condition)

    assert [(o.events, o.spans, o.false) for o in first] == [(o.events, o.spans, o.false) for o in second]


def test_hopping_receives_less_and_finds_later(folder, loud):
    groups = tables.by_condition(outcomes_of(folder, run.Condition("on channel"), run.Condition("hopping", True)))
    delays = [[session.delay_s or 99 for session in tables.sessions_of(group)] for group in groups.values()]

    assert sum(delays[0]) < sum(delays[1])


def test_the_report_has_every_part(folder, loud, tmp_path, capsys):
    out, pictures = tmp_path / "docs" / "detection.md", tmp_path / "docs" / "images"
    flags = ["--plan", "--loss", "0.5", "--burst", "--scenes", "--number", "1"]

    evaluate.main([str(folder), *flags, "--out", str(out), "--plots", str(pictures)])

    text = out.read_text()
    for heading in ("Method", "Figures", "Score", "What resembles a camera", "Crowded scenes", "What is circular in"):
        assert f"### {heading}" in text
    for name in (
        "CamLoPA",
        "DeWiCam length",
        "five thresholds",
        "rate only",
        "hopping, 50% lost in bursts",
        "PPPP type",
    ):
        assert name in text
    assert str(tmp_path) not in text
    for path in re.findall(r"\]\((images/[^)]*)\)", text):
        assert (out.parent / path).stat().st_size > 5000
    assert {picture.name for picture in pictures.iterdir()} == {
        "roc.png",
        "calibration.png",
        "delays.png",
        "crowded.png",
    }
    assert "| Ansim | on channel |" in capsys.readouterr().out


def test_a_new_report_replaces_the_old_one_and_nothing_else(tmp_path):
    out = tmp_path / "detection.md"
    out.write_text("# Detection\n\nBefore.\n")

    report.write(out, f"{report.BEGIN}\n\nold\n\n{report.END}\n")
    out.write_text(out.read_text() + "\nAfter.\n")
    report.write(out, f"{report.BEGIN}\n\nnew\n\n{report.END}\n")

    assert out.read_text() == f"# Detection\n\nBefore.\n\n{report.BEGIN}\n\nnew\n\n{report.END}\n\nAfter.\n"


def test_look_alikes_are_judged_early_and_late(loud):
    upload = lookalikes.judge("bulk upload", {"kind": "upload", "kbps": 400}, 1, None)
    lamp = lookalikes.judge("lamp", {"kind": "iot"}, 1, None)

    assert upload.at_early and upload.at_late and upload.generated
    assert upload.fits == ("upload",)
    assert lamp.raised_s is None
    assert "| bulk upload (generated) | 1 | 1 | 1 | 1 | upload |" in lookalikes.table([upload, lamp])
    assert "| bulk upload (generated) | 0 | 0 | 1 | 0 |" in lookalikes.confusion([upload, lamp])


def test_a_short_recording_is_looped(folder, loud):
    case = next(case for case in dataset.read(folder) if case.id == "six")

    frames = list(lookalikes.loop(case.path, 0, 1 << 32, lookalikes.SECONDS))

    assert lookalikes.SECONDS - 3 < frames[-1][0] <= lookalikes.SECONDS
    assert [frame[0] for frame in frames] == sorted(frame[0] for frame in frames)
    assert list(lookalikes.loop(case.path, 1000, 2000, lookalikes.SECONDS)) == []


def test_crowded_scenes_are_drawn_within_their_limits(folder):
    crowds = crowded.compose(dataset.read(folder), 5, 60)

    assert len(crowds) == 60
    assert [crowd.scene for crowd in crowds] == [crowd.scene for crowd in crowded.compose(dataset.read(folder), 5, 60)]
    for crowd in crowds:
        assert 0 <= crowd.others <= 30
        assert 1 <= crowd.channels <= 13
        assert all(
            -85 <= emitter["rssi_dbm"] <= -40 and 0 <= emitter["loss"] <= 0.8 for emitter in crowd.scene["emitters"]
        )
        assert len({emitter["mac"] for emitter in crowd.scene["emitters"]}) == len(crowd.scene["emitters"])
    assert {crowd.burst for crowd in crowds} == {True, False}


@pytest.mark.parametrize("hops", [False, True])
def test_a_crowded_scene_names_the_raised_devices(folder, loud, hops):
    crowds = crowded.compose(dataset.read(folder), 5, 3)

    results = [crowded.judge(crowd, hops) for crowd in crowds]

    assert all(result.frames > 10 for result in results)
    assert any(result.found_s is not None for result in results)
    assert crowded.table(results)[2].startswith("| all |")


def test_composed_scenes_can_be_written_and_played_from_their_files(folder, loud, tmp_path):
    crowds = crowded.compose(dataset.read(folder), 5, 2)

    crowded.write_scenes(crowds, tmp_path / "kept")

    again = [crowded.from_file(path, number) for number, path in enumerate(dataset.scene_files(tmp_path))]
    assert [(crowd.mac, crowd.channel, crowd.start_s, crowd.others) for crowd in again] == [
        (crowd.mac, crowd.channel, crowd.start_s, len(crowd.scene["emitters"]) - 1) for crowd in crowds
    ]
    assert [crowded.judge(crowd, False).found_s for crowd in again] == [
        crowded.judge(crowd, False).found_s for crowd in crowds
    ]


def test_a_scene_file_without_a_camera_has_only_false_findings(loud, tmp_path):
    path = tmp_path / "calls.json"
    path.write_text('{"duration_s": 20, "emitters": [{"pattern": {"kind": "call"}, "channel": 3}]}')

    result = crowded.judge(crowded.from_file(path, 0), True)

    assert not result.is_late
    assert {name for name, _ in result.false} <= {"generated call", "an access point"}
    assert "| all | hopping | none |" in crowded.table([result])[2]


def test_without_cameras_there_are_no_crowded_scenes(tmp_path, folder):
    assert crowded.compose([case for case in dataset.read(folder) if case.kind == dataset.NEGATIVE], 1, 5) == []


@pytest.mark.parametrize("arguments", [["--loss", "1"], ["--repeats", "0"], ["--number", "0"]])
def test_numbers_out_of_range_are_refused(folder, arguments):
    with pytest.raises(ToolError):
        evaluate.main([str(folder), *arguments])


def test_a_damaged_recording_is_left_out_and_named(folder, tmp_path):
    bad = tmp_path / "bad.hdr.csv.gz"
    bad.write_bytes(b"\x1f\x8b" + random.Random(1).randbytes(50))
    cases = dataset.read(folder)

    good, problems = dataset.split_readable([*cases, replace(cases[0], path=bad)])

    assert good == cases
    assert len(problems) == 1 and str(bad) in problems[0]


def test_a_folder_of_damaged_recordings_is_refused_in_one_line(tmp_path):
    path = tmp_path / "cam_stream" / "a.hdr.csv.gz"
    path.parent.mkdir()
    path.write_bytes(b"\x1f\x8b" + random.Random(1).randbytes(50))

    with pytest.raises(ToolError, match="a.hdr.csv.gz"):
        evaluate.main([str(tmp_path)])


def test_a_report_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(ToolError, match="--out"):
        report.write(tmp_path, "text")
