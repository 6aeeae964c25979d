"""
What the server may order: one short function for each command.

    for name, handler in Orders(inspection, plan, listener, clock, live, report).table():
        commands.on(name, handler)

A handler gets the checked arguments (ansim/downlink_rules.py) and the command's id. It
returns nothing when it is done, a sentence when it refuses, or a function to call once the
answer is out. TIME is answered by the clock itself (commands.py); what concerns the sensor's own
upkeep is in upkeep.py.
"""

from ansim import report
from ansim.frame_header import address_bytes
from firmware.inspection import CMD


class Orders:
    """
    inspection, plan, listener, clock   as in inspection.py, radio/plan.py, radio/listener.py, clock.py
    live                                function(subject, rssi_dbm, smoothed_dbm, sigma_db, trend): Link.live
    tell                                function(kind, body) that makes a report
    """

    def __init__(self, inspection, plan, listener, clock, live, tell):
        self._inspection = inspection
        self._plan = plan
        self._listener = listener
        self._clock = clock
        self._live = live
        self._tell = tell

    def table(self) -> list:
        """Return [(name of the command, handler), ...]."""
        return [
            (report.INSPECTION_START, self._inspection_start),
            (report.INSPECTION_STOP, self._inspection_stop),
            (report.DWELL, self._dwell),
            (report.LOCATE, self._locate),
            (report.SLOTS, self._stimulus),
        ]

    def _inspection_start(self, args, command_id):
        self._inspection.start(args["inspection"], args["known"])

    def _inspection_stop(self, args, command_id):
        if self._inspection.id not in ("", args["inspection"]):
            return "another inspection is running"
        self._inspection.stop(CMD)
        return None

    def _dwell(self, args, command_id):
        self._plan.dwell_on(args["channel"], args["seconds"], self._clock.now_ms())

    def _locate(self, args, command_id):
        from firmware.follow import Follower  # not before: most sensors on a wall are never asked

        now_ms = self._clock.now_ms()
        self._plan.dwell_on(args["channel"], args["seconds"], now_ms)
        until_ms = now_ms + args["seconds"] * 1000
        self._listener.follow(Follower(address_bytes(args["subject"]), until_ms, self._live))

    def _stimulus(self, args, command_id):
        from ansim.detect.stimulus import BadSlots, Stimulus
        from firmware.watch import Watch

        now_ms = self._clock.now_ms()
        try:
            test = Stimulus(args["subject"], args["slots"])
        except BadSlots as error:
            return str(error)
        test.begin(now_ms)
        last = args["slots"][-1]
        self._plan.dwell_on(args["channel"], (last[0] + last[1]) // 1000 + 2, now_ms)
        self._listener.watch(Watch(test, args["channel"], self._tell))
        return None
