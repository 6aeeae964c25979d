"""
Messages of sensors for tests of the pages: checked by the schemas and stored as ingest stores them.

    say = SensorsSay(app)
    say.state("demo-1", "ready");  say.info("demo-1", battery_percent=80)
    say.session("demo-1", inspection, "started");  say.sweep("demo-1", inspection, listened_ms=4000)
    say.finding("demo-1", inspection, score=84)
"""

from sqlalchemy import select

from ansim import messages, topics
from ansim.decode import decode_message
from server import clock
from server.models import Sensor
from server.services.findings.pseudonyms import Pseudonyms
from server.services.intake import idempotent_store
from server.services.intake.received_report import ReceivedReport
from server.services.sensors import sensor_status

CAMERA = "00:bc:99:12:34:56"
EVIDENCE = (
    ("uplink_kbps", 1240, 80, 30),
    ("uplink_share_permille", 962, 750, 20),
    ("mean_down_bytes", 118, 250, 10),
    ("gop_permille", 610, 500, 15),
    ("persistence_s", 24, 60, -6),
    ("gop_period_ms", 2000, 0, 0),
)
CONSIDERED = (("video_call", "against"), ("bulk_upload", "open"), ("neighbour_camera", "for"))
INFO = {
    "boot": 3,
    "version": "0.1.0",
    "interpreter": "MicroPython 1.29.0",
    "board": "esp32_devkit",
    "slot": "a",
    "capabilities": ["scan", "sniff", "ble"],
    "fitted": ["led", "buzzer", "button"],
    "uplink": "wifi",
    "up_s": 5400,
    "battery_percent": 82,
    "free_heap_bytes": 71000,
    "crashes": 0,
    "reset_cause": "power",
    "journal_bytes": 2048,
    "journal_reports": 3,
    "journal_dropped": 0,
    "ring_dropped": 0,
    "live_dropped": 0,
    "connects": 4,
    "rssi_dbm": -58,
    "clock": "ntp",
    "inspection": "",
}


class SensorsSay:
    """Stores messages of enrolled sensors; every report gets the next number of its sensor."""

    def __init__(self, app):
        self._sessions = app.extensions["sessions"]
        self._vault = app.extensions["vault"]
        self._seqs = {}

    def state(self, name, word):
        """Store a state message."""
        with self._sessions.begin() as session:
            sensor = _sensor(session, name)
            sensor_status.take_state(
                session, sensor.id, messages.state(3, word, "0011223344556677"), clock.now_s(), False
            )
            sensor_status.heard(session, [sensor.id], clock.now_s())

    def info(self, name, **changed):
        """Store an info message."""
        message = messages.info({**INFO, **changed})
        decode_message(topics.INFO, messages.encode(message))
        with self._sessions.begin() as session:
            sensor_status.take_info(session, _sensor(session, name).id, message)

    def session(self, name, inspection, what):
        """Store a SESSION report: the sensor starts or stops listening for an inspection."""
        self._report(name, inspection, messages.SESSION, {"what": what, "by": "cmd"})

    def sweep(self, name, inspection, listened_ms=4000, channels=range(1, 14), **changed):
        """Store a SWEEP report with this listening time on each of the channels."""
        body = {
            "from_ms": 1000,
            "to_ms": 61000,
            "capabilities": ["scan", "sniff", "ble"],
            "channels": [[number, listened_ms, 240, 12, 0] for number in channels],
            "deaf_ms": 6000,
            "stations": 9,
            "access_points": 7,
            "ble": 4,
            "full": False,
        }
        self._report(name, inspection, messages.SWEEP, {**body, **changed})

    def finding(self, name, inspection, score=84, event="raised", subject=CAMERA, **changed):
        """Store a FINDING report."""
        body = {
            "event": event,
            "detector": "camera_stream",
            "subject": subject,
            "bssid": "",
            "first_ms": 30000,
            "last_ms": 42000,
            "score": score,
            "channel": 6,
            "rssi_dbm": -52,
            "evidence": [list(row) for row in EVIDENCE],
            "considered": [list(row) for row in CONSIDERED],
        }
        self._report(name, inspection, messages.FINDING, {**body, **changed})

    def selftest(self, name, passed=True):
        """Store a SELFTEST report."""
        checks = [["emitter", passed, 12500], ["clock", True, 1], ["flash", True, 1820], ["battery", True, 64]]
        checks += [["channel_1", True, 12], ["channel_6", passed, 5 * passed], ["channel_13", True, 0]]
        self._report(name, "", messages.SELFTEST, {"passed": passed, "checks": checks, "took_ms": 21000})

    def stimulus(self, name, inspection="", p_ppm=8000, subject=CAMERA):
        """Store a STIMULUS report: the result of a movement test."""
        body = {"subject": subject, "slots": 20, "p_ppm": p_ppm, "effect_permille": 400, "heard_permille": 990}
        self._report(name, inspection, messages.STIMULUS, body)

    def _report(self, name, inspection, kind, body):
        seq = self._seqs[name] = self._seqs.get(name, 0) + 1
        now_s = clock.now_s()
        message = messages.report(3, seq, "", 60000 + seq, now_s, inspection, kind, body)
        data = messages.encode(message)
        message = decode_message(topics.REPORT, data)
        with self._sessions.begin() as session:
            incoming = [ReceivedReport(_sensor(session, name).id, message, data)]
            idempotent_store.record(session, Pseudonyms(self._vault), incoming, now_s)


def _sensor(session, name):
    return session.scalar(select(Sensor).where(Sensor.name == name))
