"""
The base of the app and of safe mode: uplink, clock, journal, commands, updates and the connection to the server.
"""

import sys

import machine
import network

from ansim import VERSION, messages
from ansim.envelope import key_bytes
from firmware.journal.journal import Journal
from firmware.maintenance import chip_memory
from firmware.maintenance.maintenance_commands import MaintenanceCommands
from firmware.network import wifi_and_ethernet
from firmware.network.clock import Clock
from firmware.network.command_receiver import Commands
from firmware.network.server_connection import Connection
from firmware.radio import ble, sniffer

JOURNAL_FOLDER = "/journal"
COMMANDS_FILE = "/commands.json"
TIME_FILE = "/time"


class FlashFailed(Exception):
    """A report could not be written to the journal."""


class BaseApp:
    """
    settings  checked (ansim/settings.py)
    crash_counter    a crash_counter.CrashCounter that has begun
    board     a module of firmware/boards
    on_trial  True if the settings are new and may be reverted (settings_trial.py)
    """

    def __init__(self, settings: dict, crash_counter, board, on_trial: bool):
        self._settings = settings
        self._crash_counter = crash_counter
        self._board = board
        self._is_wired = settings["uplink"] == "ethernet"
        self._wlan = network.WLAN(network.WLAN.IF_STA)
        self._uplink = (
            wifi_and_ethernet.Ethernet(board.lan())
            if self._is_wired
            else wifi_and_ethernet.Wifi(self._wlan, settings["wifi"], ble.is_on)
        )
        self._clock = Clock(path=TIME_FILE)
        self._journal = Journal(JOURNAL_FOLDER, settings["journal_bytes"], self._clock)
        self._commands = Commands(settings["device"], key_bytes(settings), self._clock, COMMANDS_FILE)
        self._upkeep = MaintenanceCommands(settings, on_trial, self._clock, self._restart, crash_counter.feed_watchdog)
        self._connection = Connection(
            settings=settings,
            journal=self._journal,
            clock=self._clock,
            commands=self._commands,
            uplink=self._uplink,
            describe=self._describe,
            transfer=self._upkeep,
        )

    def _begin(self):
        """Start the watchdog, set the radio's country and read the state from flash."""
        self._crash_counter.start_watchdog()
        sniffer.set_country(self._settings["country"])
        self._journal.open()
        self._upkeep.begin()

    def _report_reset(self):
        body = {
            "version": VERSION,
            "slot": self._upkeep.info_fields()["slot"],
            "cause": self._crash_counter.cause,
            "crashes": self._crash_counter.crashes,
            "brown_outs": self._crash_counter.brown_outs,
        }
        self._report(messages.RESET, body)

    def _add_handlers(self, handlers):
        for name, handler in handlers:
            self._commands.on(name, handler)

    def _network_tasks(self, request_upload):
        """Return the coroutines that run for ever, or until a trial ends (MaintenanceCommands.confirm_or_restart())."""
        tasks = []
        if self._upkeep.on_trial:
            tasks.append(self._upkeep.confirm_or_restart(self._connection, request_upload))
        if self._is_wired:
            tasks.append(self._connection.stay_connected())
        return tasks

    def _report(self, kind, body):
        """Append a report to the journal. Raises FlashFailed."""
        try:
            self._journal.append(kind, body)
        except OSError as error:  # an OSError itself would be taken for one of the radio
            raise FlashFailed("no room for a %s report: %s" % (kind, error))

    def _describe(self):
        """Return the fields of the info message that the connection does not know."""
        fields = {
            "version": VERSION,
            "interpreter": interpreter(),
            "board": self._board.NAME,
            "capabilities": [],
            "fitted": list(self._board.FITTED),
            "battery_percent": None,
            "crashes": self._crash_counter.crashes,
            "brown_outs": self._crash_counter.brown_outs,
            "reset_cause": self._crash_counter.cause,
            "ring_dropped": 0,
            "radio_errors": 0,
            "inspection": self._journal.inspection,
        }
        free_bytes, largest_bytes = chip_memory.measure()
        if free_bytes is not None:
            fields["chip_free_bytes"], fields["chip_largest_bytes"] = free_bytes, largest_bytes
        fields.update(self._upkeep.info_fields())
        return fields

    async def _restart(self, last=None):
        """End this run on purpose; last() is called just before the reset."""
        await self._connection.stop(messages.DISCONNECTED)
        self._journal.close()
        self._clock.keep(at_once=True)
        if last:
            last()
        self._crash_counter.intend_reset()
        machine.reset()


def interpreter() -> str:
    """Return the name and version of the interpreter, for the info message."""
    version = ".".join([str(part) for part in sys.implementation.version if part != ""])
    return ("MicroPython %s on %s" % (version, getattr(sys.implementation, "_machine", sys.platform)))[:64]
