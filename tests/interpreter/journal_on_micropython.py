"""Runs on MicroPython (see test_journal.py): measures the heap used by a full journal."""

import gc
import json
import sys

from ansim import messages
from firmware.journal import compaction  # noqa: F401 - the journal imports it when needed, which is not measured
from firmware.journal.journal import Journal
from firmware.maintenance import files  # noqa: F401 - as compaction
from tests.support.flash_image import FileImage, Flash, mount


class Clock:
    def now_ms(self):
        return 123456789

    def time_s(self):
        return 1767225600


def used_heap():
    gc.collect()
    return gc.mem_alloc()  # pyright: ignore[reportAttributeAccessIssue] # MicroPython only


gc.threshold(4096)  # pyright: ignore[reportAttributeAccessIssue] # as firmware/start.py
folder, max_bytes = sys.argv[1], int(sys.argv[2])
if folder.endswith(".littlefs"):
    mount(Flash(FileImage(folder, max_bytes // 4096 + 64)), "/flash", is_new=True)
    folder = "/flash/journal"

body = {"channels": [[channel, 2300, 150, 7, 0] for channel in range(1, 14)]}
before = used_heap()
journal = Journal(folder, max_bytes, Clock())
journal.open()
result = {"empty": used_heap() - before}
while not journal.dropped:
    journal.append(messages.SWEEP, body)
result["full"] = used_heap() - before
full = used_heap()
for _ in range(100):
    journal.append(messages.SWEEP, body)
result["grown_by_100_appends"] = used_heap() - full

cursor, read, newest, most = journal.cursor(), 0, (0, 0), 0
while True:
    report = cursor.next()
    if report is None:
        break
    if report[:2] <= newest:
        raise ValueError("out of order")
    newest, read = report[:2], read + 1
    if read % 50 == 0:
        report = None
        most = max(most, used_heap() - before)
result.update({"read": read, "bytes": journal.bytes, "files": len(journal.segments), "reading": most})

reopened = Journal(folder, max_bytes, Clock())
reopened.open()
result["reopened"] = reopened.reports
reopened.confirm([[1, journal.seq]])
result["confirmed"] = reopened.reports
print(json.dumps(result))
