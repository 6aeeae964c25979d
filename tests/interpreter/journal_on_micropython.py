"""Runs on MicroPython (see test_journal.py): what a journal full to the brim costs in heap."""

import gc
import json
import sys

from ansim import messages
from firmware.journal.journal import Journal
from tests.support.flash_image import FileImage, Flash, mounted


class Clock:
    def now_ms(self):
        return 123456789

    def time_s(self):
        return 1767225600


def used():
    gc.collect()
    return gc.mem_alloc()


gc.threshold(4096)  # as firmware/start.py
folder, room = sys.argv[1], int(sys.argv[2])
if folder.endswith(".littlefs"):
    mounted(Flash(FileImage(folder, room // 4096 + 64)), "/flash", make=True)
    folder = "/flash/journal"

body = {"channels": [[channel, 2300, 150, 7, 0] for channel in range(1, 14)]}
before = used()
journal = Journal(folder, room, Clock())
journal.open()
told = {"empty": used() - before}
while not journal.dropped:
    journal.append(messages.SWEEP, body)
told["full"] = used() - before
full = used()
for _ in range(100):
    journal.append(messages.SWEEP, body)
told["grown_by_100_appends"] = used() - full

cursor, read, newest, most = journal.cursor(), 0, (0, 0), 0
while True:
    one = cursor.next()
    if one is None:
        break
    if one[:2] <= newest:
        raise ValueError("out of order")
    newest, read = one[:2], read + 1
    if read % 50 == 0:
        one = None
        most = max(most, used() - before)
told.update({"read": read, "bytes": journal.bytes, "files": len(journal.segments), "reading": most})

again = Journal(folder, room, Clock())
again.open()
told["reopened"] = again.reports
again.confirm([[1, journal.seq]])
told["confirmed"] = again.reports
print(json.dumps(told))
