"""Quotas of one sensor."""

from server.services.intake.quotas import Bucket, Limits, Quotas


def quotas(minute=10, day=100):
    return Quotas(Limits({"reports": (minute, day)}, 1000))


def test_a_minutes_amount_may_come_at_once_and_the_rest_at_its_rate():
    made = quotas()

    assert [made.wait_s("hall", "reports", 1, 5.0) for _ in range(10)] == [0.0] * 10
    assert made.wait_s("hall", "reports", 1, 5.0) == 6.0
    assert made.wait_s("hall", "reports", 1, 10.9) > 0
    assert made.wait_s("hall", "reports", 1, 11.0) == 0
    assert made.wait_s("hall", "reports", 1, 11.0) == 6.0


def test_a_day_has_an_amount_too():
    made, taken = quotas(), 0
    for second in range(3600):
        taken += made.wait_s("hall", "reports", 1, float(second)) == 0

    assert 100 <= taken <= 105


def test_sensors_have_quotas_of_their_own():
    made = quotas(minute=1)

    assert made.wait_s("hall", "reports", 1, 0.0) == made.wait_s("yard", "reports", 1, 0.0) == 0
    assert made.wait_s("hall", "reports", 1, 0.0) > 0


def test_more_than_the_whole_quota_passes_with_a_full_bucket():
    bucket = Bucket(10, 60, 0.0)

    assert bucket.wait_s(25, 0.0) == 0
    bucket.take(25)
    assert bucket.wait_s(25, 0.0) == 150
    assert bucket.wait_s(25, 150.0) == 0


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing():
    bucket = Bucket(10, 60, 100.0)
    bucket.take(10)

    assert bucket.wait_s(1, 50.0) == 6.0
    assert bucket.wait_s(1, 106.0) == 0


def test_unused_buckets_are_forgotten():
    made = quotas()
    made.wait_s("hall", "reports", 1, 0.0)
    made.wait_s("yard", "reports", 1, 3 * 86400.0)

    assert list(made._buckets) == [("yard", "reports")]
