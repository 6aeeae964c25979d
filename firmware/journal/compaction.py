"""
Which records of a journal file stay when it is rewritten, and what is told about the others.

    run = Run(confirmed, before=None, value=LOW, boot=7)
    for record in records(file):
        for kept in run.passed(record): ...write it
    for kept in run.rest(): ...write it

Neighbours that go are told by one DROPPED report in their place: it has the seq and the time
of the last of them and the `prev` of the first, so the chain of digests goes on up to it.
"""

import json

from ansim import messages
from firmware.journal.segment import STUB, Record


class Run:
    """
    Follow the records of one or more files in order.

    confirmed   {boot: seq}: what the server holds; it goes without a word
    before      (boot, seq) of the report before these files, None if there is none
    value       reports worth this or less go (LOW, MIDDLE, HIGH); -1: none.
                STUB: the DROPPED reports of earlier boots go too, and nothing tells of them
    boot        of this start
    gaps        True: a missing seq is told as dropped; else only behind damage
    starts      True: START and CONFIRMED records stay
    dropped     how many reports went that the server does not hold
    """

    def __init__(self, confirmed, before, value, boot, gaps=False, starts=False):
        self.dropped = 0
        self._confirmed = confirmed
        self._told = before
        self._value = value
        self._boot = boot
        self._gaps = gaps
        self._starts = starts
        self._damaged = False
        self._run = None  # [boot, first, last, reports, prev, tick_ms, at_s, inspection, the one DROPPED it is]

    def passed(self, record) -> list:
        """Take the next record, None for damage; return the records to be written now."""
        if record is None:
            self._damaged = True
            return []
        if record.kind > STUB:
            return [record] if self._starts else []
        kept = []
        if record.seq > self._confirmed.get(record.boot, 0):
            self._tell_gap(record, kept)
            if record.kind == STUB:
                if self._value != STUB or record.boot == self._boot:
                    self._extend(record, kept)
            elif record.kind <= self._value:
                self.dropped += 1
                self._extend(record, kept)
            else:
                kept += self._ended()
                kept.append(record)
        self._told = (record.boot, record.seq)
        self._damaged = False
        return kept

    def rest(self) -> list:
        """Return what is still to be written behind the last record."""
        return self._ended()

    def _tell_gap(self, record, kept):
        """What is missing in front of this record was lost with the flash."""
        if not (self._gaps or self._damaged):
            return
        held = self._confirmed.get(record.boot)
        if held is None and self._told is None:
            return  # the first of all: what was before it, nobody can know
        told = self._told[1] if self._told and self._told[0] == record.boot else 0
        expected = max(held or 0, told) + 1
        if expected < record.first:
            lost = record.first - expected
            self.dropped += lost
            self._extend(Record(-1, record.boot, expected, record.first - 1, record.body, 0), kept)

    def _extend(self, record, kept):
        """Add a record that goes; kind -1 is a gap, with the body of a neighbour."""
        message = json.loads(record.body)
        reports = record.seq - record.first + 1
        if record.kind == STUB:
            reports = message["body"]["reports"]
        run = self._run
        if run is None or run[0] != record.boot or run[2] + 1 != record.first:
            kept += self._ended()
            prev = "" if record.kind < 0 else message["prev"]
            self._run = run = [record.boot, record.first, 0, 0, prev, 0, None, "", None]
            run[8] = record if record.kind == STUB else None
        else:
            run[8] = None
        run[2] = record.seq
        run[3] += reports
        run[5], run[6], run[7] = message["tick_ms"], message["at_s"], message["inspection"]

    def _ended(self):
        """Return the DROPPED report of the run so far, in a list, or nothing if there is no run."""
        run, self._run = self._run, None
        if run is None:
            return []
        if run[8]:  # nothing has joined it: the server may know it byte for byte
            return [run[8]]
        boot, first, last = run[:3]
        body = {"first": first, "last": last, "reports": run[3]}
        data = messages.encode(messages.report(boot, last, run[4], run[5], run[6], run[7], messages.DROPPED, body))
        return [Record(STUB, boot, first, last, data, 0)]
