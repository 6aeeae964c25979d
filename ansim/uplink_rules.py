"""
What a message from a sensor must look like: the tables behind report.decode() for state, info, report, live, ack and want.

Only the server and the tools load this file.
"""

from ansim import topics
from ansim.finding import EVENTS
from ansim.messages import (
    CAPABILITIES,
    CLOCK,
    DROPPED,
    FINDING,
    FORMAT_VERSION,
    KINDS,
    RESET,
    SELFTEST,
    SESSION,
    STATES,
    STIMULUS,
    SWEEP,
)
from ansim.schema import (
    address,
    any_object,
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

_report = _with_version(
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
        "safe?": true_or_false,  # safe mode: after many crashes it only delivers and obeys
        "update?": hexadecimal(64),  # of the running slot's manifest, once the broker was reached with it
        "failed_update?": text(64),  # SHA-256 of the manifest that was rolled back, or why it was not installed
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
_want = _with_version({"boot": _boot, "sha256": hexadecimal(64), "offset": _count})
_ack = _with_version({"boot": _boot, "id": text(40, 1), "ok": true_or_false, "error": text(200)})

_MESSAGES = {
    topics.STATE: _state,
    topics.INFO: _info,
    topics.REPORT: _report,
    topics.LIVE: _live,
    topics.ACK: _ack,
    topics.WANT: _want,
}


def message(leaf):
    """Return the rule for the messages on a leaf."""
    return _MESSAGES[leaf]


def body(kind):
    """Return the rule for the body of a kind of report."""
    return BODIES[kind]
