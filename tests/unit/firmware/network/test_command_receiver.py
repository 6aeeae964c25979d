"""Commands: signed, in time, known, with good arguments, each once, whatever comes."""

import asyncio
import json

import pytest

from ansim import envelope, messages, refusal_codes, topics
from firmware.network.clock import SERVER, Clock
from firmware.network.command_receiver import MAX_REMEMBERED, Commands

KEY = bytes(range(32))
TOPIC = topics.topic("hall-1", topics.CMD)
NOW_S = 1767225600
DWELL = {"channel": 6, "seconds": 10}


@pytest.fixture
def clock():
    made = Clock(lambda: 0)
    made.set(NOW_S, SERVER)
    return made


@pytest.fixture
def done():
    """What the handlers were called with."""
    return []


@pytest.fixture
def start(clock, done, tmp_path):
    """start() -> Commands as after power-on, with the file of the last start."""

    def started(path=str(tmp_path / "commands.json"), the_clock=clock):
        commands = Commands("hall-1", KEY, the_clock, path)
        commands.on(messages.DWELL, lambda args, command_id: done.append((command_id, args["channel"])))
        return commands

    return started


def signed(command_id="c1", name=messages.DWELL, args=DWELL, expires_s=NOW_S + 60, key=KEY, topic=TOPIC):
    return envelope.seal(key, topic, messages.encode(messages.cmd(command_id, name, args, expires_s)))


def take(commands, payload):
    return asyncio.run(commands.handle(payload))


def test_a_good_command_is_carried_out_and_answered(start, done):
    assert take(start(), signed()) == ("c1", "", None)
    assert done == [("c1", 6)]


@pytest.mark.parametrize(
    "payload",
    [
        signed(key=bytes(32)),
        signed(topic=topics.topic("hall-2", topics.CMD)),
        signed()[:-1] + b"0",
        envelope.seal(KEY, TOPIC, b"{"),
        envelope.seal(KEY, TOPIC, b'{"v":2}'),
        envelope.seal(KEY, TOPIC, b'{"v":1,"id":"","name":"dwell","expires_s":1,"args":{}}'),
        b"",
        b"\n" * 70,
        bytes(20000),
    ],
    ids=["key", "device", "changed", "json", "version", "fields", "empty", "newlines", "huge"],
)
def test_a_message_that_is_not_ours_gets_no_answer(start, done, payload):
    commands = start()

    assert take(commands, payload) is None
    assert done == []


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (signed(expires_s=NOW_S), refusal_codes.EXPIRED),
        (signed(name="self_destruct"), refusal_codes.UNKNOWN_COMMAND),
        (signed(name=messages.UPDATE, args={"manifest": {}}), refusal_codes.UNKNOWN_COMMAND),
        (signed(args={"channel": 178, "seconds": 1}), "bad_arguments:channel"),
        (signed(args={}), "bad_arguments:channel,seconds"),
        (signed(args=dict(DWELL, more=1)), "bad_arguments:more"),
    ],
    ids=["expired", "unknown", "not handled", "range", "missing", "too many"],
)
def test_what_cannot_be_done_is_answered_with_the_reason(start, done, payload, error):
    assert take(start(), payload) == ("c1", error, None)
    assert done == []


def test_the_same_id_is_carried_out_once_and_answered_again(start, done, clock):
    commands = start()
    take(commands, signed())

    assert take(commands, signed()) == ("c1", "", None)
    assert take(start(), signed()) == ("c1", "", None), "after a restart too"
    assert done == [("c1", 6)]


def test_a_refusal_of_the_handler_is_answered_and_remembered(start):
    commands = start()
    commands.on(messages.RESTART, lambda args, command_id: "not now")
    restart = signed(name=messages.RESTART, args={})

    assert take(commands, restart) == ("c1", "not now", None)
    assert take(start(), restart) == ("c1", "not now", None)


def test_a_command_that_was_interrupted_is_not_carried_out_again(start, done):
    def power_cut(args, command_id):
        raise KeyboardInterrupt

    commands = start()
    commands.on(messages.DWELL, power_cut)
    with pytest.raises(KeyboardInterrupt):
        take(commands, signed())

    assert take(start(), signed()) == ("c1", refusal_codes.INTERRUPTED, None)
    assert done == []


def test_an_async_handler_is_waited_for(start):
    async def handler(args, command_id):
        await asyncio.sleep(0)
        return "later"

    commands = start()
    commands.on(messages.DWELL, handler)

    assert take(commands, signed()) == ("c1", "later", None)


def test_a_function_is_handed_out_to_be_called_after_the_answer_and_only_once(start, done):
    def leave():
        done.append("left")

    commands = start()
    commands.on(messages.RESTART, lambda args, command_id: leave)

    answer = take(commands, signed(name=messages.RESTART, args={}))

    assert answer == ("c1", "", leave) and done == []
    assert take(start(), signed(name=messages.RESTART, args={})) == ("c1", "", None), "or it would restart for ever"


def test_without_the_time_only_the_time_is_taken(start, done):
    clock = Clock(lambda: 0)
    clock.nonce = "0123456789abcdef"
    commands = start(the_clock=clock)
    time = signed("t1", messages.TIME, {"time_s": NOW_S, "nonce": "0123456789abcdef"}, 0)

    assert take(commands, signed()) == ("c1", refusal_codes.NO_TIME, None)
    assert take(commands, time) == ("t1", "", None)
    assert clock.time_s() == NOW_S and clock.take_change()
    assert take(commands, signed()) == ("c1", "", None), "what was refused for want of the time may come again"


@pytest.mark.parametrize("nonce", ["fedcba9876543210", "12345678"])
def test_an_old_time_played_back_is_refused(start, clock, nonce):
    clock.nonce = "0123456789abcdef"

    answer = take(start(), signed("t1", messages.TIME, {"time_s": 5, "nonce": nonce}))

    assert answer.error == refusal_codes.STALE_TIME
    assert clock.time_s() == NOW_S


def test_a_time_with_bad_arguments_is_refused(start, clock):
    answer = take(start(), signed("t1", messages.TIME, {"time_s": "5", "nonce": ""}))

    assert answer.error == "bad_arguments:time_s,nonce"


def test_ids_are_forgotten_once_expired_and_bounded_before(start, done, tmp_path):
    commands = start()
    for index in range(3 * MAX_REMEMBERED):
        assert take(commands, signed(f"c{index}", expires_s=NOW_S + 1000 - index)).error == ""

    with open(tmp_path / "commands.json") as file:
        assert len(json.load(file)) == MAX_REMEMBERED
    assert len(done) == 3 * MAX_REMEMBERED
    commands._clock = Clock(lambda: 0)
    commands._clock.set(NOW_S + 2000, SERVER)
    take(commands, signed("last", expires_s=NOW_S + 3000))
    with open(tmp_path / "commands.json") as file:
        assert [row[0] for row in json.load(file)] == ["last"]


@pytest.mark.parametrize("text", ["", "{", "[1]", '[["a"]]', "null"])
def test_a_spoilt_file_of_ids_stops_nothing(start, done, tmp_path, text):
    (tmp_path / "commands.json").write_text(text)

    assert take(start(), signed()).error == ""
    assert done == [("c1", 6)]


def test_a_flash_that_refuses_is_said_and_nothing_is_carried_out(start, done, tmp_path):
    commands = start(path=str(tmp_path / "missing" / "commands.json"))

    assert take(commands, signed()) == ("c1", refusal_codes.FLASH_FAILED, None)
    assert done == []


def test_a_handler_without_memory_is_a_refusal_and_runs_once(start, done):
    commands = start()

    def handler(args, command_id):
        done.append(command_id)
        raise MemoryError

    commands.on(messages.DWELL, handler)

    assert take(commands, signed()) == ("c1", refusal_codes.NO_MEMORY, None)
    assert take(commands, signed()) == ("c1", refusal_codes.NO_MEMORY, None)
    assert done == ["c1"]


def test_without_a_file_ids_are_remembered_in_memory(start, done):
    commands = start(path=None)
    take(commands, signed())
    take(commands, signed())

    assert done == [("c1", 6)]
