"""
Runs on the interpreter with the program in its image (see heap.py): starts the program as a board does, and prints the
heap that each module takes, as JSON {name: bytes}, once all are imported. A module's bytes do not include those of the
modules that it imports.
"""

import builtins
import gc
import json
import sys

# Imported later, by parts that are fitted or when the sensor runs.
LATE = ("ssl", "_machine_i2c_spi", "_machine_pwm_adc_timer", "_ssd1306", "_nrf24")
LATE += ("firmware.panel.oled", "firmware.panel.screen", "firmware.panel.battery", "firmware.panel.button")
LATE += ("firmware.inspecting.button_actions", "ansim.downlink_schemas", "ansim.detect.stations.count")

taken = {}
inner = []  # for each import that is under way: bytes of the modules that it imports
original = builtins.__import__


def used():
    gc.collect()
    return gc.mem_alloc()


def measure(name, *arguments):
    before, is_new = used(), name not in sys.modules
    inner.append(0)
    module = original(name, *arguments)
    bytes_taken, deeper = used() - before, inner.pop()
    if is_new:
        taken[name] = taken.get(name, 0) + bytes_taken - deeper
    if inner:
        inner[-1] += bytes_taken if is_new else deeper
    if is_new and name == "firmware.app":
        finish()
    return module


def finish():
    for name in LATE:
        measure(name)
    print(json.dumps(taken))
    sys.exit()


for name in ("os", "time"):
    measure(name)
for part in ("core", "event", "funcs", "lock", "stream"):  # asyncio imports them relatively, which measure() cannot
    before = used()
    original("asyncio." + part, None, None, ("x",))
    taken["asyncio." + part] = used() - before
builtins.__import__ = measure
__import__("sim_boot")
