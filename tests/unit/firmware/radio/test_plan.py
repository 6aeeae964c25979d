import itertools
import random

import pytest

from firmware.radio import plan as plans
from firmware.radio.plan import BLE, DWELL, SCAN, SNIFF, SPECTRUM, UPLOAD, Plan

ALL = list(range(1, 14))
EVERYTHING = ["scan", "sniff", "ble"]
CYCLE_MS = 13 * plans.SNIFF_MS


def run(plan, until_ms, candidates=lambda now_ms: [], now_ms=0):
    """Run a plan; return [(began_ms, step), ...]. A dwell ends as soon as the plan allows it."""
    steps = []
    while now_ms < until_ms:
        step = plan.next(now_ms, candidates(now_ms))
        steps.append((now_ms, step))
        end_ms = now_ms + step.duration_ms
        while step.phase == DWELL and now_ms + 1000 < end_ms and not plan.may_leave(now_ms, candidates(now_ms)):
            now_ms += 1000
        if step.phase != DWELL or now_ms + 1000 >= end_ms:
            now_ms = end_ms
    return steps


def phases(steps):
    return [step.phase for _, step in steps]


class Scene:
    """
    Candidates as an engine reports them: a camera that starts at some moment, and channels that are never decided.
    """

    def __init__(self, plan, camera_channel, starts_ms, undecided=(), needs_ms=8000):
        self.plan, self.channel, self.starts_ms = plan, camera_channel, starts_ms
        self.undecided, self.needs_ms = undecided, needs_ms
        self.heard_ms = 0
        self.heard = set()

    def judged_after_ms(self, limit_ms):
        now_ms = 0
        while now_ms < self.starts_ms + limit_ms:
            step = self.plan.next(now_ms, self.candidates())
            if step.phase == UPLOAD:
                self.plan.end_upload(now_ms + step.duration_ms, True)
            end_ms = now_ms + step.duration_ms
            while now_ms < end_ms:
                slice_ms = min(1000, end_ms - now_ms)
                if step.channel and step.channel in self.undecided:
                    self.heard.add(step.channel)
                if step.channel == self.channel and now_ms + slice_ms > self.starts_ms:
                    self.heard_ms += slice_ms
                now_ms += slice_ms
                if self.heard_ms >= self.needs_ms:
                    return now_ms - self.starts_ms
                if step.phase == DWELL and self.plan.may_leave(now_ms, self.candidates()):
                    break
        return None

    def candidates(self):
        found = [(channel, 75) for channel in self.heard]
        if self.heard_ms:
            found.append((self.channel, 80))
        return found


def test_the_first_thing_is_a_whole_hop_over_all_channels():
    steps = run(Plan(ALL, EVERYTHING, 60000), CYCLE_MS)

    assert [step for _, step in steps] == [(SNIFF, channel, plans.SNIFF_MS) for channel in ALL]


def test_a_wireless_sensor_says_hello_after_its_first_hop_and_then_at_intervals():
    steps = run(Plan(ALL, EVERYTHING, 60000), 200000)
    uploads = [at_ms for at_ms, step in steps if step.phase == UPLOAD]

    assert uploads[0] == CYCLE_MS
    assert all(60000 <= later - earlier <= 80000 for earlier, later in itertools.pairwise(uploads))


def test_a_wired_sensor_never_stops_listening_to_upload():
    assert UPLOAD not in phases(run(Plan(ALL, EVERYTHING, 60000, "ethernet"), 300000))


def test_scan_and_bluetooth_come_round_and_most_of_the_time_is_spent_listening():
    steps = run(Plan(ALL, EVERYTHING, 60000), 600000)
    spent = {}
    for _, step in steps:
        spent[step.phase] = spent.get(step.phase, 0) + step.duration_ms

    assert spent[SNIFF] > 600000 * 65 // 100
    assert phases(steps).count(SCAN) >= 20
    assert phases(steps).count(BLE) >= 18


def test_one_whole_hop_lies_between_two_other_steps():
    steps = run(Plan(ALL, EVERYTHING, 60000), 300000)
    between = 13
    for _, step in steps:
        if step.phase == SNIFF:
            between += 1
        else:
            assert between >= 13
            between = 0


def test_a_sensor_that_cannot_sniff_scans_and_listens_to_bluetooth():
    steps = run(Plan(ALL, ["scan", "ble"], 60000), 120000, lambda now_ms: [(6, 90)])

    assert set(phases(steps)) == {SCAN, BLE, UPLOAD}


def test_a_spectrum_is_taken_where_an_nrf24_is_fitted():
    assert SPECTRUM in phases(run(Plan(ALL, [*EVERYTHING, "nrf24"], 60000), 60000))


def test_nothing_to_listen_with_is_refused():
    with pytest.raises(ValueError):
        Plan(ALL, [], 60000)


def test_a_candidate_gets_a_dwell_right_after_the_first_cycle():
    plan = Plan(ALL, EVERYTHING, 60000, "ethernet")
    steps = run(plan, CYCLE_MS + 1, lambda now_ms: [(6, 80)] if now_ms > 3000 else [])

    assert steps[-1][1] == (DWELL, 6, plans.DWELL_MS)


def test_a_candidate_on_a_channel_that_is_not_listened_to_is_left_alone():
    assert DWELL not in phases(run(Plan([1, 6], EVERYTHING, 60000), 60000, lambda now_ms: [(11, 90)]))


def test_a_dwell_ends_early_when_the_candidate_is_decided():
    plan = Plan([6], EVERYTHING, 60000, "ethernet")
    plan.next(0, [])
    plan.next(350, [(6, 80)])

    assert not plan.may_leave(1350, [])
    assert not plan.may_leave(5350, [(6, 80)])
    assert plan.may_leave(5350, [(6, 30)])
    assert plan.may_leave(5350, [])


def test_a_dwell_is_extended_once_if_the_decision_is_near_and_no_other_candidate_waits():
    dwells = [step.duration_ms for _, step in run(Plan(ALL, EVERYTHING, 60000), 30000, lambda now_ms: [(6, 90)])]

    assert dwells.count(plans.DWELL_MS) == 1
    assert dwells[dwells.index(plans.DWELL_MS) + 1] == plans.EXTENSION_MS


def test_a_dwell_without_a_decision_is_not_repeated_at_once():
    steps = run(Plan(ALL, EVERYTHING, 60000), 300000, lambda now_ms: [(6, 60)])
    dwells = [at_ms for at_ms, step in steps if step.phase == DWELL]

    assert len(dwells) >= 8
    assert all(later - earlier >= plans.DWELL_MS + CYCLE_MS for earlier, later in itertools.pairwise(dwells))
    assert sum(step.duration_ms for _, step in steps if step.phase == SNIFF) > 300000 // 5


def test_an_emitter_that_is_raised_already_takes_little_time():
    steps = run(Plan(ALL, EVERYTHING, 60000), 600000, lambda now_ms: [(6, 30)])

    assert sum(step.duration_ms for _, step in steps if step.phase == DWELL) < 600000 // 4


def test_a_scan_is_not_put_off_by_an_emitter_that_is_raised_already():
    steps = run(Plan(ALL, EVERYTHING, 60000), 60000, lambda now_ms: [(6, 40)])

    assert next(at_ms for at_ms, step in steps if step.phase == SCAN) <= 45000


def test_several_candidates_take_turns():
    many = [(1, 90), (4, 70), (6, 60), (9, 80), (11, 50)]
    steps = run(Plan(ALL, EVERYTHING, 60000), 300000, lambda now_ms: many)
    dwells = [step.channel for _, step in steps if step.phase == DWELL and step.duration_ms == plans.DWELL_MS]

    assert set(dwells[:5]) == {1, 4, 6, 9, 11}
    assert all(dwells.count(channel) >= 2 for channel, _ in many)


def test_a_much_stronger_candidate_on_a_channel_after_its_dwell_goes_before_weak_fresh_ones():
    plan = Plan(ALL, EVERYTHING, 60000, "ethernet")
    before = run(plan, 17000, lambda now_ms: [(6, 52)])
    after_ms = before[-1][0] + before[-1][1].duration_ms

    later = run(plan, after_ms + 20000, lambda now_ms: [(6, 78), (2, 55), (9, 50)], after_ms)

    assert next(step.channel for _, step in before if step.phase == DWELL) == 6
    assert next(step.channel for _, step in later if step.phase == DWELL) == 6


def test_the_same_weak_candidate_is_not_fresh_again():
    plan = Plan(ALL, EVERYTHING, 60000, "ethernet")
    before = run(plan, 17000, lambda now_ms: [(6, 60)])
    after_ms = before[-1][0] + before[-1][1].duration_ms

    later = run(plan, after_ms + 20000, lambda now_ms: [(6, 70), (2, 55)], after_ms)

    assert next(step.channel for _, step in later if step.phase == DWELL) == 2


def test_an_urgent_candidate_interrupts_the_cycle_after_any_step():
    def interrupts_after_ms(urgency):
        plan = Plan(ALL, EVERYTHING, 60000, "ethernet")
        began_ms, other = [(at_ms, step) for at_ms, step in run(plan, 20000) if step.phase in (SCAN, BLE)][-1]
        plan = Plan(ALL, EVERYTHING, 60000, "ethernet")
        run(plan, began_ms + other.duration_ms)
        steps = run(plan, began_ms + 30000, lambda now_ms: [(6, urgency)], began_ms + other.duration_ms)
        return next(at_ms for at_ms, step in steps if step.phase == DWELL) - began_ms - other.duration_ms

    assert interrupts_after_ms(plans.URGENT) <= plans.SNIFF_MS
    assert interrupts_after_ms(plans.URGENT - 1) >= CYCLE_MS


def test_silent_sniff_steps_are_short_and_differ_from_cycle_to_cycle():
    plan = Plan(ALL, EVERYTHING, 60000, "ethernet")
    lasted = []
    for _ in range(5 * len(ALL)):
        while plan.next(0, []).phase != SNIFF:
            pass
        lasted.append(plan.quiet_ms())

    assert all(len(set(lasted[at : at + 13])) == 1 for at in range(0, len(lasted), 13))
    assert sorted(set(lasted)) == sorted(plans.QUIET_MS)
    assert max(lasted) < plans.SNIFF_MS


def test_with_management_frames_only_no_sniff_step_ends_early():
    plan = Plan(ALL, ["scan", "sniff_management"], 60000)
    plan.next(0, [])

    assert plan.quiet_ms() == plans.SNIFF_MS


def test_cycles_scans_and_uploads_never_starve_among_many_candidates():
    steps = run(Plan(ALL, EVERYTHING, 60000), 600000, lambda now_ms: [(channel, 70) for channel in ALL])
    last = dict.fromkeys(ALL, 0)
    for at_ms, step in steps:
        if step.phase == SNIFF:
            assert at_ms - last[step.channel] <= 35000
            last[step.channel] = at_ms

    assert phases(steps).count(SCAN) >= 8
    assert phases(steps).count(UPLOAD) >= 5


def test_a_person_can_request_a_dwell_and_uploads_go_on():
    plan = Plan(ALL, EVERYTHING, 60000)
    run(plan, CYCLE_MS)
    plan.dwell_on(9, 120, CYCLE_MS)

    steps = run(plan, CYCLE_MS + 120000, lambda now_ms: [(6, 90)], CYCLE_MS)

    assert set(phases(steps)) == {DWELL, UPLOAD}
    assert {step.channel for _, step in steps if step.phase == DWELL} == {9}
    assert plan.next(CYCLE_MS + 120000, []).phase == SNIFF


def test_a_requested_upload_interval_is_kept_during_a_requested_dwell():
    plan = Plan(ALL, EVERYTHING, 60000)
    run(plan, CYCLE_MS)
    plan.dwell_on(9, 60, CYCLE_MS, 10000)

    steps = run(plan, CYCLE_MS + 60000, lambda now_ms: [], CYCLE_MS)

    assert set(phases(steps)) == {DWELL, UPLOAD}
    assert phases(steps).count(UPLOAD) >= 3


def test_failing_uploads_do_not_interrupt_a_requested_dwell():
    plan = Plan(ALL, EVERYTHING, 60000)
    plan.end_upload(0, False)
    plan.dwell_on(9, 60, 0, 10000)

    assert [plan.next(now_ms, []).phase for now_ms in range(11000, 60000, 10000)] == [DWELL] * 5


def test_a_cancelled_dwell_may_be_left_at_once():
    plan = Plan(ALL, EVERYTHING, 60000)
    plan.dwell_on(9, 120, 0)
    assert plan.next(20000, []).phase == UPLOAD
    plan.end_upload(21000, True)
    assert plan.next(21000, []).phase == DWELL
    assert not plan.may_leave(22000, [])

    plan.dwell_on(9, 0, 22500)

    assert plan.may_leave(23000, [])


def test_requesting_zero_seconds_ends_the_dwell():
    plan = Plan(ALL, EVERYTHING, 60000)
    plan.dwell_on(9, 120, 0)
    plan.next(0, [])
    plan.dwell_on(9, 0, 5000)

    assert plan.next(5000, []).phase == SNIFF


def test_an_urgent_report_is_uploaded_after_the_cycle():
    plan = Plan(ALL, EVERYTHING, 600000)
    run(plan, 60000)
    plan.upload_soon()

    steps = run(plan, 90000, now_ms=60000)

    assert min(at_ms for at_ms, step in steps if step.phase == UPLOAD) <= 60000 + CYCLE_MS + plans.SNIFF_MS


def test_uploads_become_rarer_while_they_fail():
    plan = Plan(ALL, EVERYTHING, 60000)
    now_ms, uploads = 0, []
    while now_ms < 900000:
        step = plan.next(now_ms, [])
        now_ms += step.duration_ms
        if step.phase == UPLOAD:
            uploads.append(now_ms)
            plan.end_upload(now_ms, False)

    assert uploads[1] - uploads[0] >= 120000
    assert 240000 <= uploads[-1] - uploads[-2] <= 270000


@pytest.mark.parametrize("uplink", ["wifi", "ethernet"])
def test_a_camera_is_judged_within_30_s_whenever_and_wherever_it_starts(uplink):
    for starts_ms in range(1000, 80000, 1700):
        for channel in (1, 7, 13):
            after_ms = Scene(Plan(ALL, EVERYTHING, 60000, uplink), channel, starts_ms).judged_after_ms(60000)
            assert after_ms is not None and after_ms <= 30000, (channel, starts_ms, after_ms)


def test_a_camera_is_judged_within_30_s_beside_four_undecided_candidates():
    rng = random.Random(5)
    for _ in range(150):
        channel, *undecided = rng.sample(ALL, 5)
        starts_ms = rng.randrange(80000, 200000)
        scene = Scene(Plan(ALL, EVERYTHING, 60000), channel, starts_ms, set(undecided))
        after_ms = scene.judged_after_ms(60000)
        assert after_ms is not None and after_ms <= 30000, (channel, undecided, starts_ms, after_ms)


def test_without_a_candidate_two_cycles_lie_between_the_other_steps():
    steps = run(Plan(ALL, EVERYTHING, 60000), 120000)
    others = [place for place, (_, step) in enumerate(steps) if step.phase in (SCAN, BLE)]

    assert len(others) >= 6
    assert all(after - before > 2 * len(ALL) for before, after in itertools.pairwise(others))


def test_the_first_upload_waits_for_a_candidate_of_the_first_cycle():
    steps = run(Plan(ALL, EVERYTHING, 60000), 30000, lambda now_ms: [(6, 80)] if 2000 < now_ms < 12000 else [])

    assert [step.phase for _, step in steps if step.phase in (DWELL, UPLOAD)][:2] == [DWELL, UPLOAD]


def test_each_cycle_has_one_of_the_rare_channels():
    plan = Plan([1, 36, 149], ["sniff"], 0, rare_channels=[52, 100])
    channels = [plan.next(index * plans.SNIFF_MS, []).channel for index in range(12)]

    assert channels == [1, 36, 149, 52, 1, 36, 149, 100, 1, 36, 149, 52]


def test_a_candidate_on_a_rare_channel_gets_its_dwell():
    plan = Plan([1, 36], ["sniff"], 0, rare_channels=[52, 100])
    steps = run(plan, 60_000, lambda now_ms: [(100, 80)])

    assert any(step.phase == DWELL and step.channel == 100 for _, step in steps)
