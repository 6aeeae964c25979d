"""Failed attempts: growing delays per account and network, and what they do not lock."""

import pytest

from server import clock
from server.models import FailedAttempt
from server.services.errors import Refused
from server.services.people import accounts, failed_attempts
from tests.support.values import present

NOW_S = 1_800_000_000
GOOD = "correct horse battery"


@pytest.fixture(autouse=True)
def now(monkeypatch):
    at = [NOW_S]
    monkeypatch.setattr(clock, "now_s", lambda: at[0])
    return at


@pytest.fixture
def stored_kim(sessions, hashed):
    with sessions.begin() as session:
        user, _ = accounts.add_user(session, "kim", "Kim", "inspector", GOOD)
    return user


def wait_s(sessions, account="kim", address="192.0.2.7"):
    try:
        failed_attempts.check(sessions, "password", account, address)
    except failed_attempts.TooManyAttempts as error:
        return error.wait_s
    return 0


def test_delays_grow_and_end(sessions, now):
    waits = []
    for _ in range(14):
        failed_attempts.failed(sessions, "password", "kim", "192.0.2.7")
        waits.append(wait_s(sessions))
        now[0] += waits[-1]

    assert waits == [0] * 4 + [15, 30, 60, 120, 240, 480, 900, 900, 900, 900]
    assert wait_s(sessions) == 0


def test_a_stranger_elsewhere_delays_nobody(sessions, stored_kim):
    for _ in range(20):
        failed_attempts.failed(sessions, "password", "kim", "198.51.100.9")

    assert wait_s(sessions, address="198.51.100.9") > 0
    assert accounts.sign_in(sessions, "kim", GOOD, "192.0.2.7").login == "kim"


def test_addresses_of_one_network_count_together(sessions):
    for number in range(5):
        failed_attempts.failed(sessions, "password", "kim", f"2001:db8::{number}")

    assert wait_s(sessions, address="2001:db8::ffff:2") > 0
    assert wait_s(sessions, address="2001:db8:0:1::1") == 0


def test_every_spelling_of_a_login_counts_as_one_and_success_forgets(sessions, stored_kim, now):
    for login in ("kim", "KIM", " Kim ", "kIm", "KIM "):
        with pytest.raises(accounts.BadLogin):
            accounts.sign_in(sessions, login, "wrong", "192.0.2.7")
    with pytest.raises(failed_attempts.TooManyAttempts):
        accounts.sign_in(sessions, "kim", GOOD, "192.0.2.7")

    now[0] += 15
    accounts.sign_in(sessions, "kim", GOOD, "192.0.2.7")

    with sessions() as session:
        assert session.query(FailedAttempt).count() == 0


def test_a_clock_that_was_set_back_makes_no_delay_longer(sessions, now):
    for _ in range(5):
        failed_attempts.failed(sessions, "password", "kim", "192.0.2.7")
    now[0] -= 2 * 86400

    assert wait_s(sessions) == 15


def test_the_password_of_a_user_who_is_signed_in_is_throttled_too(sessions, stored_kim):
    for _ in range(5):
        with pytest.raises(Refused, match="wrong_password"):
            accounts.confirm(sessions, stored_kim, "wrong", "192.0.2.7")
    with pytest.raises(Refused, match="too_many_attempts"):
        accounts.confirm(sessions, stored_kim, GOOD, "192.0.2.7")


def test_a_one_time_password_expires(sessions, now):
    with sessions.begin() as session:
        _user, once = accounts.add_user(session, "lee", "Lee", "inspector")
    now[0] += accounts.ONE_TIME_S

    with pytest.raises(accounts.BadLogin):
        accounts.sign_in(sessions, "lee", present(once), "192.0.2.7")


@pytest.mark.parametrize(
    "password", ["password password", "qwertyuiop123", "hunter2hunter2", "iloveyou12345", "1234567890123"]
)
def test_common_passwords_are_refused(password):
    with pytest.raises(Refused, match="password_common"):
        accounts.check_new_password(password, "kim")
