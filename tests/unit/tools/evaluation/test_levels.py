"""False notices, alarms, hours, visits and collections are counted as defined, on small made-up streams."""

import gzip
import math
from pathlib import Path

import pytest

from tools import evaluate
from tools.evaluation import anchors, counting, dataset, levels, lookalikes, run
from tools.lib.errors import ToolError
from tools.traffic import air, patterns


def outcome(label, device, active, spans=(), alarms=(), five=(), kind=dataset.NEGATIVE, collection="one/a", sent=()):
    case = dataset.Case(Path(device), kind, label, device, device, device, air.STATION, collection)
    summary = counting.StreamSummary(list(active), list(sent), 0, 0, 0, 0)
    return run.Outcome(
        case,
        levels.CONDITION,
        1,
        summary,
        [],
        list(spans),
        counting.windows_during(active, spans),
        anchors={anchors.FIVE: list(five)},
        alarms=list(alarms),
        false_alarms=counting.windows_during(active, alarms),
    )


def camera(device, delay_s, collection="one/a"):
    session = counting.Session(0, 20, raised_s=delay_s)
    return outcome("cam_stream", device, [], kind=dataset.CAMERA, collection=collection, sent=[session])


def repeat(played, notice_s=None, alarm_s=None):
    return levels.Repeat(played.case, 0, notice_s, alarm_s)


def rows(lines):
    """{first cell: other cells} of the lines of a table."""
    table = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("|")]
    return {row[0]: row[1:] for row in table if not row[0].startswith("-")}


HOPPING = run.Condition("hopping", True)
MINUTE = range(0, 60, 5)
LAMP = outcome("neg_iot", "lamp", range(0, 600, 5))
PHONE = outcome("neg_call", "phone", MINUTE, spans=[(20, 31)], alarms=[(28, 31)], five=[0, 900])
LAPTOP = outcome("neg_call", "laptop", MINUTE, five=[5], collection="two/b")
IDLE = outcome("cam_idle", "idle", MINUTE, spans=[(0, 60)], kind=dataset.IDLE)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(0, 0, 0, 1), (0, 10, 0, 0.2775), (1, 10, 0.0179, 0.4042), (10, 10, 0.7225, 1), (25, 647, 0.0263, 0.0564)],
)
def test_the_interval_is_that_of_wilson(part, whole, low, high):
    assert counting.wilson(part, whole) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_a_visit_is_three_minutes_with_an_active_window():
    assert counting.visits([0, 175, 180, 900]) == [[0, 175], [180], [900]]
    assert counting.visits([]) == []


def test_a_finding_counts_once_and_only_beside_an_active_window():
    assert counting.spans_begun([0, 5, 10], [(2, 4), (14, 20), (20, 30)]) == 2
    assert counting.spans_begun([], [(2, 4)]) == 0


def test_windows_with_a_notice_and_with_an_alarm_are_counted_by_kind():
    table = rows(levels.by_kind([LAMP, PHONE, LAPTOP, IDLE]))

    # 20 to 31 s touches the windows from 15, 20, 25 and 30 s, 28 to 31 s those from 20, 25 and 30 s.
    # The five-threshold rule flags an active window of each; that from 900 s is not active.
    calls = table["`neg_call`"]
    assert calls[:3] == ["2", "24", "4 (17 %)"] and calls[4:6] == ["2", "3"]
    assert calls[3] == "36 %"  # Wilson: 0.0667 to 0.3585
    assert calls[7] == "0" and table["`neg_iot`"][7] == "108"  # each has had a minute of activity but for the first 12
    assert table["`neg_iot`"][:7] == ["1", "120", "0", "3.2 %", "0", "0", "3.2 %"]
    assert table["all of these"][:3] == ["3", "144", "4 (2.8 %)"]
    assert table["cameras that do not stream"][:2] == ["1", "12"]


def test_findings_are_counted_by_hour_and_by_device():
    table = rows(levels.by_hour([LAMP, PHONE, LAPTOP, IDLE]))

    # One of each in 24 windows, which are two minutes of active air.
    assert table["`neg_call`"] == ["0.0", "30.0", "30.0", "2", "1", "90.6 %", "1", "90.6 %"]
    assert table["`neg_iot`"] == ["0.2", "0.0", "0.0", "1", "0", "80 %", "0", "80 %"]


def test_windows_after_a_minute_of_activity_have_no_gap_before_them():
    assert counting.windows_after(range(0, 71, 5), 60) == [60, 65, 70]
    assert counting.windows_after([*range(0, 30, 5), *range(35, 100, 5)], 60) == [95]


def test_the_worst_kind_and_device_are_named():
    text = levels.worst([LAMP, PHONE, LAPTOP, IDLE])

    assert "The worst kind is `neg_call`: 4 (17 %)" in text
    assert "The worst device is phone (neg_call, 4 of 12 windows, 3 with an alarm)" in text
    assert "More windows than the five-threshold rule: `neg_call`" in text
    assert levels.worst([LAMP]) == "No device without a camera had a notice."


def test_visits_are_counted_as_recorded_and_repeated():
    repeats = [repeat(LAMP), repeat(PHONE, 8, 70), repeat(LAPTOP, 9)]

    table = rows(levels.by_visit([LAMP, PHONE, LAPTOP, IDLE], repeats))

    assert [table["`neg_iot`"][at] for at in (0, 1, 3, 5, 6, 8)] == ["4", "0", "0", "1", "0", "0"]
    assert [table["`neg_call`"][at] for at in (0, 1, 3, 5, 6, 8)] == ["2", "1 (50 %)", "1", "2", "2 (100 %)", "1"]


def test_sessions_and_short_recordings_are_repeated():
    short, long = outcome("neg_call", "short", [0, 5]), outcome("neg_call", "long", [0, 5])
    short.seconds, long.seconds = 14.0, 180.0
    second = outcome("neg_call", "a second of a device", [0])

    jobs = levels.list_jobs([camera("one", 8.0), short, long, second], 1, [HOPPING], 2)

    assert [(job[0].device, *job[3:]) for job in jobs] == [
        ("one", levels.REPEAT_S, math.inf, levels.CONDITION, 1),
        ("one", levels.REPEAT_S, 2.0, levels.CONDITION, 1),
        ("one", levels.REPEAT_S, 2.0, HOPPING, 1),
        ("one", levels.REPEAT_S, 2.0, HOPPING, 2),
        ("short", counting.VISIT_S, math.inf, levels.CONDITION, 1),
    ]


def test_the_pause_after_a_section_is_not_repeated(tmp_path):
    path = tmp_path / "one.hdr.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("t_s,up,mpdu_len,rssi\n0.0,1,900,\n1.0,1,900,\n50.0,1,900,\n")

    times = [frame[0] for frame in lookalikes.loop(path, 0, 8, 4, math.inf)]

    assert times == pytest.approx([0, 1, 1.05, 2.05, 2.1, 3.1, 3.15])


def test_cameras_in_time_are_counted_and_the_others_named():
    soon, late, never = camera("soon", 8.0), camera("late", 12.0), camera("never", None)
    repeats = [repeat(soon, 8, 60), repeat(late, 12, 80), repeat(never)]
    shortened = [repeat(never, 9, 58)._replace(pause_s=2.0, condition=HOPPING)]
    lines = levels.cameras([soon, late, never], repeats + shortened)

    table = rows(lines)
    assert [cell.split(",")[0] for cell in table["as recorded, on channel"][:2]] == ["1 of 3", "2 of 3"]
    assert [cell.split(",")[0] for cell in table["repeated, all pauses, on channel"]] == [
        "1 of 3",
        "2 of 3",
        "1 of 3",
        "2 of 3",
    ]
    assert table["repeated, pauses of 2 s at most, hopping"][2].startswith("1 of 1")
    assert "noticed within 10 s: 1 of 3." in lines[-1]
    assert "as recorded: late at 0 s (late), never at 0 s (never)." in " ".join(lines[-1].split())
    assert levels.repeats_with_alarm([repeat(PHONE, 8, 70.4)]) == (
        "Repeated recordings with an alarm: phone (neg_call, after 70 s)."
    )
    assert levels.cameras([LAMP], []) == ["There are no camera sessions."]


def test_collections_are_counted_apart():
    far = camera("far", 20.0, "two/b")
    quiet = outcome("neg_iot", "plug", MINUTE, collection="three/c")
    table = rows(levels.by_collection([LAMP, PHONE, LAPTOP, IDLE, far, quiet], [repeat(far, 8, 58)]))

    assert table["others (1)"][:3] == ["1", "12", "0"]

    assert table["one/a"] == ["3", "132", "4 (3.0 %)", "7.6 %", "1", "3", "6.5 %", "-", "-"]
    assert table["two/b"][:3] == ["2", "12", "0"] and table["two/b"][-2:] == ["0 of 1", "1 of 1"]


@pytest.mark.parametrize(("share", "rounded", "text"), [(0.001234, "up", "0.13 %"), (1.0, "down", "100 %")])
def test_limits_are_rounded_to_their_safe_side(share, rounded, text):
    assert levels._percent(share, {"up": math.ceil, "down": math.floor}[rounded]) == text


def test_the_command_writes_its_section_between_its_markers(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "run_jobs", lambda title, function, jobs: [function(*job) for job in jobs])
    patterns_by_name = {
        "cam_stream/one": {"kind": "camera", "kbps": 300, "duration_s": 20},
        "neg_iot/two": {"kind": "iot", "every_s": 0.5, "duration_s": 60},
    }
    for number, (name, spec) in enumerate(patterns_by_name.items()):
        path = tmp_path / f"folder{number}" / f"{name}.hdr.csv.gz"
        path.parent.mkdir(parents=True)
        with gzip.open(path, "wt") as file:
            file.write("t_s,up,mpdu_len,rssi\n")
            file.writelines(f"{t_s:.4f},{up},{length},\n" for t_s, up, length in patterns.frames(spec, 3))
    document = tmp_path / "detection.md"
    document.write_text(f"Before.\n\n{levels.BEGIN}\nreplaced\n{levels.END}\n\nAfter.\n")

    evaluate.main([str(tmp_path / "folder0"), str(tmp_path / "folder1"), "--levels", "--out", str(document)])

    text = document.read_text()
    assert text.startswith(f"Before.\n\n{levels.BEGIN}\n\nMade by `python -m tools.evaluate folder0 folder1 --levels")
    assert text.endswith(f"{levels.END}\n\nAfter.\n") and "replaced" not in text
    table = rows(text.splitlines())
    assert table["as recorded, on channel"][0].startswith("1 of 1") and table["unknown"][0] == "2"
    assert "`neg_iot`" in capsys.readouterr().out


def test_a_folder_of_captures_alone_is_refused(tmp_path):
    (tmp_path / "some.pcap").touch()

    with pytest.raises(ToolError, match="header streams"):
        evaluate.main([str(tmp_path), "--levels"])
