"""Reading the journal's waiting reports in order, one in RAM at a time."""

from firmware.journal.segment import STUB, records


class Cursor:
    """A place in the journal; what is appended behind it is found by the next next()."""

    def __init__(self, journal):
        self._journal = journal
        self._generation = -1
        self._number = self._offset = 0
        self._place = (0, 0)  # boot and seq of the newest report handed out

    def next(self, body: bool = True):
        """
        Return (boot, seq, JSON bytes) of the next report that is not confirmed, None if there is none yet.

        body   False: its length in place of the bytes
        """
        journal = self._journal
        if self._generation != journal.generation:
            self._generation = journal.generation
            self._number = self._offset = 0
        for one in journal.segments:
            if one.number < self._number or (one.last_boot, one.last_seq) <= self._place:
                continue
            if one.number != self._number:
                self._number, self._offset = one.number, 0
            with open(journal.path(one.number), "rb") as file:
                for record in records(file, self._offset, bodies=False):
                    if record is None:
                        continue
                    self._offset = record.end
                    place = (record.boot, record.seq)
                    if record.kind <= STUB and place > self._place and not journal.is_confirmed(*place):
                        self._place = place
                        if not body:
                            return record.boot, record.seq, record.body
                        file.seek(record.end - record.body)
                        return record.boot, record.seq, file.read(record.body)
        return None
