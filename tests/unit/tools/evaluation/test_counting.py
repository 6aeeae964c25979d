"""Sessions, windows and findings in them are counted as defined."""

import pytest

from tools.evaluation import counting


def summary(frames):
    counter = counting.FrameCounter()
    assert list(counter.frames(frames)) == frames
    return counter.summary()


def sending(seconds, size=2000, frames_each=1):
    """Uplink in each of these seconds."""
    return [
        (second + number / frames_each, 1, size // frames_each) for second in seconds for number in range(frames_each)
    ]


def spans_of(stream_summary):
    return [(session.start_s, session.end_s) for session in stream_summary.sessions]


def test_a_session_lasts_8_s_or_more():
    assert spans_of(summary(sending(range(3, 10)))) == []
    assert spans_of(summary(sending(range(3, 11)))) == [(3, 11)]


def test_a_pause_of_3_s_belongs_to_a_session_and_a_longer_one_ends_it():
    assert spans_of(summary(sending([*range(8), *range(10, 20)]))) == [(0, 20)]
    assert spans_of(summary(sending([*range(8), *range(11, 20)]))) == [(0, 8), (11, 20)]


def test_less_than_2_kb_in_a_second_is_no_uplink_of_a_session():
    assert spans_of(summary(sending(range(20), 1999))) == []


def test_downlink_makes_no_session():
    assert spans_of(summary([(second * 1.0, 0, 9000) for second in range(20)])) == []


def test_a_session_knows_its_longest_uplink_frame():
    frames = sending(range(10), 2000, 4)
    frames[7] = (*frames[7][:2], 1114)

    assert summary(frames).sessions[0].longest_up_bytes == 1114


def test_a_window_is_active_with_20_frames_in_either_direction():
    frames = [(5 + number * 0.25, number % 2, 100) for number in range(20)]

    assert summary(frames[:19]).active == []
    assert summary(frames).active == [0, 5]


def test_a_summary_adds_up_both_directions():
    stream_summary = summary([(0.0, 1, 500), (0.1, 1, 700), (0.2, 0, 94)])

    assert (
        stream_summary.frames,
        stream_summary.up_bytes,
        stream_summary.down_bytes,
        stream_summary.longest_up_bytes,
    ) == (3, 1200, 94, 700)


def test_a_finding_stands_from_raised_to_cleared_and_to_the_end():
    events = [(2, True), (3, True), (8, False), (9, False), (20, True)]

    assert counting.finding_spans(events, 30) == [(2, 8), (20, 30)]


@pytest.mark.parametrize(
    ("spans", "detected", "delay_s"),
    [
        ([], False, None),
        ([(5, 9)], False, None),
        ([(10, 12)], True, 0),
        ([(14, 60)], True, 4),
        ([(35, 60)], True, 25),
        ([(36, 60)], False, None),
        ([(3, 11)], True, 0.0),
        ([(3, 9), (20, 21)], True, 10),
    ],
)
def test_a_session_is_detected_by_a_finding_between_its_start_and_5_s_after_its_end(spans, detected, delay_s):
    session = counting.Session(10, 30)

    counting.mark_sessions([session], spans)

    assert (session.detected, session.delay_s) == (detected, delay_s)


def test_a_window_is_false_if_a_finding_stands_in_any_part_of_it():
    assert counting.windows_during([0, 5, 10, 20], [(12, 13)]) == [5, 10]
    assert counting.windows_during([0, 5, 10, 20], [(10, 20)]) == [5, 10]
