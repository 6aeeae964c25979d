import pytest

from server import clock
from server.models import Claim
from server.services import errors
from server.services.sensors import claims, enrolment


def refused(session, vault, *arguments):
    with pytest.raises(errors.Refused) as error:
        claims.redeem(session, vault, *arguments)
    return error.value.code


def test_a_code_enrols_one_sensor_once(session, vault, kim, hall):
    code = claims.make(session, kim, restroom=hall)

    one, key = claims.redeem(session, vault, code, "hall-1", "Hall")

    assert (one.name, one.label, one.restroom_id) == ("hall-1", "Hall", hall.id)
    assert vault.unseal(one.key_sealed) == key and len(key) == 32
    assert refused(session, vault, code, "hall-2") == "claim_bad"


def test_a_code_may_be_typed_as_people_type(session, vault, kim):
    code = claims.make(session, kim)

    typed = code.upper().replace("-", " ").replace("0", "o").replace("1", "I")

    redeemed, _key = claims.redeem(session, vault, typed, "hall-1")

    assert redeemed.name == "hall-1"


def test_a_code_ends_after_half_an_hour(session, vault, kim, monkeypatch):
    code = claims.make(session, kim)
    later = clock.now_s() + claims.LIFETIME_S
    monkeypatch.setattr(clock, "now_s", lambda: later)

    assert refused(session, vault, code, "hall-1") == "claim_bad"
    assert not claims.list_open(session)


def test_a_refusal_does_not_use_the_code_up(session, vault, kim, sensor):
    code = claims.make(session, kim)
    with pytest.raises(errors.Refused), session.begin_nested():
        claims.redeem(session, vault, code, sensor.name)
    with pytest.raises(errors.Refused), session.begin_nested():
        claims.redeem(session, vault, code, "Hall 1")

    redeemed, _key = claims.redeem(session, vault, code, "hall-9")

    assert redeemed.name == "hall-9"


def test_a_code_for_a_sensor_gives_that_sensor_another_key_and_no_other(session, vault, kim, sensor):
    old = vault.unseal(sensor.key_sealed)
    code = claims.make(session, kim, sensor=sensor)
    with pytest.raises(errors.Refused) as error, session.begin_nested():
        claims.redeem(session, vault, code, "other")
    assert error.value.code == "claim_other_sensor"

    one, key = claims.redeem(session, vault, code, sensor.name)

    assert one is sensor and key != old and vault.unseal(sensor.key_sealed) == key
    assert sensor.keyed_s is not None


def test_a_revoked_sensor_gets_no_key(session, vault, kim, sensor):
    code = claims.make(session, kim, sensor=sensor)
    enrolment.revoke(session, sensor)

    assert refused(session, vault, code, sensor.name) == "claim_bad"
    with pytest.raises(errors.Refused):
        claims.make(session, kim, sensor=sensor)


@pytest.mark.parametrize("code", ["", "x", "0000-0000-0000", "7k2m0qzx9v4t" * 20, "'; DROP TABLE claim"])
def test_a_guess_is_refused(session, vault, kim, code):
    claims.make(session, kim)

    assert refused(session, vault, code, "hall-1") == "claim_bad"


def test_the_database_does_not_hold_the_code(session, kim):
    code = claims.make(session, kim)

    assert code.replace("-", "") not in str(session.query(Claim).one().__dict__)
