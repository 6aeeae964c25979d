"""Bodies of reports for the tests of journal and delivery; also runs on MicroPython."""

from ansim import messages

SWEEP_BODY = {
    "from_ms": 0,
    "to_ms": 30000,
    "capabilities": ["scan", "sniff"],
    "channels": [[channel, 2300, 150, 7, 0] for channel in range(1, 14)],
    "deaf_ms": 4000,
    "stations": 5,
    "access_points": 4,
    "ble": 2,
    "full": False,
}
FINDING_BODY = {
    "event": "raised",
    "detector": "camera_stream",
    "subject": "c0:ff:ee:00:00:01",
    "bssid": "",
    "first_ms": 1000,
    "last_ms": 9000,
    "score": 80,
    "channel": 6,
    "rssi_dbm": -55,
    "evidence": [["uplink_kbps", 900, 150, 30]],
    "considered": [["video_call", "open"]],
}
BODIES = {
    messages.SWEEP: SWEEP_BODY,
    messages.FINDING: FINDING_BODY,
    messages.SESSION: {"what": "started", "by": "cmd"},
    messages.RESET: {"cause": "power_on", "crashes": 0, "version": "0.1.0", "slot": "a"},
}
