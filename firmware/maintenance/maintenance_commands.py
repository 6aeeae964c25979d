"""
Maintenance over the air: new settings, signature tables and versions, their trials, restart and wipe.

    upkeep = MaintenanceCommands(settings, on_trial, clock, restart, feed_watchdog)
    connection = Connection(..., transfer=upkeep)      # it calls run() while it is connected and `is_pending` is true
    for name, handler in maintenance_commands.handlers(): commands.on(name, handler)
    await maintenance_commands.confirm_or_restart(connection, request_upload)

Used by the app and by safe mode. Modules that are needed only now and then are imported where they are used, so that
they can be unloaded (unload_modules.py).
"""

import asyncio

from ansim import messages, refusal_codes
from ansim.envelope import key_bytes

TABLES = "/signatures"
UPDATE_WINDOW_MS = 60_000  # of an upload while an update is fetched; less than crash_counter.WATCHDOG_MS
BY_USB = "usb"
_MAX_ERROR_CHARS = 63  # `failed_update` of 64 characters is a SHA-256


class MaintenanceCommands:
    """
    settings, on_trial   as settings_trial.current() returns them
    clock                see firmware/network/clock.py
    restart              async function(last=None) that ends this run on purpose and calls last() just before the reset
    feed_watchdog        function()

    is_pending           True while an update is to be fetched
    """

    def __init__(self, settings, on_trial, clock, restart, feed_watchdog):
        from firmware.maintenance import program_slots

        self.is_pending = False
        self._key = key_bytes(settings)
        self._device = settings["device"]
        self._settings_on_trial = on_trial
        self._clock = clock
        self._restart = restart
        self._feed_watchdog = feed_watchdog
        self._state = program_slots.read()
        self._update = None
        self._task = None

    def begin(self) -> None:
        """Check whether an update is to be fetched."""
        from firmware.maintenance import program_slots

        self.is_pending = program_slots.is_update_pending()

    def handlers(self) -> list:
        """Return [(name of the command, handler), ...]."""
        return [
            (messages.SETTINGS, self._change_settings),
            (messages.SIGNATURES, self._receive_signatures),
            (messages.UPDATE, self._schedule_update),
            (messages.WIPE, self._wipe),
            (messages.RESTART, lambda args, command_id: self._restart),
        ]

    def info_fields(self) -> dict:
        """Return the fields of the info message that are about the version."""
        from firmware.maintenance import chip_memory

        fields = {"slot": self._state["slot"]}
        if not chip_memory.has_room_for_files():
            fields["updates"] = BY_USB
        if self._state["update"] and self._state["left"] is None:
            fields["update"] = self._state["update"]
        if self._state["failed"]:
            fields["failed_update"] = self._state["failed"]
        return fields

    @property
    def on_trial(self) -> bool:
        """True while new settings or a new version have not reached the broker."""
        return self._settings_on_trial or self._state["left"] is not None

    async def confirm_or_restart(self, connection, request_upload) -> None:
        """Confirm what is on trial once the broker is reached; restart with what was before when the time is over."""
        from firmware.maintenance import program_slots, settings_trial

        seconds = settings_trial.TRIAL_S if self._settings_on_trial else program_slots.TRIAL_S
        until_ms = self._clock.now_ms() + seconds * 1000
        while self.on_trial:
            if connection.ever_ready:
                if self._settings_on_trial:
                    settings_trial.accept()
                    self._settings_on_trial = False
                program_slots.confirm()
                self._state = program_slots.read()
                connection.request_info()
            elif self._clock.now_ms() >= until_ms:
                print("the broker was not reached in %d s; going back" % seconds)
                await self._restart()
            else:
                request_upload()
                await asyncio.sleep(1)

    async def run(self, session, until_ms) -> None:
        """Fetch parts of the pending update until a time of the clock."""
        from firmware.maintenance import program_slots, program_update

        self._update = self._update or program_update.Update(self._key)
        try:
            if await self._update.run(session.fetch, until_ms, self._clock.now_ms, self._feed_watchdog):
                self.is_pending = False
                # Not in the connection's own task, which the restart waits for.
                self._task = asyncio.create_task(self._restart())
        except (program_update.BadUpdate, OSError) as error:
            print("update:", error)
            self.is_pending = program_slots.is_update_pending()
            self._update = None
            if not self.is_pending:
                self._state["failed"] = str(error)[:_MAX_ERROR_CHARS]

    def _change_settings(self, args, command_id):
        from firmware.maintenance import settings_trial

        return settings_trial.propose(args["changes"]) or self._restart

    def _schedule_update(self, args, command_id):
        from firmware.maintenance import chip_memory, program_update

        if not chip_memory.has_room_for_files():
            return refusal_codes.USB_ONLY
        error = program_update.schedule(args)
        if not error:
            self._update = None
            self.is_pending = True
        return error

    def _wipe(self, args, command_id):
        if args["device"] != self._device:
            return refusal_codes.WRONG_DEVICE
        return self._wipe_and_restart

    async def _wipe_and_restart(self):
        from firmware.maintenance import files
        from firmware.maintenance.wipe import WIPING, wipe

        files.touch(WIPING)  # at once: if this run hangs while it disconnects, the next start wipes
        await self._restart(wipe)

    def _receive_signatures(self, args, command_id):
        from firmware.maintenance import signature_update

        error = signature_update.receive(args, self._key, TABLES)
        return self._restart if error is None else error
