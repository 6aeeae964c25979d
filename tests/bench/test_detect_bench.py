"""The bench of the stream detector measures what it says it does."""

from tests.bench import detect


def test_the_bench_has_64_stations_and_its_cameras_are_raised(micropython):
    found = detect.measure(micropython)

    assert found["stations"] >= 64
    assert found["findings"] >= 2
    assert found["percent"] > 0
