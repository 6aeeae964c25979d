"""Where roles hold, invitations, the second factor, tokens, and the log of who looked."""

import pytest
from pyotp.totp import TOTP
from sqlalchemy import select

from server import clock
from server.models import AccessEvent, Facility, Restroom, User
from server.services.errors import NotFound, Refused
from server.services.people import access, access_log, accounts, invitations, scopes, second_factor, tokens
from server.services.places import facilities, organisations, restrooms
from tests.support.values import present

PASSWORD = "correct horse battery"


@pytest.fixture
def boss(session, hashed):
    made = User(login="boss", name="Boss", role="admin", password_hash=hashed, session_word="0" * 32, created_s=1)
    session.add(made)
    session.flush()
    return made


@pytest.fixture
def city(session):
    """{name: row}: two organisations, A with two facilities and B with one, a restroom in each."""
    found = {}
    for name, sites in (("A", ("A1", "A2")), ("B", ("B1",))):
        found[name] = organisations.add(session, name)
        for site in sites:
            found[site] = facilities.add(session, found[name], site)
            restrooms.add(session, found[site], "Room of " + site)
    return found


def limited(session, user, *rows):
    chosen = [scopes.Place("facility" if isinstance(row, Facility) else "organisation", row) for row in rows]
    scopes.set_places(session, user, False, chosen)
    return user


def refusal(call, *arguments, **named):
    with pytest.raises(Refused) as refused:
        call(*arguments, **named)
    return refused.value.code


def seen(session, user):
    query = access.within(select(Restroom.name), user, Restroom.facility_id)
    return sorted(name.removeprefix("Room of ") for name in session.scalars(query))


def test_a_role_holds_everywhere_unless_it_is_limited(session, kim, city):
    assert seen(session, kim) == ["A1", "A2", "B1"]
    assert seen(session, accounts.SYSTEM) == ["A1", "A2", "B1"]
    assert seen(session, None) == []


def test_a_limited_role_holds_in_its_organisations_and_facilities_only(session, kim, city):
    assert seen(session, limited(session, kim, city["A"])) == ["A1", "A2"]
    assert seen(session, limited(session, kim, city["A2"], city["B"])) == ["A2", "B1"]
    assert seen(session, limited(session, kim)) == []


def test_one_thing_of_a_place_of_somebody_elses_does_not_exist(session, kim, city):
    limited(session, kim, city["A1"])

    access.check(session, kim, accounts.MANAGE, city["A1"].id)
    assert not access.may(session, kim, accounts.ADMINISTER, city["A1"].id)
    with pytest.raises(NotFound):
        access.check(session, kim, accounts.SEE, city["A2"].id)


def test_what_belongs_to_no_place_needs_the_role_only(session, kim, city):
    limited(session, kim, city["A1"])

    assert access.may(session, kim, accounts.MANAGE, None)
    assert not access.may(session, kim, accounts.ADMINISTER, None)


def test_an_administrator_of_some_places_looks_after_their_people_only(session, boss, kim, city):
    lee, _ = accounts.add_user(session, "lee", "Lee", "admin")
    limited(session, lee, city["A"])
    assert scopes.list_users(session, lee) == [lee]

    limited(session, kim, city["A1"])
    assert scopes.list_users(session, lee) == [kim, lee]
    limited(session, kim, city["A1"], city["B1"])
    assert scopes.list_users(session, lee) == [lee]
    assert scopes.list_users(session, boss) == [boss, kim, lee]
    for other in (boss, kim):
        with pytest.raises(NotFound):
            scopes.load_user(session, lee, other.public_id)


def test_nobody_gives_places_away_that_are_not_theirs(session, boss, kim, city):
    lee, _ = accounts.add_user(session, "lee", "Lee", "admin")
    limited(session, lee, city["A"])

    assert [place.row.name for place in scopes.load_grantable(session, lee, [city["A2"].public_id])] == ["A2"]
    with pytest.raises(NotFound):
        scopes.load_grantable(session, lee, [city["A2"].public_id, city["B1"].public_id])
    assert refusal(scopes.set_places, session, kim, True, [], lee) == "scope_beyond"
    assert [place.row.name for place in scopes.list_grantable(session, lee)] == ["A", "A1", "A2"]
    assert [place.row.name for place in scopes.list_grantable(session, boss, "1")] == ["A1", "B1"]


def test_the_last_administrator_of_everything_stays_one(session, boss, city):
    assert refusal(scopes.set_places, session, boss, False, []) == "last_admin"
    assert refusal(accounts.set_role, session, boss, "viewer") == "last_admin"
    assert refusal(accounts.disable, session, boss) == "last_admin"


def invited(session, by, role="inspector", **options):
    return invitations.invite(session, by, "New", role, **{"everywhere": True, **options})


def test_an_invitation_makes_one_account_with_the_role_and_places_that_were_chosen(session, boss, city):
    chosen = scopes.load_grantable(session, boss, [city["A"].public_id])
    _, code = invited(session, boss, everywhere=False, places=chosen)

    made = invitations.accept(session, code.upper(), "new", "New One", PASSWORD)

    assert accounts.authenticate(session, "new", PASSWORD) is made
    assert (made.role, made.everywhere, seen(session, made)) == ("inspector", False, ["A1", "A2"])
    assert refusal(invitations.accept, session, code, "other", "Other", PASSWORD) == "invitation_bad"


def test_an_invitation_ends(session, boss, monkeypatch):
    one, code = invited(session, boss)
    _, other = invited(session, boss)
    invitations.withdraw(session, one.public_id, boss)
    assert refusal(invitations.load_open, session, code) == "invitation_bad"
    assert refusal(invitations.load_open, session, "guess") == "invitation_bad"

    later = clock.now_s() + invitations.LIFETIME_S
    monkeypatch.setattr(clock, "now_s", lambda: later)

    assert refusal(invitations.load_open, session, other) == "invitation_bad"


def test_who_lost_the_right_to_invite_lets_nobody_in(session, boss):
    lee, _ = accounts.add_user(session, "lee", "Lee", "admin")
    _, code = invited(session, lee)
    accounts.disable(session, lee)

    assert refusal(invitations.accept, session, code, "new", "New", PASSWORD) == "invitation_bad"


def test_who_lost_a_place_lets_nobody_into_it(session, boss, city):
    lee, _ = accounts.add_user(session, "lee", "Lee", "admin")
    _, everywhere = invited(session, lee)
    limited(session, lee, city["A"])
    _, there = invitations.invite(session, lee, "New", "viewer", False, [scopes.Place("facility", city["A1"])])
    limited(session, lee, city["B"])

    assert refusal(invitations.accept, session, everywhere, "new", "New", PASSWORD) == "invitation_bad"
    assert refusal(invitations.accept, session, there, "new", "New", PASSWORD) == "invitation_bad"
    limited(session, lee, city["A1"])
    assert invitations.accept(session, there, "new", "New", PASSWORD).role == "viewer"


def test_the_database_holds_no_code_that_lets_anybody_in(session, boss, vault, kim):
    one, code = invited(session, boss)
    token, shown = tokens.create(session, kim, "x", ["see"], 1)

    assert code not in str(vars(one)) and shown.rpartition("_")[2] not in str(vars(token))


@pytest.fixture
def secret(session, vault, kim, monkeypatch):
    monkeypatch.setattr(clock, "now_s", lambda: 1_800_000_015)
    return second_factor.new_secret()


def code_at(secret, at_s):
    return TOTP(secret).at(at_s)


def test_a_second_factor_takes_each_code_once(session, vault, kim, secret, monkeypatch):
    codes = second_factor.set_up(session, vault, kim, secret, code_at(secret, 1_800_000_015))
    assert len(set(codes)) == 10 and secret not in str(kim.totp_sealed)

    assert not second_factor.verify(session, vault, kim, code_at(secret, 1_800_000_015))
    monkeypatch.setattr(clock, "now_s", lambda: 1_800_000_045)
    code = code_at(secret, 1_800_000_045)
    assert second_factor.verify(session, vault, kim, f"{code[:3]} {code[3:]}")
    assert not second_factor.verify(session, vault, kim, code)
    for rubbish in ("", "000000000", "äöü", "12345", codes[0][:-1]):
        assert not second_factor.verify(session, vault, kim, rubbish)


def test_a_clock_half_a_minute_off_is_forgiven_and_more_is_not(session, vault, kim, secret):
    assert refusal(second_factor.set_up, session, vault, kim, secret, code_at(secret, 1_799_999_900)) == "code_wrong"
    assert second_factor.set_up(session, vault, kim, secret, code_at(secret, 1_799_999_990))


def test_a_recovery_code_works_once(session, vault, kim, secret):
    codes = second_factor.set_up(session, vault, kim, secret, code_at(secret, 1_800_000_015))

    assert second_factor.verify(session, vault, kim, codes[3].upper())
    assert not second_factor.verify(session, vault, kim, codes[3])
    assert second_factor.count_recovery_codes(session, kim) == 9


def test_a_lost_second_factor_is_taken_away_with_its_sessions(session, vault, kim, secret):
    codes = second_factor.set_up(session, vault, kim, secret, code_at(secret, 1_800_000_015))
    before = kim.get_id()

    accounts.reset_second_factor(session, kim)

    assert kim.totp_sealed is None and second_factor.count_recovery_codes(session, kim) == 0 and codes
    assert accounts.load_by_session_id(session, before) is None


def test_a_token_opens_what_its_scopes_and_its_person_may(session, kim):
    _, shown = tokens.create(session, kim, "report", ["see", "inspect"], days=30)

    token = present(tokens.authenticate(session, shown))

    assert token.user is kim
    assert [right for right in tokens.SCOPES if tokens.may(token, right)] == ["see", "inspect"]
    kim.role = "viewer"
    assert [right for right in tokens.SCOPES if tokens.may(token, right)] == ["see"]


def test_a_token_that_does_not_count_is_none(session, kim, monkeypatch):
    token, shown = tokens.create(session, kim, "report", ["see"], days=1)
    for wrong in (
        "",
        "ansim_",
        shown[:-1],
        shown + "x",
        shown.removeprefix("ansim_"),
        "ansim_ü_ü",
        f"ansim_{token.public_id}_",
    ):
        assert tokens.authenticate(session, wrong) is None, wrong

    accounts.disable(session, kim)
    assert tokens.authenticate(session, shown) is None
    accounts.enable(session, kim)
    assert tokens.authenticate(session, shown) is token
    monkeypatch.setattr(clock, "now_s", lambda: token.expires_s)
    assert tokens.authenticate(session, shown) is None


def test_a_revoked_token_is_none(session, kim):
    token, shown = tokens.create(session, kim, "report", ["see"], days=1)

    tokens.revoke(session, kim, token.public_id)

    assert tokens.authenticate(session, shown) is None and tokens.list_tokens(session, kim) == []


@pytest.mark.parametrize(
    ("name", "chosen", "days", "code"),
    [
        ("x", ["admin"], 1, "scope_not_yours"),
        ("x", [], 1, "scope_unknown"),
        ("x", ["see", "everything"], 1, "scope_unknown"),
        ("x", ["see"], 0, "days_bad"),
        ("x", ["see"], 1000, "days_bad"),
        (" ", ["see"], 1, "name_needed"),
    ],
)
def test_a_bad_token_is_refused(session, kim, name, chosen, days, code):
    assert refusal(tokens.create, session, kim, name, chosen, days) == code


def test_looking_again_at_once_is_the_same_look_and_exporting_is_not(sessions, hashed):
    with sessions.begin() as session:
        kim = User(login="kim", name="Kim", role="viewer", password_hash=hashed, session_word="0", created_s=1)
        session.add(kim)
    for kind in (access_log.SAW_FINDING, access_log.SAW_FINDING, access_log.EXPORTED, access_log.EXPORTED):
        access_log.record(sessions, kim, kind, "f1")

    with sessions() as session:
        events = access_log.list_events(session, accounts.SYSTEM, subject="f1").rows
        assert [event.kind for event, _ in events] == ["exported", "exported", "saw_finding"]
        assert present(access_log.list_events(session, accounts.SYSTEM, kim).rows[0][1]).name == "Kim"
        with pytest.raises(NotFound):
            access_log.list_events(session, kim)
        assert session.scalar(select(AccessEvent.at_s).limit(1))
