"""
Runs on MicroPython (see test_power_cut.py): cuts the power repeatedly and checks the journal each time.

    micropython power_cut_on_micropython.py SEED CUTS           in one process, with cuts inside block writes
    micropython power_cut_on_micropython.py --endless IMAGE     appends for ever, until it is killed from outside
"""

import json
import os
import random
import sys

import vfs

from ansim import envelope, messages
from firmware.journal.journal import Journal
from tests.support.flash_image import FileImage, Flash, RamImage, mount

JOURNAL_BYTES = 16384
BLOCKS = 64
MOUNT_POINT = "/flash"
BODY = {"padding": "x" * 300}


class Clock:
    def now_ms(self):
        return 1

    def time_s(self):
        return None


class JournalError(Exception):
    """The journal lost, changed or reordered a report."""


def power_on(image, is_new=False):
    """Return (flash, journal) as after power-on; the journal is not open yet."""
    flash = Flash(image)
    mount(flash, MOUNT_POINT, is_new)
    journal = Journal(MOUNT_POINT + "/journal", JOURNAL_BYTES, Clock())
    return flash, journal


def contents(journal):
    """Return {(boot, seq): digest} and {(boot, seq)} that DROPPED reports cover; check order and form."""
    present, dropped, before = {}, set(), (0, 0)
    cursor = journal.cursor()
    while True:
        report = cursor.next()
        if report is None:
            return present, dropped
        boot, seq, data = report
        message = json.loads(data)
        if (boot, seq) <= before or message["boot"] != boot or message["seq"] != seq:
            raise JournalError(f"{boot}.{seq} after {before}")
        before = (boot, seq)
        if message["kind"] == messages.DROPPED:
            for lost in range(message["body"]["first"], seq + 1):
                dropped.add((boot, lost))
        else:
            present[before] = envelope.digest(data)


def check(journal, appended, stored):
    """Check that each appended report is unchanged, reported as dropped, or stored by the server."""
    present, dropped = contents(journal)
    for key in appended:
        boot, seq = key
        if key in present:
            if present[key] != appended[key]:
                raise JournalError(f"{key} has changed")
        elif key not in dropped and seq > stored.get(boot, 0):
            raise JournalError(f"{key} is lost")
    newest = max(appended) if appended else (0, 0)
    for key in present:
        if key not in appended and key <= newest:
            raise JournalError(f"{key} was never appended")
    return present


def operate(journal, generator, appended, stored):
    """Append, confirm, close gaps and close at random until the power is cut, which raises OSError."""
    while True:
        action = generator.random()
        if action < 0.94:
            kind = generator.choice(
                (messages.SWEEP, messages.SWEEP, messages.SWEEP, messages.SESSION, messages.FINDING)
            )
            seq = journal.append(kind, BODY)
            appended[(journal.boot, seq)] = journal.prev
        elif action < 0.97:
            confirm(
                journal, appended, stored, journal.boot, generator.randint(stored.get(journal.boot, 0), journal.seq)
            )
        elif action < 0.98:
            journal.close_gaps([[boot, stored[boot]] for boot in stored][-8:])
        else:
            journal.close()


def confirm(journal, appended, stored, boot, seq):
    """Confirm that the server has stored `boot` up to `seq`."""
    stored[boot] = max(stored.get(boot, 0), seq)
    for key in list(appended):
        if key[1] <= stored.get(key[0], 0):
            del appended[key]
    journal.confirm([[boot, stored[boot]]])


def cut_repeatedly(seed, cuts):
    generator = random
    generator.seed(seed)
    image = RamImage(BLOCKS)
    flash, journal = power_on(image, is_new=True)
    appended, stored, boots, writes, dropped = {}, {}, 0, 0, 0
    for cut in range(cuts):
        # Before open(), so that it can be cut too. Small numbers are common, because most of an append is one flush.
        flash.cut_after(generator.randint(0, generator.choice((4, 40, 600))), generator)
        try:
            journal.open()
            if journal.boot <= boots:
                raise JournalError(f"boot {journal.boot} came twice")
            boots = journal.boot
            operate(journal, generator, appended, stored)
        except OSError:
            pass
        if not flash.is_off:
            raise JournalError("the flash failed although it has power")
        writes += flash.writes
        dropped += journal.dropped
        vfs.umount(MOUNT_POINT)
        flash, journal = power_on(image)
        journal.open()
        boots = journal.boot
        journal.confirm([[boot, stored[boot]] for boot in stored])
        present = check(journal, appended, stored)
        # The report that was being appended may be whole; from now on it counts.
        for key in present:
            appended[key] = present[key]
        if journal.bytes > JOURNAL_BYTES:
            raise JournalError(f"{journal.bytes} bytes")
        # Every fourth time the server stores all reports: the DROPPED reports of earlier boots may be dropped
        # without a record when the journal is full of newer ones, which would count as a loss here.
        if cut % 4 == 3:
            for boot in {key[0] for key in appended}:
                newest = max([key[1] for key in appended if key[0] == boot])
                confirm(journal, appended, stored, boot, newest)
        vfs.umount(MOUNT_POINT)
        flash, journal = power_on(image)
    print(json.dumps({"cuts": cuts, "boots": boots, "writes": writes, "dropped": dropped, "waiting": len(appended)}))


def endless(path):
    """Print the contents, then append for ever and print each report once it is on the flash."""
    try:
        os.stat(path)
        is_new = False
    except OSError:
        is_new = True
    _, journal = power_on(FileImage(path, BLOCKS), is_new)
    journal.open()
    present, dropped = contents(journal)
    rows = [[boot, seq, present[boot, seq]] for boot, seq in present]
    print(json.dumps({"boot": journal.boot, "present": rows, "dropped": list(dropped)}))
    while True:
        kind = messages.FINDING if journal.seq % 5 == 0 else messages.SWEEP
        seq = journal.append(kind, BODY)
        print(json.dumps([journal.boot, seq, journal.prev]))


if sys.argv[1] == "--endless":
    endless(sys.argv[2])
else:
    cut_repeatedly(int(sys.argv[1]), int(sys.argv[2]))
