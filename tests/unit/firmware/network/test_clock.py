"""The clock: never goes back, never wraps, takes the time from whom it may."""

import asyncio
import socket
import threading

import pytest

from ansim import messages, topics
from ansim.decode import decode_message
from firmware.network.clock import NTP, REPEAT_MS, SERVER, STEP_S, TICKS_PERIOD, UNKNOWN, Clock, StaleTime, ntp_time_s
from tests.support.ntp import NOW_S, answer_one, ntp_answer


class Ticks:
    """time.ticks_ms() of a board: wraps at 2**30."""

    def __init__(self, start=0):
        self.ms = start

    def __call__(self):
        return self.ms % TICKS_PERIOD


@pytest.fixture
def ticks():
    return Ticks(TICKS_PERIOD - 500)


@pytest.fixture
def clock(ticks):
    made = Clock(ticks)
    made.now_ms()
    return made


def test_it_counts_from_its_first_question(clock, ticks):
    assert clock.now_ms() == 0
    ticks.ms += 7
    assert clock.now_ms() == 7


def test_it_goes_on_over_many_wraps(clock, ticks):
    before = clock.now_ms()
    for _ in range(50):
        ticks.ms += 11 * 24 * 3600 * 1000  # eleven days, just under one wrap
        now = clock.now_ms()
        assert now - before == 11 * 24 * 3600 * 1000
        before = now


def test_the_time_is_unknown_until_somebody_tells_it(clock):
    assert clock.time_s() is None and clock.report_body() is None and clock.source == UNKNOWN
    assert not clock.take_change()


def test_the_time_goes_on_by_the_ticks(clock, ticks):
    ticks.ms += 5000
    clock.set(NOW_S, NTP)
    ticks.ms += 90_000

    assert clock.time_s() == NOW_S + 90


def test_what_is_worth_a_report(clock, ticks):
    def news(time_s, source):
        clock.set(time_s, source)
        return clock.take_change()

    assert news(NOW_S, NTP), "the first"
    assert not news(NOW_S + 1, NTP), "a second is the way through the network"
    assert news(NOW_S, SERVER), "another source"
    assert not news(NOW_S, SERVER)
    assert news(NOW_S + STEP_S, SERVER), "moved"
    ticks.ms += REPEAT_MS
    assert news(NOW_S + STEP_S + REPEAT_MS // 1000, SERVER), "long ago"
    assert not clock.take_change(), "only once"


def test_ntp_never_overrules_the_server(clock):
    clock.set(NOW_S, SERVER)
    clock.take_change()

    clock.set(NOW_S + 5000, NTP)

    assert clock.time_s() == NOW_S and clock.source == SERVER and not clock.take_change()


def test_the_server_s_time_is_taken_once_for_each_question(clock):
    clock.nonce = "0123456789abcdef"
    clock.set_by_server(NOW_S, "0123456789abcdef")

    with pytest.raises(StaleTime):
        clock.set_by_server(NOW_S - 9999, "0123456789abcdef")
    clock.nonce = "fedcba9876543210"
    with pytest.raises(StaleTime):
        clock.set_by_server(NOW_S - 9999, "0123456789abcdef")

    assert clock.time_s() == NOW_S


def test_no_question_means_no_answer(clock):
    with pytest.raises(StaleTime):
        clock.set_by_server(NOW_S, "")


def test_its_report_dates_an_earlier_one(clock, ticks):
    ticks.ms += 600_000
    clock.set(NOW_S, SERVER)

    body = clock.report_body()

    message = messages.report(1, 1, "", clock.now_ms(), clock.time_s(), "", messages.CLOCK, body)
    assert decode_message(topics.REPORT, messages.encode(message)) == message
    assert body == {"at_tick_ms": 600_000, "time_s": NOW_S, "source": "server"}


@pytest.mark.parametrize("time_s", [NOW_S, 2085978495, 2085978496, 2200000000], ids=["2026", "last", "2036", "2039"])
def test_ntp_s_era_of_2036_is_understood(time_s):
    assert ntp_time_s(ntp_answer(b"12345678", time_s), b"12345678") == time_s


@pytest.mark.parametrize(
    "answer",
    [
        ntp_answer(b"87654321"),
        ntp_answer(b"12345678")[:47],
        ntp_answer(b"12345678", first=0xE4),
        ntp_answer(b"12345678", first=0x23),
        ntp_answer(b"12345678", stratum=0),
        ntp_answer(b"12345678", stratum=16),
        b"",
    ],
    ids=["another question's", "short", "unsynchronised", "from a client", "kiss of death", "stratum 16", "empty"],
)
def test_a_bad_ntp_answer_is_not_taken(answer):
    assert ntp_time_s(answer, b"12345678") is None


@pytest.mark.parametrize(("make", "taken"), [(ntp_answer, True), (lambda nonce: ntp_answer(bytes(8)), False)])
def test_it_asks_an_ntp_server(clock, make, taken):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=answer_one, args=(server, make))
        thread.start()

        assert asyncio.run(clock.ask_ntp("127.0.0.1", 500, server.getsockname()[1])) is taken
        thread.join()

    assert clock.time_s() == (NOW_S if taken else None)


def test_an_ntp_server_that_is_silent_or_not_there_is_given_up(clock):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        assert asyncio.run(clock.ask_ntp("127.0.0.1", 60, silent.getsockname()[1])) is False
        port = silent.getsockname()[1]
    assert asyncio.run(clock.ask_ntp("127.0.0.1", 60, port)) is False
    assert clock.source == UNKNOWN


def test_the_servers_time_is_kept_at_most_once_an_hour_and_ntps_is_not(ticks, tmp_path):
    file = tmp_path / "time"
    clock = Clock(ticks, str(file))
    clock.set(NOW_S, NTP)
    clock.keep(at_once=True)
    assert not file.exists()

    clock.set(NOW_S, SERVER)
    clock.keep()
    assert file.read_text() == str(NOW_S)
    clock.set(NOW_S + 3599, SERVER)
    clock.keep()
    assert file.read_text() == str(NOW_S)
    clock.keep(at_once=True)
    assert file.read_text() == str(NOW_S + 3599)


def test_a_kept_time_is_not_a_known_time(ticks, tmp_path):
    (tmp_path / "time").write_text(str(NOW_S))

    assert Clock(ticks, str(tmp_path / "time")).report_body() is None
