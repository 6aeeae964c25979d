"""The connection, on the real MicroPython against real brokers: all arrives once, in order, dated, whatever breaks."""

import socket
import time

import pytest

from ansim import messages, refusal_codes, topics
from tests.support import brokers
from tests.support.delivery import SensorProcess, TinyServer, compiled, settings
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, wait_for


@pytest.fixture(params=[pytest.param("mosquitto", marks=pytest.mark.mosquitto), "amqtt"])
def broker(request, tmp_path):
    port = free_port()
    made = getattr(brokers, request.param)(tmp_path, port).start()
    yield made
    made.kill()


@pytest.fixture
def server(broker):
    made = TinyServer(broker.port).start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def micropython_path(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("board"))


@pytest.fixture
def start_at(micropython, micropython_path, tmp_path):
    """start_at(port, **settings) -> a running SensorProcess."""
    running = []

    def started(port, **more):
        running.append(SensorProcess(micropython, micropython_path, settings(tmp_path, port, **more)))
        return running[-1]

    yield started
    for one in running:
        one.kill()


@pytest.fixture
def start(start_at, broker):
    """start(**settings) -> a running SensorProcess that knows the broker."""
    return lambda **more: start_at(broker.port, **more)


def test_an_upload_delivers_everything_and_says_goodnight(start, server):
    sensor = start()
    sensor("append", "reset", 1)
    sensor("append", "finding", 3)

    assert sensor("upload", 10000) is True

    look = sensor("look")
    assert look["reports"] == 0 or look["reports"] == 1  # the CLOCK report may have come too late to wait for
    assert server.order[:4] == [(1, 1), (1, 2), (1, 3), (1, 4)]
    wait_for(lambda: [one["state"] for one in server.states] == ["init", "ready", "sleeping"])
    init, ready, _ = server.states
    assert init["nonce"] == ready["nonce"] and len(init["nonce"]) == 16
    assert server.infos[0]["journal_reports"] == 4 and server.infos[0]["uplink"] == "ethernet"
    assert look["clock"] == "server" and look["connected"] is False


def test_a_wired_sensor_delivers_while_connected_and_reports_its_clock(start, server):
    sensor = start()
    sensor("stay")
    wait_for(lambda: server.states and server.states[-1]["state"] == "ready")
    sensor("append", "finding", 1)

    wait_for(lambda: sensor("look")["reports"] == 0 and len(server.reports) == 2)

    kinds = sorted(message["kind"] for message in server.reports.values())
    assert kinds == ["clock", "finding"]
    clock = next(message for message in server.reports.values() if message["kind"] == "clock")
    assert clock["body"]["source"] == "server" and abs(clock["body"]["time_s"] - server.time_s) <= 1
    assert sensor("stop", "disconnected")["running"] is False
    wait_for(lambda: server.states[-1]["state"] == "disconnected")


def test_half_an_hour_offline_with_findings_arrives_whole_in_order_and_dated(start, server):
    sensor = start()
    sensor("append", "reset", 1)
    sensor("stay")
    wait_for(lambda: sensor("look")["reports"] == 0 and sensor("look")["clock"] == "server")
    sensor("uplink", False)
    wait_for(lambda: not sensor("look")["connected"])
    for _ in range(30):
        sensor("append", "finding", 1)
        sensor("append", "sweep", 2)
        sensor("advance_ms", 60000)
    assert sensor("look")["reports"] == 90

    sensor("uplink", True)

    wait_for(lambda: sensor("look")["reports"] == 0)
    assert server.order == sorted(server.order)
    assert [seq for _, seq in server.order[:92]] == list(range(1, 93))
    offline = [message for message in server.reports.values() if message["seq"] > 2 and message["kind"] == "finding"]
    dates = [message["at_s"] for message in offline]
    assert [round((one - dates[0]) / 60) for one in dates] == list(range(30))


def test_reports_made_before_the_time_is_known_can_be_dated_by_the_clock_report(start, server):
    sensor = start()
    sensor("append", "finding", 1)
    sensor("advance_ms", 600000)
    sensor("upload", 10000)
    sensor("upload", 10000)

    found, clock = server.reports[1, 1], server.reports[1, 2]

    assert found["at_s"] is None and clock["kind"] == "clock"
    made_s = clock["body"]["time_s"] - (clock["body"]["at_tick_ms"] - found["tick_ms"]) // 1000
    assert abs(made_s - (server.time_s - 600)) <= 2


def test_nothing_is_lost_when_the_broker_is_killed_in_the_middle_of_the_delivery(start, server, broker):
    sensor = start()
    sensor("fill", 600)
    sensor("stay")
    wait_for(lambda: len(server.reports) > 50)

    broker.kill()
    sensor("append", "finding", 5)
    broker.start()

    # What the new broker took before the server was back is gone with the old subscription: it comes again.
    wait_for(lambda: sensor("overdue")["reports"] == 0, 90)
    assert {seq for boot, seq in server.reports if boot == 1} >= set(range(1, 606))
    assert server.conflicts == server.unsigned == 0


def test_nothing_is_lost_when_the_sensor_is_killed_in_the_middle_of_the_delivery(start, server):
    sensor = start()
    sensor("fill", 400)
    sensor("stay")
    wait_for(lambda: len(server.reports) > 20)
    sensor.kill()

    again = start()
    again("append", "reset", 1)
    again("stay")

    wait_for(lambda: again("look")["reports"] == 0, 60)
    assert {seq for boot, seq in server.reports if boot == 1} >= set(range(1, 401))
    assert (2, 1) in server.reports and server.conflicts == 0


def test_what_is_not_confirmed_stays_and_is_sent_again(start, server):
    server.silent = True
    sensor = start()
    sensor("append", "finding", 2)

    sensor("begin_upload", 12000)
    wait_for(lambda: len(server.reports) >= 2 and sensor("look")["clock"] == "server")
    sensor("overdue")
    wait_for(lambda: sensor("look")["uploaded"] is False)
    assert sensor("look")["problem"] == "the server does not confirm"
    assert sensor("look")["reports"] >= 2

    server.silent = False
    assert sensor("upload", 10000) is True
    assert server.duplicates >= 2


def test_a_server_that_lost_what_came_gets_it_again_without_a_reconnect(start, server):
    server.deaf = True
    sensor = start()
    sensor("stay")
    sensor("append", "finding", 3)
    wait_for(lambda: sensor("look")["connected"])
    server.deaf = False

    wait_for(lambda: sensor("overdue")["reports"] == 0)

    assert sensor("look")["connects"] == 1
    assert {seq for _, seq in server.reports} >= {1, 2, 3}


def test_only_a_bounded_number_is_sent_ahead_of_the_confirmation(start, server):
    server.silent = True
    sensor = start()
    sensor("fill", 300)
    sensor("stay")

    wait_for(lambda: len(server.reports) >= 64)
    sensor("look")
    assert len(server.reports) == 64
    server.confirm()

    wait_for(lambda: len(server.reports) > 100)


def test_a_broker_whose_server_is_away_is_not_filled(start, server):
    server.away = True
    sensor = start()
    sensor("fill", 100)
    sensor("stay")
    wait_for(lambda: len(server.reports) == 1)
    for times in range(1, 4):
        sensor("overdue")
        sensor("advance_ms", 100000)
        wait_for(lambda most=times: server.duplicates >= most)
    assert len(server.reports) == 1 and server.duplicates <= 8

    server.away = False

    wait_for(lambda: sensor("advance_ms", 300000)["reports"] == 0, 60)
    assert len(server.reports) >= 100


def test_a_forged_confirmation_frees_nothing(start, server):
    server.silent = True
    sensor = start()
    sensor("append", "finding", 3)
    sensor("stay")
    wait_for(lambda: len(server.reports) >= 3)

    server.publish(topics.STORED, messages.stored([[1, 3]]), key=bytes(32))
    server.publish_bytes(topics.STORED, b'{"v":1,"upto":[[1,3]]}')
    server.publish_bytes(topics.STORED, b"")
    wait_for(lambda: sensor.count_lines("rejected a stored") == 3)

    assert sensor("look")["reports"] >= 3


def test_a_replayed_old_time_does_not_set_the_clock(start, server):
    sensor = start()
    sensor("stay")
    wait_for(lambda: sensor("look")["clock"] == "server")
    old = server.states[0]["nonce"]
    server.time_s -= 100000
    command = server.command(messages.TIME, {"time_s": server.time_s, "nonce": old}, expires_in_s=10**6)

    ack = wait_for(lambda: server.ack_of(command))

    assert ack["ok"] is False and ack["error"] == refusal_codes.STALE_TIME
    assert sensor("look")["time_s"] >= server.time_s + 100000


def test_commands_are_obeyed_once_and_answered(start, server):
    sensor = start()
    sensor("stay")
    wait_for(lambda: sensor("look")["clock"] == "server")

    good = server.command(messages.DWELL, {"channel": 6, "seconds": 10})
    wait_for(lambda: server.ack_of(good))
    server.command(messages.DWELL, {"channel": 6, "seconds": 10}, command_id=good)
    wait_for(lambda: [ack["id"] for ack in server.acks].count(good) == 2)
    refused = server.command(messages.DWELL, {"channel": 13, "seconds": 10})
    bad = server.command(messages.DWELL, {"channel": 178})
    late = server.command(messages.DWELL, {"channel": 1, "seconds": 10}, expires_in_s=-1)
    unknown = server.command("self_destruct", {})
    server.publish(topics.CMD, messages.cmd("f1", messages.DWELL, {"channel": 3, "seconds": 9}, 1 << 33), key=bytes(32))
    wait_for(lambda: server.ack_of(unknown) and sensor.count_lines("rejected a command") == 1)

    errors = {name: server.ack_of(name)["error"] for name in (good, refused, bad, late, unknown)}
    assert errors[good] == "" and errors[refused] == "not_this_channel"
    assert errors[bad] == "bad_arguments:channel,seconds"
    assert errors[late] == refusal_codes.EXPIRED and errors[unknown] == refusal_codes.UNKNOWN_COMMAND
    assert server.ack_of("f1") is None
    assert sensor("look")["ordered"] == [["dwell", 6], ["dwell", 13]]


def test_a_command_is_answered_before_it_ends_the_program(start, server):
    sensor = start()
    sensor("stay")
    wait_for(lambda: sensor("look")["clock"] == "server")

    command = server.command(messages.RESTART, {})

    assert wait_for(lambda: server.ack_of(command))["ok"] is True
    wait_for(lambda: sensor("look")["ordered"] == [["restart"], ["left"]])
    wait_for(lambda: server.states[-1]["state"] == "disconnected")


def test_live_messages_go_out_only_while_connected(start, server):
    sensor = start()
    assert sensor("live")["live_dropped"] == 1
    sensor("stay")
    wait_for(lambda: sensor("look")["connected"])

    sensor("live")

    assert wait_for(lambda: server.lives)[0]["trend"] == "warmer"
    assert sensor("look")["live_dropped"] == 1


def test_a_journal_that_was_erased_does_not_collide_with_its_past(start, server):
    server._accounted = {1: set(range(1, 50)), 7: {1, 2, 3}}
    server._told = {1: 49, 7: 3}
    server.confirm()
    sensor = start()
    sensor("append", "finding", 2)
    sensor("stay")

    wait_for(lambda: sensor("look")["boot"] == 8 and sensor("look")["reports"] == 0)

    kinds = [message["kind"] for (boot, _), message in server.reports.items() if boot == 8]
    assert kinds.count("finding") == 2 and "clock" in kinds


def test_a_server_set_back_to_a_backup_is_told_what_it_cannot_get_again(start, server):
    sensor = start(journal_bytes=65536)
    sensor("stay")
    sensor("fill", 60)
    wait_for(lambda: sensor("look")["reports"] == 0)
    server.reports, server._accounted, server._told = {}, {1: set(range(1, 6))}, {1: 5}
    server.confirm()
    sensor("append", "finding", 1)

    wait_for(lambda: sensor("advance_ms", 300000)["reports"] == 0)

    dropped = [message["body"] for message in server.reports.values() if message["kind"] == "dropped"]
    assert dropped[0]["first"] == 6 and any("waits for 1.6" in line for line in sensor.said)
    assert "finding" in [message["kind"] for message in server.reports.values()]


def test_a_sensor_that_dies_is_told_lost_by_the_broker(start, server):
    sensor = start()
    sensor("stay")
    wait_for(lambda: server.states and server.states[-1]["state"] == "ready")

    sensor.kill()

    wait_for(lambda: server.states[-1]["state"] == "lost")
    assert server.states[-1]["nonce"] == ""


def test_the_reconnects_back_off_and_an_upload_in_between_leaves_the_radio_alone(start, broker):
    sensor = start()
    broker.kill()
    assert sensor("upload", 5000) is False
    problem = sensor("look")["problem"]

    assert sensor("upload", 5000) is False

    assert "ECONNREFUSED" in problem and "127.0.0.1" in problem
    assert sensor("look")["problem"] == problem
    assert "".join(sensor.said).count("connection:") == 1, "said once, not at every attempt"


def test_an_upload_keeps_to_its_time_whatever_the_broker_does(start_at):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sensor = start_at(silent.getsockname()[1])
        sensor("append", "finding", 1)
        began = time.monotonic()

        assert sensor("upload", 3000) is False

        assert time.monotonic() - began < 3 * PATIENCE
    assert sensor("look")["problem"] == "not done within 3 s"


@pytest.fixture
def tls_broker(tmp_path):
    ours = brokers.certificate(tmp_path, "ca")
    brokers.certificate(tmp_path, "broker", ours, host="localhost")
    brokers.certificate(tmp_path, "stranger")
    made = brokers.mosquitto(tmp_path, free_port(), tls="broker").start()
    yield made
    made.kill()


@pytest.mark.mosquitto
def test_it_delivers_over_tls_in_the_heap_of_a_board_and_only_to_the_pinned_authority(start_at, tls_broker, tmp_path):
    def sensor(ca):
        text = (tmp_path / f"{ca}.pem").read_text() if ca else ""
        return start_at(tls_broker.port, tls=True, broker="localhost", ca=text, folder=str(tmp_path / f"at-{ca}"))

    server = TinyServer(tls_broker.port, ca=tmp_path / "ca.pem").start()
    ours, strange = sensor("ca"), sensor("stranger")
    ours("fill", 100)

    assert ours("upload", 20000) is True
    assert strange("upload", 5000) is False

    server.stop()
    assert len(server.reports) >= 100
    assert "CERT" in strange("look")["problem"].upper()
