"""A small hostile campaign; tests/bench/campaign.py is the large one."""

from tests.bench import campaign
from tests.support.waiting import PATIENCE


def test_honest_sensors_do_not_notice_a_stolen_key_and_strangers(tmp_path):
    outcome = campaign.run(tmp_path, sensors=10, messages=3000, strangers=500, seconds=10)

    assert outcome.are_running
    assert outcome.stored == outcome.made >= 50
    assert outcome.p99_s < 5 * max(1, PATIENCE / 2)
    assert outcome.log_entries < 200
    assert all(after - before < 60_000 for before, after in outcome.memory_kb.values())
