"""
Every message there is: its fields, their units, and the version of the format.

A message is a JSON object that travels in an envelope (see envelope.py) on a topic (see
topics.py). Its keys are spelled here and nowhere else. docs/messages.md tells the same
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
from ansim.finding import EVENTS
from ansim.schema import (
    address,
    any_object,
    check,
    either,
    hexadecimal,
    items,
    maybe,
    one_of,
    record,
    row,
    text,
    true_or_false,
    whole,
)

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

MAX_COUNT = (1 << 31) - 1
MAX_TIME_S = 1 << 34
MAX_TICK_MS = 1 << 45

_boot = whole(1, MAX_COUNT)
_count = whole(0, MAX_COUNT)
_tick_ms = whole(0, MAX_TICK_MS)
_time_s = whole(0, MAX_TIME_S)
_channel = whole(0, 14)
_dbm = whole(-128, 20)
_id = text(40)
_version = {"v": one_of(FORMAT_VERSION)}


def _with_version(fields):
    fields = dict(fields)
    fields.update(_version)
    return record(fields)


# The bodies of the reports, by kind.
BODIES = {
    SWEEP: record(
        {
            "from_ms": _tick_ms,
            "to_ms": _tick_ms,
            "capabilities": items(one_of(*CAPABILITIES), 8),
            # one row a channel: channel, ms listened, frames, undecodable, records lost in the ring
            "channels": items(row(whole(1, 14), _count, _count, _count, _count), 14),
            "deaf_ms": _count,  # not listening with the sniffer: uploading, scanning, BLE
            "stations": _count,  # transmitters heard
            "access_points": _count,
            "ble": _count,  # different BLE advertisers heard
            "full": true_or_false,  # a table was full: not every station could be followed
            "spectrum_sweeps?": _count,  # nRF24 looks at the whole band
        }
    ),
    FINDING: record(
        {
            "event": one_of(*EVENTS),
            "detector": text(32, 1),
            "subject": address,
            "bssid": either(address, one_of("")),
            "first_ms": _tick_ms,
            "last_ms": _tick_ms,
            "score": whole(0, 100),
            "channel": _channel,
            "rssi_dbm": _dbm,
            # one row a rule: rule id, value, threshold, weight
            "evidence": items(row(text(32, 1), *[whole(-MAX_COUNT, MAX_COUNT)] * 3), 24),
            # one row a cause: cause id, verdict
            "considered": items(row(text(32, 1), one_of("for", "against", "open")), 16),
            "label?": text(64),  # the SSID or BLE name that a name rule fired on
        }
    ),
    SELFTEST: record(
        {
            "passed": true_or_false,
            # one row a check: check id, passed, value
            "checks": items(row(text(32, 1), true_or_false, whole(-MAX_COUNT, MAX_COUNT)), 24),
            "took_ms": _count,
        }
    ),
    CLOCK: record({"at_tick_ms": _tick_ms, "time_s": _time_s, "source": one_of("ntp", "server")}),
    DROPPED: record({"first": _boot, "last": _boot, "reports": _count}),
    RESET: record({"cause": text(32), "crashes": _count, "version": text(32), "slot": text(8)}),
    SESSION: record({"what": one_of("started", "stopped"), "by": one_of("cmd", "button", "limit")}),
    STIMULUS: record(
        {
            "subject": address,
            "slots": _count,
            "p_ppm": whole(0, 1000000),  # p-value in parts per million
            "effect_permille": whole(-100000, 100000),  # busy over quiet byte rate minus one
            "heard_permille": whole(0, 1000),  # share of the slots' time the radio was listening
        }
    ),
}

REPORT_FIELDS = _with_version(
    {
        "boot": _boot,
        "seq": _boot,
        "prev": either(hexadecimal(16), one_of("")),
        "tick_ms": _tick_ms,
        "at_s": maybe(_time_s),
        "inspection": _id,  # "": none; "u<boot>-<n>": started by the button, not yet assigned
        "kind": one_of(*KINDS),
        "body": any_object,
    }
)

_state = _with_version({"boot": whole(0, MAX_COUNT), "state": one_of(*STATES), "nonce": text(16)})
_info = _with_version(
    {
        "boot": _boot,
        "version": text(32),  # of the application
        "interpreter": text(64),
        "board": text(32),
        "slot": text(8),
        "capabilities": items(one_of(*CAPABILITIES), 8),
        "fitted": items(text(16), 16),  # led, buzzer, button, oled, battery...
        "uplink": one_of("wifi", "ethernet"),
        "up_s": _count,
        "battery_percent": maybe(whole(0, 100)),
        "free_heap_bytes": _count,
        "crashes": _count,
        "reset_cause": text(32),
        "journal_bytes": _count,
        "journal_reports": _count,  # waiting to be confirmed
        "journal_dropped": _count,
        "ring_dropped": _count,
        "live_dropped": _count,
        "connects": _count,
        "rssi_dbm": maybe(_dbm),  # of its own uplink
        "clock": one_of("unknown", "ntp", "server"),
        "inspection": _id,
    }
)
_live = _with_version(
    {
        "boot": _boot,
        "tick_ms": _tick_ms,
        "subject": address,
        "rssi_dbm": _dbm,
        "smoothed_dbm": _dbm,
        "sigma_db": whole(0, 100),
        "trend": one_of("warmer", "colder", "same", "lost"),
    }
)
_ack = _with_version({"boot": _boot, "id": text(40, 1), "ok": true_or_false, "error": text(200)})
_stored = _with_version(
    {
        # one row a boot, newest last: boot, highest seq up to which every report is stored
        "upto": items(row(_boot, _count), 8, 1),
    }
)
_cmd = _with_version(
    {
        "id": text(40, 1),
        "name": text(32, 1),
        "expires_s": _time_s,  # the sensor refuses it after this time; see ARGUMENTS for TIME
        "args": any_object,
    }
)

MESSAGES = {
    topics.STATE: _state,
    topics.INFO: _info,
    topics.REPORT: REPORT_FIELDS,
    topics.LIVE: _live,
    topics.ACK: _ack,
    topics.CMD: _cmd,
    topics.STORED: _stored,
}

# The arguments of the commands, by name.
ARGUMENTS = {
    INSPECTION_START: record({"inspection": text(40, 1), "known": items(address, 64)}),
    INSPECTION_STOP: record({"inspection": text(40, 1)}),
    # Only good if `nonce` is the one of the sensor's newest state message: so an old
    # answer cannot set its clock. The one command that is taken while the time is unknown.
    TIME: record({"time_s": _time_s, "nonce": text(16, 8)}),
    DWELL: record({"channel": whole(1, 13), "seconds": whole(1, 600)}),
    LOCATE: record({"subject": address, "channel": whole(1, 13), "seconds": whole(1, 600)}),
    # one row a slot: start and length in ms after the command, 1 movement asked or 0 stillness
    SLOTS: record(
        {
            "subject": address,
            "channel": whole(1, 13),
            "slots": items(row(_count, whole(100, 60000), whole(0, 1)), 40, 2),
        }
    ),
    RUN_SELFTEST: record({"emitter?": address}),
    SETTINGS: record({"changes": any_object}),
    SIGNATURES: record(
        {"table": text(16, 1), "bytes": _count, "sha256": hexadecimal(64), "offset": _count, "data": text(8192)}
    ),
    UPDATE: record({"manifest": any_object}),
    WIPE: record({"device": text(32, 1)}),
    RESTART: record({}),
}


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
    problems = check(MESSAGES[leaf], message)
    if not problems and leaf == topics.REPORT:
        problems = ["body: " + problem for problem in check(BODIES[message["kind"]], message["body"])]
    if problems:
        raise BadMessage("; ".join(problems[:8]))
    return message


def arguments_problems(name: str, args: dict):
    """Return what is wrong with a command's arguments as a list, or None if there is no such command."""
    rule = ARGUMENTS.get(name)
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
    return {
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


def stored(upto) -> dict:
    """Return a stored message; `upto` is a list of [boot, seq], newest boot last."""
    return {"v": FORMAT_VERSION, "upto": [list(one) for one in upto]}


def cmd(command_id, name, args, expires_s) -> dict:
    """Return a command."""
    return {"v": FORMAT_VERSION, "id": command_id, "name": name, "expires_s": expires_s, "args": args}
