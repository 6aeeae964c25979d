"""
Compaction: which records of a journal file are kept when it is rewritten, and the DROPPED reports for the others.

    compaction = Compaction(confirmed, before=None, value=LOW, boot=7)
    for record in records(file):
        for kept in compaction.add(record): ...write it
    for kept in compaction.finish(): ...write it

A run of neighbours that are removed is replaced by one DROPPED report: it has the seq and the time of the last of them
and the `prev` of the first, so the chain of digests continues up to it.
"""

import json

from ansim import messages
from firmware.journal.segment import STUB, Record


class Compaction:
    """
    Follow the records of one or more files in order.

    confirmed    {boot: seq}: reports that the server holds; they are removed without a DROPPED report
    before       (boot, seq) of the report before these files, None if there is none
    value        reports worth this or less are removed (LOW, MIDDLE, HIGH); -1: none.
                 STUB: the DROPPED reports of earlier boots are removed too, without replacement
    boot         of this start
    close_gaps   True: write a DROPPED report for any missing seq; else only for those behind damage
    keep_starts  True: keep START and CONFIRMED records

    dropped      how many reports were lost that the server does not hold
    """

    def __init__(self, confirmed, before, value, boot, close_gaps=False, keep_starts=False):
        self.dropped = 0
        self._confirmed = confirmed
        self._previous = before  # (boot, seq) of the newest record so far
        self._value = value
        self._boot = boot
        self._close_gaps = close_gaps
        self._keep_starts = keep_starts
        self._damaged = False
        self._run = None  # [boot, first, last, reports, prev, tick_ms, at_s, inspection, the one STUB record it is]

    def add(self, record) -> list:
        """Take the next record, None for damage; return the records to write now."""
        if record is None:
            self._damaged = True
            return []
        if record.kind > STUB:
            return [record] if self._keep_starts else []
        kept = []
        if record.seq > self._confirmed.get(record.boot, 0):
            self._add_gap(record, kept)
            if record.kind == STUB:
                if self._value != STUB or record.boot == self._boot:
                    self._extend(record, kept)
            elif record.kind <= self._value:
                self.dropped += 1
                self._extend(record, kept)
            else:
                kept += self.finish()
                kept.append(record)
        self._previous = (record.boot, record.seq)
        self._damaged = False
        return kept

    def finish(self) -> list:
        """Return the DROPPED report of the run so far, in a list, or nothing if there is no run."""
        run, self._run = self._run, None
        if run is None:
            return []
        if run[8]:  # unchanged: the server may know it byte for byte
            return [run[8]]
        boot, first, last = run[:3]
        body = {"first": first, "last": last, "reports": run[3]}
        data = messages.encode(messages.report(boot, last, run[4], run[5], run[6], run[7], messages.DROPPED, body))
        return [Record(STUB, boot, first, last, data, 0)]

    def _add_gap(self, record, kept):
        """Add the reports missing in front of this record, which were lost with the flash."""
        if not (self._close_gaps or self._damaged):
            return
        confirmed = self._confirmed.get(record.boot)
        if confirmed is None and self._previous is None:
            return  # the first record of all: the reports before it are unknown
        previous = self._previous[1] if self._previous and self._previous[0] == record.boot else 0
        expected = max(confirmed or 0, previous) + 1
        if expected < record.first:
            self.dropped += record.first - expected
            self._extend(Record(-1, record.boot, expected, record.first - 1, record.body, 0), kept)

    def _extend(self, record, kept):
        """Add a removed record to the run; kind -1 is a gap, with the body of a neighbour."""
        message = json.loads(record.body)
        reports = record.seq - record.first + 1
        if record.kind == STUB:
            reports = message["body"]["reports"]
        run = self._run
        if run is None or run[0] != record.boot or run[2] + 1 != record.first:
            kept += self.finish()
            prev = "" if record.kind < 0 else message["prev"]
            self._run = run = [record.boot, record.first, 0, 0, prev, 0, None, "", None]
            run[8] = record if record.kind == STUB else None
        else:
            run[8] = None
        run[2] = record.seq
        run[3] += reports
        run[5], run[6], run[7] = message["tick_ms"], message["at_s"], message["inspection"]
