"""
The inspection that is running on this sensor, if any.

    inspection = Inspection(journal, engine, clock, ignore, close_account)
    inspection.resume()                    # after a reset in the middle of one
    inspection.start("K7Q2", ["c0:ff:ee:00:00:01"])
    inspection.stop(CMD)

From start to stop every report carries its id. What was heard before does not count for it:
the engine starts anew, so an emitter that was raised already is raised again, for this inspection.
"""

import json
import os

from ansim import messages

CMD, BUTTON, LIMIT = "cmd", "button", "limit"
STARTED, STOPPED = "started", "stopped"

FILE = "/inspection.json"
LIMIT_MS = 4 * 3_600_000  # then somebody has forgotten to stop it


class Inspection:
    """
    journal, engine, clock   as in journal.py, ansim/detect/engine.py, clock.py
    ignore                   addresses that are known to be harmless here, as text
    close_account            function() that reports what was listened to up to now
    renewed                  function(), called when nothing heard so far counts any more
    """

    def __init__(self, journal, engine, clock, ignore, close_account, renewed=None):
        self._journal = journal
        self._engine = engine
        self._clock = clock
        self._ignore = ignore
        self._close_account = close_account
        self._renewed = renewed
        self.began_ms = 0

    @property
    def id(self) -> str:
        """Its public id, "" if none is running."""
        return self._journal.inspection

    def resume(self) -> None:
        """Go on with the inspection that a reset has interrupted. Reads the flash, so after Journal.open()."""
        try:
            with open(FILE) as file:
                kept = json.load(file)
            self._begin(kept["inspection"], kept["known"])
        except (OSError, ValueError, KeyError, TypeError):
            self._engine.know(self._ignore)  # none, or a file that a power cut has torn

    def start(self, inspection: str, known: list, by: str = CMD) -> None:
        """
        Start one; the one that runs is stopped first.

        known  addresses of emitters that have been looked at and found harmless here, as text
        by     CMD or BUTTON
        """
        if inspection == self.id:
            return
        if self.id:
            self.stop(by)
        else:
            self._close_account()
        # Written first: a reset between the two repeats a start, but never forgets one.
        with open(FILE, "w") as file:
            json.dump({"inspection": inspection, "known": known}, file)
        self._engine.forget()
        if self._renewed:
            self._renewed()
        self._begin(inspection, known)
        self._journal.append(messages.SESSION, {"what": STARTED, "by": by})

    def stop(self, by: str) -> None:
        """Stop the one that runs, with its coverage reported up to now; nothing happens if there is none."""
        if not self.id:
            return
        self._close_account()
        self._journal.append(messages.SESSION, {"what": STOPPED, "by": by})
        self._journal.inspection = ""
        self._engine.know(self._ignore)
        try:
            os.remove(FILE)
        except OSError:
            pass  # it was never written, for want of room

    def end_if_forgotten(self) -> None:
        """Stop one that has run for LIMIT_MS."""
        if self.id and self._clock.now_ms() - self.began_ms >= LIMIT_MS:
            self.stop(LIMIT)

    def _begin(self, inspection, known):
        self._journal.inspection = inspection
        self.began_ms = self._clock.now_ms()
        self._engine.know(self._ignore + known)
