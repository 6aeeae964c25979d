"""The bench of the stream detector measures the load that it describes."""

from tests.bench import detect


def test_the_bench_has_64_stations_and_its_cameras_are_raised(micropython):
    result = detect.measure(micropython)

    assert result["stations"] >= 64
    assert result["findings"] >= 2
    assert result["percent"] > 0
