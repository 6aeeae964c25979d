"""
The reports that the server has not confirmed yet, in flash.

    journal = Journal("/journal", 512 << 10, clock)
    journal.open()                             # after any power cut
    seq = journal.append(report.FINDING, body) # once it returns, the report survives a power cut
    cursor = journal.cursor()
    boot, seq, data = cursor.next()            # oldest unconfirmed first; None: nothing further
    journal.confirm([[boot, seq]])             # the server has it: it may go

A folder of append-only files (see segment.py), each closed at 1/32 of the room; the last is
open. A file is deleted when the server holds all of it. When the room is full, one file is
thinned: its reports of least value go, and each run of neighbours that went is replaced by
one DROPPED report, which tells the server not to wait for them. A run ends at a report that
was kept: a DROPPED across it would make the server confirm what it may never have received.

Power cuts: an append is one flush; a new file replaces an old one by rename; an old one goes
only after that. Whatever is found half done at open() is finished or cut off.

Wear: LittleFS moves the last 4 KiB block at each flush: 1.2 erased blocks an append, measured,
spread over the free ones. A report every 30 s on 250 free blocks of 100,000 erases each lasts
20 years. Confirming costs nothing: it is written along with the next append. Thinning rewrites
one file to win most of it.

LittleFS rounds every file up to its blocks: allow 33 of them beside `max_bytes`, and one
more file while one is thinned.
"""

import asyncio
import json
import os

from ansim import messages
from ansim.envelope import digest
from firmware.journal import segment as segments
from firmware.journal.compaction import Run
from firmware.journal.reader import Cursor
from firmware.journal.segment import CONFIRMED, HIGH, LOW, MIDDLE, START, STUB

MAX_REPORT_BYTES = segments.MAX_BODY_BYTES
FILES = 32  # how many make up the room
MIN_FILE_BYTES = 1024
RESERVED_BYTES = 256  # for the START and CONFIRMED records around a report
_VALUES = {messages.SWEEP: LOW, messages.SESSION: MIDDLE, messages.STIMULUS: MIDDLE, messages.DROPPED: STUB}
_NAME = "%08d.log"
_NEW = "new"  # the copy in the making; left over after a power cut it is worth nothing


class Journal:
    """
    See the module's text. `clock` has now_ms() and time_s(), as firmware/network/clock.py.

    boot, seq    of this start, and of the newest report in it (0: none yet)
    prev         the digest of the newest report, "" before the first of all
    inspection   goes into every report appended from now on; "" is none
    dropped      reports given up for want of room, or lost to damaged flash, since open()
    appended     an asyncio.Event, set by append()
    generation   grows when files are rewritten or go, so that cursors look again
    """

    def __init__(self, folder: str, max_bytes: int, clock):
        self.folder = folder
        self.max_bytes = max_bytes
        self.boot = self.seq = self.dropped = self.generation = 0
        self.prev = self.inspection = ""
        self.appended = asyncio.Event()
        self.segments = []  # one summary a file, oldest first; the last is open for appending
        self._clock = clock
        self._file_bytes = max(MIN_FILE_BYTES, max_bytes // FILES)
        self._file = None
        self._confirmed = {}  # boot -> seq
        self._counted = (None, 0)  # when the waiting reports were counted, and how many they were
        self._unwritten = []  # boots whose confirmation is not in the flash yet

    def open(self) -> None:
        """Take over what the last run left and count this start. Raises OSError if the flash cannot be written."""
        for index in self._take_in():
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
        tick_ms      when it happened, by the journal's clock; None is now

        Raises ValueError if the report is longer than MAX_REPORT_BYTES, OSError if the flash refuses.
        """
        tick_ms = self._clock.now_ms() if tick_ms is None else tick_ms
        self._append(kind, body, tick_ms, self._clock.time_s(), self.inspection)
        return self.seq

    def confirm(self, rows) -> bool:
        """
        Note that the server holds [[boot, seq], ...], each up to and including seq; free what can go.

        Returns True if any of it is news. What this journal has not made yet is left alone; see `behind`.
        """
        news = False
        for boot, seq in rows:
            if not self.is_confirmed(boot, seq) and not self.behind([(boot, seq)]):
                self._confirmed[boot] = seq
                if boot not in self._unwritten:
                    self._unwritten.append(boot)
                news = True
        if news:
            self._free()
        return news

    def behind(self, rows) -> bool:
        """True if the server holds reports that this journal has not made: its flash was erased since."""
        return any(boot > self.boot or (boot == self.boot and seq > self.seq) for boot, seq in rows)

    def skip_to(self, boot: int) -> None:
        """
        Go on as `boot`, because the server knows the boots before it from another life of this flash.

        The reports of this start that wait are made anew, so that they do not pass for old ones.
        """
        old, last = self.boot, self.seq
        cursor = self.cursor()
        self.boot, self.seq = boot, 0
        self._write(START, boot, 0, 0, self.prev.encode())
        while True:
            waiting = cursor.next()
            if waiting is None or waiting[0] > old:
                break
            message = json.loads(waiting[2])
            if waiting[0] == old and message["kind"] != messages.DROPPED:
                fields = [message[name] for name in ("kind", "body", "tick_ms", "at_s", "inspection")]
                self._append(*fields)
        self._confirmed[old] = last
        self._unwritten.append(old)
        self._free()

    def is_confirmed(self, boot: int, seq: int) -> bool:
        """True if the server holds this report, or all of its boot and more."""
        return seq <= self._confirmed.get(boot, 0) or boot < self._oldest_boot()

    def cursor(self):
        """Return a Cursor before the oldest report that is not confirmed."""
        return Cursor(self)

    def close_gaps(self, rows) -> None:
        """
        Put a DROPPED report wherever a seq is missing between what the server holds and what is here.

        rows   the server's last word, as for confirm()

        For a server that waits for reports this flash lost, or that it confirmed and then lost itself.
        """
        for boot, seq in rows:
            self._confirmed[boot] = seq  # what it held before is not what it holds now
        for index in range(len(self.segments) - 1, -1, -1):
            if self.segments[index].reports:
                self._rewrite(index, -1, gaps=True)

    @property
    def bytes(self) -> int:
        """How long all files are together."""
        return sum(one.size for one in self.segments)

    @property
    def reports(self) -> int:
        """How many reports are not confirmed yet."""
        now = (self.boot, self.seq, self.generation, dict(self._confirmed))
        if self._counted[0] != now:  # a display asks twice a second, and counting reads files
            self._counted = (now, sum([self._count_waiting(one) for one in self.segments]))
        return self._counted[1]

    def close(self) -> None:
        """Write down what is confirmed, before an orderly restart. open() may follow."""
        if self._file:
            self._write_confirmed()
            self._file.close()
            self._file = None

    def path(self, number: int) -> str:
        """Return the path of a file of the journal."""
        return self.folder + "/" + _NAME % number

    # Finding what the last run left

    def _take_in(self):
        """Read every file; return the indices of those that are damaged, newest first."""
        try:
            os.mkdir(self.folder)
        except OSError:  # it is there
            pass
        self.segments, self._confirmed, damaged = [], {}, []
        for name in sorted(os.listdir(self.folder)):
            if name == _NEW:
                os.remove(self.folder + "/" + _NEW)
            elif name == _NAME % _number(name):
                self._take_in_file(_number(name), damaged)
        return [index for index in range(len(self.segments) - 1, -1, -1) if self.segments[index].number in damaged]

    def _take_in_file(self, number, damaged):
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
        except OSError:  # rotten flash: its number is taken, and nothing more is written to it
            self.segments.append(segments.full(number, self._file_bytes))
            return
        if newest:
            self.prev = newest.body.decode() if newest.kind == START else digest(newest.body)
        if summary.reports and self.segments and _first(summary) <= _last(self.segments[-1]):
            # The power went after the file before was merged into this one, before it was deleted.
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
        self._write(_VALUES.get(kind, HIGH), self.boot, self.seq + 1, self.seq + 1, data)
        self.seq += 1
        self.prev = digest(data)
        self.appended.set()

    def _write(self, kind, boot, first, seq, body, flush=True):
        if self._file is None:
            self._file = open(self.path(self.segments[-1].number), "ab")  # noqa: SIM115 - stays open
        try:
            record = segments.write(self._file, kind, boot, first, seq, body)
            if flush:
                self._file.flush()
        except OSError:
            # What is at the file's end now is unknown: leave it behind.
            self._file = None
            self.segments.append(segments.empty(self.segments[-1].number + 1))
            raise
        self.segments[-1] = segments.grown(self.segments[-1], record)

    def _write_confirmed(self):
        """Without a flush: that of the report behind it serves both, or that of close()."""
        while self._unwritten:
            boot = self._unwritten[-1]
            self._write(CONFIRMED, boot, 0, self._confirmed.get(boot, 0), b"", flush=False)
            self._unwritten.pop()

    def _roll_over(self):
        """Close the open file and begin the next one."""
        if self._file:
            self._file.close()
            self._file = None
        self.segments.append(segments.empty(self.segments[-1].number + 1 if self.segments else 1))
        self._write(START, self.boot, 0, self.seq, self.prev.encode())

    # Freeing

    def _free(self):
        """Delete the files that the server holds all of."""
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
        """Return the boot of the oldest report that is here, confirmed or not."""
        for one in self.segments:
            if one.reports:
                return one.first_boot
        return self.boot

    def _count_waiting(self, one, enough=None):
        """Count the reports of a file that are not confirmed; it may stop at `enough`."""
        if self._confirmed.get(one.first_boot, 0) < one.first_seq and one.first_boot == one.last_boot:
            return one.reports
        waiting = 0
        if one.reports and not (one.first_boot == one.last_boot and self.is_confirmed(*_last(one))):
            with open(self.path(one.number), "rb") as file:
                for record in segments.records(file, bodies=False):
                    if record and record.kind <= STUB and not self.is_confirmed(record.boot, record.seq):
                        waiting += 1
                        if waiting == enough:
                            break
        return waiting

    def _remove(self, index):
        _delete(self.path(self.segments.pop(index).number))
        self.generation += 1

    def _make_room(self, need):
        """
        Thin files, those with the least valuable reports first, until `need` more bytes fit.

        The DROPPED reports of earlier boots go before any finding: a server that then waits
        for them is told again by close_gaps().
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
        """Return the index of the oldest file that has something to give up, None if there is none."""
        for index, one in enumerate(self.segments):
            if value == STUB:
                found = one.reports and one.first_boot < self.boot
            else:
                found = (one.low, one.middle, one.high)[value]
            if found:
                return index
        return None

    def _rewrite(self, index, value, gaps=False):
        """
        Copy a file without what is confirmed or worth `value` or less; see thinning.Run for `gaps`.

        A small file before it is merged into the copy, so that few files hold what is left over.
        """
        newest = index == len(self.segments) - 1
        if newest and self._file:
            self._file.close()
            self._file = None
        one = self.segments[index]
        stays = one.size - sum((one.low, one.middle, one.high)[: value + 1])
        merge = index and not newest and self.segments[index - 1].size + stays <= self._file_bytes
        start = index - 1 if merge else index
        before = _last(self.segments[start - 1]) if start else None
        run = Run(self._confirmed, before, value, self.boot, gaps, starts=newest)
        summary = segments.empty(one.number)
        with open(self.folder + "/" + _NEW, "wb") as copy:
            for source in self.segments[start : index + 1]:
                with open(self.path(source.number), "rb") as file:
                    for record in segments.records(file):
                        summary = _copied(copy, summary, run.passed(record))
            summary = _copied(copy, summary, run.rest())
        if summary.size or newest:
            os.rename(self.folder + "/" + _NEW, self.path(one.number))
            self.segments[index] = summary
        else:
            os.remove(self.folder + "/" + _NEW)
            self._remove(index)
        if merge:
            self._remove(start)
        self.dropped += run.dropped
        self.generation += 1


def _copied(file, summary, kept):
    """Write records; return the summary of the file with them in it."""
    for one in kept:
        summary = segments.grown(summary, segments.write(file, *one[:5]))
    return summary


def _delete(path):
    try:
        os.remove(path)
    except OSError:  # rotten flash keeps it; the next start will meet it again
        pass


def _first(one):
    return one.first_boot, one.first_seq


def _last(one):
    return one.last_boot, one.last_seq


def _number(name):
    return int(name[:8]) if name[:8].isdigit() else 0
