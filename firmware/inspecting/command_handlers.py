"""
Handlers of the server's commands.

    for name, handler in CommandHandlers(inspection, listener, clock, on_reading, report, request_job).handlers():
        commands.on(name, handler)

A handler gets the checked arguments (ansim/downlink_schemas.py) and the command's id. It
returns nothing when it is done, a code of ansim/refusal_codes.py when it refuses, or a function to call once the
acknowledgement is sent. TIME is handled in network/command_receiver.py; commands about the sensor's own
maintenance in maintenance/maintenance_commands.py.
"""

from ansim import messages, refusal_codes
from ansim.frame_header import address_bytes
from firmware.inspecting.inspection import CMD
from firmware.inspecting.radio_jobs import TEST_SIGNAL

FOLLOW_UPLOAD_MS = 10_000  # how often a Wi-Fi sensor uploads readings while it follows a signal


class CommandHandlers:
    """
    inspection, listener, clock   an Inspection, a Listener and a Clock
    on_reading                    function(subject, rssi_dbm, smoothed_dbm, sigma_db, trend) for a followed signal
    report                        function(kind, body) that appends a report to the journal
    request_job                   function(job): RadioJobs.request
    """

    def __init__(self, inspection, listener, clock, on_reading, report, request_job):
        self._inspection = inspection
        self._listener = listener
        self._clock = clock
        self._on_reading = on_reading
        self._report = report
        self._request_job = request_job
        self._channel = 0

    def handlers(self) -> list:
        """Return [(command name, handler), ...]."""
        return [
            (messages.INSPECTION_START, self._inspection_start),
            (messages.INSPECTION_STOP, self._inspection_stop),
            (messages.DWELL, self._dwell),
            (messages.LOCATE, self._locate),
            (messages.SLOTS, self._stimulus),
            (messages.RUN_SELFTEST, self._selftest),
            (messages.TEST_SIGNAL, self._test_signal),
        ]

    def _inspection_start(self, args, command_id):
        self._inspection.start(args["inspection"], args["known"])

    def _inspection_stop(self, args, command_id):
        if self._inspection.id not in ("", args["inspection"]):
            return refusal_codes.OTHER_INSPECTION
        self._inspection.stop(CMD)
        return None

    def _dwell(self, args, command_id):
        if not self._listener.plan.hears(args["channel"]):
            return refusal_codes.NO_CHANNEL
        self._listener.plan.dwell_on(args["channel"], args["seconds"], self._clock.now_ms())
        return None

    @property
    def is_following(self) -> bool:
        """True while a signal is followed to its source."""
        return self._listener.is_following

    def follow(self, subject: str, channel: int, seconds: int):
        """Follow a transmitter for `seconds`; return the reason of a refusal, else None."""
        from firmware.inspecting.follow import Follower  # here, because most fixed sensors never need it

        if not self._listener.has_sniffer:
            return refusal_codes.NO_SNIFFER
        if not self._listener.plan.hears(channel):
            return refusal_codes.NO_CHANNEL
        now_ms = self._clock.now_ms()
        self._channel = channel
        self._listener.plan.dwell_on(channel, seconds, now_ms, FOLLOW_UPLOAD_MS)
        until_ms = now_ms + seconds * 1000
        self._listener.follow(Follower(address_bytes(subject), until_ms, self._on_reading))
        return None

    def stop_following(self) -> None:
        """Return to the ordinary plan."""
        self._listener.plan.dwell_on(self._channel, 0, self._clock.now_ms())
        self._listener.follow(None)

    def _locate(self, args, command_id):
        return self.follow(args["subject"], args["channel"], args["seconds"])

    def _selftest(self, args, command_id):
        if self._inspection.id:
            return refusal_codes.INSPECTION_RUNNING
        return self._request_job(args)

    def _test_signal(self, args, command_id):
        if self._inspection.id:
            return refusal_codes.INSPECTION_RUNNING
        return self._request_job(TEST_SIGNAL)

    def _stimulus(self, args, command_id):
        from ansim.detect.stimulus import BadSlots, Stimulus
        from firmware.inspecting.movement_test import StimulusTest

        if not self._listener.plan.hears(args["channel"]):
            return refusal_codes.NO_CHANNEL
        now_ms = self._clock.now_ms()
        try:
            test = Stimulus(args["subject"], args["slots"])
        except BadSlots:
            return refusal_codes.BAD_SLOTS
        test.begin(now_ms)
        last = args["slots"][-1]
        self._listener.plan.dwell_on(args["channel"], (last[0] + last[1]) // 1000 + 2, now_ms)
        self._listener.test_stimulus(StimulusTest(test, args["channel"], self._report))
        return None
