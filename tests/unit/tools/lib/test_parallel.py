"""Jobs in several processes."""

from tools.lib.parallel import run_jobs


def test_results_come_in_the_order_of_the_jobs():
    jobs = [(number, 7) for number in range(20)]

    assert run_jobs("sums", divmod, jobs) == [divmod(number, 7) for number in range(20)]
    assert run_jobs("nothing", divmod, []) == []
