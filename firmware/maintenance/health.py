"""
Why the last run ended, and what follows from it.

    health = Health()
    health.begin()                  # once, at boot
    health.cause, health.crashes    # for the RESET report and info
    health.level()                  # what the sniffer may do after these crashes
    health.watch(); health.feed()   # the watchdog
    health.attend()                 # it must not bite who works at the prompt

The chip tells a power-on from a watchdog, but not a crash from machine.reset(): both are
HARD_RESET. So a mark in RTC memory says what was going on, and is taken away before every
end that is meant. RTC memory outlives resets and is empty after a power-on; so counting
starts anew with the power.

Sniffing has crashed some chips after minutes (a fault in the Wi-Fi driver, far rarer with
management frames only). After FALL_BACK_AFTER crashes while sniffing the sensor listens to
management frames only, after as many again to nothing but scans; each hour without
one forgives one.
"""

import gc
import io
import struct
import sys

import machine

POWER_ON, RESTART, CRASH, WATCHDOG, EXCEPTION, SOFT, DEEP_SLEEP = (
    "power_on",
    "restart",
    "crash",
    "watchdog",
    "exception",
    "soft",
    "deep_sleep",
)

FALL_BACK_AFTER = 3
FORGIVE_MS = 3_600_000
WATCHDOG_MS = 90_000  # longer than a name look-up and a TLS handshake, which block, together
CRASH_FILE = "/crash.txt"
CRASH_FILE_BYTES = 2000

_MAGIC = b"AN1"
_FORM = "<3sBHBB"  # magic, what is going on, crashes, crashes while sniffing, crashes in a row
_MEANT, _RUNNING, _SNIFFING, _RAISED = 0, 1, 2, 3


class Health:
    """Counts crashes over resets. begin() comes before everything else."""

    def __init__(self):
        self.cause = POWER_ON
        self.crashes = 0  # since the power came
        self.in_a_row = 0  # without an hour of good running between them
        self._sniff_crashes = 0
        self._doing = _MEANT
        self._forgiven_ms = 0
        self._watchdog = None
        self._timer = None

    def begin(self) -> None:
        """Find out how the last run ended."""
        doing = self._recall()
        chip_says = machine.reset_cause()
        self.cause = self._judge(chip_says, doing)
        if self.cause in (CRASH, WATCHDOG, EXCEPTION):
            self.crashes = min(self.crashes + 1, 65535)
            self.in_a_row = min(self.in_a_row + 1, 255)
            if doing == _SNIFFING:
                self._sniff_crashes = min(self._sniff_crashes + 1, 2 * FALL_BACK_AFTER)
        else:
            self.in_a_row = 0
        self._note(_RUNNING)

    def level(self) -> int:
        """Return what the sniffer may do: 2 everything, 1 management frames only, 0 nothing."""
        return 2 - self._sniff_crashes // FALL_BACK_AFTER

    def sniffs(self, is_sniffing: bool) -> None:
        """Say whether the sniffer runs, so that a crash can be told from others."""
        doing = _SNIFFING if is_sniffing else _RUNNING
        if doing != self._doing:
            self._note(doing)

    def runs_well(self, now_ms: int) -> None:
        """Say the sensor's time now and then: long good running is forgiven for."""
        if now_ms - self._forgiven_ms >= FORGIVE_MS:
            self._forgiven_ms = now_ms
            self.in_a_row = 0
            self._sniff_crashes = max(0, self._sniff_crashes - 1)
            self._note(self._doing)

    def ends(self) -> None:
        """The next reset is meant."""
        self._note(_MEANT)

    def failed(self, error: Exception) -> None:
        """An exception nobody expected is about to end the run: keep it for whoever looks."""
        self._note(_RAISED)
        gc.collect()
        try:
            text = io.StringIO()
            sys.print_exception(error, text)  # pyright: ignore[reportArgumentType]
            with open(CRASH_FILE, "w") as file:
                file.write(text.getvalue()[-CRASH_FILE_BYTES:])  # pyright: ignore[reportAttributeAccessIssue]
        except (OSError, MemoryError):
            pass  # what is full or broken here must not hide the exception itself

    def watch(self) -> None:
        """Start the watchdog. Nothing but a reset ends it."""
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def feed(self) -> None:
        """Call at least every WATCHDOG_MS, from what must not hang."""
        if self._watchdog is not None:
            self._watchdog.feed()

    def attend(self) -> None:
        """
        Feed the watchdog by a timer from now on: a person is at the prompt, and nothing can stop a watchdog.

        A soft reset ends the timer, but then main.py runs again or a tool resets the board in the end.
        """
        self.ends()
        if self._watchdog is not None:
            self._timer = machine.Timer(0)
            self._timer.init(period=WATCHDOG_MS // 9, callback=lambda timer: self.feed())

    def _judge(self, chip_says, doing):
        if chip_says == machine.PWRON_RESET or doing is None:
            return POWER_ON
        if doing == _RAISED:
            return EXCEPTION
        if chip_says == machine.WDT_RESET:
            return WATCHDOG
        if chip_says == machine.DEEPSLEEP_RESET:
            return DEEP_SLEEP
        if chip_says == machine.SOFT_RESET:
            return SOFT
        return RESTART if doing == _MEANT else CRASH

    def _recall(self):
        """Return what was going on when the last run ended; None if the power was off."""
        kept = machine.RTC().memory()
        if len(kept) < struct.calcsize(_FORM) or kept[:3] != _MAGIC:
            return None
        _, doing, self.crashes, self._sniff_crashes, self.in_a_row = struct.unpack(_FORM, kept)
        return doing

    def _note(self, doing):
        self._doing = doing
        kept = struct.pack(_FORM, _MAGIC, doing, self.crashes, self._sniff_crashes, self.in_a_row)
        machine.RTC().memory(kept)
