import pytest

from server.services.errors import NotFound, Refused
from server.services.people import accounts
from tests.support.values import present

GOOD = "correct horse battery"


def refusal(call, *arguments, **named):
    with pytest.raises(Refused) as refused:
        call(*arguments, **named)
    return refused.value.code


def test_the_right_password_lets_in_whatever_the_case_of_the_login(session, kim):
    assert accounts.authenticate(session, " KIM ", GOOD) is kim
    assert kim.last_login_s


@pytest.mark.parametrize(("login", "password"), [("kim", "wrong"), ("nobody", GOOD), ("", ""), ("kim", "")])
def test_anything_else_does_not(session, kim, login, password):
    with pytest.raises(accounts.BadLogin):
        accounts.authenticate(session, login, password)


def test_the_password_is_kept_as_argon2id_only(session, kim):
    assert kim.password_hash.startswith("$argon2id$")


def test_a_hash_costs_what_rfc_9106_recommends_for_little_memory(real_hasher):
    assert (real_hasher.time_cost, real_hasher.memory_cost, real_hasher.parallelism) == (3, 64 * 1024, 4)


def test_the_first_administrator_is_made_once_and_has_to_choose_a_password(session):
    login, once = present(accounts.create_first_admin(session))
    admin = accounts.authenticate(session, login, once)

    assert admin.role == "admin" and admin.must_change_password
    assert accounts.create_first_admin(session) is None
    accounts.change_password(session, admin, once, GOOD)
    assert not accounts.authenticate(session, login, GOOD).must_change_password


def test_a_new_password_ends_every_session(session, kim):
    before = kim.get_id()
    assert accounts.load_by_session_id(session, before) is kim

    accounts.change_password(session, kim, GOOD, "another good password")

    assert accounts.load_by_session_id(session, before) is None


def test_disabling_a_person_ends_their_sessions_and_logins(session, kim):
    before = kim.get_id()

    accounts.disable(session, kim)

    assert accounts.load_by_session_id(session, before) is None
    with pytest.raises(accounts.BadLogin):
        accounts.authenticate(session, "kim", GOOD)
    accounts.enable(session, kim)
    assert accounts.authenticate(session, "kim", GOOD) is kim


def test_the_last_administrator_cannot_be_disabled(session):
    accounts.create_first_admin(session)

    assert refusal(accounts.disable, session, accounts.list_users(session)[0]) == "last_admin"


@pytest.mark.parametrize("forged", ["", ".", "nobody.x", "kim"])
def test_a_made_up_session_is_nobodys(session, kim, forged):
    assert accounts.load_by_session_id(session, forged) is None
    assert accounts.load_by_session_id(session, kim.public_id + ".guess") is None
    assert accounts.load_by_session_id(session, kim.public_id + ".ü") is None


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "password_too_short"),
        ("x" * 300, "password_too_long"),
        ("password12345", "password_common"),
        ("aaaaaaaaaaaaaaaa", "password_common"),
    ],
)
def test_a_bad_password_is_refused_with_its_reason(password, code):
    assert refusal(accounts.check_new_password, password, "kim") == code


def test_a_password_that_holds_the_login_is_refused():
    assert refusal(accounts.check_new_password, "hongildong-2026-xy", "hongildong") == "password_common"


def test_changing_needs_the_old_password_and_a_new_one(session, kim):
    assert refusal(accounts.change_password, session, kim, "wrong", "another good password") == "wrong_password"
    assert refusal(accounts.change_password, session, kim, GOOD, GOOD) == "same_password"


def test_a_reset_gives_a_password_for_once(session, kim):
    once = accounts.reset_password(session, kim)

    assert accounts.authenticate(session, "kim", once).must_change_password


@pytest.mark.parametrize(
    ("login", "role", "code"),
    [
        ("", "viewer", "login_bad"),
        ("a b", "viewer", "login_bad"),
        ("Kim", "viewer", "login_taken"),
        ("x", "king", "role_unknown"),
    ],
)
def test_a_person_that_cannot_be_added_is_refused(session, kim, login, role, code):
    assert refusal(accounts.add_user, session, login, "Name", role) == code


@pytest.mark.parametrize(
    ("role", "rights"),
    [("viewer", 1), ("inspector", 3), ("manager", 4), ("admin", 5)],
)
def test_each_role_may_more_than_the_one_below(session, role, rights):
    person, _ = accounts.add_user(session, "someone", "", role)

    assert sum(accounts.may(person, right) for right in ("see", "inspect", "dispose", "manage", "admin")) == rights
    assert not accounts.may(None, "see")


def test_a_person_is_found_by_public_id(session, kim):
    assert accounts.load_user(session, kim.public_id) is kim
    with pytest.raises(NotFound):
        accounts.load_user(session, "nobody")
