"""Rows that pages read are compared with the log."""

import pytest
from sqlalchemy import select, update

from server.models import Finding, Inspection, KnownEmitter, Photo, Restroom, User
from server.services.audit import tampered_rows
from server.services.findings import dispositions
from server.services.inspecting import inspections, photos
from server.services.people import data_subjects
from server.services.places import facilities, organisations, restrooms
from tests.support.pictures import jpeg
from tests.support.sensor_messages import Voice, heard


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "photos"


def differences(session, folder):
    session.flush()
    session.expire_all()
    return [(one.kind, one.subject) for one in tampered_rows.find_differences(session, folder)]


@pytest.fixture
def done(session, hall, kim, folder):
    """A finished inspection with a photo."""
    inspection = inspections.start(session, hall, kim)
    photos.add(session, folder, jpeg(), kim, "eye", hall.facility_id, inspection=inspection)
    inspections.finish(session, inspection, kim, "not_completed", "fire alarm")
    return inspection


def test_rows_as_they_were_written_agree_with_the_log(session, folder, done):
    assert differences(session, folder) == []


def test_a_changed_result_is_found(session, folder, done):
    session.execute(update(Inspection).values(result="none_found"))

    assert differences(session, folder) == [("inspection", done.public_id)]


def test_a_result_that_nobody_logged_is_found(session, folder, hall, kim):
    running = inspections.start(session, hall, kim)
    session.execute(update(Inspection).values(result="none_found"))

    assert differences(session, folder) == [("inspection", running.public_id)]


def test_a_swapped_photo_and_one_that_was_removed_in_silence_are_found(session, folder, done):
    (photo,) = photos.list_photos(session, inspection_id=done.id)
    next((folder / "original").rglob(photo.sha256)).write_bytes(b"other")
    assert differences(session, folder) == [("photo", photo.public_id)]

    session.execute(update(Photo).values(removed_s=1))
    assert differences(session, folder) == [("photo", photo.public_id)]


def test_a_room_that_was_retired_or_brought_back_in_silence_is_found(session, folder, kim):
    facility = facilities.add(session, organisations.add(session, "City"), "Hall")
    room = restrooms.add(session, facility, "Room", by=kim)
    assert differences(session, folder) == []
    session.execute(update(Restroom).where(Restroom.id == room.id).values(retired_s=5))
    assert differences(session, folder) == [("restroom", room.public_id)]


def test_a_disposition_and_an_approval_that_were_changed_are_found(session, folder, pseudonyms, sensor, hall, kim):
    voice = Voice(sensor)
    voice.inspection = inspections.start(session, hall, kim, [sensor]).public_id
    heard(session, pseudonyms, voice.finds())
    finding = session.scalars(select(Finding)).one()
    dispositions.dispose(session, finding, kim, "known_emitter", "the entrance's camera")
    assert differences(session, folder) == []

    session.execute(update(Finding).values(disposition="false"))
    assert differences(session, folder) == [("finding", finding.public_id)]


def test_an_approved_device_that_nobody_approved_is_found(session, folder, hall):
    address = "00:12:34:56:78:9a"
    session.add(KnownEmitter(facility_id=hall.facility_id, address=address, reason="known_emitter", approved_s=1))

    assert differences(session, folder) == [("emitter", "emitter-1")]


def test_an_account_that_was_emptied_without_an_entry_is_found(session, folder, kim):
    session.execute(update(User).where(User.id == kim.id).values(erased_s=1))

    assert differences(session, folder) == [("person", kim.public_id)]


def test_an_erased_person_is_no_difference(session, folder, kim):
    data_subjects.erase(session, kim)

    assert differences(session, folder) == []
