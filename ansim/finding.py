"""
Findings: what a detector concludes about one transmitter, with its score, evidence and innocent explanations.

A finding is never "a camera": it is a camera-like transmission near the sensor. Only a
person confirms a camera.
"""

from collections import namedtuple

RAISED = "raised"  # the evidence has reached a level
UPDATED = "updated"  # still raised, and the level or the evidence has changed enough for another report
CLEARED = "cleared"  # the evidence does not reach a level any more, or the emitter is silent
EVENTS = (RAISED, UPDATED, CLEARED)

NOTICE = "notice"  # a one-way sender, worth a look
ALARM = "alarm"  # camera-like: persistence, a signature or a movement test says so, and no innocent cause fits better
LEVELS = (NOTICE, ALARM)

# The event that changes the level has a row of weight 0 in its evidence that says why:
#   alarm_listened_s    up: seconds of listening in which it met the conditions, and the seconds that are needed
#   alarm_signature     up: it bears a sign of a camera maker
#   alarm_movement_ppm  up: p-value of a movement test in parts per million, and the highest that counts
#   alarm_innocent      down: an innocent cause fits better

# rule       id of the rule, such as "uplink_kbps"; the server has its wording
# value      int, the measured value, in the unit that the id ends with
# threshold  int, the value that it was compared with
# weight     int, points added to the score; may be negative
Evidence = namedtuple("Evidence", ("rule", "value", "threshold", "weight"))

# event       RAISED, UPDATED or CLEARED
# kind        the detector's name: "camera_stream", "camera_access_point", ...
# subject     address text of the emitter: "c0:ff:ee:00:00:01"
# at_ms       when the detector concluded it
# first_ms    when the emitter was first heard
# score       0..100, the sum of the evidence's weights
# channel     1..13, 0 where there is none
# rssi_dbm    the strongest of the last visits
# bssid       address text of the access point it talks to, or "" if unknown
# evidence    list of Evidence, strongest first
# considered  list of (cause id, verdict) of the innocent explanations;
#             verdict is "for" (the evidence fits it), "against" or "open" (cannot tell)
# label       the SSID or Bluetooth name that a name rule fired on, else ""; made by printable()
# level       NOTICE or ALARM; in a CLEARED event the level that the finding had
# likely      in a CLEARED event the id of the innocent cause that it most likely was, else ""
Finding = namedtuple(
    "Finding",
    (
        "event",
        "kind",
        "subject",
        "at_ms",
        "first_ms",
        "score",
        "channel",
        "rssi_dbm",
        "bssid",
        "evidence",
        "considered",
        "label",
        "level",
        "likely",
    ),
)

ALARM_SCORE = 60
LEVEL_RULE = "alarm_"  # how the ids of the rules begin that say why a level has changed
MAX_LABEL_CHARS = 64


def is_new_alarm(finding: Finding) -> bool:
    """Return whether a finding has become an alarm by this event."""
    if finding.level != ALARM:
        return False
    is_change = any(row.rule.startswith(LEVEL_RULE) for row in finding.evidence)
    return finding.event == RAISED or (finding.event == UPDATED and is_change)


def printable(name: str) -> str:
    """Return a name from the air with "?" for control characters: it may hold any bytes."""
    return "".join(["?" if _is_control(ord(c)) else c for c in name])


def _is_control(code):
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000  # C0, C1, halves of surrogate pairs
