"""
Runs on MicroPython: the delivery side of a sensor without radios, controlled by lines of JSON on stdin.

    micropython sensor_on_micropython.py FILE       {"device": ..., "folder": ..., ...settings}

    ["append", "sweep", 3]      append so many reports of that kind; answers [boot, seq]
    ["upload", 5000]            connection.upload(); answers true or false
    ["stay"]  ["stop", "disconnected"]
    ["uplink", false]           pull the cable
    ["begin_upload", 5000]      the same without waiting for it; see "uploaded" in look
    ["advance_ms", 1800000]     let the clock jump
    ["overdue"]                 let it jump so far that no answer of the server is expected any more
    ["look"]                    counters and what waits
    ["fill", 5000]              append sweeps as fast as possible
"""

import asyncio
import gc
import json
import sys
import time

from report_bodies import BODIES  # in tests/support, see SensorProcess

from ansim import messages
from ansim.envelope import key_bytes
from ansim.settings import checked
from firmware.journal.journal import Journal
from firmware.network.clock import Clock
from firmware.network.command_receiver import Commands
from firmware.network.server_connection import Connection
from firmware.network.wifi_and_ethernet import NoUplink


class Cable:
    """An uplink that is there or not."""

    def __init__(self):
        self.plugged = True

    async def join(self, timeout_ms):
        if not self.plugged:
            raise NoUplink("no cable")

    def is_up(self):
        return self.plugged

    def leave(self):
        pass

    def rssi_dbm(self):
        return None


class Sensor:
    """Journal, clock, commands and connection, and what was ordered."""

    def __init__(self, given):
        folder = given.pop("folder")
        self.ahead_ms = given.pop("ticks_ms", 0)
        settings = checked(given)
        self.clock = Clock(lambda: (time.ticks_ms() + self.ahead_ms) & ((1 << 30) - 1))
        self.journal = Journal(folder, settings["journal_bytes"], self.clock)
        self.commands = Commands(settings["device"], key_bytes(settings), self.clock, folder + ".commands")
        self.cable = Cable()
        self.connection = Connection(settings, self.journal, self.clock, self.commands, self.cable, self.describe)
        self.ordered = []
        self.task = None
        self.uploaded = None

    def describe(self):
        return {
            "version": "0.1.0",
            "interpreter": "test",
            "board": "esp32_devkit",
            "slot": "a",
            "capabilities": ["scan", "sniff"],
            "fitted": ["led"],
            "battery_percent": None,
            "crashes": 0,
            "reset_cause": "power_on",
            "ring_dropped": 0,
            "inspection": self.journal.inspection,
        }

    def dwell(self, args, command_id):
        self.ordered.append(["dwell", args["channel"]])
        return "not_this_channel" if args["channel"] == 13 else None

    async def restart(self, args, command_id):
        self.ordered.append(["restart"])
        return self.stop_and_leave

    async def stop_and_leave(self):
        await self.connection.stop(messages.DISCONNECTED)
        self.journal.close()
        self.ordered.append(["left"])

    async def upload(self, deadline_ms):
        self.uploaded = await self.connection.upload(deadline_ms)

    async def answer(self, order):
        what = order[0]
        journal, connection = self.journal, self.connection
        if what == "append":
            for _ in range(order[2]):
                journal.append(order[1], BODIES[order[1]])
            return [journal.boot, journal.seq]
        if what == "fill":
            for index in range(order[1]):
                journal.append(messages.SWEEP, BODIES[messages.SWEEP])
                if index % 50 == 49:
                    await asyncio.sleep(0)
            return [journal.boot, journal.seq]
        if what == "upload":
            return await connection.upload(order[1])
        if what == "stay":
            self.task = asyncio.create_task(connection.stay_connected())
        elif what == "stop":
            await connection.stop(order[1])
            await self.task
        elif what == "uplink":
            self.cable.plugged = order[1]
        elif what == "advance_ms":
            self.ahead_ms += order[1]
            journal.appended.set()  # so that it is noticed at once
        elif what == "begin_upload":
            self.uploaded = None
            self.task = asyncio.create_task(self.upload(order[1]))
        elif what == "overdue":
            self.ahead_ms += 11000
            journal.appended.set()
        elif what == "live":
            connection.send_live("c0:ff:ee:00:00:01", -60, -61, 3, "warmer")
        elif what == "announce":
            connection.request_info()
        elif what == "inspection":
            journal.inspection = order[1]
        elif what == "heap":
            gc.collect()
            return gc.mem_alloc()
        return self.look()

    def look(self):
        return {
            "boot": self.journal.boot,
            "seq": self.journal.seq,
            "reports": self.journal.reports,
            "bytes": self.journal.bytes,
            "dropped": self.journal.dropped,
            "connected": self.connection.connected,
            "connects": self.connection.connects,
            "problem": self.connection.problem,
            "live_dropped": self.connection.live_dropped,
            "clock": self.clock.source,
            "time_s": self.clock.time_s(),
            "now_ms": self.clock.now_ms(),
            "ordered": self.ordered,
            "uploaded": self.uploaded,
            "running": self.task is not None and not self.task.done(),
        }


async def main():
    with open(sys.argv[1]) as file:
        sensor = Sensor(json.load(file))
    for name, handler in ((messages.DWELL, sensor.dwell), (messages.RESTART, sensor.restart)):
        sensor.commands.on(name, handler)
    sensor.journal.open()
    lines = asyncio.StreamReader(sys.stdin.buffer)
    while True:
        line = await lines.readline()
        if not line:
            return
        print("=" + json.dumps(await sensor.answer(json.loads(line))))


asyncio.run(main())
