"""How findings of a playback become figures."""

import struct

import pytest

from ansim.finding import CLEARED, RAISED, UPDATED
from ansim.frame_header import RECORD_FORMAT, address_bytes
from tools.airlab import score
from tools.airlab.score import HOPPING, ON_CHANNEL, Way
from tools.traffic import record_file

CAMERA, PHONE, AP = "00:00:5e:00:53:02", "02:00:00:00:00:03", "00:00:5e:00:53:01"
STATIONS = [
    {"name": "ap", "address": AP, "label": "infrastructure", "kind": ""},
    {"name": "cam", "address": CAMERA, "label": "camera", "kind": ""},
    {"name": "phone", "address": PHONE, "label": "other", "kind": "call"},
]


class Said:
    """A finding, as far as scoring reads it."""

    def __init__(self, event, subject, level=None, kind="camera_stream"):
        self.event, self.subject, self.kind, self.evidence = event, subject, kind, ()
        if level:
            self.level = level


class Engine:
    """An engine that says what it is told, at its time in seconds."""

    def __init__(self, said):
        self._said = said

    def tune(self, channel, now_ms):
        pass

    def take(self, buffer, count):
        pass

    def judge(self, now_ms):
        return self._said.get(now_ms // 1000, [])

    def coverage(self):
        return {"stations": 3}


@pytest.fixture
def recording(tmp_path):
    """The camera sends 3 kB/s from 3 s on, the phone as much from the start."""
    path = tmp_path / "two.1.records.xz"
    header = {"scenario": "two", "is_held_out": True, "seconds": 40, "every_s": 1, "stations": STATIONS}
    records = []
    for tenth in range(400):
        for sender, from_s in ((CAMERA, 3), (PHONE, 0)):
            if tenth >= from_s * 10:
                records.append((tenth * 100_000, data_frame(sender, 300)))
    record_file.write(path, header, records)
    return path


def data_frame(sender, length):
    fields = (0, length, 0x0188, 0, -60, 6, 0, 2, address_bytes(AP), address_bytes(sender), address_bytes(AP), 0, 0)
    return struct.pack(RECORD_FORMAT, *fields)


def results(recording, said):
    made = score.score_file(recording, Way(ON_CHANNEL, 1), lambda: Engine(said))
    return {result.name: result for result in made}


def test_seconds_count_from_the_first_picture(recording):
    said = {9: [Said(RAISED, CAMERA, "notice")], 35: [Said(UPDATED, CAMERA, "alarm")]}

    camera = results(recording, said)["cam"]

    assert (camera.began_s, camera.noticed_s, camera.alarmed_s) == (3, 6, 32)


def test_windows_are_counted_by_level(recording):
    said = {
        11: [Said(RAISED, PHONE, "notice")],
        16: [Said(UPDATED, PHONE, "alarm")],
        19: [Said(CLEARED, PHONE, "alarm")],
    }

    phone = results(recording, said)["phone"]

    assert phone.active == 8  # the last one begins at 35 s
    assert phone.notice_windows == 3  # from 5, 10 and 15 s
    assert phone.alarm_windows == 2


def test_a_finding_without_a_level_is_an_alarm(recording):
    phone = results(recording, {5: [Said(RAISED, PHONE)]})["phone"]

    assert phone.noticed_s == phone.alarmed_s == 5


def test_two_detectors_about_one_emitter_are_one_span(recording):
    said = {
        5: [Said(RAISED, CAMERA, "notice"), Said(RAISED, CAMERA, "notice", "camera_beacon")],
        10: [Said(CLEARED, CAMERA, "notice")],
        12: [Said(CLEARED, CAMERA, "notice", "camera_beacon")],
    }

    camera = results(recording, said)["cam"]

    assert camera.notice_windows == 3  # those from 0, 5 and 10 s


def test_other_detectors_do_not_count(recording):
    assert results(recording, {5: [Said(RAISED, CAMERA, "notice", "undecodable_source")]})["cam"].noticed_s is None


def test_an_emitter_that_the_file_does_not_list_counts_as_another_device(recording):
    unknown = results(recording, {5: [Said(RAISED, "06:00:00:00:00:09")]})["unknown"]

    assert (unknown.label, unknown.alarm_windows) == ("other", 1)


def test_the_table_says_what_was_missed_and_what_was_wrong(recording):
    made = list(results(recording, {5: [Said(RAISED, PHONE)]}).values())

    line = score.table(made).splitlines()[2]

    assert line.startswith("| two.1 (held out) | phone 5 s, alarm 5 s (8/8 windows) |")
    assert line.endswith("| MISSED, FALSE ALARM |")
    text = score.summary(made)
    assert "on channel: cameras with a picture every 2 s or more often: 0 of 1 noticed" in text
    assert "call: 8 active windows of 1 emitters, 8 with notice, 8 with alarm" in text


def test_the_real_detectors_hop(recording):
    made = score.score_file(recording, Way(HOPPING, 2))

    assert {result.name: result.active for result in made} == {"ap": 8, "cam": 8, "phone": 8}
