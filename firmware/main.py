"""
Power-on: run the sensor, or show why it cannot run.

Copied to /main.py on the board. Bad settings are waited for, not rebooted over: three quick
flashes, and the reason on the console every few seconds.
"""

import asyncio
import sys
import time

import machine

from ansim import VERSION
from ansim.settings import BadSettings, load
from firmware import boards, led
from firmware.health import Health
from firmware.radio import sniffer

SETTINGS = "/settings.json"
LOOK_AGAIN_MS = 5000
FIRST_PAUSE_S = 2  # after an unexpected end; doubles with each, so that a broken sensor stays reachable
LONGEST_PAUSE_S = 300


def main():
    """Never returns; Ctrl-C on the console ends it."""
    print("Ansim %s" % VERSION)  # tools/flash.py waits for this line
    sniffer.silence()
    health = Health()
    health.begin()
    settings = wait_for_settings()
    try:
        from firmware.app import App

        asyncio.run(App(settings, health).run())
    except KeyboardInterrupt:
        health.attend()
        raise
    except Exception as error:
        print("The sensor stopped unexpectedly and restarts:")
        sys.print_exception(error)
        sniffer.silence()
        health.failed(error)
        pause(min(FIRST_PAUSE_S << min(health.in_a_row, 8), LONGEST_PAUSE_S), health)
    machine.reset()


def wait_for_settings() -> dict:
    """Return the checked settings, as soon as there are any."""
    while True:
        try:
            settings = load(SETTINGS)
            boards.load(settings["board"])
            return settings
        except (BadSettings, boards.UnknownBoard) as error:
            print("settings.json is not usable:\n%s" % error)
        # Which board this is, only the settings know: most have their light here.
        led.Led(boards.load(boards.NAMES[0]).LED, 1).blink_for(led.FAULT, LOOK_AGAIN_MS)


def pause(seconds, health):
    """Wait where Ctrl-C on the console still works."""
    for _ in range(seconds):
        health.feed()
        time.sleep(1)


main()
