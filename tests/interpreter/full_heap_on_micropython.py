"""
Append to the journal with less and less free heap; after each failure the journal must be whole.

    micropython tests/interpreter/full_heap_on_micropython.py <folder>

Prints one JSON line: [appends that failed, appends that worked, problems].
"""

import gc
import json
import sys

from ansim import messages
from ansim.envelope import digest
from firmware.journal.journal import Journal
from tests.support.full_heap import fill

FREE_BYTES = range(2600, 0, -8)


class Clock:
    def now_ms(self):
        return 81000

    def time_s(self):
        return None


def problems_of(journal):
    """Return what is wrong with the reports of a journal."""
    found = []
    cursor, seq, prev = journal.cursor(), 0, None
    while True:
        report = cursor.next()
        if report is None:
            return found
        message = json.loads(report[2])
        if report[1] != seq + 1:
            found.append(f"{report[1]} follows {seq}")
        if prev is not None and message["prev"] != prev:
            found.append(f"{report[1]} does not have the digest of the one before")
        seq, prev = report[1], digest(report[2])


def main():
    folder = sys.argv[1] + "/journal"
    failed, worked, problems = 0, 0, []
    journal = Journal(folder, 65536, Clock())
    journal.open()
    body = {"version": "0.1.0", "slot": "", "cause": "power_on", "crashes": 0}
    journal.append(messages.RESET, body)
    for free_bytes in FREE_BYTES:
        ballast = fill(free_bytes)
        try:
            journal.append(messages.RESET, body)
            worked += 1
        except MemoryError:
            failed += 1
        ballast = None  # noqa: F841
        gc.collect()
    journal.append(messages.RESET, body)
    problems += problems_of(journal)
    print(json.dumps([failed, worked, problems[:5]]))


main()
