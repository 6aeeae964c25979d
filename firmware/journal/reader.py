"""Read the journal's unconfirmed reports in order, one at a time in RAM."""

from firmware.journal.segment import STUB, records


class Cursor:
    """A position in the journal. next() also finds reports that were appended after it was made."""

    def __init__(self, journal):
        self._journal = journal
        self._generation = -1
        self._number = self._offset = 0
        self._newest = (0, 0)  # boot and seq of the newest report returned

    def next(self, body: bool = True):
        """
        Return (boot, seq, JSON bytes) of the next unconfirmed report, None if there is none yet.

        body   False: return its length in place of the bytes
        """
        journal = self._journal
        if self._generation != journal.generation:
            self._generation = journal.generation
            self._number = self._offset = 0
        for segment in journal.segments:
            if segment.number < self._number or (segment.last_boot, segment.last_seq) <= self._newest:
                continue
            if segment.number != self._number:
                self._number, self._offset = segment.number, 0
            with open(journal.path(segment.number), "rb") as file:
                for record in records(file, self._offset, bodies=False):
                    if record is None:
                        continue
                    self._offset = record.end
                    place = (record.boot, record.seq)
                    if record.kind <= STUB and place > self._newest and not journal.is_confirmed(*place):
                        self._newest = place
                        if not body:
                            return record.boot, record.seq, record.body
                        file.seek(record.end - record.body)
                        return record.boot, record.seq, file.read(record.body)
        return None
