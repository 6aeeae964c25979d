"""Proximity: the figures on generated walks, and what a wearer can trust."""

import statistics
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim import topics
from ansim.decode import decode_message
from ansim.detect.proximity import COLDER, LOST, LOST_MS, SAME, WARMER, Proximity
from ansim.messages import encode, live
from tests.support.walks import SECONDS, nearing_db, walk

SEEDS = range(12)


def readings(heard):
    """Yield (index, Reading) of a walk, one each half second."""
    near = Proximity()
    half = 0
    for index, frame in enumerate(heard):
        near.add(frame.at_ms, frame.rssi_dbm)
        if frame.at_ms // 500 != half:
            half = frame.at_ms // 500
            yield index, near.reading(frame.at_ms)


def calls(heard):
    """Return [(index, trend), ...] of the changes of the trend."""
    changes, before = [], SAME
    for index, reading in readings(heard):
        if reading.trend != before:
            before = reading.trend
            changes.append((index, before))
    return changes


def test_wrong_directions_are_called_less_than_once_in_five_minutes_of_walking():
    wrong = minutes = 0
    for mode in ("approach", "leave", "mixed"):
        for seed in SEEDS:
            heard = walk(seed, mode)
            minutes += SECONDS / 60
            for index, trend in calls(heard):
                truth = nearing_db(heard, index)
                wrong += (trend == WARMER and truth < -1) or (trend == COLDER and truth > 1)

    assert wrong / minutes <= 0.2


def test_standing_still_and_turning_round_gives_few_calls():
    still = sum(trend != SAME for seed in SEEDS for _, trend in calls(walk(seed, "still")))
    without_turns = sum(trend != SAME for seed in SEEDS for _, trend in calls(walk(seed, "still", turns=False)))

    assert still / len(SEEDS) <= 2.5
    assert without_turns / len(SEEDS) <= 1


@pytest.mark.parametrize(("mode", "trend", "most_s"), [("approach", WARMER, 7), ("leave", COLDER, 10)])
def test_a_walk_is_noticed_in_seconds(mode, trend, most_s):
    delays = []
    for seed in SEEDS:
        heard = walk(seed, mode)
        delays.append(min([heard[index].at_ms / 1000 for index, said in calls(heard) if said == trend] or [SECONDS]))

    assert statistics.median(delays) <= most_s


@pytest.mark.parametrize("frames_per_s", [1.5, 5, 50])
def test_the_true_level_is_within_two_sigma_nine_times_in_ten(frames_per_s):
    inside = [
        abs(reading.smoothed_dbm - heard[index].clear_dbm) <= 2 * reading.sigma_db
        for mode in ("approach", "still", "mixed")
        for seed in range(6)
        for heard in [walk(seed, mode, frames_per_s)]
        for index, reading in readings(heard)
        if heard[index].at_ms > 8000
    ]

    assert sum(inside) / len(inside) >= 0.9


def test_turning_round_while_standing_does_not_move_the_level_or_the_distance():
    near = Proximity()
    levels = []
    for at_ms in range(0, 30000, 50):
        body_db = 9 if 10000 <= at_ms < 14000 else 0
        near.add(at_ms, -60 - body_db)
        levels.append(near.reading(at_ms))

    assert {reading.trend for reading in levels} == {SAME}
    assert {reading.halvings for reading in levels} == {0}
    assert max(reading.smoothed_dbm for reading in levels) - min(reading.smoothed_dbm for reading in levels) <= 2


def test_more_than_a_body_is_colder_at_once():
    near = Proximity()
    for at_ms in range(0, 10000, 50):
        near.add(at_ms, -50)
    for at_ms in range(10000, 12600, 50):
        near.add(at_ms, -70)

    assert near.reading(12600).trend == COLDER


def test_the_distance_never_jumps():
    for mode in ("approach", "leave", "mixed"):
        for seed in SEEDS:
            steps = [reading.halvings for _, reading in readings(walk(seed, mode))]
            assert all(abs(after - before) <= 1 for before, after in pairwise(steps))


def test_coming_from_8_m_to_1_m_is_about_three_halvings():
    halvings = []
    for seed in range(40):
        heard = walk(seed, "approach", turns=False)
        if heard[0].distance_m >= 7:
            halvings += [reading.halvings for index, reading in readings(heard) if heard[index].distance_m <= 1][-1:]

    assert 2 <= statistics.mean(halvings) <= 5


def test_silence_is_lost_and_the_uncertainty_grows():
    near = Proximity()
    assert near.reading(0).trend == LOST
    for at_ms in range(0, 5000, 100):
        near.add(at_ms, -60)

    soon, late = near.reading(5500), near.reading(4900 + LOST_MS)

    assert (soon.trend, late.trend) == (SAME, LOST)
    assert late.sigma_db >= soon.sigma_db + 4


def test_after_being_lost_it_compares_with_nothing_old():
    near = Proximity()
    for at_ms in range(0, 8000, 100):
        near.add(at_ms, -85)
    for at_ms in range(20000, 21400, 100):
        near.add(at_ms, -45)

    assert near.reading(21400).trend == SAME


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-20000, 20000), st.integers(-128, 20), st.booleans()), max_size=80))
def test_no_order_of_times_and_levels_breaks_it(steps):
    near = Proximity()
    now_ms = 100000
    for step_ms, rssi_dbm, heard in steps:
        now_ms = max(0, now_ms + step_ms)
        if heard:
            near.add(now_ms, rssi_dbm)
        reading = near.reading(now_ms)
        message = live(
            1, now_ms, "c0:ff:ee:00:00:01", reading.rssi_dbm, reading.smoothed_dbm, reading.sigma_db, reading.trend
        )
        decode_message(topics.LIVE, encode(message))
