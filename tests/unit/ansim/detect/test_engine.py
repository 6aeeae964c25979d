"""The engine passes every observation to the detectors, and accounts for the coverage."""

from ansim.detect.engine import MAX_CANDIDATES, Engine, standard
from ansim.finding import ALARM, RAISED, Finding
from ansim.frame_header import RECORD_BYTES, pack_into
from ansim.observation import AccessPoint, Advertisement, Spectrum
from tests.support import stream_traffic
from tests.support.stream_traffic import CHANNEL, access_point, station


class Everything:
    """A detector that has every method and writes down what it is shown."""

    name = "everything"

    def __init__(self):
        self.shown = []

    def tune(self, channel, now_ms):
        self.shown.append(("tune", channel, now_ms))

    def take(self, records, count):
        self.shown.append(("take", count))

    def lost(self, undecodable, dropped):
        self.shown.append(("lost", undecodable, dropped))

    def access_points(self, scan, now_ms):
        self.shown.append(("access_points", len(scan)))

    def advertisement(self, advertisement):
        self.shown.append(("advertisement",))

    def spectrum(self, spectrum):
        self.shown.append(("spectrum",))

    def ignore(self, addresses):
        self.shown.append(("ignore", list(addresses)))

    def traffic(self, bssid, now_ms, kbps, clients):
        self.shown.append(("traffic", bssid, kbps, clients))

    def own_streams(self):
        return [(access_point(), 700, 1)]

    def candidates(self, now_ms):
        return [(6, 30), (1, 80), (6, 50), (2, 10), (3, 20), (4, 5)]

    def stations(self):
        return 3, True

    def judge(self, now_ms):
        return [finding("aa:aa:aa:aa:aa:aa"), finding("bb:bb:bb:bb:bb:bb")]

    def forget(self):
        self.shown.append(("forget",))


class Nothing:
    """A detector that has only a name."""

    name = "nothing"


def finding(subject):
    return Finding(RAISED, "everything", subject, 0, 0, 70, 6, -50, "", [], [], "", ALARM, "")


def test_each_observation_reaches_the_detectors_that_want_it():
    detector = Everything()
    engine = Engine([Nothing(), detector])

    engine.tune(6, 100)
    engine.take(bytearray(36), 1)
    engine.lost(2, 3)
    engine.access_points([AccessPoint(0, "x", access_point(), 6, -50, 3)], 200)
    engine.advertisement(Advertisement(0, station(), 0, -50, b""))
    engine.spectrum(Spectrum(0, 1, [0] * 126))
    engine.ignore(["ac:de:48:00:00:01"])
    engine.judge(300)
    engine.forget()

    assert detector.shown == [
        ("tune", 6, 100),
        ("take", 1),
        ("lost", 2, 3),
        ("access_points", 1),
        ("advertisement",),
        ("spectrum",),
        ("ignore", [station()]),
        ("traffic", access_point(), 700, 1),
        ("forget",),
    ]


def test_nothing_is_said_of_known_emitters():
    engine = Engine([Everything()])
    engine.ignore(["aa:aa:aa:aa:aa:aa"])

    assert [finding.subject for finding in engine.judge(0)] == ["bb:bb:bb:bb:bb:bb"]


def test_known_emitters_come_from_the_settings():
    engine = standard({"ignore": ["ac:de:48:00:00:01"]})
    engine.tune(CHANNEL, 0)
    flows = [[0, 60_000, 25_000, "up", [1400, 900]], [10, 60_000, 60_000, "down", [94]]]

    assert stream_traffic.play(engine, flows, 10) == []


def test_the_most_urgent_channels_come_first_and_once():
    candidates = Engine([Everything(), Nothing()]).candidates(0)

    assert candidates == [(1, 80), (6, 50), (3, 20), (2, 10)]
    assert len(candidates) == MAX_CANDIDATES


def test_coverage_accounts_for_time_frames_and_losses_by_channel():
    engine = Engine([Everything()])
    engine.tune(6, 1000)
    engine.take(bytearray(360), 10)
    engine.lost(4, 1)
    engine.judge(1350)
    engine.tune(1, 1350)
    engine.take(bytearray(72), 2)
    engine.tune(0, 2000)
    engine.take(bytearray(36), 1)  # while deaf
    engine.tune(6, 5000)
    engine.judge(5350)

    coverage = engine.coverage()

    assert coverage == {
        "channels": [[1, 650, 2, 0, 0], [6, 700, 10, 4, 1]],
        "stations": 3,
        "access_points": 0,
        "ble": 0,
        "full": True,
        "numbered": 0,
        "missed": 0,
    }
    assert engine.coverage()["channels"] == []


def test_different_access_points_and_advertisers_are_counted_up_to_a_limit():
    engine = Engine([])
    for number in range(200):
        engine.access_points([AccessPoint(0, "", access_point(number % 3), 6, -50, 3)], 0)
        engine.advertisement(Advertisement(0, bytes([0, 0, 0, 0, number % 150, 1]), 0, -50, b""))

    coverage = engine.coverage()

    assert (coverage["access_points"], coverage["ble"], coverage["full"]) == (3, 128, True)


def test_the_usual_set_has_every_detector_and_starts_nothing():
    engine = standard({})

    names = [detector.name for detector in engine.detectors]
    assert names == ["camera_stream", "camera_access_point", "camera_beacon", "analogue_video"]
    assert engine.judge(0) == []
    assert engine.candidates(0) == []


def test_an_access_point_that_streams_is_passed_to_the_access_point_detector():
    def findings(seconds, flows):
        engine = standard({})
        engine.tune(CHANNEL, 0)
        # a weak name, which never raises by itself
        engine.access_points([AccessPoint(0, "ESP32-CAM test", stream_traffic.access_point(), CHANNEL, -50, 0)], 0)
        return [
            finding for finding in stream_traffic.play(engine, flows, seconds) if finding.kind == "camera_access_point"
        ]

    camera = [[0, 60_000, 20_000, "own", [1114, 700, 300]], [4, 60_000, 160_000, "back", [94]]]
    download = [[0, 60_000, 4000, "relay", [1554], {"sta": 2}], [2, 60_000, 8000, "up", [106], {"sta": 2}]]

    raised = findings(4, camera)[0]

    assert (raised.event, raised.subject) == ("raised", "ac:de:48:01:00:01")
    assert "ap_streams_kbps" in {row.rule for row in raised.evidence}
    assert findings(10, download) == []


def test_it_is_quiet_while_no_station_is_heard_even_if_other_detectors_take_frames():
    whole = standard({})
    whole.tune(6, 0)
    before = whole.is_quiet()
    record = stream_traffic.records([[0, 1000, 100_000, "up", [1400]]], 0, 200, {})[0]

    whole.take(bytearray(record), 1)

    assert before
    assert not whole.is_quiet()
    assert not Engine([]).is_quiet()


def test_coverage_counts_the_numbers_missing_between_frames():
    """The chip's driver drops frames without counting them; the senders' own numbers tell."""
    engine = standard({})
    engine.tune(CHANNEL, 0)
    buffer = bytearray(RECORD_BYTES)
    for number in range(100):
        if number % 10 != 3:
            address = b"\xac\xde\x48\x00\x00\x01"
            pack_into(
                buffer,
                0,
                number * 10_000,
                1000,
                0x0188,
                -50,
                CHANNEL,
                b"\xac\xde\x48\x00\x00\x02",
                address,
                b"\xac\xde\x48\x00\x00\x02",
                number << 4,
            )
            engine.take(buffer, 1)
    engine.judge(1000)
    coverage = engine.coverage()
    again = engine.coverage()

    assert coverage["missed"] == 10
    assert 80 <= coverage["numbered"] <= 90
    assert (again["numbered"], again["missed"]) == (0, 0)
