"""The heap of the whole firmware stays the same over an hour of scene time."""

import pytest

from tests.bench import heap
from tools.simulate import scene_path
from tools.virtual_sensor.sensor import HEAP, IN_IMAGE, IN_ROM


def measurement(free, restarts=0, reports=100) -> heap.Measurement:
    rows = [(60 * minute, 0, 0, free_bytes) for minute, free_bytes in enumerate(free, 1)]
    return heap.Measurement(rows, 0, restarts, reports, [], [], 0.0, ["MemoryError"])


def test_a_flat_curve_is_good_and_the_first_quarter_does_not_count():
    assert heap.list_problems(measurement([90000, 80000, 50000] + [40000, 41000] * 30), 1) == []


def test_the_largest_free_block_is_the_minimum_of_the_interpreter_s_output():
    output = [
        "No. of 1-blocks: 9, 2-blocks: 4, max blk sz: 512, max free sz: 80",
        "link: ECONNRESET",
        "max free sz: 26",
    ]

    assert heap.largest_block(output, 16) == 26 * 16
    assert heap.largest_block([], 16) == 0


def test_a_sinking_free_heap_is_a_problem():
    (problem,) = heap.list_problems(measurement(range(90000, 30000, -1000)), 1)

    assert "sank by" in problem


def test_a_restart_a_short_run_and_missing_reports_are_problems():
    assert "MemoryError" in heap.list_problems(measurement([50000] * 60, restarts=1), 1)[0]
    assert "ended after 600 s" in heap.list_problems(measurement([50000] * 10), 1)[0]
    assert "only 3 reports" in heap.list_problems(measurement([50000] * 60, reports=3), 1)[0]


@pytest.mark.build
def test_the_modules_of_the_program_take_less_than_42_kb_and_the_simulated_hardware_is_counted_apart():
    taken = heap.modules()
    groups = {name: heap.group_of(name) for name in taken}

    assert (groups["machine"], groups["firmware.app"]) == (heap.HARDWARE, "firmware.app")
    assert (groups["ansim.detect.engine"], groups["asyncio.core"]) == ("ansim", "asyncio")
    hardware = sum(size for name, size in taken.items() if groups[name] == heap.HARDWARE)
    assert 8 * 1024 < hardware < 12 * 1024
    assert sum(taken.values()) - hardware < 42 * 1024


@pytest.mark.long
@pytest.mark.timeout(1500)  # minutes, and more of them on a busy machine
@pytest.mark.build
@pytest.mark.mosquitto
@pytest.mark.parametrize("uplink", ["wifi", "ethernet"])
def test_the_whole_firmware_with_its_panel_works_through_a_day_in_a_crowd_in_a_boards_heap(uplink):
    conditions = {"tls": True, "stations": 72, "panel": True, "schedule": heap.DayOfCommands}
    result = heap.measure(scene_path("crowded"), "92k", 0.5, 80, uplink, IN_IMAGE, **conditions)

    assert heap.list_problems(result, 0.5) == []
    assert len(result.acks) == 6


@pytest.mark.long
@pytest.mark.timeout(1500)  # minutes, and more of them on a busy machine
@pytest.mark.mosquitto
@pytest.mark.parametrize("uplink", ["wifi", "ethernet"])
def test_an_hour_in_a_crowd_leaves_the_heap_as_it_was(uplink):
    result = heap.measure(scene_path("crowded"), HEAP[IN_ROM], 1, 80, uplink)

    assert heap.list_problems(result, 1) == []
