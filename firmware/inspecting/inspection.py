"""
The inspection that runs on this sensor, if any.

    inspection = Inspection(journal, engine, clock, ignore, reports)
    inspection.resume()                    # after a reset during an inspection
    inspection.start("K7Q2", ["c0:ff:ee:00:00:01"])
    inspection.stop(CMD)

From start to stop every report carries its id. Frames heard before the start do not count: the engine
is cleared, so an emitter that was raised before is raised again, for this inspection.
"""

import json
import os

from ansim import messages

CMD, BUTTON, LIMIT = "cmd", "button", "limit"
STARTED, STOPPED = "started", "stopped"

FILE = "/inspection.json"
LIMIT_MS = 4 * 3_600_000  # an inspection that runs longer was not stopped by mistake


class Inspection:
    """
    journal, engine, clock, reports   a Journal, an Engine, a Clock and a Reports
    ignore                            addresses of known harmless emitters, as text
    on_start                          function(), called at the start: nothing heard before counts
    """

    def __init__(self, journal, engine, clock, ignore, reports, on_start=None):
        self._journal = journal
        self._engine = engine
        self._clock = clock
        self._ignore = ignore
        self._reports = reports
        self._on_start = on_start
        self.began_ms = 0

    @property
    def id(self) -> str:
        """The public id of the running inspection, "" if none runs."""
        return self._journal.inspection

    def resume(self) -> None:
        """Continue the inspection that a reset interrupted. Call after Journal.open(): it reads the flash."""
        try:
            with open(FILE) as file:
                state = json.load(file)
            self._begin(state["inspection"], state["known"])
        except (OSError, ValueError, KeyError, TypeError):
            self._engine.ignore(self._ignore)  # no file, or one torn by a power cut

    def start(self, inspection: str, known: list, by: str = CMD) -> None:
        """
        Start an inspection; a running one is stopped first.

        inspection  public id
        known       addresses of emitters that were judged harmless in this restroom, as text
        by          CMD or BUTTON
        """
        if inspection == self.id:
            return
        if self.id:
            self.stop(by)
        else:
            self._reports.end_sweep()
        # Before the report: a reset between the two repeats a start, but never loses one.
        with open(FILE, "w") as file:
            json.dump({"inspection": inspection, "known": known}, file)
        self._engine.forget()
        if self._on_start:
            self._on_start()
        self._begin(inspection, known)
        self._reports.add(messages.SESSION, {"what": STARTED, "by": by})

    def stop(self, by: str) -> None:
        """Report the coverage and stop the running inspection, if any."""
        if not self.id:
            return
        self._reports.end_sweep()
        self._reports.add(messages.SESSION, {"what": STOPPED, "by": by})
        self._journal.inspection = ""
        self._engine.ignore(self._ignore)
        try:
            os.remove(FILE)
        except OSError:
            pass  # never written, because the flash was full

    def stop_if_expired(self) -> None:
        """Stop an inspection that has run for LIMIT_MS."""
        if self.id and self._clock.now_ms() - self.began_ms >= LIMIT_MS:
            self.stop(LIMIT)

    def _begin(self, inspection, known):
        self._journal.inspection = inspection
        self.began_ms = self._clock.now_ms()
        self._engine.ignore(self._ignore + known)
