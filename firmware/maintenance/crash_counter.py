"""
Count crashes over resets, and run the watchdog.

    crash_counter = CrashCounter()
    crash_counter.begin()                       # once, at boot
    crash_counter.cause, crash_counter.crashes         # for the RESET report and the info message
    crash_counter.sniff_level()                 # what the sniffer may do after these crashes
    crash_counter.start_watchdog(); crash_counter.feed_watchdog()
    crash_counter.feed_by_timer()               # a person works at the prompt

The chip tells a power-on from a watchdog, but not a crash from machine.reset(): both are HARD_RESET. So a mark in RTC
memory records what the program was doing, and is cleared before every intended reset. RTC memory survives resets and is
empty after a power-on, so counting starts anew with the power. Two more causes follow from the mark:
- A supply voltage that fell too low ("brown-out") is PWRON_RESET too, but the mark is intact. It is counted apart from
  crashes. A press of the board's reset button can look the same.
- A reset by USB or JTAG, such as that of a serial monitor that is opened, is 0, which has no name. It is a restart.

Sniffing has crashed some chips after minutes (a fault in the Wi-Fi driver, far rarer with management frames only).
After FALL_BACK_AFTER crashes while sniffing the sensor listens to management frames only, after as many again it only
scans. Each hour without a crash forgives one.
"""

import gc
import io
import struct
import sys

import machine

POWER_ON, BROWN_OUT, RESTART, CRASH, WATCHDOG, EXCEPTION, SOFT, DEEP_SLEEP = (
    "power_on",
    "brown_out",
    "restart",
    "crash",
    "watchdog",
    "exception",
    "soft",
    "deep_sleep",
)

FALL_BACK_AFTER = 3
FORGIVE_MS = 3_600_000
WATCHDOG_MS = 90_000  # longer than a name look-up and a TLS handshake together, which both block
CRASH_FILE = "/crash.txt"
CRASH_FILE_BYTES = 2000

_MAGIC = b"AN2"
# magic, activity, crashes, crashes while sniffing, crashes in a row, brown-outs, brown-outs in a row, sum of all before
# (memory that has been without power for a moment may have kept a part only)
_FORMAT = "<3sBHBBHBB"
_NO_CAUSE = 0
_INTENDED, _RUNNING, _SNIFFING, _RAISED = 0, 1, 2, 3  # activities; _INTENDED: a reset on purpose


class CrashCounter:
    """
    Call begin() before everything else.

    cause             why the last run ended: POWER_ON ... DEEP_SLEEP
    crashes, brown_outs                    since the power came
    crashes_in_a_row, brown_outs_in_a_row  without an hour of running well between them
    """

    def __init__(self):
        self.cause = POWER_ON
        self.crashes = 0
        self.crashes_in_a_row = 0
        self.brown_outs = 0
        self.brown_outs_in_a_row = 0
        self._sniff_crashes = 0
        self._activity = _INTENDED
        self._forgiven_ms = 0
        self._watchdog = None
        self._timer = None

    def begin(self) -> None:
        """Determine how the last run ended, count it, and take over a watchdog that runs already."""
        import __main__  # pyright: ignore[reportMissingImports]

        self._watchdog = getattr(__main__, "watchdog", None)  # boot.py's
        activity = self._load()
        self.cause = self._determine_cause(machine.reset_cause(), activity)
        if self.cause == SOFT:
            self.start_watchdog()  # that of the last run still runs
        if self.cause in (CRASH, WATCHDOG, EXCEPTION):
            self.crashes = min(self.crashes + 1, 65535)
            self.crashes_in_a_row = min(self.crashes_in_a_row + 1, 255)
            if activity == _SNIFFING:
                self._sniff_crashes = min(self._sniff_crashes + 1, 2 * FALL_BACK_AFTER)
        elif self.cause == BROWN_OUT:
            self.brown_outs = min(self.brown_outs + 1, 65535)
            self.brown_outs_in_a_row = min(self.brown_outs_in_a_row + 1, 255)
        else:
            self.crashes_in_a_row = self.brown_outs_in_a_row = 0
        self._store(_RUNNING)

    def sniff_level(self) -> int:
        """Return what the sniffer may do: 2 everything, 1 management frames only, 0 nothing."""
        return 2 - self._sniff_crashes // FALL_BACK_AFTER

    def note_sniffing(self, is_sniffing: bool) -> None:
        """Note whether the sniffer runs, so that crashes while sniffing are counted."""
        activity = _SNIFFING if is_sniffing else _RUNNING
        if activity != self._activity:
            self._store(activity)

    def forgive_crashes(self, now_ms: int) -> None:
        """Forgive one crash per hour of running well; call it now and then with the clock's time."""
        if now_ms - self._forgiven_ms >= FORGIVE_MS:
            self._forgiven_ms = now_ms
            self.crashes_in_a_row = self.brown_outs_in_a_row = 0
            self._sniff_crashes = max(0, self._sniff_crashes - 1)
            self._store(self._activity)

    def intend_reset(self) -> None:
        """Note that the next reset is on purpose."""
        self._store(_INTENDED)

    def record_exception(self, error: Exception) -> None:
        """Note that an unexpected exception ends this run, and write its traceback to CRASH_FILE."""
        self._store(_RAISED)
        gc.collect()
        try:
            text = io.StringIO()
            sys.print_exception(error, text)  # pyright: ignore[reportArgumentType]
            with open(CRASH_FILE, "w") as file:
                file.write(text.getvalue()[-CRASH_FILE_BYTES:])  # pyright: ignore[reportAttributeAccessIssue]
        except (OSError, MemoryError):
            pass  # a full or broken flash must not hide the exception itself

    def start_watchdog(self) -> None:
        """Start the watchdog. Only a reset stops it."""
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def feed_watchdog(self) -> None:
        """Call this at least every WATCHDOG_MS, from code that must not hang."""
        if self._watchdog is not None:
            self._watchdog.feed()

    def feed_by_timer(self) -> None:
        """
        Feed the watchdog by a timer from now on: a person works at the prompt, and a watchdog cannot be stopped.

        A soft reset ends the timer, but then main.py runs again or a tool resets the board in the end.
        """
        self.intend_reset()
        if self._watchdog is not None:
            self._timer = machine.Timer(0)
            self._timer.init(period=WATCHDOG_MS // 9, callback=lambda timer: self.feed_watchdog())

    def _determine_cause(self, reset_cause, activity):
        if activity is None:
            return POWER_ON
        if reset_cause == machine.PWRON_RESET:
            return BROWN_OUT
        if activity == _RAISED:
            return EXCEPTION
        if reset_cause == machine.WDT_RESET:
            return WATCHDOG
        if reset_cause == machine.DEEPSLEEP_RESET:
            return DEEP_SLEEP
        if reset_cause == machine.SOFT_RESET:
            return SOFT
        if reset_cause == _NO_CAUSE:
            return RESTART
        return RESTART if activity == _INTENDED else CRASH

    def _load(self):
        """Return the activity when the last run ended, None if the power was off."""
        memory = machine.RTC().memory()
        if len(memory) != struct.calcsize(_FORMAT) or memory[:3] != _MAGIC or sum(memory[:-1]) & 255 != memory[-1]:
            return None
        _, activity, self.crashes, self._sniff_crashes, in_a_row, self.brown_outs, low, _ = struct.unpack(
            _FORMAT, memory
        )
        self.crashes_in_a_row, self.brown_outs_in_a_row = in_a_row, low
        return activity

    def _store(self, activity):
        self._activity = activity
        counts = (self.crashes, self._sniff_crashes, self.crashes_in_a_row, self.brown_outs, self.brown_outs_in_a_row)
        memory = struct.pack(_FORMAT, _MAGIC, activity, *(counts + (0,)))
        machine.RTC().memory(memory[:-1] + bytes([sum(memory) & 255]))
