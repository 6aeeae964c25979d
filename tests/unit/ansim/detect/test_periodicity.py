"""Which byte series have the rhythm of key frames."""

import random
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.detect import periodicity
from ansim.detect.periodicity import MIN_BINS
from ansim.detect.stations.layout import SERIES_AT, SERIES_BINS, UNHEARD
from ansim.detect.stations.table import StationTable


def rhythm(bins, newest=None):
    """periodicity() of a series of bytes / 16 in each 100 ms, oldest first."""
    table = StationTable()
    newest = len(bins) if newest is None else newest
    halves = memoryview(table.table).cast("H")
    for place in range(SERIES_BINS):
        halves[SERIES_AT + place] = UNHEARD
    for age, value in enumerate(reversed(bins)):
        halves[SERIES_AT + (newest - 1 - age) % SERIES_BINS] = value
    return periodicity.periodicity(table.table, 1, newest)


def video(every, seconds=25, key=600, other=150, seed=1):
    chance = random.Random(seed)
    return [(key if at % every == 0 else other) + chance.randrange(60) for at in range(10 * seconds)]


@pytest.mark.parametrize("every", [10, 20, 30, 40])
def test_key_frames_are_found_with_their_period(every):
    strength, period_ms, _, bins = rhythm(video(every))

    assert strength >= 600
    assert period_ms % (100 * every) == 0 or (100 * every) % period_ms == 0
    assert bins > 200


def test_a_dwell_of_ten_seconds_is_enough():
    strength, period_ms, _, bins = rhythm(video(20, seconds=10))

    assert bins >= MIN_BINS
    assert (strength >= 450, period_ms) == (True, 2000)


def test_less_is_not():
    assert rhythm(video(20, seconds=8))[:3] == (0, 0, 0)


def test_a_rate_that_drifts_has_no_rhythm():
    level, drifting, chance = 300.0, [], random.Random(2)
    for _ in range(250):
        level = min(800, max(60, level + chance.gauss(0, 40)))
        drifting.append(int(level))

    assert rhythm(drifting)[0] < 300


def test_chance_has_no_rhythm():
    chance = random.Random(3)

    assert rhythm([chance.randrange(400) for _ in range(250)])[0] < 300


def test_frame_rates_that_do_not_divide_100_ms_are_not_taken_for_a_rhythm():
    frames_per_s = 24
    bins = [0] * 250
    for frame in range(25 * frames_per_s):
        bins[frame * 10 // frames_per_s] += 150

    assert rhythm(bins)[0] < 450


def test_an_even_flow_has_neither_rhythm_nor_variation():
    strength, _, variation, _ = rhythm([500 + (at % 20 == 0) for at in range(250)])

    assert strength == 0
    assert variation < 20


def test_what_was_not_heard_does_not_count():
    holes = video(20)
    holes[100:140] = [UNHEARD] * 40

    strength, period_ms, _, bins = rhythm(holes)

    assert strength >= 450
    assert period_ms in (2000, 4000)
    assert bins < 220


def test_where_the_series_begins_in_its_ring_makes_no_difference():
    assert rhythm(video(30), newest=250) == rhythm(video(30), newest=43_000)


@given(st.lists(st.one_of(st.integers(0, 65_534), st.just(UNHEARD)), min_size=90, max_size=255))
@settings(max_examples=40, deadline=None)
def test_the_fast_search_and_the_boards_lines_find_the_same(bins):
    strength, _, variation, heard = rhythm(bins)

    assert 0 <= strength <= 1000
    if heard >= MIN_BINS and variation:
        work = array("H", periodicity._work)
        power = periodicity._power(work, heard)
        assert periodicity._peak_plain(work, power, heard) == periodicity._peak_viper(work, power, heard)
