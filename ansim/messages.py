"""
Messages between sensor and server: constants, and functions that make each kind of message.

A message is a JSON object that travels in an envelope (envelope.py) on a topic (topics.py).
decode.py decodes and checks messages by the schemas in uplink_schemas.py and downlink_schemas.py.
docs/messages.md documents the format for authors of other software.

    message = report(boot=7, seq=12, prev=PREV, tick_ms=81000, at_s=None, inspection="", kind=SWEEP, body={...})
    data = encode(message)

All numbers are whole; units are in the names. `boot` counts the sensor's starts, `seq` counts
its reports within one boot from 1, `tick_ms` is its clock since that start, `at_s` is seconds
since 1970-01-01 UTC, or null while the sensor does not know the time. `prev` is the digest of
the sensor's previous report, of this or an earlier boot, or "" for its first.
"""

import json

from ansim.finding import MAX_LABEL_CHARS, Finding

FORMAT_VERSION = 1
REPORT_VERSION = 2  # of report messages: a finding has a level
REPORT_VERSIONS = (1, REPORT_VERSION)  # which the server accepts: a journal may hold reports of an older program

# States of a sensor: the words of Homie 5. LOST is the last will.
INIT, READY, SLEEPING, DISCONNECTED, LOST = "init", "ready", "sleeping", "disconnected", "lost"
STATES = (INIT, READY, SLEEPING, DISCONNECTED, LOST)

# Kinds of report.
SWEEP = "sweep"  # what the sensor listened to since its last sweep report
FINDING = "finding"  # a detector raised, updated or cleared a finding
SELFTEST = "selftest"  # the result of a self-test
CLOCK = "clock"  # the time at one tick_ms: dates the earlier reports of this boot
DROPPED = "dropped"  # stands for reports that the full journal has dropped
RESET = "reset"  # the first report of a boot: why the previous boot ended
SESSION = "session"  # an inspection was started or stopped on the sensor
STIMULUS = "stimulus"  # the result of a movement test: does this stream follow what happens in the room?
KINDS = (SWEEP, FINDING, SELFTEST, CLOCK, DROPPED, RESET, SESSION, STIMULUS)

# Ways in which a sensor can listen.
SCAN, SNIFF, SNIFF_MANAGEMENT, BLE, NRF24 = "scan", "sniff", "sniff_management", "ble", "nrf24"
CAPABILITIES = (SCAN, SNIFF, SNIFF_MANAGEMENT, BLE, NRF24)

# Commands.
INSPECTION_START, INSPECTION_STOP, TIME, DWELL, LOCATE = (
    "inspection_start",
    "inspection_stop",
    "time",
    "dwell",
    "locate",
)
SLOTS, RUN_SELFTEST, SETTINGS, SIGNATURES = "stimulus", "selftest", "settings", "signatures"
UPDATE, WIPE, RESTART, TEST_SIGNAL = "update", "wipe", "restart", "test_signal"

COMMANDS = (
    INSPECTION_START,
    INSPECTION_STOP,
    TIME,
    DWELL,
    LOCATE,
    SLOTS,
    RUN_SELFTEST,
    SETTINGS,
    SIGNATURES,
    UPDATE,
    WIPE,
    RESTART,
    TEST_SIGNAL,
)


def encode(message: dict) -> bytes:
    """Return the JSON bytes of a message. These bytes are signed, so never encode a message twice."""
    return json.dumps(message, separators=(",", ":")).encode()


def report(
    boot: int, seq: int, prev: str, tick_ms: int, at_s: int | None, inspection: str, kind: str, body: dict
) -> dict:
    """Return a report message; the module's docstring gives the units."""
    return {
        "v": REPORT_VERSION,
        "boot": boot,
        "seq": seq,
        "prev": prev,
        "tick_ms": tick_ms,
        "at_s": at_s,
        "inspection": inspection,
        "kind": kind,
        "body": body,
    }


def finding_body(finding: Finding) -> dict:
    """Return the body of a FINDING report for a Finding."""
    body = {
        "event": finding.event,
        "detector": finding.kind,
        "subject": finding.subject,
        "bssid": finding.bssid,
        "first_ms": finding.first_ms,
        "last_ms": finding.at_ms,
        "score": finding.score,
        "channel": finding.channel,
        "rssi_dbm": finding.rssi_dbm,
        "evidence": [list(row) for row in finding.evidence],
        "considered": [list(row) for row in finding.considered],
        "level": finding.level,
    }
    if finding.label:
        body["label"] = finding.label[:MAX_LABEL_CHARS]
    if finding.likely:
        body["likely"] = finding.likely
    return body


def state(boot: int, word: str, nonce: str) -> dict:
    """Return a state message. The will is state(boot, LOST, "")."""
    return {"v": FORMAT_VERSION, "boot": boot, "state": word, "nonce": nonce}


def info(fields: dict) -> dict:
    """Return an info message; `fields` has every field of its schema except the version."""
    message = {"v": FORMAT_VERSION}
    message.update(fields)
    return message


def live(boot: int, tick_ms: int, subject: str, rssi_dbm: int, smoothed_dbm: int, sigma_db: int, trend: str) -> dict:
    """Return a live message."""
    return {
        "v": FORMAT_VERSION,
        "boot": boot,
        "tick_ms": tick_ms,
        "subject": subject,
        "rssi_dbm": rssi_dbm,
        "smoothed_dbm": smoothed_dbm,
        "sigma_db": sigma_db,
        "trend": trend,
    }


def ack(boot: int, command_id: str, error: str = "") -> dict:
    """Return the acknowledgement of a command: done without an error, else a code of ansim/refusal_codes.py."""
    return {"v": FORMAT_VERSION, "boot": boot, "id": command_id, "ok": not error, "error": error[:200]}


def want(boot: int, sha256: str, offset: int) -> dict:
    """Return a request for a part of the file with this SHA-256, from an offset on."""
    return {"v": FORMAT_VERSION, "boot": boot, "sha256": sha256, "offset": offset}


def part(sha256: str, offset: int, data: str) -> dict:
    """Return the answer to a want message; `data` is base64 text."""
    return {"v": FORMAT_VERSION, "sha256": sha256, "offset": offset, "data": data}


def stored(upto: list) -> dict:
    """Return a stored message; `upto` is a list of [boot, seq], newest boot last."""
    return {"v": FORMAT_VERSION, "upto": [list(row) for row in upto]}


def cmd(command_id: str, name: str, args: dict, expires_s: int) -> dict:
    """Return a command message."""
    return {"v": FORMAT_VERSION, "id": command_id, "name": name, "expires_s": expires_s, "args": args}
