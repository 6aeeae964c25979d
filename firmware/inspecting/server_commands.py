"""
What the server may order: one short function for each command.

    for name, handler in Orders(inspection, plan, listener, clock, told, report, test).table():
        commands.on(name, handler)

A handler gets the checked arguments (ansim/downlink_rules.py) and the command's id. It
returns nothing when it is done, a code of ansim/refusals.py when it refuses, or a function to call once the
answer is out. TIME is answered by the clock itself (commands.py); what concerns the sensor's own
upkeep is in upkeep.py.
"""

from ansim import messages, refusals
from ansim.frame_header import address_bytes
from firmware.inspecting.inspection import CMD

FOLLOW_UPLOAD_MS = 10_000  # a Wi-Fi sensor that follows a signal shows the server so often how near it is


class Orders:
    """
    inspection, plan, listener, clock   as in inspection.py, radio/plan.py, radio/listener.py, clock.py
    told                                function(subject, rssi_dbm, smoothed_dbm, sigma_db, trend) of what is followed
    tell                                function(kind, body) that makes a report
    test                                function(args): begin a self-test soon
    """

    def __init__(self, inspection, plan, listener, clock, told, tell, test):
        self._inspection = inspection
        self._plan = plan
        self._listener = listener
        self._clock = clock
        self._told = told
        self._tell = tell
        self._test = test
        self._channel = 0

    def table(self) -> list:
        """Return [(name of the command, handler), ...]."""
        return [
            (messages.INSPECTION_START, self._inspection_start),
            (messages.INSPECTION_STOP, self._inspection_stop),
            (messages.DWELL, self._dwell),
            (messages.LOCATE, self._locate),
            (messages.SLOTS, self._stimulus),
            (messages.RUN_SELFTEST, self._selftest),
        ]

    def _inspection_start(self, args, command_id):
        self._inspection.start(args["inspection"], args["known"])

    def _inspection_stop(self, args, command_id):
        if self._inspection.id not in ("", args["inspection"]):
            return refusals.OTHER_INSPECTION
        self._inspection.stop(CMD)
        return None

    def _dwell(self, args, command_id):
        self._plan.dwell_on(args["channel"], args["seconds"], self._clock.now_ms())

    @property
    def follows(self) -> bool:
        """True while a signal is followed to its source."""
        return self._listener.follows

    def follow(self, subject: str, channel: int, seconds: int):
        """Follow a transmitter for so long; return why not, None if it is done."""
        from firmware.inspecting.follow import Follower  # not before: most sensors on a wall are never asked

        if not self._listener.sniffs:
            return refusals.NO_SNIFFER
        now_ms = self._clock.now_ms()
        self._channel = channel
        self._plan.dwell_on(channel, seconds, now_ms, FOLLOW_UPLOAD_MS)
        until_ms = now_ms + seconds * 1000
        self._listener.follow(Follower(address_bytes(subject), until_ms, self._told))
        return None

    def unfollow(self) -> None:
        """Listen to everything again."""
        self._plan.dwell_on(self._channel, 0, self._clock.now_ms())
        self._listener.follow(None)

    def _locate(self, args, command_id):
        return self.follow(args["subject"], args["channel"], args["seconds"])

    def _selftest(self, args, command_id):
        if self._inspection.id:
            return refusals.INSPECTION_RUNNING
        self._test(args)
        return None

    def _stimulus(self, args, command_id):
        from ansim.detect.stimulus import BadSlots, Stimulus
        from firmware.inspecting.stimulus_test import Watch

        now_ms = self._clock.now_ms()
        try:
            test = Stimulus(args["subject"], args["slots"])
        except BadSlots:
            return refusals.BAD_SLOTS
        test.begin(now_ms)
        last = args["slots"][-1]
        self._plan.dwell_on(args["channel"], (last[0] + last[1]) // 1000 + 2, now_ms)
        self._listener.watch(Watch(test, args["channel"], self._tell))
        return None
