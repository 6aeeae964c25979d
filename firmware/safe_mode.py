"""
Safe mode: after too many crashes in a row no radio is listened to. The sensor delivers what it has, says
how it is, and takes the commands that can mend it: settings, update, restart, wipe.

    await Safe(settings, health, on_trial).run()

After SAFE_MS it tries again as usual.
"""

import asyncio

import machine
import network

from ansim import VERSION, messages
from ansim.envelope import key_bytes
from firmware import boards
from firmware.journal.journal import Journal
from firmware.maintenance.upkeep import UPDATE_WINDOW_MS, Upkeep
from firmware.network import uplink
from firmware.network.clock import Clock
from firmware.network.commands import Commands
from firmware.network.link import Link
from firmware.panel import signal

SAFE_MS = 3_600_000
UPLOAD_MS = 30_000
PAUSE_MS = 15_000
JOURNAL_FOLDER, COMMANDS_FILE = "/journal", "/commands.json"  # as in app.py


class Safe:
    """The least that can be mended from afar. As app.App, without ears."""

    def __init__(self, settings: dict, health, on_trial=False):
        self._health = health
        self._board = board = boards.load(settings["board"])
        self._wired = settings["uplink"] == "ethernet"
        self._led = signal.Signal(board.LED, board.LED_ON)
        wlan = network.WLAN(network.WLAN.IF_STA)
        way = uplink.Ethernet(board.lan()) if self._wired else uplink.Wifi(wlan, settings["wifi"])
        self._clock = clock = Clock()
        self._journal = Journal(JOURNAL_FOLDER, settings["journal_bytes"], clock)
        self._commands = Commands(settings["device"], key_bytes(settings), clock, COMMANDS_FILE)
        self._link = Link(settings, self._journal, clock, self._commands, way, self._describe)
        self._upkeep = Upkeep(settings, on_trial, clock, self._restart, health.feed_watchdog)
        self._link.errand = self._upkeep  # pyright: ignore[reportAttributeAccessIssue]

    async def run(self) -> None:
        """Deliver and obey until SAFE_MS are over. Raises what nobody expected."""
        self._health.start_watchdog()
        self._journal.open()
        self._upkeep.begin()
        body = {"version": VERSION, "slot": self._upkeep.info_fields()["slot"]}
        body["cause"], body["crashes"] = self._health.cause, self._health.crashes
        self._journal.append(messages.RESET, body)
        for name, handler in self._upkeep.handlers():
            self._commands.on(name, handler)
        tasks = [self._stay(), self._led.run()]
        if self._wired:
            tasks.append(self._link.stay_connected())
        if self._upkeep.on_trial:
            tasks.append(self._upkeep.confirm_or_restart(self._link, lambda: None))
        await asyncio.gather(*tasks)

    async def _stay(self):
        self._led.show(signal.FAULT)
        while self._clock.now_ms() < SAFE_MS:
            self._health.feed_watchdog()
            if not self._wired:
                await self._link.upload(UPDATE_WINDOW_MS if self._upkeep.is_pending else UPLOAD_MS)
            for _ in range(PAUSE_MS // 1000):
                self._health.feed_watchdog()
                await asyncio.sleep(1)
        await self._restart()

    def _describe(self):
        fields = {
            "version": VERSION,
            "interpreter": "MicroPython",
            "board": self._board.NAME,
            "capabilities": [],
            "fitted": list(self._board.FITTED),
            "battery_percent": None,
            "crashes": self._health.crashes,
            "reset_cause": self._health.cause,
            "ring_dropped": 0,
            "inspection": self._journal.inspection,
            "safe": True,
        }
        fields.update(self._upkeep.info_fields())
        return fields

    async def _restart(self, last=None):
        """End this run on purpose; last() is called just before."""
        await self._link.stop(messages.DISCONNECTED)
        self._journal.close()
        if last:
            last()
        self._health.intend_reset()
        machine.reset()
