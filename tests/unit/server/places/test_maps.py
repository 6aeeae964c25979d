"""Restrooms on a map."""

import pytest
from sqlalchemy import update

from server.models import Finding, Restroom
from server.services.people.accounts import SYSTEM
from server.services.places import facilities, maps, organisations, restrooms
from server.services.sensors import enrolment
from tests.support.values import present

NOW_S = 1_800_000_000
HERE = maps.Box(30, 120, 40, 130)


@pytest.fixture
def city(session):
    return organisations.add(session, "City")


@pytest.fixture
def hall(session, city):
    return facilities.add(session, city, "Hall")


def add(session, hall, latitude, longitude, **fields):
    return restrooms.add(session, hall, "Room", latitude=latitude, longitude=longitude, **fields)


def _finding(session, vault, room):
    sensor, _ = enrolment.enrol(session, vault, "s-1", "", restroom_id=room.id)
    return Finding(
        sensor_id=sensor.id,
        inspection_ref="",
        restroom_id=room.id,
        detector="camera_stream",
        pseudonym="p",
        episode=1,
        oui="",
        local=False,
        label="",
        created_s=NOW_S,
        status="open",
        event="raised",
        score=70,
        score_max=70,
        rssi_dbm=-50,
        rssi_max_dbm=-50,
        channel=6,
        events_count=1,
        changed_s=NOW_S,
    )


def test_rooms_at_one_position_are_one_spot(session, hall):
    women = add(session, hall, 36.5, 127.5, block="women")
    men = add(session, hall, 36.5, 127.5, block="men")
    add(session, hall, 36.6, 127.5)
    add(session, hall, 50.0, 127.5)
    restrooms.add(session, hall, "Nowhere")

    spots = present(maps.list_spots(session, SYSTEM, HERE))

    assert [len(spot.rooms) for spot in spots] == [2, 1]
    assert {room.id for room, _ in spots[0].rooms} == {women.id, men.id}


def test_a_retired_room_is_on_no_map(session, hall):
    add(session, hall, 36.5, 127.5, retired_s=NOW_S)

    assert maps.extent(session, SYSTEM) is None
    assert maps.list_spots(session, SYSTEM, HERE) == []


def test_the_extent_is_the_box_around_all(session, hall):
    for latitude, longitude in ((36.5, 127.5), (37.5, 126.0), (33.2, 126.5)):
        add(session, hall, latitude, longitude)

    assert maps.extent(session, SYSTEM) == maps.Box(33.2, 126.0, 37.5, 127.5)


def test_too_many_for_single_places_become_groups_with_their_numbers(session, hall, vault, monkeypatch):
    monkeypatch.setattr(maps, "MOST_SINGLE", 3)
    for step in range(3):
        add(session, hall, 31.0 + step / 100, 121.0)
    far = add(session, hall, 39.0, 129.0)
    far.due_s = NOW_S - 1
    session.execute(update(Restroom).where(Restroom.id != far.id).values(due_s=NOW_S + 1))
    session.add(_finding(session, vault, far))
    session.flush()

    assert maps.list_spots(session, SYSTEM, HERE) is None
    near, away = sorted(maps.list_groups(session, SYSTEM, HERE, NOW_S), key=lambda group: group.rooms, reverse=True)

    assert (near.rooms, near.overdue, near.findings) == (3, 0, 0)
    assert near.box == pytest.approx(maps.Box(31.0, 120.0 + 10 / 12, 32.0, 120.0 + 20 / 12))
    assert near.latitude == pytest.approx(31.01)
    assert (away.rooms, away.overdue, away.findings) == (1, 1, 1)


def test_a_view_of_one_point_is_no_division_by_nothing(session, hall):
    add(session, hall, 36.5, 127.5)

    (group,) = maps.list_groups(session, SYSTEM, maps.Box(36.5, 127.5, 36.5, 127.5), NOW_S)

    assert group.rooms == 1


def test_what_lies_on_an_edge_of_the_view_belongs_to_its_outermost_part(session, hall):
    for latitude, longitude in ((30, 120), (40, 130)):
        add(session, hall, float(latitude), float(longitude))

    low, high = sorted(maps.list_groups(session, SYSTEM, HERE, NOW_S))

    assert (low.box.south, low.box.west) == (30, 120)
    assert (high.box.north, high.box.east) == pytest.approx((40, 130))
