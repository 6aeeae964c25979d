"""The list of restrooms, page after page, and who gets to see which place."""

import pytest

from server.models import User, UserPlace
from server.services import paging
from server.services.errors import NotFound
from server.services.people import accounts
from server.services.people.accounts import SYSTEM
from server.services.places import facilities, names, organisations, restrooms


@pytest.fixture
def stranger(session):
    """A manager of another organisation."""
    elsewhere = organisations.add(session, "Elsewhere")
    restrooms.add(session, facilities.add(session, elsewhere, "Depot"), "Only")
    user = User(
        login="lee", name="Lee", role="manager", everywhere=False, password_hash="", session_word="", created_s=1
    )
    session.add(user)
    session.flush()
    session.add(UserPlace(user_id=user.id, organisation_id=elsewhere.id))
    session.flush()
    return user


def test_the_list_of_restrooms_is_searched_by_all_words(session, hall):
    restrooms.add(session, hall.facility, "남자화장실", [("national", "2026-17")], name_en="Men's", block="men")

    def found(**filters):
        return [room.name for room in restrooms.list_restrooms(session, SYSTEM, by_name=True, **filters).rows]

    assert found() == ["Women's", "남자화장실"]
    assert found(search="HALL 남자") == ["남자화장실"]
    assert found(search="2026-17") == ["남자화장실"]
    assert found(search=hall.public_id) == ["Women's"]
    assert found(search="100%") == []
    assert found(block="men") == ["남자화장실"]
    assert found(state="running") == [] and len(found(state="never")) == 2
    assert restrooms.count_restrooms(session, SYSTEM, search="road") == 2


def test_pages_follow_each_other_forwards_and_backwards(session, hall):
    for number in range(4):
        restrooms.add(session, hall.facility, f"Room {number}")

    first = restrooms.list_restrooms(session, SYSTEM, by_name=True, limit=3)
    second = restrooms.list_restrooms(session, SYSTEM, by_name=True, limit=3, cursor=first.next)
    before = paging.encode(second.rows[0].id)
    back = restrooms.list_restrooms(session, SYSTEM, by_name=True, limit=3, cursor=before, backwards=True)

    assert [room.name for room in first.rows] == ["Room 0", "Room 1", "Room 2"]
    assert [room.name for room in second.rows] == ["Room 3", "Women's"]
    assert (second.next, back.next) == (None, None)
    assert back.rows == first.rows


@pytest.mark.parametrize("right", [accounts.SEE, accounts.MANAGE])
def test_a_place_of_another_organisation_is_not_found(session, hall, stranger, right):
    loads = [
        (restrooms.load, hall.public_id),
        (facilities.load, hall.facility.public_id),
        (organisations.load, hall.facility.organisation.public_id),
    ]
    for load, public_id in loads:
        for user in (stranger, None):
            with pytest.raises(NotFound):
                load(session, user, public_id, right)
        assert load(session, SYSTEM, public_id, right).public_id == public_id


def test_the_lists_show_a_user_only_their_places(session, hall, stranger):
    assert [room.name for room in restrooms.list_restrooms(session, stranger).rows] == ["Only"]
    assert [facility.name for facility in facilities.list_facilities(session, stranger).rows] == ["Depot"]
    assert [row.organisation.name for row in organisations.list_organisations(session, stranger)] == ["Elsewhere"]
    assert restrooms.count_restrooms(session, stranger) == 1


def test_a_cursor_of_another_organisation_is_as_bad_as_an_invented_one(session, hall, stranger):
    for number in (hall.id, 9_999):
        with pytest.raises(paging.BadCursor):
            restrooms.list_restrooms(session, stranger, by_name=True, cursor=paging.encode(number))
    for number in (hall.facility_id, 9_999):
        with pytest.raises(paging.BadCursor):
            facilities.list_facilities(session, stranger, by_name=True, cursor=paging.encode(number))


NAMES = (("여자화장실 2", "Women's 2"), ("여자화장실 10", "Accessible"), ("남자화장실", "Men's"))


@pytest.mark.parametrize(
    ("language", "shown"),
    [("ko", ["남자화장실", "여자화장실 2", "여자화장실 10"]), ("en", ["Accessible", "Men's", "Women's 2"])],
)
def test_lists_are_in_natural_order_of_the_names_that_a_language_shows(session, hall, language, shown):
    hall.retired_s = hall.created_s
    for name, name_en in NAMES:
        restrooms.add(session, hall.facility, name, name_en=name_en)

    pages, cursor = [], None
    for _ in NAMES:
        page = restrooms.list_restrooms(session, SYSTEM, by_name=True, limit=1, cursor=cursor, language=language)
        pages += page.rows
        cursor = page.next
    whole = facilities.list_restrooms(session, hall.facility, language)

    assert [names.shown(row.name, row.name_en, language) for row in pages] == shown and cursor is None
    assert [row.id for row in whole[:-1]] == [row.id for row in pages] and whole[-1] is hall


def test_buildings_are_in_natural_order_of_the_names_that_a_language_shows(session, hall):
    for name, name_en in (("역 10", "B station"), ("역 9", "C station")):
        facilities.add(session, hall.facility.organisation, name, name_en)

    def listed(language):
        page = facilities.list_facilities(session, SYSTEM, by_name=True, search="역", limit=1, language=language)
        second = facilities.list_facilities(
            session, SYSTEM, by_name=True, search="역", limit=1, language=language, cursor=page.next
        )
        return [row.name for row in (*page.rows, *second.rows)]

    assert listed("ko") == ["역 9", "역 10"] and listed("en") == ["역 10", "역 9"]


@pytest.mark.parametrize("name", ["화장실 007", "a / b 12 c 3", "x" * 500, "12345678901"])
def test_the_text_to_sort_by_fits_its_column_and_orders_as_the_natural_key(name):
    assert len(names.sort_text(name)) <= names.SORT_LENGTH
    other = name.replace("7", "10").replace("12", "9")
    assert (names.sort_text(name) < names.sort_text(other)) == (names.natural_key(name) < names.natural_key(other))
