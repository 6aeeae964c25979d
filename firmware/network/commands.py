"""
The server's commands: only signed ones, only before they expire, each only once.

    commands = Commands("hall-1", key, clock, "/commands.json")
    commands.on(report.DWELL, dwell)             # dwell(args, command_id)
    answer = await commands.take(payload)        # None: nobody is answered

A handler returns nothing when it is done, a text when it refuses, or a function to be called
once the answer is out, for what ends the program (restart, update, wipe). It may be async.

A command's id is noted in flash before its handler runs and its result after. So it runs at
most once, even if the power goes in the middle; the answer then is INTERRUPTED. An id is
forgotten when the command has expired, because then it is refused anyway.
"""

import json
import os
from collections import namedtuple

from ansim import envelope, messages, topics
from ansim.decode import BadMessage, argument_problems, decode_message
from firmware.network.clock import StaleTime

MAX_REMEMBERED = 32  # beyond this the command that expires first is forgotten
INTERRUPTED = "interrupted by a restart"
EXPIRED = "expired"
NOT_NOTED = "the flash refuses to note the command"

# command_id  the id to answer
# error       "" if it is done, else why not
# after       a function to be called once the answer is out, or None
Answer = namedtuple("Answer", ("command_id", "error", "after"))


class Commands:
    """
    device, key  the device's name and its 32 bytes
    clock        as firmware/network/clock.py
    path         file that remembers the ids over a restart; None: only in RAM

    refused      messages that were not signed by the key, or not a command; nobody is answered
    """

    def __init__(self, device: str, key: bytes, clock, path=None):
        self.refused = 0
        self._topic = topics.topic(device, topics.CMD)
        self._key = key
        self._clock = clock
        self._path = path
        self._handlers = {}
        self._results = None  # id -> [expires_s, error text]; read from the file at the first command

    def on(self, name: str, handler) -> None:
        """Call handler(args, command_id) for the commands of this name; the args are checked before."""
        self._handlers[name] = handler

    async def take(self, payload: bytes):
        """
        Carry out one message that came on the device's cmd topic; return its Answer.

        Returns None if nobody is to be answered: not signed by our key, or not a command at all.
        An exception of a handler passes.
        """
        try:
            command = decode_message(topics.CMD, envelope.unseal(self._key, self._topic, payload))
        except (envelope.BadEnvelope, BadMessage) as error:
            self.refused += 1
            print("refused a command:", error)
            return None
        command_id, name, args = command["id"], command["name"], command["args"]
        if name == messages.TIME:
            return Answer(command_id, self._take_time(args), None)
        self._recall()
        if command_id in self._results:
            return Answer(command_id, self._results[command_id][1], None)
        error = self._refusal(command)
        if error:
            return Answer(command_id, error, None)
        try:
            self._note(command_id, command["expires_s"], INTERRUPTED)
        except OSError:
            del self._results[command_id]
            return Answer(command_id, NOT_NOTED, None)
        result = self._handlers[name](args, command_id)
        if hasattr(result, "send"):  # an async handler
            result = await result
        after = result if callable(result) else None
        error = "" if after else (result or "")[:200]  # pyright: ignore[reportIndexIssue]
        try:
            self._note(command_id, command["expires_s"], error)
        except OSError:
            pass  # after a restart it is answered as interrupted; that it ran is true all the same
        return Answer(command_id, error, after)

    def _take_time(self, args):
        problems = argument_problems(messages.TIME, args)
        if problems:
            return "; ".join(problems)
        try:
            self._clock.set_by_server(args["time_s"], args["nonce"])
        except StaleTime as error:
            return str(error)
        return ""

    def _refusal(self, command):
        """Return why this command is not carried out, "" if it is."""
        problems = argument_problems(command["name"], command["args"])
        if problems is None or command["name"] not in self._handlers:
            return "unknown command " + command["name"]
        if problems:
            return "; ".join(problems)
        now_s = self._clock.time_s()
        if now_s is None:
            return messages.NO_TIME
        return EXPIRED if command["expires_s"] <= now_s else ""

    def _recall(self):
        """Read the file, once."""
        if self._results is not None:
            return
        self._results = {}
        if self._path:
            try:
                with open(self._path) as file:
                    for command_id, expires_s, error in json.load(file):
                        self._results[command_id] = [expires_s, error]
            except (OSError, ValueError, TypeError):  # none yet, or spoilt: then nothing is remembered
                pass

    def _note(self, command_id, expires_s, error):
        """Remember a result, also over a power cut. Raises OSError."""
        now_s = self._clock.time_s()
        for other in list(self._results):  # pyright: ignore[reportArgumentType]
            if self._results[other][0] <= now_s:
                del self._results[other]
        self._results[command_id] = [expires_s, error]
        while len(self._results) > MAX_REMEMBERED:  # pyright: ignore[reportArgumentType]
            others = [one for one in self._results if one != command_id]
            del self._results[min(others, key=lambda one: self._results[one][0])]
        if self._path:
            with open(self._path + ".new", "w") as file:
                json.dump([[one] + self._results[one] for one in self._results], file)
            os.rename(self._path + ".new", self._path)
