"""Reports as a sensor makes them, for tests of the server."""

from ansim import envelope, messages
from server.services.intake import idempotent_store
from server.services.intake.received_report import ReceivedReport
from tests.support.paho_sensor import finding_body, sweep_body

NOW_S = 1_800_000_000


class Voice:
    """One sensor's reports, numbered and chained."""

    def __init__(self, sensor, boot=1):
        self.sensor = sensor
        self.boot = boot
        self.seq = 0
        self.prev = ""
        self.inspection = ""

    def says(self, kind=messages.SWEEP, body=None, at_s=None, tick_ms=None, seq=None, prev=None):
        """Make the next report; return it as a ReceivedReport."""
        self.seq = self.seq + 1 if seq is None else seq
        message = messages.report(
            self.boot,
            self.seq,
            self.prev if prev is None else prev,
            self.seq * 1000 if tick_ms is None else tick_ms,
            at_s,
            self.inspection,
            kind,
            sweep_body() if body is None else body,
        )
        data = messages.encode(message)
        self.prev = envelope.digest(data)
        return ReceivedReport(self.sensor.id, message, data)

    def finds(self, at_s=NOW_S, **body):
        """A FINDING report."""
        return self.says(messages.FINDING, finding_body(**body), at_s)


def heard(session, pseudonyms, *incoming, now_s=NOW_S):
    """Store reports; return idempotent_store.Recorded."""
    return idempotent_store.record(session, pseudonyms, list(incoming), now_s)
