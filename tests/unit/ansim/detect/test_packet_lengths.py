from ansim.detect.packet_lengths import common_share
from ansim.detect.stations import layout


def table_with(counts, series=2):
    table = bytearray(layout.TABLE_BYTES)
    halves = memoryview(table).cast("H")
    at = layout.SERIES_LENGTHS_AT + (series - 1) * layout.SERIES_LENGTHS
    for place, count in enumerate(counts):
        halves[at + place] = count
    return table


def test_a_camera_fills_packets_of_one_length():
    assert common_share(table_with([5] * 10 + [50]), 2) == 500


def test_equal_packets_of_each_picture_have_no_common_length():
    assert common_share(table_with([10] * 20), 2) == 50


def test_few_frames_do_not_tell_and_are_kept():
    table = table_with([39])
    assert common_share(table, 2) == -1
    assert table == table_with([39])


def test_counts_fade():
    table = table_with([100, 41])
    common_share(table, 2)
    assert table == table_with([50, 20])
    assert common_share(table, 1) == -1
