"""Analogue video: plateaus, and how Wi-Fi explains them. More that fires and must not is in the vectors."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.detect.analogue_video import AnalogueVideo
from ansim.finding import CLEARED, RAISED
from ansim.frame_header import RECORD_BYTES, pack_into
from ansim.messages import FINDING, finding_body
from ansim.observation import Spectrum
from ansim.schema import check
from ansim.uplink_schemas import BODIES


def spectrum(at_ms, low, high, busy=60, sweeps=60, floor=0):
    return Spectrum(at_ms, sweeps, [busy if low <= index <= high else floor for index in range(126)])


def frames(count, length, rate, rssi_dbm=-50):
    records = bytearray(count * RECORD_BYTES)
    for at in range(count):
        pack_into(records, at * RECORD_BYTES, 0, length, 0x88, rssi_dbm, 5, bytes(6), bytes(6), bytes(6), rate=rate)
    return records


def judged(low, high, wifi_permille, busy=60):
    """Return the events of a plateau that is seen before and after listening to every Wi-Fi channel."""
    detector = AnalogueVideo()
    detector.spectrum(spectrum(0, low, high, busy))
    for channel in range(1, 14):
        detector.airtime(channel, wifi_permille, 1000)
    detector.spectrum(spectrum(2000, low, high, busy))
    return [(finding.event, finding.subject) for finding in detector.judge(2000)]


@pytest.mark.parametrize("mhz", [14, 32, 50, 68])
@pytest.mark.parametrize("off", [-2, 0, 2])
@pytest.mark.parametrize("half", [5, 8, 9])
def test_a_plateau_near_a_video_channel_is_raised(mhz, off, half):
    assert judged(mhz + off - half, mhz + off + half, 50) == [(RAISED, f"02:00:00:00:24:{mhz}")]


@pytest.mark.parametrize(
    ("low", "high", "busy"),
    [(24, 40, 53), (28, 36, 60), (20, 44, 60), (33, 49, 60), (0, 125, 60)],
    ids=["89 % busy", "9 MHz", "25 MHz", "off centre", "everything"],
)
def test_other_spectra_are_not_reported(low, high, busy):
    assert judged(low, high, 50, busy) == []


@pytest.mark.parametrize(("wifi_permille", "raised"), [(0, True), (399, True), (400, False), (950, False)])
def test_wifi_that_fills_the_channel_explains_it(wifi_permille, raised):
    assert bool(judged(24, 40, wifi_permille)) == raised


def test_a_finding_fits_the_report_and_weighs_wifi():
    detector = AnalogueVideo()
    detector.spectrum(spectrum(0, 24, 40))
    for channel in range(1, 14):
        detector.airtime(channel, 30, 1000)
    detector.spectrum(spectrum(2000, 24, 40))

    (finding,) = detector.judge(2000)

    assert check(BODIES[FINDING], finding_body(finding)) == []
    assert ("wifi_traffic", "against") in finding.considered


def test_wifi_that_paused_between_two_plateaus_is_needed_not_wifi_before_or_after_them():
    detector = AnalogueVideo()
    for channel in range(1, 14):
        detector.airtime(channel, 0, 0)
    detector.spectrum(spectrum(1000, 24, 40))
    assert detector.judge(1000) == []

    for channel in range(1, 14):
        detector.airtime(channel, 0, 2000)
    assert detector.judge(2000) == []

    detector.spectrum(spectrum(3000, 24, 40))
    assert [finding.event for finding in detector.judge(3000)] == [RAISED]


def test_it_asks_for_the_channels_it_must_hear_and_then_no_more():
    detector = AnalogueVideo()
    assert detector.candidates(0) == []

    detector.spectrum(spectrum(0, 24, 40))
    channels = [channel for channel, _ in detector.candidates(0)]
    assert channels == [4, 5, 6]

    for channel in channels:
        detector.tune(channel, 1000)
        detector.tune(0, 1400)
    assert detector.candidates(2000) == []


def test_small_windows_are_added_up_before_anything_is_judged():
    detector = AnalogueVideo()

    for at in range(4):
        detector.spectrum(spectrum(at, 24, 40, busy=12, sweeps=12))
    assert detector.candidates(0) == []

    detector.spectrum(spectrum(5, 24, 40, busy=12, sweeps=12))
    assert detector.candidates(0) != []


def test_a_sender_that_was_switched_off_is_cleared():
    detector = AnalogueVideo()
    detector.spectrum(spectrum(0, 24, 40))
    for channel in range(1, 14):
        detector.airtime(channel, 30, 1000)
    detector.spectrum(spectrum(2000, 24, 40))
    detector.judge(2000)

    events = []
    for at in (4000, 6000, 8000):
        detector.spectrum(spectrum(at, 0, 0, busy=0))
        events += [finding.event for finding in detector.judge(at)]

    assert events == [CLEARED]


@pytest.mark.parametrize(
    ("count", "length", "rate", "rssi_dbm", "least", "most"),
    [
        (20, 200, 0, -50, 20, 150),  # beacons at 1 Mbit/s: 1.7 ms each
        (900, 1500, 128 + 7, -50, 450, 600),  # a download at 65 Mbit/s: 0.28 ms each
        (900, 1500, 128 + 7, -90, 0, 0),  # the same far away trips no RPD
        (0, 0, 0, -50, 0, 0),
    ],
    ids=["beacons", "download", "far away", "silence"],
)
def test_airtime_is_estimated_from_a_few_frames(count, length, rate, rssi_dbm, least, most):
    detector = AnalogueVideo()
    detector.spectrum(spectrum(0, 24, 40))
    records = frames(100, length, rate, rssi_dbm)

    detector.tune(5, 1000)
    for start in range(0, count, 100):
        detector.take(records, min(100, count - start))
    detector.tune(6, 1500)

    assert least <= detector._airtime[5][0] <= most


def test_frames_cost_nothing_while_there_is_no_plateau():
    detector = AnalogueVideo()

    detector.take(b"", 1000000)  # reading a record would raise IndexError


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 400))
def test_no_spectrum_and_no_frame_breaks_it(seed, sweeps):
    rng = random.Random(seed)
    detector = AnalogueVideo()
    now_ms = 0
    for _ in range(20):
        now_ms = max(0, now_ms + rng.randint(-5000, 60000))
        busy = [rng.choice((0, sweeps // 2, sweeps)) for _ in range(126)]
        low = rng.randint(0, 110)
        busy[low : low + 16] = [sweeps] * 16
        detector.spectrum(Spectrum(now_ms, sweeps, busy[:126]))
        detector.tune(rng.randint(0, 14), now_ms)
        detector.take(bytearray(rng.randbytes(5 * RECORD_BYTES)), 5)
        detector.lost(rng.randint(0, 9), rng.randint(0, 9))
        for finding in detector.judge(now_ms):
            assert check(BODIES[FINDING], finding_body(finding)) == []
        assert len(detector._senders) <= 4
