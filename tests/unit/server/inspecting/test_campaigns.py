import pytest

from server import clock
from server.models import LogEntry
from server.services.errors import NotFound, Refused
from server.services.inspecting import campaign_board, campaigns, inspections, photos
from server.services.people import accounts
from server.services.places import facilities, restrooms
from tests.support.pictures import jpeg
from tests.support.sensor_messages import Voice, heard
from tests.support.values import present


def refusal(call, *arguments, **named):
    with pytest.raises(Refused) as refused:
        call(*arguments, **named)
    return refused.value.code


@pytest.fixture
def station(session, hall):
    made = facilities.add(session, hall.facility.organisation, "Station")
    restrooms.add(session, made, "Concourse")
    return made


@pytest.fixture
def mens(session, hall):
    return restrooms.add(session, hall.facility, "Men's", stalls=2)


@pytest.fixture
def day(session, kim, hall, mens, station):
    """A campaign with two teams and two buildings, not started."""
    made = campaigns.add(session, kim, "July sweep", clock.now_s())
    north = campaigns.add_team(session, made, kim, "North", "foot")
    campaigns.add_team(session, made, kim, "South", "car")
    campaigns.add_member(session, made, north, kim, {"user": kim})
    campaigns.add_member(session, made, north, kim, {"name": "Officer Park", "agency": "Police"}, "police")
    campaigns.add_stop(session, made, kim, hall.facility, north)
    campaigns.add_stop(session, made, kim, station, None)
    return campaigns.load(session, kim, made.public_id)


@pytest.fixture
def running(session, day, kim):
    campaigns.begin(session, day, kim)
    return day


def test_a_campaign_has_teams_partners_and_buildings_in_order(session, day, kim):
    assert [(team.name, team.way) for team in day.teams] == [("North", "foot"), ("South", "car")]
    assert [(one.name, one.partner) for one in day.teams[0].members] == [("Kim", "staff"), ("Officer Park", "police")]
    assert [stop.facility.name for stop in day.stops] == ["Hall", "Station"]

    campaigns.move_stop(session, day, day.stops[1], up=True)

    again = campaigns.load(session, kim, day.public_id)
    assert [stop.facility.name for stop in again.stops] == ["Station", "Hall"]
    campaigns.move_stop(session, again, again.stops[0], up=True)  # there is nothing before it


def test_an_inspection_belongs_to_the_campaign_that_runs_there_and_to_the_persons_team(session, running, hall, kim):
    lee, _ = accounts.add_user(session, "lee", "Lee", "inspector", "correct horse battery")
    south = running.teams[1]
    campaigns.add_member(session, running, south, kim, {"user": lee})

    one = inspections.start(session, hall, lee)

    assert (one.campaign_id, one.team_id) == (running.id, south.id)


def test_before_it_starts_and_after_it_is_closed_nothing_belongs_to_it(session, day, hall, mens, kim):
    assert inspections.start(session, hall, kim).campaign_id is None
    campaigns.begin(session, day, kim)
    campaigns.close(session, day, kim, "thanks")

    assert inspections.start(session, mens, kim).campaign_id is None


def test_the_board_counts_by_building_and_team(session, pseudonyms, running, hall, mens, kim, sensor):
    voice = Voice(sensor)
    one = inspections.start(session, hall, kim, [sensor])
    voice.inspection = one.public_id
    heard(session, pseudonyms, voice.finds())
    inspections.record_step(session, one, "eye", "suspicious", kim, "a hole")
    inspections.finish(session, one, kim, "referred", "112 called")
    again = inspections.start(session, mens, kim)
    inspections.finish(session, again, kim, "not_completed", "water")
    inspections.start(session, mens, kim)

    board = campaign_board.load(session, running)

    first, second = board.stops
    assert (first.rooms, first.done, first.running, first.not_completed, first.referred, first.alarms) == (
        2,
        1,
        1,
        0,
        1,
        1,
    )
    assert (second.rooms, second.done, second.alarms) == (1, 0, 0)
    assert [(line.team.name if line.team else None, line.stops, line.rooms) for line in board.teams] == [
        ("North", 1, 2),
        ("South", 0, 0),
        (None, 1, 1),
    ]
    assert (board.total.rooms, board.total.done) == (3, 1)


def test_a_room_that_is_done_stays_done_until_an_alarm_reopens_it(session, pseudonyms, running, hall, kim, sensor):
    voice = Voice(sensor)
    one = inspections.start(session, hall, kim, [sensor])
    voice.inspection = one.public_id
    inspections.record_step(session, one, "lens", "none_found", kim)
    inspections.finish(session, one, kim, "none_found")
    inspections.finish(session, inspections.start(session, hall, kim), kim, "not_completed", "water")

    def counts():
        session.expire_all()
        line = campaign_board.load(session, running).stops[0]
        return line.done, line.reopened, line.running, line.not_completed

    before = counts()
    rooms = dict(campaign_board.list_rooms(session, running, running.stops[0]))
    heard(session, pseudonyms, voice.finds())

    assert before == (1, 0, 0, 0) and present(rooms[hall]).id == one.id
    assert counts() == (0, 1, 0, 0)


def test_the_mark_changes_with_what_the_board_shows_and_only_then(session, running, hall, kim):
    marks = [campaign_board.mark(session, running)]
    assert campaign_board.mark(session, running) == marks[0]

    one = inspections.start(session, hall, kim)
    marks.append(campaign_board.mark(session, running))
    inspections.finish(session, one, kim, "not_completed", "water")
    marks.append(campaign_board.mark(session, running))
    campaigns.hand_over(session, running, running.stops[0], kim, running.teams[1], "held up")
    marks.append(campaign_board.mark(session, running))

    assert len(set(marks)) == 4


def test_a_building_is_handed_over_with_the_reason(session, running, kim):
    stop, south = running.stops[0], running.teams[1]
    assert refusal(campaigns.hand_over, session, running, stop, kim, south, " ") == "reason_needed"
    assert refusal(campaigns.hand_over, session, running, stop, kim, running.teams[0], "x") == "same_team"

    campaigns.hand_over(session, running, stop, kim, south, "North is held up")

    told = campaign_board.list_handovers(session, running)[0]
    assert told.from_team and told.to_team
    assert (told.from_team.name, told.to_team.name, told.reason) == ("North", "South", "North is held up")
    assert session.query(LogEntry).filter_by(kind="campaign.handed_over").one().subject == running.public_id


def test_what_was_put_right_has_photos_of_before_and_after(session, running, hall, kim, tmp_path):
    done = campaigns.record_action(session, running, kim, hall, "vent screwed tight")
    for kind, colour in (("before", "red"), ("after", "green")):
        photos.add(session, tmp_path, jpeg(colour=colour), kim, kind, hall.facility_id, action=done)

    line = campaign_board.list_actions(session, running)[0]

    assert line.action.team and line.action.team.name == "North" and line.action.text == "vent screwed tight"
    assert [photo.kind for photo in [*line.before, *line.after]] == ["before", "after"]


def test_it_starts_once_and_not_empty_and_takes_nothing_after_its_end(session, day, hall, kim):
    empty = campaigns.add(session, kim, "Empty", clock.now_s())
    assert refusal(campaigns.begin, session, empty, kim) == "campaign_empty"
    assert refusal(campaigns.close, session, day, kim, "") == "campaign_not_running"
    assert refusal(campaigns.record_action, session, day, kim, hall, "x") == "campaign_not_running"
    campaigns.begin(session, day, kim)
    assert refusal(campaigns.begin, session, day, kim) == "campaign_running"
    campaigns.close(session, day, kim, "thanks")

    for call in (
        lambda: campaigns.add_team(session, day, kim, "West", "car"),
        lambda: campaigns.record_action(session, day, kim, hall, "x"),
        lambda: campaigns.close(session, day, kim, ""),
        lambda: campaigns.hand_over(session, day, day.stops[0], kim, day.teams[1], "x"),
    ):
        assert refusal(call) == "campaign_closed"


def test_doubles_and_blanks_are_refused(session, day, hall, kim):
    assert refusal(campaigns.add, session, kim, " ", 0) == "campaign_name_needed"
    assert refusal(campaigns.add_team, session, day, kim, "North", "foot") == "team_exists"
    assert refusal(campaigns.add_team, session, day, kim, " ", "foot") == "team_name_needed"
    assert refusal(campaigns.add_stop, session, day, kim, hall.facility, None) == "stop_there"
    add = campaigns.add_member
    assert refusal(add, session, day, day.teams[1], kim, {"user": kim}) == "person_there"
    assert refusal(add, session, day, day.teams[1], kim, {"name": ""}) == "person_name_needed"


def test_who_has_nothing_to_do_with_it_does_not_see_it(session, day, hall, kim):
    lee, _ = accounts.add_user(session, "lee", "Lee", "manager", "correct horse battery")
    lee.everywhere = False
    session.flush()

    with pytest.raises(NotFound):
        campaigns.load(session, lee, day.public_id)
    assert campaigns.list_campaigns(session, lee) == []
    with pytest.raises(NotFound):
        campaigns.add_stop(session, campaigns.add(session, lee, "Own", 0), lee, hall.facility, None)
    campaigns.add_member(session, day, day.teams[1], kim, {"user": lee})
    assert [one.id for one in campaigns.list_campaigns(session, lee) if one.id == day.id] == [day.id]
