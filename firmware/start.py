"""
Power-on: run the sensor, or show why it cannot run.

Called by /main.py. Bad settings are waited for, not rebooted over: three quick flashes, and the reason
on the console every few seconds. After SAFE_AFTER crashes in a row only what it takes to be mended runs
(safe.py).
"""

import asyncio
import gc
import sys
import time

import machine

from ansim import VERSION
from firmware.maintenance import files
from firmware.maintenance.health import Health
from firmware.panel import signal
from firmware.radio import sniffer

COLLECT_BYTES = 4096
SAFE_AFTER = 5
LOOK_AGAIN_MS = 5000
FIRST_PAUSE_S = 2  # after an unexpected end; doubles with each, so that a broken sensor stays reachable
LONGEST_PAUSE_S = 300
WIPING = "/wiping"


def main():
    """Never returns; Ctrl-C on the console ends it."""
    print("Ansim %s" % VERSION)  # tools/flash.py waits for this line
    # Not only when the heap is full: what stays would be scattered over all of it, and no room left for a message.
    gc.threshold(COLLECT_BYTES)
    sniffer.silence()
    health = Health()
    health.begin()
    _finish_wiping()
    settings, on_trial = wait_for_settings()
    try:
        if health.crashes_in_a_row >= SAFE_AFTER:
            print("Safe mode after %d crashes in a row" % health.crashes_in_a_row)
            from firmware.safe_mode import Safe

            asyncio.run(Safe(settings, health, on_trial).run())
        else:
            from firmware.app import App

            asyncio.run(App(settings, health, on_trial).run())
    except KeyboardInterrupt:
        health.feed_by_timer()
        raise
    except Exception as error:
        print("The sensor stopped unexpectedly and restarts:")
        sys.print_exception(error)
        sniffer.silence()
        health.record_exception(error)
        pause(min(FIRST_PAUSE_S << min(health.crashes_in_a_row, 8), LONGEST_PAUSE_S), health)
    machine.reset()


def wait_for_settings():
    """Return (the checked settings, True if they are on trial), as soon as there are any."""
    from ansim.settings import BadSettings  # here, so that it can be given back
    from firmware import boards
    from firmware.maintenance import settings_trial

    while True:
        try:
            settings, on_trial = settings_trial.current()
            boards.load(settings["board"])
            return settings, on_trial
        except (BadSettings, boards.UnknownBoard) as error:
            print("settings.json is not usable:\n%s" % error)
        # Which board this is, only the settings know: most have their light here.
        signal.Signal(boards.load(boards.NAMES[0]).LED, 1).blink_for(signal.FAULT, LOOK_AGAIN_MS)


def pause(seconds, health):
    """Wait where Ctrl-C on the console still works."""
    for _ in range(seconds):
        health.feed_watchdog()
        time.sleep(1)


def _finish_wiping():
    """Go on with a wipe that a power cut has interrupted."""
    if files.exists(WIPING):
        from firmware.maintenance.wipe import wipe

        wipe()
