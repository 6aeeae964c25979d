"""
Schemas (schema.py) of the messages from a sensor: state, info, report, live, ack and want.

Loaded by decode.py on the server and in the tools, never on a sensor.
"""

from ansim import topics
from ansim.finding import ALARM, ALARM_SCORE, EVENTS, LEVELS, MAX_LABEL_CHARS, NOTICE
from ansim.messages import (
    CAPABILITIES,
    CLOCK,
    DROPPED,
    FINDING,
    FORMAT_VERSION,
    KINDS,
    REPORT_VERSIONS,
    RESET,
    SELFTEST,
    SESSION,
    STATES,
    STIMULUS,
    SWEEP,
)
from ansim.schema import ADDRESS, ANY_OBJECT, BOOL

MAX_COUNT = (1 << 31) - 1
MAX_TIME_S = 1 << 34
MAX_TICK_MS = 1 << 45
MAX_FILE_BYTES = 1 << 24  # of a release; no board has more flash

_boot = ("int", 1, MAX_COUNT)
_count = ("int", 0, MAX_COUNT)
_tick_ms = ("int", 0, MAX_TICK_MS)
_time_s = ("int", 0, MAX_TIME_S)
_channel = ("int", 0, 177)  # up to 14: 2.4 GHz, from 36 on: 5 GHz
_dbm = ("int", -128, 20)
_id = ("text", 0, 40)
_version = ("one_of", (FORMAT_VERSION,))
_signed = ("int", -MAX_COUNT, MAX_COUNT)
_code = ("text", 1, 32)


# Bodies of reports by kind.
BODIES = {
    SWEEP: {
        "from_ms": _tick_ms,
        "to_ms": _tick_ms,
        "capabilities": ("list", ("one_of", CAPABILITIES), 0, 8),
        # one row per channel: channel, ms listened, frames, undecodable frames, records lost in the ring
        "channels": ("list", ("row", (("int", 1, 177), _count, _count, _count, _count)), 0, 48),
        "deaf_ms": _count,  # time without the sniffer: uploading, scanning, BLE
        # frames with a sequence number: received, and missing in between. The chip's driver drops frames without
        # counting them, so "records lost in the ring" is not all that is lost
        "numbered?": _count,
        "missed?": _count,
        "flash_ms?": _count,  # part of the channels' time in which the flash was written and the chip was deaf
        "stations": _count,  # transmitters heard
        "access_points": _count,
        "ble": _count,  # different BLE advertisers heard
        "full": BOOL,  # a table was full, so not every station could be followed
        "ble_dropped?": _count,  # advertisements that came faster than the sensor took them
        "spectrum_sweeps?": _count,  # sweeps of the nRF24 over the whole band
    },
    FINDING: {
        "event": ("one_of", EVENTS),
        "detector": ("text", 1, 32),
        "subject": ADDRESS,
        "bssid": ("either", ADDRESS, ("one_of", ("",))),
        "first_ms": _tick_ms,
        "last_ms": _tick_ms,
        "score": ("int", 0, 100),
        "channel": _channel,
        "rssi_dbm": _dbm,
        # one row per rule: rule id, value, threshold, weight
        "evidence": ("list", ("row", (_code, _signed, _signed, _signed)), 0, 24),
        # one row per cause: cause id, verdict
        "considered": ("list", ("row", (_code, ("one_of", ("for", "against", "open")))), 0, 16),
        "label?": ("text", 0, MAX_LABEL_CHARS),  # the SSID or BLE name that a name rule fired on
        "level?": ("one_of", LEVELS),  # always there from report version 2 on; without it see level_of()
        "likely?": ("text", 0, 32),  # the id of the innocent cause that a cleared finding most likely was
    },
    SELFTEST: {
        "passed": BOOL,
        # one row per check: check id, passed, value
        "checks": ("list", ("row", (_code, BOOL, _signed)), 0, 24),
        "took_ms": _count,
    },
    CLOCK: {"at_tick_ms": _tick_ms, "time_s": _time_s, "source": ("one_of", ("ntp", "server"))},
    DROPPED: {"first": _boot, "last": _boot, "reports": _count},
    RESET: {
        "cause": ("text", 0, 32),
        "crashes": _count,
        "brown_outs?": _count,  # starts after the supply voltage fell too low, since the power came
        "version": ("text", 0, 32),
        "slot": ("text", 0, 8),
    },
    SESSION: {"what": ("one_of", ("started", "stopped")), "by": ("one_of", ("cmd", "button", "limit"))},
    STIMULUS: {
        "subject": ADDRESS,
        "slots": _count,
        "p_ppm": ("int", 0, 1000000),  # p-value in parts per million
        "effect_permille": ("int", -100000, 100000),  # byte rate in movement over that in stillness, minus one
        "heard_permille": ("int", 0, 1000),  # share of the slots' time in which the radio listened
    },
}

_report = {
    "v": ("one_of", REPORT_VERSIONS),
    "boot": _boot,
    "seq": _boot,
    "prev": ("either", ("hex", 16), ("one_of", ("",))),
    "tick_ms": _tick_ms,
    "at_s": ("nullable", _time_s),
    "inspection": _id,  # "": none; "u<boot>-<n>": started by the button, not yet assigned
    "kind": ("one_of", KINDS),
    "body": ANY_OBJECT,
}

_state = {"v": _version, "boot": ("int", 0, MAX_COUNT), "state": ("one_of", STATES), "nonce": ("text", 0, 16)}
_info = {
    "v": _version,
    "boot": _boot,
    "version": ("text", 0, 32),  # of the application
    "interpreter": ("text", 0, 64),
    "board": ("text", 0, 32),
    "slot": ("text", 0, 8),
    "capabilities": ("list", ("one_of", CAPABILITIES), 0, 8),
    "fitted": ("list", ("text", 0, 16), 0, 16),  # led, buzzer, button, oled, battery...
    "uplink": ("one_of", ("wifi", "ethernet")),
    "up_s": _count,
    "battery_percent": ("nullable", ("int", 0, 100)),
    "free_heap_bytes": _count,
    "crashes": _count,
    "brown_outs?": _count,  # as in a RESET report
    "reset_cause": ("text", 0, 32),  # of firmware/maintenance/crash_counter.py
    "journal_bytes": _count,
    "journal_reports": _count,  # waiting for confirmation
    "journal_dropped": _count,
    "ring_dropped": _count,
    "radio_errors?": _count,  # refusals of a radio since this start; a few are normal
    "chip_free_bytes?": _count,  # of the chip's internal memory, which Wi-Fi, Bluetooth and TLS use
    "chip_largest_bytes?": _count,  # the largest block of it
    "live_dropped": _count,
    "connects": _count,
    "rssi_dbm": ("nullable", _dbm),  # of its own uplink
    "clock": ("one_of", ("unknown", "ntp", "server")),
    "inspection": _id,
    "safe?": BOOL,  # in safe mode: after many crashes it only delivers reports and takes commands
    "updates?": ("one_of", ("usb",)),  # the program can be replaced by USB only; without it, over the air too
    "update?": ("hex", 64),  # SHA-256 of the running slot's manifest, once it has reached the broker
    "failed_update?": ("text", 0, 64),  # SHA-256 of the manifest that was rolled back, or why it was not installed
}
_live = {
    "v": _version,
    "boot": _boot,
    "tick_ms": _tick_ms,
    "subject": ADDRESS,
    "rssi_dbm": _dbm,
    "smoothed_dbm": _dbm,
    "sigma_db": ("int", 0, 100),
    "trend": ("one_of", ("warmer", "colder", "same", "lost")),
}
_want = {"v": _version, "boot": _boot, "sha256": ("hex", 64), "offset": ("int", 0, MAX_FILE_BYTES)}
_ack = {"v": _version, "boot": _boot, "id": ("text", 1, 40), "ok": BOOL, "error": ("text", 0, 200)}

_MESSAGES = {
    topics.STATE: _state,
    topics.INFO: _info,
    topics.REPORT: _report,
    topics.LIVE: _live,
    topics.ACK: _ack,
    topics.WANT: _want,
}


def message(leaf: str) -> dict:
    """Return the schema of the messages on a leaf."""
    return _MESSAGES[leaf]


def body(kind: str) -> dict:
    """Return the schema of the body of a kind of report."""
    return BODIES[kind]


def level_of(finding: dict) -> str:
    """
    Return the level of the body of a FINDING report.

    A sensor of report version 1 sends none: what it reports with ALARM_SCORE or more is an alarm.
    """
    return finding.get("level") or (ALARM if finding["score"] >= ALARM_SCORE else NOTICE)
