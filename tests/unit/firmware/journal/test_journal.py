"""The journal: what is appended stays until the server confirms it, in order, within its room."""

import io
import json
import os
import random
from itertools import pairwise
from pathlib import Path

import pytest

from ansim import messages as report
from ansim import topics
from ansim.decode import decode_message
from ansim.envelope import digest
from ansim.finding import ALARM, NOTICE
from firmware.journal.journal import MAX_REPORT_BYTES, Journal
from firmware.journal.segment import records
from tests.support.report_bodies import BODIES, SWEEP_BODY

ROOM = 64 << 10


class StillClock:
    """A clock that a test moves."""

    def __init__(self):
        self.ms, self.seconds = 0, None

    def now_ms(self):
        self.ms += 1
        return self.ms

    def time_s(self):
        return self.seconds


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "journal")


def opened(folder, room=ROOM):
    journal = Journal(folder, room, StillClock())
    journal.open()
    return journal


def next_report(cursor) -> tuple:
    """The cursor's next report, which has to be there."""
    report_ = cursor.next()
    assert report_ is not None
    return report_


def waiting(journal) -> list:
    """Every waiting report as the decoded message, checked against the format."""
    decoded, cursor = [], journal.cursor()
    while record := cursor.next():
        message = decode_message(topics.REPORT, record[2])
        assert (message["boot"], message["seq"]) == record[:2]
        decoded.append(message)
    return decoded


def places(journal) -> list:
    return [(message["boot"], message["seq"]) for message in waiting(journal)]


def accounted(messages) -> dict:
    """boot -> the seqs that these messages are or stand for."""
    seqs = {}
    for message in messages:
        body = message["body"]
        first = body["first"] if message["kind"] == report.DROPPED else message["seq"]
        seqs.setdefault(message["boot"], set()).update(range(first, message["seq"] + 1))
    return seqs


def append(journal, *kinds):
    for kind in kinds:
        journal.append(kind, BODIES[kind])


def test_reports_come_out_in_order_and_chained_over_a_restart(folder):
    journal = opened(folder)
    append(journal, report.RESET, report.SWEEP)
    journal = opened(folder)
    append(journal, report.RESET)

    found = waiting(journal)

    assert [(m["boot"], m["seq"], m["kind"]) for m in found] == [(1, 1, "reset"), (1, 2, "sweep"), (2, 1, "reset")]
    cursor = journal.cursor()
    datas = [next_report(cursor)[2] for _ in found]
    assert [m["prev"] for m in found] == ["", digest(datas[0]), digest(datas[1])]


def test_a_start_without_a_report_is_counted_too(folder):
    for boot in range(1, 6):
        assert opened(folder).boot == boot


def test_a_confirmed_report_is_not_read_again_and_its_file_goes(folder):
    journal = opened(folder)
    for _ in range(300):
        append(journal, report.SWEEP)
        if journal.seq % 10 == 0:
            assert journal.confirm([[1, journal.seq]])

    assert places(journal) == [] and journal.reports == 0
    assert journal.bytes < 8192
    assert not journal.confirm([[1, 300]]), "the same again is no news"


def test_a_confirmation_survives_an_orderly_restart(folder):
    journal = opened(folder)
    append(journal, report.RESET, report.SWEEP, report.SWEEP)
    journal.confirm([[1, 2]])
    journal.close()

    assert places(opened(folder)) == [(1, 3)]


def test_a_confirmation_of_reports_that_were_never_made_frees_nothing(folder):
    journal = opened(folder)
    append(journal, report.RESET)

    assert journal.is_behind([[1, 2]]) and journal.is_behind([[9, 1]]) and not journal.is_behind([[1, 1]])
    assert not journal.confirm([[1, 2], [9, 1]])
    assert places(journal) == [(1, 1)]


def test_a_cursor_goes_on_with_what_is_appended_later(folder):
    journal = opened(folder)
    cursor = journal.cursor()
    append(journal, report.RESET)

    assert next_report(cursor)[:2] == (1, 1) and cursor.next() is None
    append(journal, report.SWEEP)
    assert next_report(cursor)[:2] == (1, 2) and cursor.next() is None


@pytest.mark.parametrize("damage_at", [0, 12, -12])
def test_records_without_their_bodies_are_the_same_ones_with_their_lengths(folder, damage_at):
    journal = opened(folder)
    append(journal, report.RESET, *[report.SWEEP] * 3)
    journal.close()
    data = bytearray(Path(journal.path(1)).read_bytes())
    data[damage_at] ^= damage_at != 0
    whole = [one and one._replace(body=len(one.body)) for one in records(io.BytesIO(data))]

    assert list(records(io.BytesIO(data), bodies=False)) == whole and (None in whole) == bool(damage_at)


def test_a_cursor_finds_its_place_after_files_were_rewritten_and_freed(folder):
    journal = opened(folder)
    append(journal, *[report.FINDING, report.SWEEP] * 40)
    cursor = journal.cursor()
    read = [next_report(cursor)[:2] for _ in range(30)]
    journal.confirm([[1, 20]])
    append(journal, *[report.FINDING] * 120)  # thins the sweeps

    while record := cursor.next():
        read.append(record[:2])

    assert read == sorted(set(read)) and read[-1] == (1, 200)
    assert {(1, seq) for seq in range(1, 200) if seq > 80 or seq % 2} <= set(read)


def test_a_full_journal_gives_up_the_oldest_sweeps_and_tells_of_each_run(folder):
    journal = opened(folder)
    append(journal, report.RESET, report.FINDING, *[report.SWEEP] * 200, report.FINDING)

    found = waiting(journal)

    assert journal.bytes <= ROOM
    kinds = [message["kind"] for message in found]
    assert kinds.count(report.FINDING) == 2 and kinds.count(report.DROPPED) == 1
    told = found[kinds.index(report.DROPPED)]
    assert told["body"] == {"first": 3, "last": told["seq"], "reports": journal.dropped}
    assert accounted(found) == {1: set(range(1, 204))}
    assert kinds[2:] == [report.DROPPED] + [report.SWEEP] * (200 - journal.dropped) + [report.FINDING]


def test_a_dropped_report_never_stands_for_one_that_was_kept(folder):
    journal = opened(folder)
    append(journal, *[report.SWEEP, report.FINDING] * 200)

    for before, message in pairwise(waiting(journal)):
        if message["kind"] == report.DROPPED:
            assert message["body"]["first"] == before["seq"] + 1
            assert message["body"]["reports"] == message["seq"] - before["seq"]


def test_findings_go_only_when_nothing_else_is_left(folder):
    journal = opened(folder)
    append(journal, *[report.SWEEP, report.SESSION, report.FINDING] * 60)
    kinds = [message["kind"] for message in waiting(journal)]
    assert kinds.count(report.FINDING) == 60

    append(journal, *[report.FINDING] * 200)

    found = waiting(journal)
    kinds = [message["kind"] for message in found]
    assert report.SWEEP not in kinds and report.SESSION not in kinds
    assert accounted(found) == {1: set(range(1, 381))}
    assert journal.bytes <= ROOM


def test_notices_go_before_alarms(folder):
    journal = opened(folder)
    for number in range(400):
        level = ALARM if number % 20 == 0 else NOTICE
        journal.append(report.FINDING, {**BODIES[report.FINDING], "level": level})

    levels = [message["body"]["level"] for message in waiting(journal) if message["kind"] == report.FINDING]
    assert levels.count(ALARM) == 20 and levels.count(NOTICE) < 380
    assert accounted(waiting(journal)) == {1: set(range(1, 401))}


def test_the_dropped_report_carries_the_chain_and_the_time_of_what_it_stands_for(folder):
    journal = opened(folder)
    append(journal, report.RESET)
    first = json.loads(next_report(journal.cursor())[2])
    append(journal, *[report.SWEEP] * 200)

    told = next(message for message in waiting(journal) if message["kind"] == report.DROPPED)

    assert told["prev"] == digest(report.encode(first)) and told["tick_ms"] == told["seq"]


def test_a_crash_loop_of_hundreds_of_starts_stays_within_the_room(folder):
    for _ in range(300):
        append(opened(folder, 16384), report.RESET)
    journal = opened(folder, 16384)

    assert journal.boot == 301
    assert journal.bytes <= 16384 and len(os.listdir(folder)) <= 33
    assert places(journal)[-1] == (300, 1)


def test_a_long_time_offline_leaves_few_files(folder):
    journal = opened(folder)
    for index in range(2000):
        append(journal, report.FINDING if index % 40 == 0 else report.SWEEP)

    assert journal.bytes <= ROOM and len(os.listdir(folder)) <= 40
    found = waiting(journal)
    assert accounted(found) == {1: set(range(1, 2001))}
    assert sum(message["kind"] == report.FINDING for message in found) == 50


def test_a_report_that_is_too_long_is_refused_and_changes_nothing(folder):
    journal = opened(folder)
    before = journal.bytes, journal.seq, journal.prev

    with pytest.raises(ValueError, match="reset"):
        journal.append(report.RESET, {"cause": "x" * MAX_REPORT_BYTES})

    assert (journal.bytes, journal.seq, journal.prev) == before


def test_the_inspection_and_the_time_are_in_each_report(folder):
    journal = opened(folder)
    journal.append(report.SWEEP, SWEEP_BODY, tick_ms=77)
    journal.inspection = "i-1"
    journal._clock.seconds = 1767225600
    append(journal, report.SWEEP)

    fields = [(m["inspection"], m["at_s"], m["tick_ms"]) for m in waiting(journal)]

    assert fields == [("", None, 77), ("i-1", 1767225600, 1)]


def test_a_torn_end_is_cut_off_wherever_it_tore(folder):
    journal = opened(folder)
    append(journal, report.RESET, report.FINDING)
    journal.close()
    path = journal.path(1)
    with open(path, "rb") as file:
        whole = file.read()
    append(journal, report.SWEEP)
    journal.close()
    with open(path, "rb") as file:
        longer = file.read()

    for length in range(len(whole), len(longer), 7):
        with open(path, "wb") as file:
            file.write(longer[:length])
        again = opened(folder)
        append(again, report.RESET)
        assert places(again) == [(1, 1), (1, 2), (again.boot, 1)], length
        assert places(opened(folder)) == places(again)
        for name in os.listdir(folder):
            os.remove(os.path.join(folder, name))


@pytest.mark.parametrize("value", [0x00, 0xFF, 0x1E])
def test_damaged_flash_loses_the_damaged_report_only_and_it_is_told(folder, value):
    journal = opened(folder)
    append(journal, *[report.FINDING] * 9)
    journal.close()
    path = journal.path(1)
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        file.write(bytes([value]) * 40)

    journal = opened(folder)

    found = waiting(journal)
    assert accounted(found) == {1: set(range(1, 10))}
    assert [m["kind"] for m in found].count(report.DROPPED) == 1 and journal.dropped in (1, 2)


def test_a_missing_file_is_told_once_the_server_waits_for_it(folder):
    journal = opened(folder)
    append(journal, *[report.FINDING] * 90)
    second = journal.segments[1]
    journal.close()
    os.remove(journal.path(second.number))

    journal = opened(folder)
    journal.confirm([[1, second.first_seq - 1]])
    journal.close_gaps([[1, second.first_seq - 1]])

    found = waiting(journal)
    assert found[0]["body"] == {"first": second.first_seq, "last": second.last_seq, "reports": second.reports}
    assert accounted(found) == {1: set(range(second.first_seq, 91))}


def test_what_the_server_lost_after_confirming_it_is_told_too(folder):
    journal = opened(folder)
    append(journal, *[report.FINDING] * 90)
    journal.confirm([[1, 80]])

    journal.close_gaps([[1, 3]])  # it was set back to a backup

    assert waiting(journal)[0]["body"]["first"] == 4
    assert accounted(waiting(journal)) == {1: set(range(4, 91))}


def test_a_journal_whose_flash_was_erased_goes_on_behind_the_server_s_boots(folder):
    journal = opened(folder)
    append(journal, report.RESET, report.FINDING)
    assert journal.is_behind([[17, 40]])
    journal._clock.seconds = 1767225600

    journal.continue_as(18)
    append(journal, report.SWEEP)

    found = waiting(journal)
    assert [(m["boot"], m["seq"], m["kind"]) for m in found] == [(18, 1, "reset"), (18, 2, "finding"), (18, 3, "sweep")]
    assert [m["at_s"] for m in found] == [None, None, 1767225600], "the old ones are dated as before"
    assert opened(folder).boot == 19


def test_a_merge_that_the_power_cut_is_finished(folder):
    journal = opened(folder)
    append(journal, *[report.SWEEP] * 30)
    journal.close()
    with open(journal.path(1), "rb") as file:
        first = file.read()
    with open(journal.path(2), "r+b") as file:
        second = file.read()
        file.seek(0)
        file.write(first + second)

    again = opened(folder)

    assert places(again) == [(1, seq) for seq in range(1, 31)]
    assert not os.path.exists(journal.path(1))


def test_a_file_of_rubbish_does_not_stop_the_start(folder):
    journal = opened(folder)
    append(journal, *[report.FINDING] * 3)
    journal.close()
    for number, rubbish in ((2, b""), (3, b"\x1e\xa5" * 3000), (4, random.Random(4).randbytes(5000))):
        with open(journal.path(number), "wb") as file:
            file.write(rubbish)
    with open(os.path.join(folder, "new"), "wb") as file:
        file.write(b"half a copy")

    again = opened(folder)

    append(again, report.RESET)
    assert places(again) == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert not os.path.exists(os.path.join(folder, "new"))


@pytest.mark.parametrize("seed", range(8))
def test_every_seq_is_waiting_told_or_confirmed_whatever_happens(folder, seed):
    chance = random.Random(seed)
    journal = opened(folder, 16384)
    made, held = {}, {}
    for _ in range(400):
        what = chance.random()
        if what < 0.8:
            append(journal, chance.choice([report.SWEEP] * 6 + [report.SESSION, report.FINDING, report.FINDING]))
            made[journal.boot] = journal.seq
        elif what < 0.9 and made:
            boot = min((boot for boot in made if held.get(boot, 0) < made[boot]), default=journal.boot)
            held[boot] = chance.randint(held.get(boot, 0), made.get(boot, 0))
            journal.confirm([[boot, held[boot]]])
        elif what < 0.95:
            if chance.random() < 0.5:
                journal.close()
            dropped = journal.dropped
            journal = opened(folder, 16384)
            journal.dropped = dropped
            journal.confirm([[boot, seq] for boot, seq in held.items() if seq])
        assert journal.bytes <= 16384
    found = waiting(journal)
    assert len(found) == journal.reports
    assert [(m["boot"], m["seq"]) for m in found] == sorted({(m["boot"], m["seq"]) for m in found})
    # The DROPPED reports of earlier boots may be forgotten for want of room, until the server asks.
    journal.close_gaps([[boot, held.get(boot, 0)] for boot in made])
    for boot, seqs in accounted(waiting(journal)).items():
        assert seqs >= set(range(held.get(boot, 0) + 1, max(seqs) + 1))
    assert max(accounted(waiting(journal))[journal.boot], default=0) == journal.seq
