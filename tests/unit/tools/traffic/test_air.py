"""The records that a sniffer receives of a device."""

import itertools
import random
import struct

import pytest

from ansim import frame_header as header
from tools.traffic import air

MAC, BSSID, CLIENT = (bytes.fromhex(one) for one in ("acde48000001", "acde48010006", "dade48020001"))
FRAMES = [(number * 0.05, number % 3 != 2, 200 + number) for number in range(300)]


def heard(frames=FRAMES, seed=1, **options):
    emitted = air.Emitter(MAC, BSSID, 6, CLIENT, **options).records(frames, seed)
    return [(time_us, struct.unpack(header.RECORD_FORMAT, record)) for time_us, record in emitted]


def data(timed_records):
    return [record for _, record in timed_records if record[7] & 15 == header.KIND_DATA]


def test_a_station_sends_to_its_access_point_and_hears_from_it():
    up, down = data(heard())[0], data(heard())[2]

    assert up[2] >> 8 & 3 == header.FLAG_TO_DS
    assert up[8:10] == (BSSID, MAC)
    assert down[2] >> 8 & 3 == header.FLAG_FROM_DS
    assert down[8:10] == (MAC, BSSID)
    assert up[10] not in (MAC, BSSID)


def test_an_access_point_sends_from_itself():
    up, down = data(heard(role=air.AP))[0], data(heard(role=air.AP))[2]

    assert up[2] >> 8 & 3 == header.FLAG_FROM_DS
    assert up[8:11] == (CLIENT, MAC, MAC)
    assert down[2] >> 8 & 3 == header.FLAG_TO_DS
    assert down[8:11] == (MAC, CLIENT, MAC)


def test_each_transmitter_counts_its_own_sequence():
    timed_records = data(heard())

    for sender in (MAC, BSSID):
        numbers = [record[11] >> 4 for record in timed_records if record[9] == sender]
        assert all((later - earlier) % 4096 == 1 for earlier, later in itertools.pairwise(numbers))


def test_lost_frames_leave_gaps_in_the_sequence():
    timed_records = [record[11] >> 4 for record in data(heard(loss=0.5)) if record[9] == MAC]

    sent = (timed_records[-1] - timed_records[0]) % 4096 + 1
    assert 0.35 < 1 - len(timed_records) / sent < 0.65


def test_a_retry_has_the_flag_and_the_sequence_of_its_first_try():
    timed_records = data(heard(retries=0.3))

    retried = [place for place, record in enumerate(timed_records) if record[2] >> 8 & header.FLAG_RETRY]
    assert 50 < len(retried) < 130
    assert all(timed_records[place][11] == timed_records[place - 1][11] for place in retried)


def test_data_is_answered_by_acks_and_block_acks():
    burst = [(0.0, 1, 1500)] * 5 + [(1.0, 1, 1500)] + [(2.0, 0, 300)]

    answers = [record for _, record in heard(burst, control=True) if record[7] & 15 == header.KIND_CONTROL]

    assert [record[2] for record in answers] == [header.SUBTYPE_BLOCK_ACK, header.SUBTYPE_ACK, header.SUBTYPE_ACK]
    assert answers[0][8:10] == (MAC, BSSID)
    assert answers[0][12] == 5
    assert answers[1][8:10] == (MAC, bytes(6))
    assert answers[2][8:10] == (BSSID, bytes(6))


def test_an_undecodable_device_shows_only_in_frames_to_it():
    timed_records = heard(undecodable=True)

    unread = [record for _, record in timed_records if record[7] & 15 == header.KIND_UNDECODABLE]
    answers = [record for _, record in timed_records if record[7] & 15 == header.KIND_CONTROL]
    assert len(unread) == 200
    assert all(record[8:13] == (bytes(6), bytes(6), bytes(6), 0, 0) for record in unread)
    assert {record[8] for record in answers} == {MAC}
    assert not [record for record in data(timed_records) if record[9] == MAC]


@pytest.mark.parametrize(
    "options", [{}, {"control": True, "cts": True, "retries": 0.2}, {"undecodable": True, "loss": 0.3}]
)
def test_records_are_in_time_order_and_the_same_for_the_same_seed(options):
    at_once = [(0.0, 1, 1500)] * 200 + FRAMES[1:]

    timed_records = heard(at_once, 5, **options)

    assert timed_records == heard(at_once, 5, **options)
    assert [time_us for time_us, _ in timed_records] == sorted(time_us for time_us, _ in timed_records)


def test_the_signal_follows_the_walk_and_wanders():
    timed_records = [
        (time_us / 1e6, record[4])
        for time_us, record in heard(rssi_dbm=[[2, -80], [12, -40]], jitter_db=1)
        if record[9] == MAC
    ]

    at = {round(t_s): rssi for t_s, rssi in timed_records}
    assert at[1] == pytest.approx(-80, abs=4)
    assert at[7] == pytest.approx(-60, abs=4)
    assert at[14] == pytest.approx(-40, abs=4)
    assert len({rssi for t_s, rssi in timed_records if t_s < 2}) > 1


def test_a_recorded_signal_takes_precedence():
    assert data(heard([(0.0, 1, 100, -33)]))[0][4] == -33


@pytest.mark.parametrize("burst_ms", [0, 20, 300])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_the_share_of_lost_frames_is_as_specified(share, burst_ms):
    is_lost = air.Loss(share, burst_ms, random.Random(3)).is_lost

    lost = [is_lost(number * 1000) for number in range(200_000)]

    assert sum(lost) / len(lost) == pytest.approx(share, abs=0.05)


def test_bursts_lose_neighbours_together():
    def changes(burst_ms):
        is_lost = air.Loss(0.5, burst_ms, random.Random(3)).is_lost
        lost = [is_lost(number * 1000) for number in range(20_000)]
        return sum(earlier != later for earlier, later in itertools.pairwise(lost))

    assert changes(100) < changes(0) / 5


def test_a_silence_of_a_year_takes_no_time_to_pass():
    is_lost = air.Loss(0.5, 1, random.Random(3)).is_lost

    assert is_lost(0) in (True, False)
    assert is_lost(365 * 86_400_000_000) in (True, False)
