import pytest
from sqlalchemy import func, select

from ansim import messages, refusal_codes
from server.models import Command, Proximity, SensorBoot, Tally
from server.services.errors import NotFound, Refused
from server.services.intake import counters
from server.services.people.accounts import SYSTEM
from server.services.sensors import command_queue, enrolment, fleet, sensor_status
from tests.support.sensor_messages import NOW_S


def state(word, nonce="0011223344556677", boot=1):
    return messages.state(boot, word, nonce)


def test_the_key_is_sealed_in_the_database(session, vault):
    added, key = enrolment.enrol(session, vault, "hall-2")

    assert len(key) == 32 and key not in added.key_sealed
    assert vault.unseal(added.key_sealed) == key


@pytest.mark.parametrize("name", ["", "Hall", "hall_1", "h" * 33, "_ingest", "hall/1", "hall+"])
def test_a_name_that_is_no_topic_is_refused(session, vault, name):
    with pytest.raises(Refused, match="sensor_name_bad"):
        enrolment.enrol(session, vault, name)


def test_a_name_is_used_once(session, vault, sensor):
    with pytest.raises(Refused, match="sensor_exists"):
        enrolment.enrol(session, vault, sensor.name)


def test_a_sensor_goes_through_its_states(session, sensor):
    at = 1000

    def status(now_s=at):
        return fleet.state_of(sensor, now_s, 300)

    assert status() == fleet.NEVER
    sensor_status.take_state(session, sensor.id, state("ready"), at, retained=False)
    sensor_status.heard(session, {sensor.id}, at)
    session.refresh(sensor)
    assert status() == fleet.ONLINE
    assert status(at + 301) == fleet.SILENT
    sensor_status.take_state(session, sensor.id, state("sleeping"), at, retained=False)
    assert status() == fleet.SLEEPING
    sensor_status.take_state(session, sensor.id, state("lost", ""), at, retained=False)
    assert status() == fleet.OFFLINE
    enrolment.revoke(session, sensor)
    assert status() == fleet.REVOKED


def test_a_sensor_that_falls_silent_is_noticed_once_until_it_is_heard_again(session, sensor):
    sensor_status.take_state(session, sensor.id, state("ready"), 1000, retained=False)
    sensor_status.heard(session, {sensor.id}, 1000)

    silence = sensor_status.SilenceDetector()
    assert silence.detect(session, 1000, 300, now=5.0) == []
    assert silence.detect(session, 1299, 300, now=304.0) == []
    assert silence.detect(session, 1300, 300, now=305.0) == ["hall-1"]
    assert silence.detect(session, 1400, 300, now=405.0) == []
    sensor_status.heard(session, {sensor.id}, 1500)
    assert silence.detect(session, 1500, 300, now=505.0) == []
    assert silence.detect(session, 1800, 300, now=805.0) == ["hall-1"]


def test_at_the_start_the_time_since_it_was_heard_counts(session, sensor):
    sensor_status.take_state(session, sensor.id, state("ready"), 1000, retained=False)
    sensor_status.heard(session, {sensor.id}, 1000)

    assert sensor_status.SilenceDetector().detect(session, 1300, 300, now=5.0) == ["hall-1"]


@pytest.mark.parametrize("jump_s", [-2 * 86400, 2 * 86400])
def test_a_clock_that_jumps_makes_no_sensor_silent_and_shows_no_silent_one_online(session, sensor, jump_s):
    at = 1_800_000_000
    sensor_status.take_state(session, sensor.id, state("ready"), at, retained=False)
    sensor_status.heard(session, {sensor.id}, at)
    silence = sensor_status.SilenceDetector()
    assert silence.detect(session, at, 300, now=0.0) == []

    after = at + jump_s
    assert silence.detect(session, after + 10, 300, now=10.0) == []
    session.refresh(sensor)
    assert fleet.state_of(sensor, after + 10, 300) == fleet.SILENT, "not heard since the jump"
    assert fleet.count_states(session, SYSTEM, after + 10, 300) == {fleet.SILENT: 1}
    sensor_status.heard(session, {sensor.id}, after + 20)
    session.refresh(sensor)
    assert fleet.state_of(sensor, after + 20, 300) == fleet.ONLINE
    assert silence.detect(session, after + 20, 300, now=20.0) == []
    assert silence.detect(session, after + 320, 300, now=320.0) == ["hall-1"]
    session.refresh(sensor)
    assert fleet.state_of(sensor, after, 300) == fleet.SILENT


def test_a_sensor_that_said_good_bye_is_not_silent(session, sensor):
    sensor_status.heard(session, {sensor.id}, 1000)
    sensor_status.take_state(session, sensor.id, state("disconnected"), 1000, retained=False)

    assert sensor_status.SilenceDetector().detect(session, 9000, 300) == []


def test_info_is_kept_whole(session, sensor):
    info = {"v": 1, "boot": 7, "inspection": "abc", "version": "0.1.0", "battery_percent": 81}

    sensor_status.take_info(session, sensor.id, info)

    assert (sensor.info, sensor.boot, sensor.inspection_ref) == (info, 7, "abc")


def test_proximity_is_kept_for_minutes_and_without_the_address(session, sensor):
    point = messages.live(1, 5, "c0:ff:ee:00:00:01", -60, -58, 3, "warmer")
    for at_ms in (1, 2_000_000):
        sensor_status.take_live(session, sensor.id, point, at_ms)
    session.flush()

    sensor_status.forget_proximity(session, 2_000_000)

    assert [one.smoothed_dbm for one in sensor_status.proximity(session, sensor)] == [-58]
    assert "c0:ff:ee" not in repr(session.execute(select(Proximity.__table__)).all())


def test_points_that_waited_in_the_sensor_are_dated_when_they_were_heard(session, sensor):
    session.add(SensorBoot(sensor_id=sensor.id, boot=1, upto=0, highest=0, zero_s=1000, first_received_s=1000))
    for tick_ms in (80_000, 82_000, 90_000):
        point = messages.live(1, tick_ms, "c0:ff:ee:00:00:01", -60, -58, 3, "warmer")
        sensor_status.take_live(session, sensor.id, point, 1_091_000)
    session.flush()

    assert [one.received_ms for one in sensor_status.proximity(session, sensor)] == [1_080_000, 1_082_000, 1_091_000]


def test_a_command_is_due_when_the_sensor_is_there(session, sensor):
    command = command_queue.send(session, sensor, messages.DWELL, {"channel": 6, "seconds": 10})
    now_s = command.created_s

    assert command_queue.due(session, now_s) == []
    sensor.state = "ready"
    assert command_queue.due(session, now_s) == [command]
    assert command_queue.waiting_for(session, sensor.id, now_s) == [command]


def test_a_command_is_sent_again_until_it_is_answered(session, sensor):
    sensor.state = "ready"
    command = command_queue.send(session, sensor, messages.RESTART, {})
    now_s = command.created_s
    command_queue.mark_sent(command, now_s)

    assert command_queue.due(session, now_s + 1) == []
    assert command_queue.due(session, now_s + 5) == [command]
    assert command_queue.acknowledge(session, sensor.id, command.public_id, True, "", now_s + 6)
    assert command_queue.due(session, now_s + 20) == []
    assert (command.ok, command.ended_s) == (True, now_s + 6)


@pytest.mark.parametrize("error", [refusal_codes.NO_TIME, "the sensor does not know the time yet"])
def test_a_command_that_came_before_the_time_stays_open_and_is_sent_again(session, sensor, error):
    sensor.state = messages.READY
    command = command_queue.send(session, sensor, messages.RESTART, {})
    command_queue.mark_sent(command, command.created_s)

    assert command_queue.acknowledge(session, sensor.id, command.public_id, False, error, command.created_s + 1)
    assert command_queue.due(session, command.created_s + 5) == [command]


def test_an_answer_counts_once_and_for_its_own_sensor(session, sensor, vault):
    other = enrolment.enrol(session, vault, "hall-2")[0]
    command = command_queue.send(session, sensor, messages.RESTART, {})

    assert not command_queue.acknowledge(session, other.id, command.public_id, True, "", NOW_S)
    assert command_queue.acknowledge(session, sensor.id, command.public_id, False, "busy", NOW_S)
    assert not command_queue.acknowledge(session, sensor.id, command.public_id, True, "", NOW_S)
    assert command.error == "busy"


def test_a_command_expires(session, sensor):
    command = command_queue.send(session, sensor, messages.RESTART, {}, lifetime_s=60)

    assert command_queue.expire(session, command.created_s + 59) == 0
    assert command_queue.expire(session, command.created_s + 60) == 1
    assert (command.error, command.ok) == (command_queue.EXPIRED, None)


@pytest.mark.parametrize("ends", ["answer", "expiry"])
def test_addresses_do_not_outlive_their_command(session, sensor, ends):
    locate = command_queue.send(
        session, sensor, messages.LOCATE, {"subject": "c0:ff:ee:00:00:01", "channel": 6, "seconds": 60}
    )
    start = command_queue.send(
        session, sensor, messages.INSPECTION_START, {"inspection": "abc", "known": ["c0:ff:ee:00:00:01"]}
    )

    for command in (locate, start):
        if ends == "answer":
            command_queue.acknowledge(session, sensor.id, command.public_id, True, "", NOW_S)
    command_queue.expire(session, NOW_S + 10**6)
    session.flush()

    assert "c0:ff:ee" not in repr(session.execute(select(Command.__table__)).all())
    assert start.args["inspection"] == "abc"


@pytest.mark.parametrize(("name", "args"), [("fly", {}), (messages.DWELL, {"channel": 200, "seconds": 1})])
def test_a_command_that_no_sensor_would_take_is_our_own_mistake(session, sensor, name, args):
    with pytest.raises(ValueError, match=name):
        command_queue.send(session, sensor, name, args)


def test_a_revoked_sensor_gets_no_commands(session, sensor):
    sensor.state = "ready"
    command_queue.send(session, sensor, messages.RESTART, {})
    enrolment.revoke(session, sensor)

    assert command_queue.due(session, 0) == []


def test_tallies_add_up_by_day_sensor_and_word(session, sensor):
    counters.add(session, {("hall-1", counters.STORED): 3, ("", counters.BAD_TOPIC): 1})
    counters.add(session, {("hall-1", counters.STORED): 4, ("hall-1", counters.DUPLICATE): 0})
    counters.add(session, {("hall-1", counters.STORED): 9}, now_s=86400)

    assert fleet.load_counters(session, sensor) == {counters.STORED: 7}
    assert counters.list_today(session) == [("", counters.BAD_TOPIC, 1), ("hall-1", counters.STORED, 7)]
    assert session.scalar(select(func.count(Tally.id))) == 3
    assert counters.sums(session) == {counters.BAD_TOPIC: 1, counters.STORED: 16}


def test_lists_are_by_name_and_by_who_was_heard_last(session, vault, sensor, hall):
    second = enrolment.enrol(session, vault, "hall-0", restroom_id=hall.id)[0]
    sensor_status.heard(session, {sensor.id}, 50)

    assert fleet.list_all(session, SYSTEM) == [second, sensor]
    assert fleet.list_available(session, SYSTEM) == [sensor, second]
    assert fleet.load(session, SYSTEM, "hall-0").restroom is hall
    with pytest.raises(NotFound):
        fleet.load(session, SYSTEM, "nobody")
