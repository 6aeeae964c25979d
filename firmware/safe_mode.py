"""
Safe mode, after too many crashes in a row: no radio listens. The sensor delivers its reports and accepts the commands
that can repair it: settings, signature table, update, restart, wipe.

    await SafeMode(settings, crash_counter, on_trial).run()

After SAFE_MODE_MS it restarts as usual.
"""

import asyncio

from firmware import boards
from firmware.base_app import BaseApp
from firmware.maintenance.maintenance_commands import UPDATE_WINDOW_MS
from firmware.panel import signal

SAFE_MODE_MS = 3_600_000
UPLOAD_MS = 30_000
PAUSE_S = 15


class SafeMode(BaseApp):
    """
    settings, crash_counter, on_trial   see BaseApp
    """

    def __init__(self, settings: dict, crash_counter, on_trial: bool = False):
        board = boards.load(settings["board"])
        super().__init__(settings, crash_counter, board, on_trial)
        self._led = signal.Signal(board.LED, board.LED_ON)

    async def run(self) -> None:
        """Deliver reports and handle commands until SAFE_MODE_MS are over. Raises unexpected errors."""
        self._begin()
        self._report_reset()
        self._add_handlers(self._upkeep.handlers())
        tasks = [self._stay(), self._led.run()] + self._network_tasks(lambda: None)
        await asyncio.gather(*tasks)

    async def _stay(self):
        self._led.show(signal.FAULT)
        while self._clock.now_ms() < SAFE_MODE_MS:
            self._crash_counter.feed_watchdog()
            if not self._is_wired:
                await self._connection.upload(UPDATE_WINDOW_MS if self._upkeep.is_pending else UPLOAD_MS)
            for _ in range(PAUSE_S):
                self._crash_counter.feed_watchdog()
                await asyncio.sleep(1)
        await self._restart()

    def _describe(self):
        fields = super()._describe()
        fields["safe"] = True
        return fields
