"""Whatever is on the air: nothing crashes, nothing grows, and the order of the stations changes no verdict."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansim.detect.camera_stream import CameraStream
from ansim.detect.engine import Engine, standard
from ansim.detect.stations import layout
from ansim.frame_header import RECORD_BYTES
from ansim.observation import AccessPoint
from tests.support import stream_traffic
from tests.support.random_records import RandomNumbers, make_batch
from tests.support.stream_traffic import CHANNEL
from tests.vectors.make_camera_stream import DAY_MS, KEY_FRAMES

SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

steps = st.one_of(
    st.tuples(st.just("tune"), st.integers(-1, 20), st.integers(-100_000, 100_000)),
    st.tuples(st.just("raw"), st.binary(min_size=0, max_size=20 * RECORD_BYTES)),
    st.tuples(st.just("random"), st.integers(1, 10**6), st.integers(1, 200)),
    st.tuples(st.just("judge"), st.integers(-5000, 100_000)),
    st.tuples(st.just("lost"), st.integers(0, 10**6), st.integers(0, 10**6)),
    st.tuples(st.just("scan"), st.binary(min_size=6, max_size=6), st.integers(0, 6)),
    st.tuples(st.just("coverage")),
    st.tuples(st.just("forget")),
)


@given(st.lists(steps, max_size=40))
@SLOW
def test_no_sequence_of_records_and_calls_crashes_or_grows(given_steps):
    engine = standard({})
    stream = engine.detectors[0]
    now_ms = 0
    time_us = [0]
    for step in given_steps:
        if step[0] == "tune":
            now_ms = max(0, now_ms + step[2])
            engine.tune(step[1] % 15, now_ms)
        elif step[0] == "raw":
            records = bytearray(step[1])
            engine.take(records, len(records) // RECORD_BYTES)
        elif step[0] == "random":
            records = make_batch(RandomNumbers(step[1]), 60, step[2], time_us)
            engine.take(records, 60)
        elif step[0] == "judge":
            now_ms = max(0, now_ms + step[1])
            for finding in engine.judge(now_ms):
                assert 0 <= finding.score <= 100
                assert len(finding.evidence) <= 24
            assert all(1 <= channel <= 14 for channel, _ in engine.candidates(now_ms))
        elif step[0] == "lost":
            engine.lost(step[1], step[2])
        elif step[0] == "scan":
            engine.access_points([AccessPoint(now_ms, "x", step[1], 6, -60, step[2])], now_ms)
        elif step[0] == "coverage":
            assert engine.coverage()["stations"] >= 0
        else:
            engine.forget()
        assert len(stream.table.table) == layout.TABLE_BYTES
        assert stream.table.used() <= layout.STATIONS
        assert len(stream._suspects) <= layout.STATIONS + 1


def scene(seed):
    """Flows of a camera among some others, all of them stations of their own."""
    chance = random.Random(seed)
    flows = [[0, DAY_MS, 25_000, "up", KEY_FRAMES, {"sta": 1}], [10, DAY_MS, 60_000, "down", [94], {"sta": 1}]]
    for number in range(2, 2 + chance.randrange(12)):
        up, down = chance.randrange(8000, 300_000), chance.randrange(8000, 300_000)
        flows.append([chance.randrange(1000), DAY_MS, up, "up", [chance.randrange(60, 1500)], {"sta": number}])
        flows.append([chance.randrange(1000), DAY_MS, down, "down", [chance.randrange(60, 1500)], {"sta": number}])
    return flows


def verdicts(batches):
    detector = CameraStream()
    detector.tune(CHANNEL, 0)
    findings = []
    for second, records in enumerate(batches):
        for at in range(0, len(records), 100):
            part = records[at : at + 100]
            detector.take(bytearray(b"".join(part)), len(part))
        findings += [finding._replace(first_ms=0) for finding in detector.judge(1000 * second + 1000)]
    return sorted(findings, key=lambda finding: (finding.at_ms, finding.subject))


@given(st.integers(0, 10**6))
@SLOW
def test_the_order_in_which_stations_are_interleaved_changes_no_verdict(seed):
    flows = scene(seed)
    sequences = {}
    seconds = [stream_traffic.records(flows, 1000 * second, 1000 * second + 1000, sequences) for second in range(8)]
    chance = random.Random(seed)

    def shuffled(records):
        queues = {}
        for record in records:
            # a station's own frames keep their order; each flow is up or down of one station
            key = bytes(record[14:26])
            queues.setdefault(key, []).append(record)
        queues = list(queues.values())
        mixed = []
        while queues:
            queue = chance.choice(queues)
            mixed.append(queue.pop(0))
            if not queue:
                queues.remove(queue)
        return mixed

    findings = verdicts(seconds)
    assert "ac:de:48:00:00:01" in [finding.subject for finding in findings]
    assert findings == verdicts([shuffled(records) for records in seconds])


@given(st.integers(0, (1 << 32) - 1))
@SLOW
def test_a_clock_that_wraps_or_starts_anywhere_changes_no_verdict(start_us):
    def events(start):
        detector = CameraStream()
        detector.tune(CHANNEL, 0)
        return [(finding.event, finding.subject) for finding in stream_traffic.play(detector, scene(1)[:2], 9, start)]

    assert events(start_us) == events(0)


@given(st.integers(0, 10**6))
@SLOW
def test_records_in_which_time_runs_backwards_change_no_verdict(seed):
    chance = random.Random(seed)
    sequences = {}
    seconds = [
        stream_traffic.records(scene(1)[:2], 1000 * second, 1000 * second + 1000, sequences) for second in range(9)
    ]
    for records in seconds:
        for record in records:
            if chance.random() < 0.3:
                record[0:4] = chance.randrange(1 << 32).to_bytes(4, "little")

    assert [finding.event for finding in verdicts(seconds)] == ["raised"]


@given(st.integers(1, 10**6))
@SLOW
def test_an_access_point_that_is_a_station_elsewhere_is_one_transmitter(seed):
    chance = random.Random(seed)
    ap = stream_traffic.access_point()
    flows = [[0, 1000, chance.randrange(5000, 50_000), "own", [700]], [0, 1000, 9000, "back", [94]]]
    records = stream_traffic.records(flows, 0, 1000, {})
    for record in stream_traffic.records([[0, 1000, 20_000, "up", [500], {"sta": 1, "ap": 7}]], 0, 1000, {}):
        record[20:26] = ap
        records.append(record)
    chance.shuffle(records)
    engine = Engine([CameraStream()])
    engine.tune(CHANNEL, 0)

    engine.take(bytearray(b"".join(records)), len(records))
    engine.judge(1000)

    assert engine.coverage()["stations"] == 2  # it and its client
