"""
Every message there is: its fields, their units, and the version of the format.

A message is a JSON object that travels in an envelope (see envelope.py) on a topic (see
topics.py). Its keys are spelled here and in the tables that check them (uplink_rules.py,
downlink_rules.py), which are loaded when they are needed: a sensor never reads reports. docs/messages.md tells the same
to people who write other software.

    message = report(boot=7, seq=12, prev=PREV, tick_ms=81000, at_s=None, inspection="", kind=SWEEP, body={...})
    data = encode(message)
    message = decode(topics.REPORT, data)    # raises BadMessage

All numbers are whole; units are in the names. `boot` counts the sensor's starts, `seq`
counts its reports within one boot from 1, `tick_ms` is its clock since that start, `at_s`
is seconds since 1970-01-01 UTC or null while the sensor does not know the time. `prev` is
the digest of the report before this one, over boots, or "" for the first of all.
"""

import json

from ansim import topics
from ansim.schema import check

FORMAT_VERSION = 1

# Homie 5's words. LOST is the last will.
INIT, READY, SLEEPING, DISCONNECTED, LOST = "init", "ready", "sleeping", "disconnected", "lost"
STATES = (INIT, READY, SLEEPING, DISCONNECTED, LOST)

# Kinds of report.
SWEEP = "sweep"  # what was listened to since the last sweep report
FINDING = "finding"  # a detector raised, updated or cleared something
SELFTEST = "selftest"  # the result of a self-test
CLOCK = "clock"  # tick_ms and at_s of one moment: dates every earlier report of this boot
DROPPED = "dropped"  # stands for reports that the journal had no room for
RESET = "reset"  # the first report of a boot: why the last one ended
SESSION = "session"  # an inspection was started or stopped on the sensor
STIMULUS = "stimulus"  # the answer to "does this stream watch this room?"
KINDS = (SWEEP, FINDING, SELFTEST, CLOCK, DROPPED, RESET, SESSION, STIMULUS)

# What a sensor can hear with.
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
UPDATE, WIPE, RESTART = "update", "wipe", "restart"
# The one refusal that passes by itself: the server leaves the command open and sends it again.
NO_TIME = "the sensor does not know the time yet"

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
)


class BadMessage(Exception):
    """Not a message of this format."""


class UnknownVersion(BadMessage):
    """A message of a format this program does not know."""


def encode(message: dict) -> bytes:
    """Return the JSON bytes of a message. The bytes are what gets signed; never encode twice."""
    return json.dumps(message, separators=(",", ":")).encode()


def decode(leaf: str, data: bytes) -> dict:
    """
    Return the checked message that travelled on a topic's leaf.

    Raises UnknownVersion, or BadMessage with all that is wrong in one line. An UNKNOWN
    name of a command is not an error here; ask `arguments_problems`.
    """
    try:
        message = json.loads(data)
    except (ValueError, UnicodeError, RuntimeError) as error:
        raise BadMessage("not JSON: %s" % type(error).__name__)
    if type(message) is not dict:
        raise BadMessage("not a JSON object")
    if message.get("v") != FORMAT_VERSION:
        raise UnknownVersion("format version is not %d" % FORMAT_VERSION)
    # Loaded here: a sensor has no memory for the tables of its own messages, which it never checks.
    if leaf in topics.TO_SENSOR:
        from ansim import downlink_rules

        problems = check(downlink_rules.message(leaf), message)
    else:
        from ansim import uplink_rules

        problems = check(uplink_rules.message(leaf), message)
        if not problems and leaf == topics.REPORT:
            body_problems = check(uplink_rules.body(message["kind"]), message["body"])
            problems = ["body: " + problem for problem in body_problems]
    if problems:
        raise BadMessage("; ".join(problems[:8]))
    return message


def arguments_problems(name: str, args: dict):
    """Return what is wrong with a command's arguments as a list, or None if there is no such command."""
    from ansim import downlink_rules

    rule = downlink_rules.arguments(name)
    return None if rule is None else check(rule, args)


def report(boot, seq, prev, tick_ms, at_s, inspection, kind, body) -> dict:
    """Return a report message; see the module's text for units."""
    return {
        "v": FORMAT_VERSION,
        "boot": boot,
        "seq": seq,
        "prev": prev,
        "tick_ms": tick_ms,
        "at_s": at_s,
        "inspection": inspection,
        "kind": kind,
        "body": body,
    }


def finding_body(finding) -> dict:
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
        "evidence": [list(one) for one in finding.evidence],
        "considered": [list(one) for one in finding.considered],
    }
    if finding.label:
        body["label"] = finding.label[:64]
    return body


def state(boot, word, nonce) -> dict:
    """Return a state message. The will is state(boot, LOST, "")."""
    return {"v": FORMAT_VERSION, "boot": boot, "state": word, "nonce": nonce}


def info(fields: dict) -> dict:
    """Return an info message; `fields` has every key of the info table but the version."""
    message = {"v": FORMAT_VERSION}
    message.update(fields)
    return message


def live(boot, tick_ms, subject, rssi_dbm, smoothed_dbm, sigma_db, trend) -> dict:
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


def ack(boot, command_id, error="") -> dict:
    """Return the answer to a command: done if there is no error text."""
    return {"v": FORMAT_VERSION, "boot": boot, "id": command_id, "ok": not error, "error": error[:200]}


def want(boot, sha256, offset) -> dict:
    """Return the question for a part of a file, known by its SHA-256, from an offset on."""
    return {"v": FORMAT_VERSION, "boot": boot, "sha256": sha256, "offset": offset}


def part(sha256, offset, data) -> dict:
    """Return the answer to a want; `data` is base64 text."""
    return {"v": FORMAT_VERSION, "sha256": sha256, "offset": offset, "data": data}


def stored(upto) -> dict:
    """Return a stored message; `upto` is a list of [boot, seq], newest boot last."""
    return {"v": FORMAT_VERSION, "upto": [list(one) for one in upto]}


def cmd(command_id, name, args, expires_s) -> dict:
    """Return a command."""
    return {"v": FORMAT_VERSION, "id": command_id, "name": name, "expires_s": expires_s, "args": args}
