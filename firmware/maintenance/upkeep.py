"""
What keeps a sensor itself in order: new settings, tables and versions, their trials, and the wipe.

    upkeep = Upkeep(settings, on_trial, clock, restart, feed)
    for name, handler in upkeep.table(): commands.on(name, handler)
    link.errand = upkeep                   # the link calls run() while it is connected and `waits` is true
    await upkeep.prove(link, hurry)        # ends once what is on trial has reached the broker, or restarts

Used by the app and by safe mode. What only some sensors need now and then is imported when it is needed.
"""

import asyncio

from ansim import messages
from ansim.envelope import key_bytes
from firmware.maintenance import slots

TABLES = "/signatures"
UPDATE_WINDOW_MS = 60_000  # of an upload while an update is fetched: less than the watchdog's patience


class Upkeep:
    """
    settings, on_trial   as trial.current() returns them
    clock                as firmware/network/clock.py
    restart              async function(last=None) that ends this run on purpose, calling last() just before
    feed                 function() for the watchdog
    """

    def __init__(self, settings, on_trial, clock, restart, feed):
        self._key = key_bytes(settings)
        self._device = settings["device"]
        self._settings_on_trial = on_trial
        self._clock = clock
        self._restart = restart
        self._feed = feed
        self._state = slots.read()
        self._update = None
        self._task = None
        self.waits = False

    def begin(self) -> None:
        """Look whether an update waits to be fetched."""
        self.waits = slots.is_ordered()

    def table(self) -> list:
        """Return [(name of the command, handler), ...]."""
        return [
            (messages.SETTINGS, self._settings),
            (messages.SIGNATURES, self._signatures),
            (messages.UPDATE, self._order),
            (messages.WIPE, self._wipe),
            (messages.RESTART, lambda args, command_id: self._restart),
        ]

    def fields(self) -> dict:
        """Return what the info message says of the version."""
        found = {"slot": self._state["slot"]}
        if self._state["update"] and self._state["left"] is None:
            found["update"] = self._state["update"]
        if self._state["failed"]:
            found["failed_update"] = self._state["failed"]
        return found

    @property
    def on_trial(self) -> bool:
        """True until what is new in this start has reached the broker."""
        return self._settings_on_trial or self._state["left"] is not None

    async def prove(self, link, hurry) -> None:
        """Wait for the broker, calling hurry() each second; restart when the time for it is over."""
        from firmware.maintenance import settings_trial

        seconds = settings_trial.TRIAL_S if self._settings_on_trial else slots.TRIAL_S
        until_ms = self._clock.now_ms() + seconds * 1000
        while self.on_trial:
            if link.ever_ready:
                if self._settings_on_trial:
                    settings_trial.accept()
                    self._settings_on_trial = False
                slots.confirm()
                self._state = slots.read()
                link.announce()
            elif self._clock.now_ms() >= until_ms:
                print("the broker was not reached in %d s; going back" % seconds)
                await self._restart()
            else:
                hurry()
                await asyncio.sleep(1)

    async def run(self, session, until_ms) -> None:
        """Fetch some of the update that waits, until a time of the clock."""
        from firmware.maintenance import update

        self._update = self._update or update.Update(self._key)
        try:
            if await self._update.run(session.fetch, until_ms, self._clock.now_ms, self._feed):
                self.waits = False
                self._later(self._restart)
        except (update.BadUpdate, OSError) as error:
            print("update:", error)
            self.waits = update.is_ordered()
            self._update = None
            if not self.waits:
                self._state["failed"] = str(error)[:64]

    def _later(self, work):
        # Not in the link's own task, which the restart waits for.
        self._task = asyncio.create_task(work())

    def _settings(self, args, command_id):
        from firmware.maintenance import settings_trial

        return settings_trial.propose(args["changes"]) or self._restart

    def _order(self, args, command_id):
        from firmware.maintenance import update

        why = update.order(args)
        if not why:
            self._update = None
            self.waits = True
        return why

    def _wipe(self, args, command_id):
        if args["device"] != self._device:
            return "the device's own name is needed"
        return self._wiped

    async def _wiped(self):
        from firmware.maintenance.wipe import WIPING, wipe

        with open(WIPING, "w"):  # at once: if this run hangs in its goodbyes, the next start does it
            pass
        await self._restart(wipe)

    def _signatures(self, args, command_id):
        from firmware.maintenance import signature_update

        answer = signature_update.take(args, self._key, TABLES)
        return self._restart if answer is None else answer
