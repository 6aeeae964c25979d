"""Findings: which event makes one an alarm."""

import pytest

from ansim.finding import ALARM, CLEARED, NOTICE, RAISED, UPDATED, Evidence, Finding, is_new_alarm

RATE = Evidence("uplink_kbps", 900, 150, 30)
LASTED = Evidence("alarm_listened_s", 42, 40, 0)
INNOCENT = Evidence("alarm_innocent", 1, 0, 0)


@pytest.mark.parametrize(
    ("event", "level", "evidence", "is_new"),
    [
        (RAISED, NOTICE, [RATE], False),
        (RAISED, ALARM, [RATE], True),
        (UPDATED, ALARM, [LASTED, RATE], True),
        (UPDATED, ALARM, [RATE], False),
        (UPDATED, NOTICE, [INNOCENT, RATE], False),
        (CLEARED, ALARM, [LASTED], False),
    ],
)
def test_an_alarm_is_new_when_it_is_raised_or_its_level_has_changed(event, level, evidence, is_new):
    subject = "c0:ff:ee:00:00:01"

    finding = Finding(event, "camera_stream", subject, 9, 1, 70, 6, -50, "", evidence, [], "", level, "")

    assert is_new_alarm(finding) == is_new
