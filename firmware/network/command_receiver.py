"""
Receive the server's commands: only signed ones, only before they expire, each only once.

    commands = Commands("hall-1", key, clock, "/commands.json")
    command_receiver.on(messages.DWELL, dwell)           # dwell(args, command_id)
    answer = await command_receiver.handle(payload)      # None: no acknowledgement is sent

A handler returns nothing when it is done, a code of ansim/refusal_codes.py when it refuses, or a function to call after
the acknowledgement is sent, for commands that end the program (restart, update, wipe). It may be async.

The id of a command is written to flash before its handler runs, and its result after. So a handler runs at most once,
even if the power goes in between; the acknowledgement is INTERRUPTED then. An id is forgotten when the command has
expired, because it is refused from then on anyway.
"""

import gc
from collections import namedtuple

from ansim import envelope, messages, refusal_codes, topics
from ansim.decode import BadMessage, argument_problems, decode_message
from ansim.schema import field_names
from firmware.network.clock import StaleTime

MAX_REMEMBERED = 32  # beyond this the command that expires first is forgotten

# command_id  the id to acknowledge
# error       "" if it is done, else a code of ansim/refusal_codes.py
# after       function to call after the acknowledgement is sent, or None
Answer = namedtuple("Answer", ("command_id", "error", "after"))


class Commands:
    """
    device, key  the device's name and its 32 bytes
    clock        see firmware/network/clock.py
    path         file that keeps the ids over a restart; None: only in RAM
    """

    def __init__(self, device: str, key: bytes, clock, path=None):
        self._topic = topics.topic(device, topics.CMD)
        self._key = key
        self._clock = clock
        self._path = path
        self._handlers = {}
        self._results = None  # id -> [expires_s, error]; read from the file at the first command

    def on(self, name: str, handler) -> None:
        """Call handler(args, command_id) for the commands of this name. The arguments are checked before."""
        self._handlers[name] = handler

    async def handle(self, payload: bytes):
        """
        Carry out one message of the device's cmd topic; return its Answer.

        Returns None if the message is not signed by our key or is not a command. A handler's MemoryError is a refusal;
        its other exceptions are not caught.
        """
        try:
            command = decode_message(topics.CMD, envelope.unseal(self._key, self._topic, payload))
        except (envelope.BadEnvelope, BadMessage) as error:
            print("rejected a command:", error)
            return None
        command_id, name, args = command["id"], command["name"], command["args"]
        if name == messages.TIME:
            return Answer(command_id, self._set_time(args), None)
        self._load_results()
        if command_id in self._results:
            return Answer(command_id, self._results[command_id][1], None)
        error = self._refusal(command)
        if error:
            return Answer(command_id, error, None)
        try:
            self._store_result(command_id, command["expires_s"], refusal_codes.INTERRUPTED)
        except OSError:
            del self._results[command_id]
            return Answer(command_id, refusal_codes.FLASH_FAILED, None)
        try:
            result = self._handlers[name](args, command_id)
            if hasattr(result, "send"):  # an async handler
                result = await result
        except MemoryError:
            gc.collect()
            result = refusal_codes.NO_MEMORY
        after = result if callable(result) else None
        error = "" if after else (result or "")[:200]  # pyright: ignore[reportIndexIssue]
        try:
            self._store_result(command_id, command["expires_s"], error)
        except OSError:
            pass  # after a restart it is acknowledged as interrupted, although it ran
        return Answer(command_id, error, after)

    def _set_time(self, args):
        problems = argument_problems(messages.TIME, args)
        if problems:
            return _bad_arguments(problems)
        try:
            self._clock.set_by_server(args["time_s"], args["nonce"])
        except StaleTime:
            return refusal_codes.STALE_TIME
        return ""

    def _refusal(self, command):
        """Return why this command is not carried out, "" if it is."""
        problems = argument_problems(command["name"], command["args"])
        if problems is None or command["name"] not in self._handlers:
            return refusal_codes.UNKNOWN_COMMAND
        if problems:
            return _bad_arguments(problems)
        now_s = self._clock.time_s()
        if now_s is None:
            return refusal_codes.NO_TIME
        return refusal_codes.EXPIRED if command["expires_s"] <= now_s else ""

    def _load_results(self):
        """Read the file, once."""
        if self._results is not None:
            return
        from firmware.maintenance import files

        self._results = {}
        try:
            for command_id, expires_s, error in (self._path and files.read_json(self._path)) or ():
                self._results[command_id] = [expires_s, error]
        except (ValueError, TypeError):  # damaged: the commands before are forgotten
            pass

    def _store_result(self, command_id, expires_s, error):
        """Keep a result, also over a power cut. Raises OSError."""
        results = self._results
        now_s = self._clock.time_s()
        for other in list(results):  # pyright: ignore[reportArgumentType]
            if results[other][0] <= now_s:
                del results[other]
        results[command_id] = [expires_s, error]
        while len(results) > MAX_REMEMBERED:  # pyright: ignore[reportArgumentType]
            others = [other for other in results if other != command_id]
            del results[min(others, key=lambda other: results[other][0])]
        if self._path:
            from firmware.maintenance import files

            files.write_json(self._path, [[key] + results[key] for key in results])


def _bad_arguments(problems):
    return refusal_codes.BAD_ARGUMENTS + ":" + field_names(problems)
