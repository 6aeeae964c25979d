from typing import Any

import pytest

from ansim import messages, refusal_codes, uplink_schemas
from ansim.decode import argument_problems
from ansim.frame_header import address_bytes
from ansim.schema import check
from firmware.inspecting.command_handlers import CommandHandlers
from firmware.inspecting.radio_jobs import TEST_SIGNAL, RadioJobs

CAMERA = "c0:ff:ee:00:00:01"


class Clock:
    now = 5000

    def now_ms(self):
        return self.now


class Inspection:
    def __init__(self, running=""):
        self.id = running
        self.calls = []

    def start(self, inspection, known):
        self.calls.append(("start", inspection, known))

    def stop(self, by):
        self.calls.append(("stop", by))


class Plan:
    def __init__(self):
        self.dwells = []

    def hears(self, channel):
        return channel <= 13

    def dwell_on(self, channel, seconds, now_ms, upload_every_ms=0):
        self.dwells.append((channel, seconds, now_ms, *([upload_every_ms] if upload_every_ms else [])))


class Listener:
    follower: Any = None
    stimulus_test: Any = None
    has_sniffer = True

    def __init__(self, plan):
        self.plan = plan

    @property
    def is_following(self):
        return self.follower is not None

    def follow(self, follower):
        self.follower = follower

    def test_stimulus(self, test):
        self.stimulus_test = test


def make_handlers(inspection=None):
    """Return (handlers by command, plan, listener, calls of the callbacks)."""
    calls = []
    plan = Plan()
    listener = Listener(plan)
    callbacks = (lambda *reading: calls.append(reading), lambda kind, body: calls.append((kind, body)), calls.append)
    commands = CommandHandlers(inspection or Inspection(), listener, Clock(), *callbacks)
    return dict(commands.handlers()), plan, listener, calls


def test_every_command_of_the_table_is_one_of_the_messages():
    handlers, *_ = make_handlers()

    assert all(argument_problems(name, {}) is not None for name in handlers)


def test_an_inspection_is_started_and_stopped():
    inspection = Inspection()
    handlers, *_ = make_handlers(inspection)

    assert handlers[messages.INSPECTION_START]({"inspection": "K7Q2", "known": [CAMERA]}, "c1") is None
    inspection.id = "K7Q2"
    assert handlers[messages.INSPECTION_STOP]({"inspection": "K7Q2"}, "c2") is None

    assert inspection.calls == [("start", "K7Q2", [CAMERA]), ("stop", "cmd")]


def test_another_inspection_is_not_stopped():
    inspection = Inspection("K7Q2")
    handlers, *_ = make_handlers(inspection)

    assert handlers[messages.INSPECTION_STOP]({"inspection": "M3XX"}, "c1") == refusal_codes.OTHER_INSPECTION
    assert inspection.calls == []


def test_a_dwell_goes_to_the_plan():
    handlers, plan, *_ = make_handlers()

    handlers[messages.DWELL]({"channel": 6, "seconds": 30}, "c1")

    assert plan.dwells == [(6, 30, 5000)]


def test_locate_dwells_and_follows_until_the_time_is_over():
    handlers, plan, listener, calls = make_handlers()
    handlers[messages.LOCATE]({"subject": CAMERA, "channel": 6, "seconds": 30}, "c1")
    follower = listener.follower
    assert plan.dwells == [(6, 30, 5000, 10000)], "a Wi-Fi sensor uploads meanwhile"
    assert follower.address == address_bytes(CAMERA)

    for now_ms in range(5000, 8000, 100):
        follower.proximity.add(now_ms, -50)
        assert follower.tick(now_ms)

    assert 5 <= len(calls) <= 7
    assert calls[-1][:2] == (CAMERA, -50)
    assert not follower.tick(35000)


@pytest.mark.parametrize("name", [messages.DWELL, messages.LOCATE, messages.SLOTS])
def test_a_channel_that_the_board_does_not_hear_is_refused(name):
    """The sniffer would raise an error, and the sensor restart."""
    handlers, plan, _, _ = make_handlers()

    args = {"subject": CAMERA, "channel": 36, "seconds": 30, "slots": [[0, 5000, 1], [6000, 5000, 0]]}
    assert handlers[name](args, "c1") == refusal_codes.NO_CHANNEL
    assert not plan.dwells


def test_without_a_sniffer_following_is_refused():
    handlers, plan, listener, _ = make_handlers()
    listener.has_sniffer = False

    command = {"subject": CAMERA, "channel": 6, "seconds": 30}
    assert handlers[messages.LOCATE](command, "c1") == refusal_codes.NO_SNIFFER
    assert not plan.dwells


def test_a_self_test_is_requested_unless_an_inspection_runs():
    handlers, _, _, calls = make_handlers()
    assert handlers[messages.RUN_SELFTEST]({"emitter": CAMERA}, "c1") is None
    assert calls == [{"emitter": CAMERA}]

    busy, *_, busy_calls = make_handlers(Inspection("K7Q2"))
    assert busy[messages.RUN_SELFTEST]({}, "c2") == refusal_codes.INSPECTION_RUNNING
    assert not busy_calls


def test_a_test_signal_is_requested_unless_an_inspection_runs_or_the_job_is_refused():
    handlers, _, _, calls = make_handlers()
    assert handlers[messages.TEST_SIGNAL]({}, "c1") is None
    assert calls == [TEST_SIGNAL]

    busy, *_, busy_calls = make_handlers(Inspection("K7Q2"))
    assert busy[messages.TEST_SIGNAL]({}, "c2") == refusal_codes.INSPECTION_RUNNING
    assert not busy_calls


def test_a_sensor_on_a_cable_refuses_to_send_a_test_signal():
    jobs = RadioJobs({"uplink": "ethernet", "selftest_at_start": False}, *[None] * 6)

    assert jobs.request(TEST_SIGNAL) == refusal_codes.NO_WIFI
    assert not jobs.is_pending
    assert jobs.request({}) is None and jobs.is_pending


def test_a_stimulus_test_dwells_watches_and_reports():
    handlers, plan, listener, calls = make_handlers()
    slots = [[5000 * index, 5000, index % 2] for index in range(8)]

    assert handlers[messages.SLOTS]({"subject": CAMERA, "channel": 6, "slots": slots}, "c1") is None

    assert plan.dwells == [(6, 42, 5000)]
    assert listener.stimulus_test.tick(6, 5000, 20000)
    assert listener.stimulus_test.tick(1, 20000, 30000), "another channel counts as not listened to"
    assert not listener.stimulus_test.tick(6, 30000, 46000)
    (kind, body) = calls[-1]
    assert kind == messages.STIMULUS
    assert (body["subject"], body["slots"], body["heard_permille"]) == (CAMERA, 8, 750)
    assert not check(uplink_schemas.body(kind), body)


def test_slots_that_overlap_are_refused():
    handlers, plan, *_ = make_handlers()

    command = {"subject": CAMERA, "channel": 6, "slots": [[0, 9000, 1], [5000, 9000, 0]]}
    assert handlers[messages.SLOTS](command, "c") == refusal_codes.BAD_SLOTS
    assert not plan.dwells
