"""
A clock that a test can set: Python loads this module at its start when the folder is in PYTHONPATH.

The file that ANSIM_TEST_CLOCK names has the seconds that the clock is wrong by; it is read again every 0.1 s. The
monotonic clock stays as it is, as when an administrator or NTP sets the clock of a machine.
"""

import os
import time

READ_EVERY_S = 0.1


def _install(path):
    real_time, real_time_ns, monotonic = time.time, time.time_ns, time.monotonic
    state = [0.0, -READ_EVERY_S]  # offset, when it was read

    def offset_s():
        now = monotonic()
        if now - state[1] >= READ_EVERY_S:
            state[1] = now
            try:
                with open(path) as file:
                    state[0] = float(file.read() or 0)
            except (OSError, ValueError):
                pass
        return state[0]

    time.time = lambda: real_time() + offset_s()
    time.time_ns = lambda: real_time_ns() + int(offset_s() * 1_000_000_000)


if "ANSIM_TEST_CLOCK" in os.environ:
    _install(os.environ["ANSIM_TEST_CLOCK"])
