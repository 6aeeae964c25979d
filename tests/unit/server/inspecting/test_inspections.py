import pytest
from sqlalchemy import delete, select

from ansim import messages
from server.models import Command, InspectionSensor, Sweep
from server.services import freshness
from server.services.errors import NotFound, Refused
from server.services.findings import dispositions
from server.services.inspecting import checklists, coverage, inspections
from server.services.people import accounts
from server.services.people.accounts import SYSTEM
from server.services.places import history, restrooms
from server.services.sensors import command_queue, enrolment, fleet
from tests.support.paho_sensor import sweep_body
from tests.support.sensor_messages import NOW_S, Voice, heard
from tests.support.steps import recorded_step


def refusal(call, *arguments, **named):
    with pytest.raises(Refused) as refused:
        call(*arguments, **named)
    return refused.value


@pytest.fixture
def running(session, hall, kim, sensor):
    return inspections.start(session, hall, kim, [sensor], [{"name": "Officer Park", "agency": "Police"}])


@pytest.fixture
def covered(session, pseudonyms, running, sensor):
    """The inspection, every channel listened to long enough."""
    voice = Voice(sensor)
    voice.inspection = running.public_id
    heard(session, pseudonyms, voice.says())
    return running


def test_starting_tells_the_sensor_with_the_facilitys_known_emitters(session, running, sensor):
    command = session.scalars(select(Command)).one()

    assert (command.name, command.sensor_id) == (messages.INSPECTION_START, sensor.id)
    assert command.args == {"inspection": running.public_id, "known": []}


def test_one_restroom_has_one_running_inspection(session, running, hall, kim):
    assert refusal(inspections.start, session, hall, kim).code == "already_running"


def test_a_sensor_is_in_one_running_inspection(session, running, hall, kim, sensor):
    other = restrooms.add(session, hall.facility, "Men's")

    refused = refusal(inspections.start, session, other, kim, [sensor])

    assert (refused.code, refused.values) == ("sensor_busy", {"sensor": "hall-1"})
    assert fleet.list_available(session, SYSTEM) == []


def test_a_revoked_sensor_cannot_be_chosen(session, hall, kim, sensor):
    enrolment.revoke(session, sensor)

    assert refusal(inspections.start, session, hall, kim, [sensor]).code == "sensor_revoked"


def test_who_takes_part_is_written_down(session, running):
    one = inspections.load(session, accounts.SYSTEM, running.public_id)

    assert [(person.name, person.agency) for person in one.people] == [("Kim", ""), ("Officer Park", "Police")]


def test_the_newest_step_of_a_method_counts_and_the_older_ones_stay(session, running, kim):
    inspections.record_step(session, running, "eye", "suspicious", kim, "a hole in the door")
    checklists.answer_rest(session, running, kim)
    assert refusal(inspections.record_step, session, running, "eye", "none_found", kim).code == "reason_needed"
    inspections.record_step(session, running, "eye", "none_found", kim, "a screw")
    session.refresh(running)

    assert recorded_step(running, "eye").outcome == "none_found"
    assert inspections.current_steps(running)["lens"] is None
    assert len(running.steps) == 2


@pytest.mark.parametrize("outcome", ["suspicious", "not_done"])
def test_a_step_that_is_not_clear_needs_its_reason(session, running, kim, outcome):
    assert refusal(inspections.record_step, session, running, "lens", outcome, kim).code == "reason_needed"


def test_a_word_nobody_knows_is_our_own_mistake(session, running, kim):
    with pytest.raises(ValueError, match="guess"):
        inspections.record_step(session, running, "eye", "guess", kim)


def test_the_rf_step_needs_enough_listening_on_every_channel(session, pseudonyms, running, kim, sensor):
    voice = Voice(sensor)
    voice.inspection = running.public_id
    body = sweep_body()
    body["channels"] = [row for row in body["channels"] if row[0] not in (3, 12)]
    heard(session, pseudonyms, voice.says(body=body))

    refused = refusal(inspections.record_step, session, running, "rf", "none_found", kim)

    assert (refused.code, refused.values) == ("coverage_too_low", {"missing": [3, 12]})


def test_the_rf_step_needs_a_sensor(session, hall, kim):
    one = inspections.start(session, hall, kim)

    assert refusal(inspections.record_step, session, one, "rf", "none_found", kim).code == "no_sensor"


def test_an_open_finding_forbids_to_say_that_none_was_found(session, pseudonyms, covered, kim, sensor):
    checklists.answer_rest(session, covered, kim)
    inspections.record_step(session, covered, "eye", "none_found", kim)
    voice = Voice(sensor, boot=2)
    voice.inspection = covered.public_id
    heard(session, pseudonyms, voice.finds())

    refused = refusal(inspections.finish, session, covered, kim, "none_found")
    assert (refused.code, refused.values) == ("open_findings", {"count": 1})

    dispositions.dispose(session, inspections.list_findings(session, covered)[0], kim, "false", "a phone")
    assert inspections.finish(session, covered, kim, "none_found").methods == ["eye"]


@pytest.mark.parametrize("kind", ["unresolved", "referred"])
def test_a_finding_that_nobody_could_explain_forbids_it_too(session, pseudonyms, covered, kim, sensor, kind):
    checklists.answer_rest(session, covered, kim)
    inspections.record_step(session, covered, "eye", "none_found", kim)
    voice = Voice(sensor, boot=2)
    voice.inspection = covered.public_id
    heard(session, pseudonyms, voice.finds())
    found = inspections.list_findings(session, covered)[0]
    dispositions.dispose(session, found, kim, kind, "unclear", {"station": "Jungbu"})

    assert refusal(inspections.finish, session, covered, kim, "none_found").code == "open_findings"


def test_a_result_rests_on_the_methods_that_were_done(session, covered, kim):
    for method in ("lens", "rf"):
        checklists.answer_rest(session, covered, kim)
        inspections.record_step(session, covered, method, "none_found", kim)

    result = inspections.finish(session, covered, kim, "none_found", note="quiet")

    assert result.methods == ["rf", "lens"]
    assert result.coverage and result.coverage["percent"] == 100 and result.coverage["missing"] == []


def test_finishing_frees_the_restroom_and_the_sensor_and_fills_the_log(session, covered, kim, hall, sensor):
    inspections.record_step(session, covered, "rf", "none_found", kim)
    inspections.finish(session, covered, kim, "none_found")
    session.expire_all()

    assert hall.running_inspection_id is None and hall.last_result == "none_found"
    assert fleet.list_available(session, SYSTEM) == [sensor]
    row = history.list_history(session, hall).rows[0]
    assert row.result
    assert (row.people, row.sensors, row.alarms, row.result.result) == (
        ["Kim", "Officer Park"],
        ["hall-1"],
        0,
        "none_found",
    )
    assert restrooms.summarise(session, [hall])[0].methods == ["rf"]


def test_the_sensor_is_told_that_it_is_over_and_not_any_more_that_it_begins(session, covered, kim, sensor):
    inspections.finish(session, covered, kim, "not_completed", "fire alarm")

    waiting = command_queue.waiting_for(session, sensor.id, 0)

    assert [command.name for command in waiting] == [messages.INSPECTION_STOP]


@pytest.mark.parametrize("result", ["not_completed", "referred"])
def test_what_is_not_clear_needs_a_reason(session, running, kim, result):
    assert refusal(inspections.finish, session, running, kim, result, " ").code == "reason_needed"


def test_nothing_done_is_not_none_found(session, running, kim):
    assert refusal(inspections.finish, session, running, kim, "none_found").code == "nothing_done"


def test_a_suspicious_step_is_not_none_found(session, running, kim):
    checklists.answer_rest(session, running, kim)
    inspections.record_step(session, running, "eye", "none_found", kim)
    inspections.record_step(session, running, "lens", "suspicious", kim, "a glint behind the grille")

    assert refusal(inspections.finish, session, running, kim, "none_found").code == "suspicious_step"


def test_after_the_end_there_are_no_more_steps_only_corrections(session, running, kim, hall):
    inspections.finish(session, running, kim, "not_completed", "closed early")

    assert refusal(inspections.record_step, session, running, "eye", "none_found", kim).code == "finished"
    assert refusal(inspections.finish, session, running, kim, "referred", "x").code == "finished"
    inspections.correct(session, running, kim, "referred", "the police was called after all")
    session.expire_all()

    assert [one.result for one in running.results] == ["not_completed", "referred"]
    assert running.result == hall.last_result == "referred"


def test_a_correction_needs_an_end_and_a_reason(session, running, kim):
    assert refusal(inspections.correct, session, running, kim, "referred", "x").code == "running"
    inspections.finish(session, running, kim, "not_completed", "closed")
    assert refusal(inspections.correct, session, running, kim, "referred", "").code == "reason_needed"


def test_coverage_adds_up_sweeps_and_says_what_is_missing(session, pseudonyms, running, sensor):
    voice = Voice(sensor)
    voice.inspection = running.public_id
    body = sweep_body()
    body["channels"] = [[1, 2000, 10, 1, 0], [6, 1000, 5, 5, 1]]
    heard(session, pseudonyms, voice.says(body=body), voice.says(body=body))

    covered = coverage.of_inspection(session, running)

    assert covered.channels[0] == (1, 4000, 20, 2, 0, True)
    assert covered.channels[5] == (6, 2000, 10, 10, 2, False)
    assert covered.missing == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13] and not covered.enough
    assert covered.percent == (3000 + 2000) * 100 // 39000
    assert covered.undecodable_permille == 12 * 1000 // 30
    assert covered.summary()["sweeps"] == 2


def test_coverage_says_what_was_missed_and_keeps_5_ghz_apart(session, pseudonyms, running, sensor):
    voice = Voice(sensor)
    voice.inspection = running.public_id
    body = sweep_body() | {"numbered": 900, "missed": 100, "flash_ms": 150, "ble_dropped": 3}
    body["channels"] = [[1, 9000, 10, 1, 0], [36, 1000, 50, 5, 0], [149, 500, 0, 0, 0]]
    heard(session, pseudonyms, voice.says(body=body), voice.says(body=body))

    covered = coverage.of_inspection(session, running)

    assert (covered.missed_permille, covered.flash_ms, covered.ble_dropped) == (100, 300, 6)
    assert covered.listened_ms == 18000 and len(covered.channels) == 13 and not covered.enough
    assert [row[:2] for row in covered.channels_5ghz] == [(36, 2000), (149, 1000)]
    assert covered.summary()["missed_permille"] == 100


def test_sweeps_outside_an_inspection_do_not_count_for_it(session, pseudonyms, running, sensor):
    heard(session, pseudonyms, Voice(sensor).says())

    assert session.scalar(select(Sweep.inspection_id)) is None
    assert coverage.of_inspection(session, running).percent == 0


def test_the_sensors_own_words_say_when_it_listened(session, pseudonyms, running, sensor):
    voice = Voice(sensor)
    voice.inspection = running.public_id
    heard(session, pseudonyms, voice.says(messages.SESSION, {"what": "started", "by": "cmd"}, at_s=NOW_S))
    assert sensor.inspection_ref == running.public_id
    heard(session, pseudonyms, voice.says(messages.SESSION, {"what": "stopped", "by": "cmd"}, at_s=NOW_S + 60))

    chosen = session.scalars(select(InspectionSensor)).one()

    assert (chosen.started_s, chosen.stopped_s) == (NOW_S, NOW_S + 60)
    assert sensor.inspection_ref == ""


def test_a_mark_changes_with_what_the_page_shows_and_only_then(session, pseudonyms, running, kim, sensor, hall):
    voice = Voice(sensor)
    voice.inspection = running.public_id
    marks = [freshness.inspection_mark(session, running)]
    assert freshness.inspection_mark(session, running) == marks[0]
    room_before = freshness.restroom_mark(session, hall)
    findings_before = freshness.findings_mark(session)

    for incoming in (voice.says(), voice.finds()):
        heard(session, pseudonyms, incoming)
        marks.append(freshness.inspection_mark(session, running))
    checklists.answer_rest(session, running, kim)
    inspections.record_step(session, running, "eye", "none_found", kim)
    marks.append(freshness.inspection_mark(session, running))
    dispositions.dispose(session, inspections.list_findings(session, running)[0], kim, "false", "a phone")
    marks.append(freshness.inspection_mark(session, running))

    assert len(set(marks)) == 5
    assert freshness.restroom_mark(session, hall) != room_before
    assert freshness.findings_mark(session) != findings_before
    assert freshness.sensors_mark(session)


def test_an_id_is_found_as_people_type_it(session, running):
    typed = f" {running.public_id[:4].upper()}-{running.public_id[4:].upper()} "

    assert inspections.load(session, accounts.SYSTEM, typed).id == running.id
    with pytest.raises(NotFound):
        inspections.load(session, accounts.SYSTEM, "nothing")


def test_a_correction_after_the_retention_of_sweeps_keeps_the_coverage(session, covered, kim):
    inspections.record_step(session, covered, "rf", "none_found", kim)
    before = inspections.finish(session, covered, kim, "none_found").coverage
    session.execute(delete(Sweep))
    session.expire_all()

    corrected = inspections.correct(session, covered, kim, "none_found", "a name was missing")

    assert before and corrected.coverage == before and before["percent"] == 100
