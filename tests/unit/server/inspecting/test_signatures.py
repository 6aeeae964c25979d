import json

import pytest

from server.models import InspectionPerson, LogEntry, Signature
from server.services.errors import NotFound, Refused
from server.services.inspecting import checklists, inspections, participants, signatures
from server.services.people import accounts
from tests.support.values import present

SIGNATURE = [[100, 100, 200, 200, 300, 120, 400, 220], [450, 100, 500, 300, 520, 310, 600, 90]]


def refusal(call, *arguments, **named):
    with pytest.raises(Refused) as refused:
        call(*arguments, **named)
    return refused.value.code


@pytest.fixture
def lee(session):
    return accounts.add_user(session, "lee", "Lee Seojun", "inspector", "correct horse battery")[0]


@pytest.fixture
def finished(session, hall, kim, lee):
    others = [{"user": lee}, {"name": "Officer Park", "agency": "Police"}]
    one = inspections.start(session, hall, kim, people=others)
    checklists.answer_rest(session, one, kim)
    inspections.record_step(session, one, "eye", "none_found", kim)
    inspections.finish(session, one, kim, "none_found")
    return inspections.load(session, accounts.SYSTEM, one.public_id)


def person(session, one, name):
    return session.query(InspectionPerson).filter_by(inspection_id=one.id, name=name).one()


def test_a_drawn_signature_is_kept_with_the_digest_of_what_was_signed(session, finished, kim):
    park = person(session, finished, "Officer Park")

    signed = signatures.sign_drawn(session, finished, park, kim, SIGNATURE)

    assert signed.record_hash == signatures.record_hash(session, finished, finished.results[-1])
    assert (signed.kind, signed.name, signed.strokes) == ("drawn", "Officer Park", SIGNATURE)
    assert signatures.svg_path(signed.strokes).startswith("M100 100L200 200L300 120")
    body = json.loads(session.query(LogEntry).filter_by(kind="inspection.signed").one().body)
    assert body["signature"] == signed.hash and "Park" not in json.dumps(body)


def test_the_record_that_is_signed_is_the_one_the_log_names(session, finished):
    body = json.loads(session.query(LogEntry).filter_by(kind="inspection.finished").one().body)

    assert body["record_hash"] == signatures.record_hash(session, finished, finished.results[-1])


def test_the_digest_changes_with_everything_that_was_recorded(session, finished):
    before = signatures.record_hash(session, finished, finished.results[-1])

    finished.steps[0].note = "changed afterwards"
    session.flush()

    assert signatures.record_hash(session, finished, finished.results[-1]) != before


@pytest.mark.parametrize(
    "strokes",
    [
        None,
        [],
        "a text",
        [[100, 100]],
        [[100, 100, 101, 101, 102, 102, 103, 103, 104, 104, 105, 105, 106, 106, 107, 107]],
        [[0, 0, 100, 2000] * 8],
        [[0, 0, 100, 900] * 8],
        [[0, 0, -5, 10] * 8],
        [[0, 0, 1.5, 10] * 8],
        [[0, 0, True, 10] * 8],
        [[1, 2, 3]] * 10,
        [[0, 0, 100, 100]] * 300,
        [{"x": 1}],
    ],
)
def test_a_dot_or_rubbish_is_no_signature(session, finished, kim, strokes):
    park = person(session, finished, "Officer Park")

    assert refusal(signatures.sign_drawn, session, finished, park, kim, strokes) == "signature_empty"
    assert session.query(Signature).count() == 0


def test_only_the_user_who_is_signed_in_signs_with_a_password(session, finished, kim):
    lee, own = person(session, finished, "Lee Seojun"), person(session, finished, "Kim")

    assert refusal(signatures.sign_password, session, finished, lee, kim) == "signature_not_own"
    signed = signatures.sign_password(session, finished, own, kim)

    assert (signed.kind, signed.name, signed.strokes, signed.by_id, signed.is_own) == (
        "password",
        "Kim",
        None,
        kim.id,
        True,
    )


@pytest.mark.parametrize("name", ["Lee Seojun", "Officer Park"])
def test_others_type_their_name_and_the_record_says_whose_device_it_was(session, finished, kim, name):
    other = person(session, finished, name)

    assert refusal(signatures.sign_typed, session, finished, other, kim, "Kim") == "signature_name_wrong"
    signed = signatures.sign_typed(session, finished, other, kim, name.upper() + " ")

    assert (signed.kind, signed.name, present(signed.by).name, signed.is_own) == ("typed", name, "Kim", False)
    assert '"own_device":false' in session.query(LogEntry).filter_by(kind="inspection.signed").one().body


def test_nobody_signs_twice_or_a_running_inspection_or_anothers(session, finished, kim, hall):
    park = person(session, finished, "Officer Park")
    signatures.sign_drawn(session, finished, park, kim, SIGNATURE)
    assert refusal(signatures.sign_drawn, session, finished, park, kim, SIGNATURE) == "signed_already"

    running = inspections.start(session, hall, kim)
    own = person(session, running, "Kim")
    assert refusal(signatures.sign_drawn, session, running, own, kim, SIGNATURE) == "running"
    with pytest.raises(NotFound):
        participants.load(session, running, park.id)


def test_a_correction_wants_its_own_signatures(session, finished, kim):
    park = person(session, finished, "Officer Park")
    first = signatures.sign_drawn(session, finished, park, kim, SIGNATURE)

    inspections.correct(session, finished, kim, "not_completed", "stall 3 was locked")
    second = signatures.sign_drawn(session, finished, park, kim, SIGNATURE)

    assert first.result_id != second.result_id and first.record_hash != second.record_hash
