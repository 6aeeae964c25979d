"""
The reports that the server has not confirmed yet, in flash.

    journal = Journal("/journal", 512 << 10, clock)
    journal.open()                               # after any power cut
    seq = journal.append(messages.FINDING, body) # once it returns, the report survives a power cut
    cursor = journal.cursor()
    boot, seq, data = cursor.next()              # oldest unconfirmed first; None: no more
    journal.confirm([[boot, seq]])               # the server has it: it may be deleted

The journal is a folder of append-only files (see segment.py), each closed at 1/32 of the room; the last one is open. A
file is deleted when the server holds all of it. When the room is full, a file is compacted: its reports of least value
are removed, and each run of removed neighbours is replaced by one DROPPED report, which tells the server not to wait
for them. A run ends at a report that is kept: a DROPPED report across it would make the server confirm a report that it
may never have received.

Power cuts: an append is one flush. A new file replaces an old one by rename, and old files are deleted only after that.
open() completes or removes whatever it finds half done.

Wear: LittleFS moves the last 4 KiB block at each flush: 1.2 erased blocks per append, measured, spread over the free
ones. With a report every 30 s, 250 free blocks of 100,000 erases each last 20 years. Confirming costs no flush: it is
written along with the next append. Compaction rewrites one file to free most of it.

LittleFS rounds every file up to its blocks: allow 33 of them beside `max_bytes`, and one more file during compaction.
"""

import asyncio
import json
import os

from ansim import messages
from ansim.envelope import digest
from ansim.finding import NOTICE
from firmware.journal import segment as segments
from firmware.journal.reader import Cursor
from firmware.journal.segment import CONFIRMED, HIGH, LOW, MIDDLE, START, STUB

MAX_REPORT_BYTES = segments.MAX_BODY_BYTES
MAX_FILES = 32  # that share the room
MIN_FILE_BYTES = 1024
RESERVED_BYTES = 256  # for the START and CONFIRMED records around a report
_VALUES = {messages.SWEEP: LOW, messages.SESSION: MIDDLE, messages.STIMULUS: MIDDLE, messages.DROPPED: STUB}
_NAME = "%08d.log"
_NEW = "new"  # the copy while a file is rewritten; useless after a power cut


class Journal:
    """
    folder, max_bytes  where the files are, and the room for them
    clock              has now_ms() and time_s(), see firmware/network/clock.py

    boot, seq    of this start, and of the newest report in it (0: none yet)
    prev         the digest of the newest report, "" before the first of all
    inspection   goes into every report appended from now on; "" is none
    dropped      reports removed for lack of room, or lost to damaged flash, since open()
    appended     an asyncio.Event, set by append()
    generation   grows when files are rewritten or deleted, so that cursors start over
    segments     one segment.Segment per file, oldest first; the last is open for appending
    """

    def __init__(self, folder: str, max_bytes: int, clock):
        self.folder = folder
        self.max_bytes = max_bytes
        self.boot = self.seq = self.dropped = self.generation = 0
        self.prev = self.inspection = ""
        self.appended = asyncio.Event()
        self.segments = []
        self._clock = clock
        self._file_bytes = max(MIN_FILE_BYTES, max_bytes // MAX_FILES)
        self._file = None
        self._confirmed = {}  # boot -> seq
        self._counted = (None, 0)  # state of the journal when its reports were counted, and their number
        self._unwritten = []  # boots whose confirmation is not in flash yet

    def open(self) -> None:
        """Read what the last run left, and count this start. Raises OSError if the flash cannot be written."""
        for index in self._read_files():
            self._rewrite(index, -1)
        self.boot += 1
        if not self.segments or self.segments[-1].size >= self._file_bytes:
            self._roll_over()
        else:
            self._write(START, self.boot, 0, 0, self.prev.encode())
        self._free()
        self._make_room(0)

    def append(self, kind: str, body: dict, tick_ms=None) -> int:
        """
        Write a report and return its seq. Once this returns, the report survives a power cut.

        kind, body   as in ansim/messages.py
        tick_ms      time of the event by the journal's clock; None is now

        Raises ValueError if the report is longer than MAX_REPORT_BYTES, OSError if the flash refuses.
        """
        tick_ms = self._clock.now_ms() if tick_ms is None else tick_ms
        self._append(kind, body, tick_ms, self._clock.time_s(), self.inspection)
        return self.seq

    def confirm(self, rows) -> bool:
        """
        Note that the server holds [[boot, seq], ...], each up to and including seq; delete files it holds completely.

        Returns True if any row is new. Rows of reports that this journal has not made are ignored; see is_behind().
        """
        is_new = False
        for boot, seq in rows:
            if not self.is_confirmed(boot, seq) and not self.is_behind([(boot, seq)]):
                self._confirmed[boot] = seq
                if boot not in self._unwritten:
                    self._unwritten.append(boot)
                is_new = True
        if is_new:
            self._free()
        return is_new

    def is_behind(self, rows) -> bool:
        """True if the server holds reports that this journal has not made: its flash was erased since."""
        return any(boot > self.boot or (boot == self.boot and seq > self.seq) for boot, seq in rows)

    def continue_as(self, boot: int) -> None:
        """
        Continue with a higher boot number, because the server knows the lower ones from before the flash was erased.

        The waiting reports of this start are written anew, so that they are not taken for old ones.
        """
        old_boot, last_seq = self.boot, self.seq
        cursor = self.cursor()
        self.boot, self.seq = boot, 0
        self._write(START, boot, 0, 0, self.prev.encode())
        while True:
            report = cursor.next()
            if report is None or report[0] > old_boot:
                break
            message = json.loads(report[2])
            if report[0] == old_boot and message["kind"] != messages.DROPPED:
                fields = [message[name] for name in ("kind", "body", "tick_ms", "at_s", "inspection")]
                self._append(*fields)
        self._confirmed[old_boot] = last_seq
        self._unwritten.append(old_boot)
        self._free()

    def is_confirmed(self, boot: int, seq: int) -> bool:
        """True if the server holds this report, or all of its boot and more."""
        return seq <= self._confirmed.get(boot, 0) or boot < self._oldest_boot()

    def cursor(self):
        """Return a Cursor before the oldest report that is not confirmed."""
        return Cursor(self)

    def close_gaps(self, rows) -> None:
        """
        Write a DROPPED report wherever a seq is missing between the server's reports and those here.

        rows   the newest ones of the server, as for confirm()

        For a server that waits for reports that this flash has lost, or that it confirmed and then lost itself.
        """
        for boot, seq in rows:
            self._confirmed[boot] = seq  # it may be less than it held before
        for index in range(len(self.segments) - 1, -1, -1):
            if self.segments[index].reports:
                self._rewrite(index, -1, gaps=True)

    @property
    def bytes(self) -> int:
        """Total length of all files."""
        return sum(segment.size for segment in self.segments)

    @property
    def reports(self) -> int:
        """Number of unconfirmed reports."""
        state = (self.boot, self.seq, self.generation, dict(self._confirmed))
        if self._counted[0] != state:  # the display asks twice a second, and counting reads files
            self._counted = (state, sum([self._count_waiting(segment) for segment in self.segments]))
        return self._counted[1]

    def close(self) -> None:
        """Write the confirmations to flash, before an orderly restart. open() may follow."""
        if self._file:
            self._write_confirmed()
            self._file.close()
            self._file = None

    def path(self, number: int) -> str:
        """Return the path of the file with this number."""
        return self.folder + "/" + _NAME % number

    # Opening

    def _read_files(self):
        """Read every file; return the indices of the damaged ones, newest first."""
        from firmware.maintenance import files  # here, so that it can be unloaded

        files.make_folder(self.folder)
        self.segments, self._confirmed, damaged = [], {}, []
        for name in sorted(os.listdir(self.folder)):
            if name == _NEW:
                os.remove(self.folder + "/" + _NEW)
            elif name == _NAME % _number(name):
                self._read_file(_number(name), damaged)
        return [index for index in range(len(self.segments) - 1, -1, -1) if self.segments[index].number in damaged]

    def _read_file(self, number, damaged):
        summary, newest = segments.empty(number), None
        try:
            with open(self.path(number), "rb") as file:
                for record in segments.records(file):
                    if record is None:
                        damaged.append(number)
                        continue
                    summary = segments.grown(summary, record)
                    self.boot = max(self.boot, record.boot)
                    if record.kind == CONFIRMED:
                        self._confirmed[record.boot] = record.seq
                    else:
                        newest = record
        except OSError:  # bad flash: the number is taken, and nothing more is written to the file
            self.segments.append(segments.full(number, self._file_bytes))
            return
        if newest:
            self.prev = newest.body.decode() if newest.kind == START else digest(newest.body)
        if summary.reports and self.segments and _first(summary) <= _last(self.segments[-1]):
            # The power went after the previous file was merged into this one, before it was deleted.
            _delete(self.path(self.segments.pop().number))
        self.segments.append(summary)

    # Writing

    def _append(self, kind, body, tick_ms, at_s, inspection):
        message = messages.report(self.boot, self.seq + 1, self.prev, tick_ms, at_s, inspection, kind, body)
        data = messages.encode(message)
        if len(data) > MAX_REPORT_BYTES:
            raise ValueError("a %s report of %d bytes" % (kind, len(data)))
        self._make_room(segments.HEADER_BYTES + len(data))
        if self.segments[-1].size >= self._file_bytes:
            self._roll_over()
        self._write_confirmed()
        prev = digest(data)  # before the report is written: a MemoryError afterwards would give its seq to two reports
        value = MIDDLE if body.get("level") == NOTICE else _VALUES.get(kind, HIGH)
        self._write(value, self.boot, self.seq + 1, self.seq + 1, data)
        self.seq += 1
        self.prev = prev
        self.appended.set()

    def _write(self, kind, boot, first, seq, body, flush=True):
        if self._file is None:
            self._file = open(self.path(self.segments[-1].number), "ab")  # noqa: SIM115 - stays open
        summary = segments.grown(self.segments[-1], segments.Record(kind, boot, first, seq, body, 0))
        try:
            segments.write(self._file, kind, boot, first, seq, body)
            if flush:
                self._file.flush()
        except OSError:
            # The state of the file's end is unknown: start a new file.
            self._file = None
            self.segments.append(segments.empty(self.segments[-1].number + 1))
            raise
        self.segments[-1] = summary

    def _write_confirmed(self):
        """Write confirmations without a flush: that of the next report serves both, or that of close()."""
        while self._unwritten:
            boot = self._unwritten[-1]
            self._write(CONFIRMED, boot, 0, self._confirmed.get(boot, 0), b"", flush=False)
            self._unwritten.pop()

    def _roll_over(self):
        """Close the open file and start the next one."""
        if self._file:
            self._file.close()
            self._file = None
        self.segments.append(segments.empty(self.segments[-1].number + 1 if self.segments else 1))
        self._write(START, self.boot, 0, self.seq, self.prev.encode())

    # Freeing

    def _free(self):
        """Delete the files that the server holds completely."""
        while self.segments and not self._count_waiting(self.segments[0], 1):
            if len(self.segments) == 1:
                if self.segments[0].size < self._file_bytes:
                    break
                self._roll_over()
            self._remove(0)
        oldest = self._oldest_boot()
        for boot in list(self._confirmed):
            if boot < oldest:
                del self._confirmed[boot]
        self._unwritten = [boot for boot in self._unwritten if boot in self._confirmed]

    def _oldest_boot(self):
        """Return the boot of the oldest report here, confirmed or not."""
        for segment in self.segments:
            if segment.reports:
                return segment.first_boot
        return self.boot

    def _count_waiting(self, segment, limit=None):
        """Count the unconfirmed reports of a file, up to `limit`."""
        is_one_boot = segment.first_boot == segment.last_boot
        if is_one_boot and self._confirmed.get(segment.first_boot, 0) < segment.first_seq:
            return segment.reports
        waiting = 0
        if segment.reports and not (is_one_boot and self.is_confirmed(*_last(segment))):
            with open(self.path(segment.number), "rb") as file:
                for record in segments.records(file, bodies=False):
                    if record and record.kind <= STUB and not self.is_confirmed(record.boot, record.seq):
                        waiting += 1
                        if waiting == limit:
                            break
        return waiting

    def _remove(self, index):
        path = self.path(self.segments[index].number)
        self.segments.pop(index)
        _delete(path)
        self.generation += 1

    def _make_room(self, need):
        """
        Compact files, those with the least valuable reports first, until `need` more bytes fit.

        The DROPPED reports of earlier boots are removed before any finding: if the server then waits for their
        reports, close_gaps() writes them again.
        """
        for value in (LOW, MIDDLE, STUB, HIGH, STUB):
            while self.bytes + need + RESERVED_BYTES > self.max_bytes:
                index = self._oldest_with(value)
                if index is None:
                    break
                if index == len(self.segments) - 1:
                    self._roll_over()
                self._rewrite(index, value)

    def _oldest_with(self, value):
        """Return the index of the oldest file with reports of this value, None if there is none."""
        for index, segment in enumerate(self.segments):
            if value == STUB:
                has_some = segment.reports and segment.first_boot < self.boot
            else:
                has_some = (segment.low, segment.middle, segment.high)[value]
            if has_some:
                return index
        return None

    def _rewrite(self, index, value, gaps=False):
        """
        Copy a file without its reports that are confirmed or worth `value` or less; see compaction.Compaction for
        `gaps`.

        A small file before it is merged into the copy, so that the number of files stays low.
        """
        from firmware.journal.compaction import Compaction  # here, so that it can be unloaded

        newest = index == len(self.segments) - 1
        if newest and self._file:
            self._file.close()
            self._file = None
        segment = self.segments[index]
        kept_bytes = segment.size - sum((segment.low, segment.middle, segment.high)[: value + 1])
        merge = index and not newest and self.segments[index - 1].size + kept_bytes <= self._file_bytes
        start = index - 1 if merge else index
        before = _last(self.segments[start - 1]) if start else None
        compaction = Compaction(self._confirmed, before, value, self.boot, gaps, keep_starts=newest)
        summary = segments.empty(segment.number)
        with open(self.folder + "/" + _NEW, "wb") as copy:
            for source in self.segments[start : index + 1]:
                with open(self.path(source.number), "rb") as file:
                    for record in segments.records(file):
                        summary = _copy(copy, summary, compaction.add(record))
            summary = _copy(copy, summary, compaction.finish())
        if summary.size or newest:
            os.rename(self.folder + "/" + _NEW, self.path(segment.number))
            self.segments[index] = summary
        else:
            os.remove(self.folder + "/" + _NEW)
            self._remove(index)
        if merge:
            self._remove(start)
        self.dropped += compaction.dropped
        self.generation += 1


def _copy(file, summary, records):
    """Write records; return the summary of the file with them in it."""
    for record in records:
        summary = segments.grown(summary, segments.write(file, *record[:5]))
    return summary


def _delete(path):
    try:
        os.remove(path)
    except OSError:  # bad flash keeps it; the next start finds it again
        pass


def _first(segment):
    return segment.first_boot, segment.first_seq


def _last(segment):
    return segment.last_boot, segment.last_seq


def _number(name):
    return int(name[:8]) if name[:8].isdigit() else 0
