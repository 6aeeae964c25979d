import pytest

from server.models import LogEntry, User
from server.services.errors import NotFound, Refused
from server.services.inspecting import checklists, inspections, steps
from server.services.inspecting.checklists import Answer, Scope
from server.services.places import restrooms
from tests.support.steps import recorded_step
from tests.support.values import present


@pytest.fixture
def running(session, hall, kim):
    return inspections.start(session, hall, kim)


def refusal(call, *arguments, **named):
    with pytest.raises(Refused) as refused:
        call(*arguments, **named)
    return refused.value


def item(text, where="stall", key=""):
    return {"key": key, "where": where, "text": text, "text_en": ""}


def test_an_inspection_asks_for_the_room_and_for_every_stall(session, running):
    at = checklists.load_progress(session, running)

    assert [part.stall for part in at.parts] == [0, 1, 2, 3, 4]
    assert at.open == len(at.lines) > 40
    assert {line.item["key"] for line in at.parts[0].lines} >= {"basins", "changing_table", "ceiling"}
    assert {line.item["key"] for line in at.parts[1].lines} >= {"hooks", "paper_holder", "toilet_base", "screws", "bin"}
    assert "basins" not in {line.item["key"] for line in at.parts[1].lines}


def test_a_room_whose_stalls_nobody_has_counted_is_answered_as_a_whole(session, hall, kim):
    other = restrooms.add(session, hall.facility, "Men's")

    at = checklists.load_progress(session, inspections.start(session, other, kim))

    assert [part.stall for part in at.parts] == [0] and len(at.lines) == len(checklists.BUILTIN)


def test_the_eye_step_is_not_clear_while_something_is_open(session, running, kim):
    at = checklists.load_progress(session, running)

    refused = refusal(inspections.record_step, session, running, "eye", "none_found", kim)
    assert (refused.code, refused.values) == ("checklist_open", {"count": at.open})

    checklists.answer_rest(session, running, kim)
    assert inspections.record_step(session, running, "eye", "none_found", kim).outcome == "none_found"


def test_other_outcomes_and_steps_need_no_list(session, running, kim):
    inspections.record_step(session, running, "eye", "not_done", kim, "stall 2 is locked")
    inspections.record_step(session, running, "lens", "none_found", kim)


def test_a_suspicious_point_forbids_a_clear_eye_step_and_a_clear_result(session, running, kim):
    checklists.answer_rest(session, running, kim)
    inspections.record_step(session, running, "eye", "none_found", kim)
    checklists.answer(session, running, kim, 2, {"hooks": ("suspicious", "a hole in the hook")})

    assert refusal(inspections.record_step, session, running, "eye", "none_found", kim).code == "checklist_suspicious"
    assert refusal(inspections.finish, session, running, kim, "none_found").code == "checklist_suspicious"

    checklists.answer(session, running, kim, 2, {"hooks": ("ok", "it was a screw")})
    assert refusal(inspections.finish, session, running, kim, "none_found").code == "nothing_done"
    inspections.record_step(session, running, "eye", "none_found", kim)
    assert inspections.finish(session, running, kim, "none_found").methods == ["eye"]


@pytest.mark.parametrize("word", ["na", "suspicious"])
def test_what_is_not_ok_needs_its_reason(session, running, kim, word):
    assert refusal(checklists.answer, session, running, kim, 1, {"hooks": (word, " ")}).code == "answer_reason_needed"
    assert checklists.load_progress(session, running).done == 0


def test_the_newest_answer_counts_and_the_same_again_adds_nothing(session, running, kim):
    assert checklists.answer(session, running, kim, 1, {"hooks": ("na", "none here")}) == 1
    assert checklists.answer(session, running, kim, 1, {"hooks": ("na", "none here")}) == 0
    assert checklists.answer(session, running, kim, 1, {"hooks": ("ok", "")}) == 1

    line = next(one for one in checklists.load_progress(session, running).parts[1].lines if one.item["key"] == "hooks")
    assert (line.answer, line.note) == ("ok", "")


def test_rubbish_is_refused(session, running, kim):
    with pytest.raises(NotFound):
        checklists.answer(session, running, kim, 99, {"hooks": ("ok", "")})
    with pytest.raises(NotFound):
        checklists.answer(session, running, kim, 1, {"no such item": ("ok", "")})
    with pytest.raises(ValueError, match="maybe"):
        checklists.answer(session, running, kim, 1, {"hooks": ("maybe", "")})


def test_a_finished_inspection_takes_no_answer(session, running, kim):
    inspections.finish(session, running, kim, "not_completed", "fire alarm")

    assert refusal(checklists.answer, session, running, kim, 1, {"hooks": ("ok", "")}).code == "finished"


def test_a_new_version_holds_from_the_next_inspection_on(session, hall, running, kim):
    city = hall.facility.organisation

    first = checklists.save(session, kim, Scope(organisation=city), [item("Walls"), item("Fan", "room")])
    second = checklists.save(session, kim, Scope(organisation=city), [item("Walls", key="own_1")])

    assert (first.version, second.version) == (1, 2)
    assert [one["key"] for one in first.items] == ["own_1", "own_2"]
    assert checklists.load_progress(session, running).checklist != second
    assert checklists.current(session, hall.facility).id == second.id


def test_a_buildings_own_list_goes_before_its_organisations_and_can_be_dropped(session, hall, kim):
    city, facility = hall.facility.organisation, hall.facility
    of_city = checklists.save(session, kim, Scope(organisation=city), [item("Walls")])
    of_hall = checklists.save(session, kim, Scope(facility=facility), [item("Doors")])

    assert checklists.current(session, facility).id == of_hall.id
    checklists.save(session, kim, Scope(facility=facility), [])
    assert checklists.current(session, facility).id == of_city.id
    checklists.save(session, kim, Scope(organisation=city), [])
    assert checklists.current(session, facility).items == checklists.BUILTIN


def test_a_point_needs_a_text_and_a_key_of_its_own(session, hall, kim):
    save, city = checklists.save, Scope(organisation=hall.facility.organisation)

    assert refusal(save, session, kim, city, [item(" ")]).code == "checklist_item_empty"
    twice = [item("A", key="a"), item("B", key="a")]
    assert refusal(save, session, kim, city, twice).code == "checklist_key_twice"
    assert refusal(save, session, kim, city, [item("A")] * 61).code == "checklist_too_long"


def test_who_manages_another_building_changes_nothing_here(session, hall, kim):
    kim.everywhere = False
    session.flush()

    with pytest.raises(NotFound):
        checklists.save(session, kim, Scope(facility=hall.facility), [item("Walls")])
    with pytest.raises(NotFound):
        checklists.save(session, kim, Scope(organisation=hall.facility.organisation), [item("Walls")])


def test_answers_are_in_the_log_without_the_notes(session, running, kim):
    checklists.answer(session, running, kim, 1, {"hooks": ("na", "Mr Choi took them down")})

    entry = session.query(LogEntry).filter(LogEntry.kind == "inspection.answered").one()
    assert '"hooks":"na"' in entry.body and "Choi" not in entry.body


@pytest.fixture
def park(session, hashed):
    made = User(
        login="park",
        name="Park",
        role="inspector",
        password_hash=hashed,
        session_word="0" * 32,
        created_s=1_800_000_000,
    )
    session.add(made)
    session.flush()
    return made


def line_of(session, running, stall, key):
    part = next(part for part in checklists.load_progress(session, running).parts if part.stall == stall)
    return next(line for line in part.lines if line.item["key"] == key)


def test_a_page_opened_before_does_not_take_back_a_suspicion(session, running, kim, park):
    checklists.answer(session, running, kim, 1, {"door": ("ok", "")})
    seen_id = line_of(session, running, 1, "door").newest_id
    checklists.answer(session, running, park, 1, {"door": Answer("suspicious", "a hole", seen_id)})

    checklists.answer(session, running, kim, 1, {"door": Answer("ok", "", seen_id), "hooks": Answer("ok", "", 0)})

    line = line_of(session, running, 1, "door")
    assert (line.answer, line.note, line.contested) == ("suspicious", "a hole", [])
    assert [(row.answer, present(row.by).name) for row in line.rows] == [("ok", "Kim"), ("suspicious", "Park")]


# (first answer that both have seen or None, Park's, then Kim's): what stands until somebody settles it
SEEN = {
    "both answer, neither has seen the other": (None, ("suspicious", "a hole"), ("ok", ""), "suspicious"),
    "the suspicion comes second": (None, ("ok", ""), ("suspicious", "a hole"), "suspicious"),
    "both change what they saw": (("ok", ""), ("suspicious", "a hole"), ("na", "no door"), "suspicious"),
    "no suspicion, but not the same": (None, ("ok", ""), ("na", "no door"), None),
}


@pytest.mark.parametrize("case", SEEN)
def test_answers_of_two_people_stand_side_by_side_until_one_settles_it(session, running, kim, park, case):
    first, of_park, of_kim, stands = SEEN[case]
    if first:
        checklists.answer(session, running, kim, 1, {"door": first})
    seen_id = line_of(session, running, 1, "door").newest_id

    checklists.answer(session, running, park, 1, {"door": Answer(of_park[0], of_park[1], seen_id)})
    checklists.answer(session, running, kim, 1, {"door": Answer(of_kim[0], of_kim[1], seen_id)})

    line = line_of(session, running, 1, "door")
    assert (line.answer, {present(row.by).name for row in line.contested}) == (stands, {"Kim", "Park"})
    assert checklists.answer_rest(session, running, kim) > 0
    assert line_of(session, running, 1, "door").contested
    assert refusal(inspections.record_step, session, running, "eye", "none_found", kim).code == "checklist_contested"
    if stands:
        settle = {"door": Answer("ok", "", line.newest_id)}
        assert refusal(checklists.answer, session, running, kim, 1, settle).code == "suspicion_reason_needed"
    checklists.answer(session, running, kim, 1, {"door": Answer("ok", "we looked together: a screw", line.newest_id)})
    settled = line_of(session, running, 1, "door")
    assert (settled.answer, settled.contested, len(settled.rows)) == ("ok", [], len(line.rows) + 1)
    inspections.record_step(session, running, "eye", "none_found", kim)


def test_the_same_said_twice_is_no_contradiction(session, running, kim, park):
    checklists.answer(session, running, park, 1, {"door": Answer("suspicious", "a hole", 0)})
    checklists.answer(session, running, kim, 1, {"door": Answer("suspicious", "left side", 0)})

    line = line_of(session, running, 1, "door")
    assert (line.answer, line.note, line.contested) == ("suspicious", "a hole / left side", [])


def test_a_step_of_somebody_who_had_not_seen_the_suspicion_does_not_take_it_back(session, running, kim, park):
    inspections.record_step(session, running, "lens", "suspicious", park, "a reflection", 0)
    inspections.record_step(session, running, "lens", "none_found", kim, "", 0)

    assert recorded_step(running, "lens").outcome == "suspicious"
    assert [row.outcome for row in steps.contradictions(running)["lens"]] == ["suspicious", "none_found"]
    assert refusal(inspections.finish, session, running, kim, "none_found").code == "suspicious_step"
    inspections.record_step(session, running, "lens", "none_found", kim, "it was the lamp")
    assert steps.contradictions(running) == {}
    assert inspections.finish(session, running, kim, "none_found").methods == ["lens"]


def test_steps_that_contradict_each_other_without_a_suspicion_have_to_be_settled_too(session, running, kim, park):
    inspections.record_step(session, running, "lens", "not_done", park, "no lens", 0)
    inspections.record_step(session, running, "lens", "none_found", kim, "", 0)

    assert recorded_step(running, "lens").outcome == "not_done"
    assert refusal(inspections.finish, session, running, kim, "none_found").code == "step_contested"


def test_a_suspicious_answer_reopens_the_step_and_no_result_claims_it(session, running, kim):
    checklists.answer_rest(session, running, kim)
    inspections.record_step(session, running, "eye", "none_found", kim)

    checklists.answer(session, running, kim, 2, {"hooks": ("suspicious", "a hole")})

    assert inspections.current_steps(running)["eye"] is None
    assert list(steps.reopened(running)) == ["eye"]
    assert inspections.finish(session, running, kim, "not_completed", "called away").methods == []


def test_a_correction_may_correct_steps_by_further_entries(session, running, kim):
    inspections.record_step(session, running, "lens", "none_found", kim)
    inspections.finish(session, running, kim, "none_found")

    row = inspections.correct(session, running, kim, "referred", "seen on the photo", outcomes={"lens": "suspicious"})

    assert row.methods == ["lens"] and recorded_step(running, "lens").outcome == "suspicious"
    assert [step.outcome for step in running.steps] == ["none_found", "suspicious"]
