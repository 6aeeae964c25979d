"""
Run the sensor, or show why it cannot run.

Called by /main.py. Unusable settings do not cause a reset: the light flashes three times, and the reason is printed on
the console every few seconds, until there are usable ones. After SAFE_MODE_AFTER crashes in a row only safe mode runs
(safe_mode.py).
"""

import asyncio
import gc
import sys
import time

import machine

from ansim import VERSION
from firmware.maintenance.crash_counter import BROWN_OUT, CrashCounter
from firmware.panel import signal
from firmware.radio import sniffer

COLLECT_BYTES = 4096
SAFE_MODE_AFTER = 5
RETRY_MS = 5000
FIRST_PAUSE_S = 2  # after an unexpected error; doubles with each, so that a broken sensor stays reachable
MAX_PAUSE_S = 300
LOW_POWER_PAUSE_S = 5  # after a brown-out, before the radio draws its current; doubles with each, up to MAX_PAUSE_S
WIPING = "/wiping"


def main() -> None:
    """Never returns; Ctrl-C on the console ends it."""
    print("Ansim %s" % VERSION)  # tools/flash.py waits for this line
    # Not only when the heap is full: long-lived objects would be scattered over all of it, with no room for a message.
    gc.threshold(COLLECT_BYTES)
    sniffer.silence()
    crash_counter = CrashCounter()
    crash_counter.begin()
    _resume_wipe()
    try:
        if crash_counter.cause == BROWN_OUT:
            seconds = min(LOW_POWER_PAUSE_S << min(crash_counter.brown_outs_in_a_row - 1, 6), MAX_PAUSE_S)
            print("The supply voltage fell too low; the sensor starts in %d s" % seconds)
            pause(seconds, crash_counter)
        settings, on_trial = wait_for_settings(crash_counter)
        if crash_counter.crashes_in_a_row >= SAFE_MODE_AFTER:
            print("Safe mode after %d crashes in a row" % crash_counter.crashes_in_a_row)
            from firmware.safe_mode import SafeMode

            asyncio.run(SafeMode(settings, crash_counter, on_trial).run())
        else:
            from firmware.app import App

            asyncio.run(App(settings, crash_counter, on_trial).run())
    except KeyboardInterrupt:
        crash_counter.feed_by_timer()
        raise
    except Exception as error:
        print("The sensor stopped unexpectedly and restarts:")
        sys.print_exception(error)
        sniffer.silence()
        crash_counter.record_exception(error)
        pause(min(FIRST_PAUSE_S << min(crash_counter.crashes_in_a_row, 8), MAX_PAUSE_S), crash_counter)
    machine.reset()


def wait_for_settings(crash_counter):
    """Wait for usable settings, and feed the watchdog; return (the checked settings, True if they are on trial)."""
    from ansim.settings import BadSettings  # here, so that it can be unloaded
    from firmware import boards
    from firmware.maintenance import settings_trial

    while True:
        try:
            settings, on_trial = settings_trial.current()
            boards.channels_of(boards.load(settings["board"]), settings)
            return settings, on_trial
        except (BadSettings, boards.UnknownBoard) as error:
            print("settings.json is not usable:\n%s" % error)
        crash_counter.feed_watchdog()
        # The board is unknown without settings: most have their light on this pin.
        signal.Signal(boards.load(boards.NAMES[0]).LED, 1).blink_for(signal.FAULT, RETRY_MS)


def pause(seconds, crash_counter):
    """Wait; Ctrl-C on the console still works."""
    for _ in range(seconds):
        crash_counter.feed_watchdog()
        time.sleep(1)


def _resume_wipe():
    """Continue a wipe that a power cut has interrupted."""
    from firmware.maintenance import files

    if files.exists(WIPING):
        from firmware.maintenance.wipe import wipe

        wipe()
