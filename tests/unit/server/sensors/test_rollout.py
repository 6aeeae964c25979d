"""A new version goes to a few sensors, then to all, and stops by itself when it is not good."""

import base64
import hashlib

import pytest

from ansim import envelope, messages
from ansim.decode import argument_problems, decode_message
from server.models import Command
from server.services import errors
from server.services.sensors import command_queue, enrolment, rollout

NOW_S = 1_800_000_000
FILES = {"ansim/__init__.py": b"VERSION = '2'", "firmware/start.mpy": b"\x00" * 5000, "firmware/empty.py": b""}


@pytest.fixture
def fleet(session, vault):
    made = []
    for number in range(5):
        one = enrolment.enrol(session, vault, f"hall-{number}")[0]
        one.info, one.info_s, one.last_seen_s = {"board": "esp32_devkit", "boot": 1}, NOW_S, NOW_S + number
        made.append(one)
    return made


@pytest.fixture
def release(session):
    return rollout.add_release(session, "2", FILES)


def offered(session):
    return {
        command.sensor.name: command for command in session.query(Command).filter_by(name=messages.UPDATE, ended_s=None)
    }


def runs(one, release, at_s=NOW_S):
    one.info, one.info_s = {**one.info, "update": release.sha256}, at_s


def went_back(one, release, at_s):
    one.info, one.info_s = {**one.info, "failed_update": release.sha256}, at_s


def outcomes(session, made):
    return [row.outcome for row in rollout.list_sensors(session, made)]


def test_a_sensor_that_is_updated_by_usb_only_is_skipped_with_the_reason(session, vault, fleet, release):
    fleet[4].info = {**fleet[4].info, "updates": "usb"}

    made = rollout.begin(session, release, fleet, canaries=1)
    rollout.tick(session, vault, NOW_S)

    assert set(offered(session)) == {"hall-3"}
    assert outcomes(session, made).count(rollout.USB_ONLY) == 1
    with pytest.raises(errors.Refused):
        rollout.stop(session, made)
        rollout.begin(session, release, fleet[4:], canaries=1)


def test_first_the_canaries_then_all_then_it_is_done(session, vault, fleet, release):
    made = rollout.begin(session, release, fleet, canaries=2)

    rollout.tick(session, vault, NOW_S)
    assert set(offered(session)) == {"hall-4", "hall-3"}, "those heard last go first"
    runs(fleet[4], release)
    rollout.tick(session, vault, NOW_S + 10)
    assert set(offered(session)) == {"hall-3"}, "the other canary has not said anything yet"
    runs(fleet[3], release)
    rollout.tick(session, vault, NOW_S + 20)
    assert set(offered(session)) == {"hall-0", "hall-1", "hall-2"}
    for one in fleet:
        runs(one, release)
    rollout.tick(session, vault, NOW_S + 30)

    assert outcomes(session, made) == [rollout.DONE] * 5
    assert (made.ended_s, made.stopped) == (NOW_S + 30, False)


def test_a_canary_that_goes_back_stops_it(session, vault, fleet, release):
    made = rollout.begin(session, release, fleet, canaries=2)
    rollout.tick(session, vault, NOW_S)
    went_back(fleet[4], release, NOW_S + 60)

    assert rollout.tick(session, vault, NOW_S + 70) == [made]

    assert (made.stopped, made.why) == (True, rollout.CANARY_FAILED)
    assert not offered(session)
    assert sorted(outcomes(session, made)) == [rollout.CANCELLED] * 4 + [rollout.ROLLED_BACK]


def test_what_went_back_before_this_rollout_is_no_failure_of_it(session, vault, fleet, release):
    went_back(fleet[4], release, NOW_S - 100)
    made = rollout.begin(session, release, fleet)

    rollout.tick(session, vault, NOW_S)
    rollout.tick(session, vault, NOW_S + 10)

    assert not made.ended_s


def test_more_failures_than_allowed_stop_it(session, vault, fleet, release):
    made = rollout.begin(session, release, fleet, canaries=1, most_failures=1)
    rollout.tick(session, vault, NOW_S)
    runs(fleet[4], release)
    rollout.tick(session, vault, NOW_S)

    for number in (0, 1):
        assert not made.ended_s
        command = offered(session)[f"hall-{number}"]
        command_queue.acknowledge(
            session, command.sensor_id, command.public_id, False, "no room on the flash", NOW_S + 5
        )
        rollout.tick(session, vault, NOW_S + 10)

    assert made.why == rollout.TOO_MANY_FAILED


def test_a_sensor_nobody_hears_is_no_failure(session, vault, fleet, release):
    made = rollout.begin(session, release, fleet, canaries=1, most_failures=0)
    rollout.tick(session, vault, NOW_S)
    runs(fleet[4], release)
    rollout.tick(session, vault, NOW_S)
    for one in fleet[1:]:
        runs(one, release)

    late_s = NOW_S + 10 * rollout.OFFER_S
    command_queue.expire(session, late_s)
    rollout.tick(session, vault, late_s)

    assert made.ended_s and not made.stopped
    assert sorted(outcomes(session, made)) == [rollout.DONE] * 4 + [rollout.NOT_HEARD]


def test_when_no_canary_is_heard_nothing_is_known_and_it_stops(session, vault, fleet, release):
    made = rollout.begin(session, release, fleet, canaries=2)
    rollout.tick(session, vault, NOW_S)
    late_s = NOW_S + 10 * rollout.OFFER_S
    command_queue.expire(session, late_s)

    rollout.tick(session, vault, late_s)

    assert made.why == rollout.NO_CANARY_HEARD


def test_only_one_runs_at_a_time_and_it_can_be_stopped(session, vault, fleet, release):
    made = rollout.begin(session, release, fleet)
    rollout.tick(session, vault, NOW_S)
    with pytest.raises(errors.Refused, match="rollout_running"):
        rollout.begin(session, release, fleet)

    rollout.stop(session, made)

    assert made.why == rollout.BY_HAND and not offered(session)
    assert rollout.begin(session, release, fleet)


def test_sensors_that_have_it_revoked_ones_and_other_boards_are_left_out(session, fleet):
    release = rollout.add_release(session, "2", FILES, boards=["esp32_devkit"])
    runs(fleet[0], release)
    enrolment.revoke(session, fleet[1])
    fleet[2].info = {**fleet[2].info, "board": "esp32_c3_mini"}

    made = rollout.begin(session, release, fleet)

    assert {row.sensor.name for row in rollout.list_sensors(session, made)} == {"hall-3", "hall-4"}
    with pytest.raises(errors.Refused, match="rollout_empty"):
        rollout.stop(session, made)
        rollout.begin(session, release, fleet[:1])


def test_the_command_is_one_the_sensor_takes(session, vault, fleet, release):
    rollout.begin(session, release, fleet)
    rollout.tick(session, vault, NOW_S)

    command = offered(session)["hall-4"]

    assert argument_problems(messages.UPDATE, command.args) == []
    key = vault.unseal(fleet[4].key_sealed)
    assert command.args["hmac"] == envelope.manifest_hmac(key, release.sha256)


def test_files_come_in_parts(session, release):
    digest = hashlib.sha256(FILES["firmware/start.mpy"]).hexdigest()
    got = b""
    while True:
        message = rollout.part(session, digest, len(got))
        assert decode_message("part", messages.encode(message)) == message
        if not message["data"]:
            break
        got += base64.b64decode(message["data"])

    assert got == FILES["firmware/start.mpy"]
    assert rollout.part(session, "0" * 64, 0)["data"] == ""
    manifest = base64.b64decode(rollout.part(session, release.sha256, 0)["data"]).decode()
    assert [line.split()[2] for line in manifest.splitlines()] == sorted(FILES)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"ansim/x.py": b""},
        {"firmware/start.py": b"", "../boot.py": b""},
        {"firmware/start.py": b"", "/settings.json": b""},
        {"firmware/start.py": b"", "firmware/a b.py": b""},
        {"firmware/start.py": b"", "main.py": b""},
        {"firmware/start.py": b"x" * (rollout.MOST_BYTES + 1)},
    ],
    ids=lambda files: " ".join(files) or "none",
)
def test_what_is_no_program_is_refused(session, files):
    with pytest.raises(errors.Refused):
        rollout.add_release(session, "2", files)


def test_the_same_release_is_added_once(session, release):
    assert rollout.add_release(session, "2", FILES) is release
