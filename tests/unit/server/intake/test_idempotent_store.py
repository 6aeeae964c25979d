import random
import time

import pytest
from sqlalchemy import event, func, select

from ansim import messages
from server.models import DroppedRange, Finding, Report, Selftest, SensorBoot, Sweep
from server.services.intake import completeness, dead_letters, idempotent_store
from tests.support.sensor_messages import NOW_S, Voice, heard


def test_a_report_is_stored_once_however_often_it_comes(session, pseudonyms, sensor):
    voice = Voice(sensor)
    first, second = voice.says(), voice.says()

    once = heard(session, pseudonyms, first, second, first)
    again = heard(session, pseudonyms, second, first)

    assert len(once.stored) == 2 and len(once.duplicates) == 1
    assert not again.stored and len(again.duplicates) == 2
    assert session.scalar(select(func.count(Report.id))) == 2
    assert session.scalar(select(func.count(Sweep.report_id))) == 2


def test_a_duplicate_is_confirmed_again(session, pseudonyms, sensor):
    voice = Voice(sensor)
    first = voice.says()
    heard(session, pseudonyms, first)

    again = heard(session, pseudonyms, first)

    assert again.confirm == {sensor.id: {1: 1}}


def test_another_content_under_the_same_number_is_a_conflict_and_the_first_stays(session, pseudonyms, sensor):
    voice = Voice(sensor)
    first = voice.says()
    heard(session, pseudonyms, first)
    other = Voice(sensor).says(tick_ms=77)

    recorded = heard(session, pseudonyms, other)

    assert recorded.conflicts == [other] and not recorded.stored and not recorded.duplicates
    assert session.scalar(select(Report.content)) == first.body


def test_the_exact_bytes_are_kept(session, pseudonyms, sensor):
    first = Voice(sensor).says()

    heard(session, pseudonyms, first)

    assert session.scalar(select(Report.content)) == first.body


def test_only_what_is_complete_is_confirmed(session, pseudonyms, sensor):
    voice = Voice(sensor)
    first, second, third, fourth = (voice.says() for _ in range(4))

    assert heard(session, pseudonyms, first, fourth).confirm[sensor.id] == {1: 1}
    assert heard(session, pseudonyms, third).confirm[sensor.id] == {1: 1}
    assert heard(session, pseudonyms, second).confirm[sensor.id] == {1: 4}


@pytest.mark.parametrize("seed", range(4))
def test_all_reports_are_confirmed_in_the_end_in_any_order_and_batches(session, pseudonyms, sensor, seed):
    reports = []
    for boot in (1, 2, 3):
        voice = Voice(sensor, boot)
        reports += [voice.says() for _ in range(30)]
    draw = random.Random(seed)
    draw.shuffle(reports)

    while reports:
        part = [reports.pop() for _ in range(min(len(reports), draw.randint(1, 9)))]
        heard(session, pseudonyms, *part)

    boots = session.execute(select(SensorBoot.boot, SensorBoot.upto, SensorBoot.highest)).all()
    assert sorted(boots) == [(1, 30, 30), (2, 30, 30), (3, 30, 30)]


def test_a_dropped_range_counts_as_accounted_for(session, pseudonyms, sensor):
    voice = Voice(sensor)
    first = voice.says()
    voice.seq = 4
    dropped = voice.says(messages.DROPPED, {"first": 2, "last": 5, "reports": 4})
    sixth = voice.says()

    recorded = heard(session, pseudonyms, first, dropped, sixth)

    assert recorded.confirm[sensor.id] == {1: 6}
    assert recorded.dropped == {sensor.id: 4}
    assert not recorded.chain_broken
    assert session.execute(select(DroppedRange.first, DroppedRange.last)).one() == (2, 5)


def test_a_dropped_range_that_comes_late_closes_the_gap(session, pseudonyms, sensor):
    voice = Voice(sensor)
    first = voice.says()
    voice.seq = 5
    sixth = voice.says()
    late = Voice(sensor).says(messages.DROPPED, {"first": 2, "last": 5, "reports": 4}, seq=5)

    assert heard(session, pseudonyms, first, sixth).confirm[sensor.id] == {1: 1}
    assert heard(session, pseudonyms, late).confirm[sensor.id] == {1: 6}


def test_late_dropped_ranges_without_a_stored_report_between_them_are_all_stored(session, pseudonyms, sensor):
    voice = Voice(sensor)
    voice.seq = 5
    heard(session, pseudonyms, voice.says(), *[Voice(sensor).says(seq=seq) for seq in (2, 4)])

    for seq in (2, 4):
        late = Voice(sensor).says(messages.DROPPED, {"first": seq - 1, "last": seq, "reports": 2}, seq=seq)
        heard(session, pseudonyms, late)
    dropped = Voice(sensor, boot=2).says(messages.DROPPED, {"first": 1, "last": 3, "reports": 3}, seq=3)
    heard(session, pseudonyms, dropped)

    ranges = session.execute(select(DroppedRange.boot, DroppedRange.first, DroppedRange.last)).all()
    assert sorted(ranges) == [(1, 1, 2), (1, 3, 4), (2, 1, 3)]


def test_a_dropped_range_cannot_reach_beyond_its_own_number(session, pseudonyms, sensor):
    liar = Voice(sensor).says(messages.DROPPED, {"first": 1, "last": 900, "reports": 900}, seq=3)

    assert heard(session, pseudonyms, liar).confirm[sensor.id] == {1: 3}


def test_a_gap_is_listed(session, pseudonyms, sensor):
    voice = Voice(sensor)
    voice.seq = 3
    heard(session, pseudonyms, voice.says())

    assert completeness.gaps(session, sensor.id) == [(1, 1, 4)]


def test_a_chain_that_holds_is_not_counted(session, pseudonyms, sensor):
    voice = Voice(sensor)
    reports = [voice.says() for _ in range(6)]

    counted = [heard(session, pseudonyms, *part).chain_broken for part in (reports[:2], reports[4:], reports[2:4])]

    assert not any(counted)


def test_an_edited_report_breaks_the_chain_where_it_stands(session, pseudonyms, sensor):
    voice = Voice(sensor)
    heard(session, pseudonyms, voice.says())
    voice.prev = "0123456789abcdef"

    in_order = heard(session, pseudonyms, voice.says())
    same_batch = heard(session, pseudonyms, voice.says(), voice.says(prev="f" * 16))

    assert in_order.chain_broken == {sensor.id: 1}
    assert same_batch.chain_broken == {sensor.id: 1}


def test_an_edited_report_that_fills_a_gap_is_noticed_by_its_neighbour(session, pseudonyms, sensor):
    voice = Voice(sensor)
    first, _second, third = voice.says(), voice.says(), voice.says()
    heard(session, pseudonyms, first, third)

    forged = Voice(sensor).says(seq=2, prev=third.message["prev"], tick_ms=5)

    assert heard(session, pseudonyms, forged).chain_broken[sensor.id] == 2


def test_newest_boots_are_confirmed_and_not_more_than_fit(session, pseudonyms, sensor):
    for boot in range(1, 12):
        heard(session, pseudonyms, Voice(sensor, boot).says())

    upto = completeness.confirmation_of(session, sensor.id)

    assert upto == dict.fromkeys(range(4, 12), 1)


def test_a_clock_report_dates_what_came_before_it(session, pseudonyms, sensor):
    voice = Voice(sensor)
    early = voice.says(tick_ms=10_000)
    test = voice.says(
        messages.SELFTEST, {"passed": True, "checks": [["radio", True, 13]], "took_ms": 900}, tick_ms=20_000
    )
    heard(session, pseudonyms, early, test)
    assert session.scalars(select(Report.at_s)).all() == [None, None]

    clock = voice.says(messages.CLOCK, {"at_tick_ms": 60_000, "time_s": NOW_S, "source": "server"}, tick_ms=60_100)
    heard(session, pseudonyms, clock)
    later = heard(session, pseudonyms, voice.says(tick_ms=90_000))

    assert len(later.stored) == 1
    dated = session.scalars(select(Report.at_s).order_by(Report.seq)).all()
    assert dated == [NOW_S - 50, NOW_S - 40, NOW_S, NOW_S + 30]
    assert session.scalar(select(Selftest.at_s)) == NOW_S - 40
    assert session.scalars(select(Sweep.at_s).order_by(Sweep.report_id)).all() == [NOW_S - 50, NOW_S + 30]


def test_the_sensors_own_time_is_not_overruled(session, pseudonyms, sensor):
    voice = Voice(sensor)
    heard(session, pseudonyms, voice.says(at_s=NOW_S - 7))

    heard(session, pseudonyms, voice.says(messages.CLOCK, {"at_tick_ms": 0, "time_s": NOW_S, "source": "ntp"}))

    assert session.scalars(select(Report.at_s).order_by(Report.seq)).all()[0] == NOW_S - 7


@pytest.mark.parametrize("ahead_s", [61, 2 * 86400, 1 << 31])
def test_a_time_that_has_not_come_yet_is_the_time_of_receipt(session, pseudonyms, sensor, ahead_s):
    """A clock that runs ahead, by the sensor itself and by a CLOCK report; the body keeps what the sensor said."""
    voice, other = Voice(sensor), Voice(sensor, boot=2)
    heard(session, pseudonyms, voice.finds(at_s=NOW_S + ahead_s), other.says())
    clock = {"at_tick_ms": 0, "time_s": min(NOW_S + ahead_s, (1 << 32) - 1), "source": "server"}
    heard(session, pseudonyms, other.says(messages.CLOCK, clock))

    assert set(session.scalars(select(Report.at_s))) == {NOW_S}
    finding = session.scalars(select(Finding)).one()
    assert (finding.first_at_s, finding.last_at_s) == (NOW_S, NOW_S)


def test_a_clock_says_nothing_about_another_boot(session, pseudonyms, sensor):
    heard(session, pseudonyms, Voice(sensor, boot=1).says())

    clock = Voice(sensor, boot=2).says(messages.CLOCK, {"at_tick_ms": 0, "time_s": NOW_S, "source": "ntp"})
    heard(session, pseudonyms, clock)

    assert session.scalar(select(Report.at_s).where(Report.boot == 1)) is None


def test_dropped_reports_count_although_the_number_of_their_report_was_delivered_before(session, pseudonyms, sensor):
    voice = Voice(sensor)
    reports = [voice.says() for _ in range(6)]
    # 2, 3 and 4 were on their way when the journal was full.
    heard(session, pseudonyms, reports[0], reports[4], reports[5])
    dropped = Voice(sensor).says(messages.DROPPED, {"first": 2, "last": 5, "reports": 4}, seq=5)

    recorded = heard(session, pseudonyms, dropped)

    assert recorded.conflicts == [dropped] and recorded.dropped == {sensor.id: 4}
    assert recorded.confirm == {sensor.id: {1: 6}}
    assert session.scalar(select(SensorBoot.upto)) == 6
    assert not completeness.gaps(session, sensor.id)


def test_such_a_range_is_noted_once_however_often_it_comes(session, pseudonyms, sensor):
    voice = Voice(sensor)
    reports = [voice.says() for _ in range(3)]
    heard(session, pseudonyms, reports[0], reports[2])
    dropped = Voice(sensor).says(messages.DROPPED, {"first": 2, "last": 3, "reports": 2}, seq=3)

    heard(session, pseudonyms, dropped, dropped)
    again = heard(session, pseudonyms, dropped)

    assert not again.dropped and again.confirm == {sensor.id: {1: 3}}
    assert session.scalar(select(func.count(DroppedRange.id))) == 1


def test_a_range_that_comes_before_the_report_with_its_number_is_no_conflict(session, pseudonyms, sensor):
    voice = Voice(sensor)
    reports = [voice.says() for _ in range(3)]
    dropped = Voice(sensor).says(messages.DROPPED, {"first": 2, "last": 3, "reports": 2}, seq=3)

    heard(session, pseudonyms, reports[0], dropped)
    recorded = heard(session, pseudonyms, reports[2])

    assert recorded.conflicts == [reports[2]] and recorded.confirm == {sensor.id: {1: 3}}


def test_an_unreadable_report_does_not_hold_up_later_ones(session, pseudonyms, sensor):
    voice = Voice(sensor)
    first, second, third = (voice.says() for _ in range(3))
    odd = second._replace(message=messages.report(1, 2, "", 0, None, "", idempotent_store.UNREADABLE, {}))

    recorded = heard(session, pseudonyms, first, odd, third)

    assert recorded.confirm == {sensor.id: {1: 3}} and not recorded.conflicts
    kept = session.scalar(select(Report).where(Report.seq == 2))
    assert (kept.kind, kept.content) == (idempotent_store.UNREADABLE, b"{}")
    assert len(heard(session, pseudonyms, odd).duplicates) == 1


@pytest.mark.parametrize("late_first", [False, True])
def test_three_thousand_gaps_close_in_linear_time(session, pseudonyms, sensor, late_first):
    gaps = 3000
    voice = Voice(sensor)
    dropped = [
        voice.says(messages.DROPPED, {"first": seq - 1, "last": seq - 1, "reports": 1}, seq=seq)
        for seq in range(3, 2 * gaps + 2, 2)
    ]
    first = Voice(sensor).says(seq=1)
    queries = []
    listen = session.get_bind()

    def note(*_):
        queries.append(1)

    heard(session, pseudonyms, *([] if late_first else [first]))
    heard(session, pseudonyms, *dropped[: gaps // 2])
    heard(session, pseudonyms, *dropped[gaps // 2 :])
    event.listen(listen, "before_cursor_execute", note)
    started_s = time.perf_counter()
    recorded = heard(session, pseudonyms, first)
    took_s = time.perf_counter() - started_s
    event.remove(listen, "before_cursor_execute", note)

    assert recorded.confirm == {sensor.id: {1: 2 * gaps + 1}}
    assert len(queries) < 60
    assert took_s < 3


def test_a_gap_that_stays_open_costs_the_same_whatever_lies_behind_it(session, pseudonyms, sensor):
    voice = Voice(sensor)
    heard(session, pseudonyms, *[voice.says(seq=seq) for seq in range(3, 1003, 2)])
    rows = []
    original = completeness._walk
    completeness._walk = lambda upto, seqs, ranges: rows.append(len(seqs) + len(ranges)) or original(upto, seqs, ranges)
    try:
        recorded = heard(session, pseudonyms, voice.says(seq=1003))
    finally:
        completeness._walk = original

    assert recorded.confirm == {sensor.id: {1: 0}}
    assert sum(rows) <= 32


def test_dead_letters_are_shown_without_addresses():
    body = b'{"subject":"c0:ff:ee:00:12:34","bssid":"C0-FF-EE-00-12-34","x":"c0ffee001234","n":123}\x00'

    shown = dead_letters.without_addresses(body)

    assert len(shown) == len(body)
    assert b"ff" not in shown.lower() and b"00:00:00:00:00:00" in shown and b'"n":123' in shown
    rows = dead_letters.as_hex(body)
    assert rows[0][0] == "0000" and rows[0][2] == '{"subject":"00:0' and rows[-1][2].endswith(".")
