"""
Runs on MicroPython (see test_power_cut.py): cut the power again and again, check the journal each time.

    micropython power_cut_on_micropython.py SEED CUTS           in one process, torn inside block writes
    micropython power_cut_on_micropython.py --endless IMAGE     append for ever, to be killed from outside
"""

import json
import os
import random
import sys

import vfs

from ansim import envelope, messages
from firmware.journal.journal import Journal
from tests.support.flash_image import FileImage, Flash, RamImage, mounted

ROOM = 16384
BLOCKS = 64
PLACE = "/flash"
BODY = {"padding": "x" * 300}


class Clock:
    def now_ms(self):
        return 1

    def time_s(self):
        return None


class Wrong(Exception):
    """The journal broke a promise."""


def restarted(image, make=False):
    """Return (flash, journal) as after power-on; the journal is opened."""
    flash = Flash(image)
    mounted(flash, PLACE, make)
    journal = Journal(PLACE + "/journal", ROOM, Clock())
    return flash, journal


def contents(journal):
    """Return {(boot, seq): digest}, and {(boot, seq)} of what DROPPED reports stand for; check order and form."""
    found, told, before = {}, set(), (0, 0)
    cursor = journal.cursor()
    while True:
        one = cursor.next()
        if one is None:
            return found, told
        boot, seq, data = one
        message = json.loads(data)
        if (boot, seq) <= before or message["boot"] != boot or message["seq"] != seq:
            raise Wrong(f"{boot}.{seq} after {before}")
        before = (boot, seq)
        if message["kind"] == messages.DROPPED:
            for lost in range(message["body"]["first"], seq + 1):
                told.add((boot, lost))
        else:
            found[before] = envelope.digest(data)


def check(journal, appended, held):
    """Everything appended is there as it was, told as dropped, or held by the server."""
    found, told = contents(journal)
    for place in appended:
        boot, seq = place
        if place in found:
            if found[place] != appended[place]:
                raise Wrong(f"{place} has changed")
        elif place not in told and seq > held.get(boot, 0):
            raise Wrong(f"{place} is lost")
    newest = max(appended) if appended else (0, 0)
    for place in found:
        if place not in appended and place <= newest:
            raise Wrong(f"{place} was never appended")
    return found


def live(journal, chance, appended, held):
    """Append, confirm, restart in order; until the power goes, which shows as an OSError."""
    while True:
        what = chance.random()
        if what < 0.94:
            kind = chance.choice((messages.SWEEP, messages.SWEEP, messages.SWEEP, messages.SESSION, messages.FINDING))
            seq = journal.append(kind, BODY)
            appended[(journal.boot, seq)] = journal.prev
        elif what < 0.97:
            confirm(journal, appended, held, journal.boot, chance.randint(held.get(journal.boot, 0), journal.seq))
        elif what < 0.98:
            journal.close_gaps([[boot, held[boot]] for boot in held][-8:])
        else:
            journal.close()


def confirm(journal, appended, held, boot, seq):
    """The server holds `boot` up to `seq`."""
    held[boot] = max(held.get(boot, 0), seq)
    for place in list(appended):
        if place[1] <= held.get(place[0], 0):
            del appended[place]
    journal.confirm([[boot, held[boot]]])


def many_cuts(seed, cuts):
    chance = random
    chance.seed(seed)
    image = RamImage(BLOCKS)
    flash, journal = restarted(image, make=True)
    appended, held, boots, writes, dropped = {}, {}, 0, 0, 0
    for cut in range(cuts):
        # Also inside mount and open(), hence before them. Few writes are common: most of an append is one flush.
        flash.cut_after(chance.randint(0, chance.choice((4, 40, 600))), chance)
        try:
            journal.open()
            if journal.boot <= boots:
                raise Wrong(f"boot {journal.boot} came twice")
            boots = journal.boot
            live(journal, chance, appended, held)
        except OSError:
            pass
        if not flash.dead:
            raise Wrong("the flash refused although it has power")
        writes += flash.writes
        dropped += journal.dropped
        vfs.umount(PLACE)
        flash, journal = restarted(image)
        journal.open()
        boots = journal.boot
        journal.confirm([[boot, held[boot]] for boot in held])
        found = check(journal, appended, held)
        # A report that the cut caught in the middle may be whole: from now on it counts.
        for place in found:
            appended[place] = found[place]
        if journal.bytes > ROOM:
            raise Wrong(f"{journal.bytes} bytes")
        # The server gets everything now and then: the DROPPED reports of earlier boots may go
        # without a word when the room is full of newer ones, which would look like a loss here.
        if cut % 4 == 3:
            for boot in {place[0] for place in appended}:
                newest = max([place[1] for place in appended if place[0] == boot])
                confirm(journal, appended, held, boot, newest)
        vfs.umount(PLACE)
        flash, journal = restarted(image)
    print(json.dumps({"cuts": cuts, "boots": boots, "writes": writes, "dropped": dropped, "waiting": len(appended)}))


def endless(path):
    """Tell what is there, then append for ever and tell each report once it is safe."""
    try:
        os.stat(path)
        make = False
    except OSError:
        make = True
    _, journal = restarted(FileImage(path, BLOCKS), make)
    journal.open()
    found, told = contents(journal)
    print(json.dumps({"boot": journal.boot, "found": [[p[0], p[1], found[p]] for p in found], "told": list(told)}))
    while True:
        kind = messages.FINDING if journal.seq % 5 == 0 else messages.SWEEP
        seq = journal.append(kind, BODY)
        print(json.dumps([journal.boot, seq, journal.prev]))


if sys.argv[1] == "--endless":
    endless(sys.argv[2])
else:
    many_cuts(int(sys.argv[1]), int(sys.argv[2]))
