"""Sessions on the server: what ends them."""

import pytest

from server import clock
from server.models.people import User
from server.services.people import accounts, tokens, user_sessions
from server.services.people.user_sessions import Limits
from tests.support.values import present

NOW_S = 1_800_000_000
GOOD = "correct horse battery"
LIMITS = Limits(idle_s=3600, longest_s=12 * 3600)


@pytest.fixture(autouse=True)
def now(monkeypatch):
    at = [NOW_S]
    monkeypatch.setattr(clock, "now_s", lambda: at[0])
    return at


def test_a_session_is_its_users_and_needs_its_secret(session, kim):
    secret = user_sessions.begin(session, kim, "Firefox")
    other = User(login="lee", name="Lee", role="viewer", password_hash="", session_word="", created_s=1)
    session.add(other)
    session.flush()

    assert present(user_sessions.load(session, kim, secret, LIMITS)).agent == "Firefox"
    assert user_sessions.load(session, other, secret, LIMITS) is None
    assert user_sessions.load(session, kim, "", LIMITS) is None


def test_it_ends_without_use_and_after_the_longest_time(session, kim, now):
    secret = user_sessions.begin(session, kim, "Firefox")
    row = present(user_sessions.load(session, kim, secret, LIMITS))
    for _ in range(13):
        now[0] += 3500
        if user_sessions.load(session, kim, secret, LIMITS) is None:
            break
        user_sessions.touch(session, row.id)
    assert now[0] - NOW_S == 13 * 3500

    secret = user_sessions.begin(session, kim, "Firefox")
    now[0] += 3600
    assert user_sessions.load(session, kim, secret, LIMITS) is None


@pytest.mark.parametrize("change", ["password", "reset", "second factor", "disable"])
def test_a_change_of_password_or_factor_ends_sessions_and_tokens(session, kim, change):
    secret = user_sessions.begin(session, kim, "Firefox")
    _token, shown = tokens.create(session, kim, "report", ["see"], days=1)

    if change == "password":
        accounts.change_password(session, kim, GOOD, "four other words here")
    elif change == "reset":
        accounts.reset_password(session, kim)
    elif change == "second factor":
        accounts.reset_second_factor(session, kim)
    else:
        accounts.disable(session, kim)

    assert user_sessions.load(session, kim, secret, LIMITS) is None
    assert user_sessions.list_own(session, kim, LIMITS) == []
    assert tokens.authenticate(session, shown) is None
