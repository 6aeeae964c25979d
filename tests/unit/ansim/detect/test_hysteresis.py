"""An alarm is reported when it is raised, when it changes much, and when it is cleared; never in between."""

from hypothesis import given
from hypothesis import strategies as st

from ansim.detect.hysteresis import UPDATE_EVERY_MS, Alarm, fingerprint, make_room, strongest_first, total
from ansim.finding import CLEARED, RAISED, UPDATED, Evidence


def test_a_score_that_swings_around_the_threshold_is_reported_once():
    alarm = Alarm()

    events = [alarm.event(score, -60, 1000 * at) for at, score in enumerate([59, 60, 58, 61, 55, 60, 52])]

    assert events == [None, RAISED, None, None, None, None, None]


def test_it_is_cleared_well_below_the_threshold_and_can_be_raised_again():
    alarm = Alarm()

    assert [alarm.event(score, -60, 0) for score in (70, 49, 30, 60)] == [RAISED, CLEARED, None, RAISED]


def test_coming_twice_as_near_is_an_update_but_not_more_often_than_every_10_s():
    alarm = Alarm()
    alarm.event(70, -70, 0)

    assert alarm.event(70, -50, UPDATE_EVERY_MS - 1) is None
    assert alarm.event(70, -50, UPDATE_EVERY_MS) == UPDATED
    assert alarm.event(70, -45, 3 * UPDATE_EVERY_MS) is None


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(-100, 0)), max_size=60))
def test_raised_and_cleared_take_turns(scores):
    alarm = Alarm()

    events = [alarm.event(score, rssi, 1000 * at) for at, (score, rssi) in enumerate(scores)]

    turns = [event for event in events if event in (RAISED, CLEARED)]
    assert turns[0::2] == [RAISED] * len(turns[0::2])
    assert turns[1::2] == [CLEARED] * len(turns[1::2])


def test_fingerprints_differ():
    marks = {fingerprint(bytes([0, 0, 0, 0, a, b]), bytes([b])) for a in range(64) for b in range(64)}

    assert len(marks) == 64 * 64


def test_a_score_stays_between_0_and_100():
    assert total([Evidence("a", 0, 0, 70), Evidence("b", 0, 0, 70)]) == 100
    assert total([Evidence("a", 0, 0, -70)]) == 0


def test_the_heaviest_evidence_comes_first_and_equal_ones_keep_their_order():
    evidence = [Evidence(rule, 0, 0, weight) for rule, weight in (("a", 5), ("b", -40), ("c", 5), ("d", 30))]

    assert [row.rule for row in strongest_first(evidence)] == ["b", "d", "a", "c"]


class Row:
    def __init__(self, score, raised=False):
        self.alarm = Alarm()
        if raised:
            self.alarm.event(100, -50, 0)
        self._score = score

    def evidence(self, now_ms):
        return [Evidence("a", 0, 0, self._score)]


def test_the_weakest_suspect_makes_room_but_never_one_that_is_raised_or_as_strong():
    rows = {"weak": Row(10), "raised": Row(5, raised=True), "strong": Row(50)}

    assert make_room(rows, 4, 0, 0) and len(rows) == 3
    assert make_room(rows, 3, 30, 0) and sorted(rows) == ["raised", "strong"]
    assert not make_room(rows, 2, 50, 0) and sorted(rows) == ["raised", "strong"]
