"""
The detectors on recordings of real devices that lie beside the project.

Counted as the recordings' README says, and again here, apart from tools/evaluation/counting.py,
from what `python -m tools.replay FILE --json` prints.
"""

import json
from collections import Counter
from functools import cache

import pytest

from tests.conftest import SHARED
from tools import replay
from tools.evaluation import dataset
from tools.traffic import streams

pytestmark = pytest.mark.captures

FOLDER = SHARED / "captures"
SESSIONS, ACTIVE_WINDOWS = 69, 2758


@cache
def cases():
    return dataset.read(FOLDER)


def of(kind):
    return [case for case in cases() if case.kind == kind]


def replayed(case, capsys):
    replay.main([str(case.path), "--json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def sessions(case):
    """[(start_s, end_s), ...]: uplink of 2 kB/s or more, gaps of 3 s at the most, 8 s or longer."""
    sent = Counter()
    for t_s, up, length, _ in streams.frames(case.path):
        if up:
            sent[int(t_s)] += length
    found = []
    for second in sorted(one for one in sent if sent[one] >= 2000):
        if found and second - found[-1][1] <= 3:
            found[-1][1] = second
        else:
            found.append([second, second])
    return [(first, last + 1) for first, last in found if last + 1 - first >= 8]


def active_windows(case):
    """Starts of the 10 s windows, every 5 s, with 20 frames or more."""
    slots = Counter(int(t_s) // 5 for t_s, *_ in streams.frames(case.path))
    starts = {start for slot in slots for start in (slot - 1, slot) if start >= 0}
    return [start * 5 for start in sorted(starts) if slots[start] + slots[start + 1] >= 20]


def standing(lines):
    """[(from_s, to_s), ...] for each subject: while a camera finding stood."""
    spans, since = [], {}
    for line in lines[:-1]:
        subject = (line["kind"], line["subject"])
        if line["event"] == "raised":
            since.setdefault(subject, line["t_s"])
        elif subject in since:
            spans.append((since.pop(subject), line["t_s"]))
    return spans + [(start, float("inf")) for start in since.values()]


def test_67_of_the_69_camera_sessions_are_found(capsys):
    found, missed = 0, []
    for case in of(dataset.CAMERA):
        spans = standing(replayed(case, capsys))
        for start_s, end_s in sessions(case):
            if any(from_s <= end_s + 5 and to_s >= start_s for from_s, to_s in spans):
                found += 1
            else:
                missed.append(f"{case.id} from {start_s} to {end_s} s")

    assert found + len(missed) == SESSIONS
    assert found >= 67, missed


def test_at_most_3_of_the_2758_active_windows_of_other_devices_have_a_notice_and_none_an_alarm(capsys):
    windows, false, alarms = 0, [], []
    for case in of(dataset.NEGATIVE):
        lines = replayed(case, capsys)
        alarms += [case.id for line in lines if line.get("level") == "alarm"]
        spans = standing(lines)
        starts = active_windows(case)
        windows += len(starts)
        false += [f"{case.id} at {start} s" for start in starts if any(a < start + 10 and b > start for a, b in spans)]

    assert windows == ACTIVE_WINDOWS
    assert len(false) <= 3, false
    assert alarms == []


def test_nothing_is_raised_in_whole_captures_without_a_known_camera(capsys):
    assert of(dataset.CAPTURE)
    for case in of(dataset.CAPTURE):
        lines = replayed(case, capsys)

        assert len(lines) == 1, case.id
        assert lines[0]["summary"]["frames"] > 0


@pytest.mark.parametrize("place", ["aggregates/snoopdog_wifi_v_test8.csv", "manifest.csv", "README.md"])
def test_what_is_no_traffic_is_refused(place):
    with pytest.raises(replay.errors.ToolError, match="is not a capture"):
        replay.main([str(FOLDER / place)])
