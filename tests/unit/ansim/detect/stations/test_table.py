"""The station table: what it counts of which station, and whom it replaces when it is full."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansim.detect.stations import count, layout
from ansim.detect.stations.table import StationTable
from ansim.frame_header import FLAG_RETRY, KIND_DATA, RECORD_BYTES, SUBTYPE_QOS_DATA, pack_into
from tests.conftest import ROOT
from tests.support import stream_traffic
from tests.support.random_records import RandomNumbers, count_batches, make_batch

STATION, ACCESS_POINT, ROUTER = stream_traffic.station(), stream_traffic.access_point(), stream_traffic.router()
UP, DOWN = (ACCESS_POINT, STATION, ROUTER), (STATION, ACCESS_POINT, ROUTER)
TO_DS, FROM_DS = 1, 2
GROUP = b"\x01\x00\x5e\x00\x00\x01"


def record(ds, addresses, length=1000, sequence=0, time_us=0, retry=False, extra=0, rssi_dbm=-50):
    out = bytearray(RECORD_BYTES)
    flags = ds | (FLAG_RETRY if retry else 0)
    addr1, addr2, addr3 = addresses
    pack_into(
        out,
        0,
        time_us,
        length,
        SUBTYPE_QOS_DATA | flags << 8,
        rssi_dbm,
        6,
        addr1,
        addr2,
        addr3,
        sequence << 4,
        KIND_DATA,
        extra=extra,
    )
    return out


def heard(*records, ms=1000, channel=6):
    """A table that was tuned, shown these records and settled after `ms`."""
    table = StationTable()
    table.tune(channel, 0)
    table.take(bytearray(b"".join(records)), len(records))
    table.settle(ms)
    return table


def number_of(table, address):
    return next((number for number in range(table.used()) if table.is_at(number, address)), layout.NONE)


def is_in(table, address):
    return number_of(table, address) != layout.NONE


def row(table, address):
    """[up bytes, up frames, down bytes, down frames] of a station's newest row; bytes to the next lower BYTES_STEP."""
    number = number_of(table, address)
    assert number != layout.NONE
    at = layout.F_ROW + table.field(number, layout.F_HEAD) * layout.ROW_HALVES
    up, up_frames, down, down_frames = (table.field(number, at + step) for step in range(4))
    return [up * layout.BYTES_STEP, up_frames, down * layout.BYTES_STEP, down_frames]


class Plain(StationTable):
    """A table that counts by the board's lines instead of the fast ones."""

    def __init__(self):
        super().__init__()
        self._counter = None
        self._take = lambda records, number: count.count_records(self.table, records, number)


@pytest.mark.parametrize("name", ["stations.count", "stations.rows", "camera_evidence"])
def test_the_numbers_repeated_for_machine_code_are_those_of_the_layout(name):
    text = (ROOT / f"ansim/detect/{name.replace('.', '/')}.py").read_text()

    repeated = re.findall(
        r"^_((?:[SFO]_|FLAG_|STRIDE|FIRST|STATIONS|ROW|SERIES|NONE|UNHEARD|COUNTS)\w*) = const\((\w+)\)", text, re.M
    )

    assert len(repeated) > 10
    for constant, value in repeated:
        assert int(value, 0) == getattr(layout, constant), constant


def test_the_table_takes_at_most_16_kb():
    assert len(StationTable().table) == layout.TABLE_BYTES <= 16 * 1024


def test_a_table_in_given_memory_begins_empty():
    memory = bytearray(b"\x55" * layout.TABLE_BYTES)
    table = StationTable(memory)

    assert table.table is memory and memory == StationTable().table


@given(st.integers(1, 10**6), st.sampled_from([3, 30, 100]))
@example(79, 3)  # settled when no time had passed
@settings(max_examples=15, deadline=None)
def test_the_fast_counter_and_the_boards_lines_agree_on_any_records(seed, addresses):
    assert count_batches(seed, addresses) == count_batches(seed, addresses, Plain())


def test_bytes_and_frames_are_counted_in_both_directions():
    table = heard(record(TO_DS, UP, 1280, 1), record(TO_DS, UP, 640, 2), record(FROM_DS, DOWN, 128))

    assert row(table, STATION) == [1920, 2, 128, 1]


def test_what_a_router_hands_on_is_not_its_own():
    table = heard(record(FROM_DS, DOWN, 1500))

    assert not is_in(table, ROUTER)
    assert not is_in(table, ACCESS_POINT)
    assert row(table, STATION) == [0, 0, 1408, 1]


def test_an_access_point_that_sends_on_its_own_account_is_a_transmitter():
    own = (STATION, ACCESS_POINT, ACCESS_POINT)
    answer = (ACCESS_POINT, STATION, ACCESS_POINT)

    table = heard(record(FROM_DS, own, 1024, 1), record(TO_DS, answer, 128, 1))

    assert row(table, ACCESS_POINT) == [1024, 1, 128, 1]
    assert row(table, STATION) == [128, 1, 1024, 1]
    assert table.field(number_of(table, ACCESS_POINT), layout.F_FLAGS) & layout.FLAG_OWN


def test_one_mac_as_bssid_and_as_station_is_counted_once():
    as_station = (stream_traffic.access_point(2), ACCESS_POINT, ROUTER)
    own = (STATION, ACCESS_POINT, ACCESS_POINT)

    table = heard(record(TO_DS, as_station, 640, 1), record(FROM_DS, own, 640, 2))

    assert row(table, ACCESS_POINT) == [1280, 2, 0, 0]
    assert table.heard() == (2, False)


def test_frames_without_data_and_group_addresses_are_left_out():
    empty = record(TO_DS, UP, 30)
    empty[6] |= 0x40

    table = heard(
        empty, record(FROM_DS, (GROUP, ACCESS_POINT, ROUTER)), record(TO_DS, (ACCESS_POINT, bytes(6), ROUTER))
    )

    assert table.used() == 0


def test_a_repeated_frame_is_counted_once():
    again = record(TO_DS, UP, 640, 7, retry=True)

    table = heard(record(TO_DS, UP, 640, 7), again, again)

    assert row(table, STATION) == [640, 1, 0, 0]
    assert table.field(0, layout.F_SUM_RETRIES) == 2


@pytest.mark.parametrize(
    ("sequences", "pairs", "lost"),
    [
        ((1, 2, 3), 2, 0),
        ((1, 5), 1, 3),
        ((4094, 4095, 0, 2), 3, 1),  # the counter wraps
        ((10, 12, 11), 1, 0),  # late, not lost
    ],
)
def test_gaps_in_the_sequence_numbers_are_lost_frames(sequences, pairs, lost):
    table = heard(*(record(TO_DS, UP, 640, number) for number in sequences))

    assert table.field(0, layout.F_SUM_PAIRS) == pairs
    assert table.field(0, layout.F_SUM_LOST) == lost


def test_what_was_sent_while_the_radio_was_elsewhere_is_not_lost():
    table = heard(record(TO_DS, UP, 640, 1))
    table.tune(1, 1000)
    table.tune(6, 5000)

    table.take(record(TO_DS, UP, 640, 900), 1)
    table.settle(6000)

    assert table.field(0, layout.F_SUM_LOST) == 0


def test_the_parts_of_an_aggregated_msdu_count_as_frames():
    acknowledgements = record(FROM_DS, DOWN, 700, extra=0x80)

    table = heard(record(TO_DS, UP, 3060, 1, extra=0x80), acknowledgements)

    assert row(table, STATION)[1] == 2
    assert row(table, STATION)[3] == 6


def test_it_is_quiet_until_a_station_is_heard_and_again_after_the_next_settlement():
    table = heard()
    quiet = [table.is_quiet()]
    for frame in (record(TO_DS, UP), record(FROM_DS, DOWN), record(FROM_DS, (GROUP, ACCESS_POINT, ROUTER))):
        table.take(frame, 1)
        quiet.append(table.is_quiet())
        table.settle(table._since_ms + 100)

    assert quiet == [True, False, False, True]
    assert table.is_quiet()


def test_a_station_is_counted_on_the_channel_where_it_is_heard_best():
    table = heard(*(record(TO_DS, UP, 640, number) for number in range(20)))
    table.tune(7, 1000)
    table.take(record(TO_DS, UP, 640, 30), 1)  # the neighbouring channel overhears it
    table.settle(2000)

    assert table.field(0, layout.F_HOME) == 6
    assert table.field(0, layout.F_ROWS) == 1


def test_what_comes_while_the_radio_is_deaf_is_not_counted():
    table = StationTable()
    table.take(record(TO_DS, UP), 1)

    assert table.used() == 0


def test_time_that_wraps_is_harmless():
    before = [record(TO_DS, UP, 640, number, (1 << 32) - 500_000 + number * 100_000) for number in range(5)]
    after = [record(TO_DS, UP, 640, 5 + number, number * 100_000) for number in range(5)]

    table = heard(*before, *after)

    fine = table.field(0, layout.F_ROW + table.field(0, layout.F_HEAD) * layout.ROW_HALVES + 4) >> 8
    assert 9 <= fine <= 11


def flood(table, count, start=1000):
    """Show one frame each of so many addresses that were not there before."""
    for at in range(start, start + count):
        stranger = bytes([0xAC, 0xDE, 0x48, 9, at >> 8, at & 255])
        table.take(record(TO_DS, (ACCESS_POINT, stranger, ROUTER), 64), 1)


@pytest.mark.parametrize("kind", [StationTable, Plain])
def test_a_full_table_never_drops_the_strongest_suspect(kind):
    table = kind()
    table.tune(6, 0)
    for number in range(5):
        table.take(record(TO_DS, UP, 1280, number), 1)
    table.settle(1000)
    table.set_field(number_of(table, STATION), layout.F_RANK, 80)

    for second in range(1, 6):
        flood(table, 300, 1000 * second)
        table.settle(1000 + 1000 * second)

    assert is_in(table, STATION)
    assert table.used() == layout.STATIONS
    assert table.heard()[1] is True


def test_a_camera_that_comes_while_strangers_flood_the_table_is_followed():
    table = StationTable()
    table.tune(6, 0)
    for second in range(3):
        for part in range(40):
            flood(table, 20, 1000 * second + 20 * part)
            for number in range(3):
                table.take(record(TO_DS, UP, 1280, 3 * part + number), 1)
        table.settle(1000 + 1000 * second)

    assert row(table, STATION)[0] > 100_000


def test_forgetting_empties_the_table():
    table = heard(record(TO_DS, UP))

    table.forget()

    assert table.used() == 0
    table.take(record(TO_DS, UP, 640), 1)
    table.settle(2000)
    assert row(table, STATION) == [640, 1, 0, 0]


def test_a_series_holds_the_bytes_of_each_100_ms():
    table = heard(record(TO_DS, UP, 640, 0, 0))
    table.start_series(0, 1)

    table.take(bytearray(b"".join(record(TO_DS, UP, 1600, 1 + at, 100_000 * at + 1_050_000) for at in range(5))), 5)
    table.settle(2000)

    halves = memoryview(table.table).cast("H")[layout.SERIES_AT : layout.SERIES_AT + layout.SERIES_BINS]
    assert [half for half in halves if half not in (0, layout.UNHEARD)] == [100] * 5


def test_a_series_counts_its_long_frames_by_length():
    table = heard(record(TO_DS, UP, 640, 0, 0))
    table.start_series(0, 1)
    lengths = [511, 512, 527, 528, 1391, 1392, 1500]

    table.take(
        bytearray(b"".join(record(TO_DS, UP, length, 1 + at, 10_000 * at) for at, length in enumerate(lengths))), 7
    )
    table.settle(2000)

    halves = memoryview(table.table).cast("H")[layout.SERIES_LENGTHS_AT :][: layout.SERIES_LENGTHS]
    assert list(halves) == [2, 1] + [0] * 52 + [1, 2]
    table.start_series(0, 1)
    assert not any(table.table[2 * layout.SERIES_LENGTHS_AT :])


def test_random_records_of_the_helper_cover_every_role():
    chance, time_us = RandomNumbers(1), [0]
    controls = set()
    for _ in range(20):
        records = make_batch(chance, 100, 30, time_us)
        controls |= {records[at + 6] for at in range(0, len(records), RECORD_BYTES)}

    assert {0x88, 0x94, 0xC4, 0xD4} <= controls
