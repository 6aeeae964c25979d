"""Loaders check the right: a foreign id is answered like an unknown one, and an anonymous user gets nothing."""

import pytest
from flask_login import AnonymousUserMixin

from server.services.errors import NotFound
from server.services.inspecting import campaigns, holes, inspections, photos
from server.services.people import accounts
from tests.support.pictures import jpeg


@pytest.fixture
def public_ids(session, hall, kim, tmp_path):
    """{loader: public id of something in the hall}."""
    inspection = inspections.start(session, hall, kim)
    campaign = campaigns.add(session, kim, "Sweep", 1_800_000_000)
    campaigns.add_stop(session, campaign, kim, hall.facility, None)
    photo = photos.add(session, tmp_path, jpeg(), kim, "eye", hall.facility_id, inspection=inspection)
    return {
        inspections.load: inspection.public_id,
        holes.load: holes.add(session, hall, kim, 0, "door", inspection).public_id,
        photos.load: photo.public_id,
        campaigns.load: campaign.public_id,
    }


def test_a_foreign_id_is_answered_like_an_unknown_one(session, public_ids):
    stranger, _ = accounts.add_user(session, "stranger", "Stranger", "manager", everywhere=False)

    for load, public_id in public_ids.items():
        assert load(session, accounts.SYSTEM, public_id).public_id == public_id
        refusals = []
        for requested_id in (public_id, "zzzzzzzzzzzz"):
            with pytest.raises(NotFound) as refusal:
                load(session, stranger, requested_id)
            refusals.append(str(refusal.value))
        assert refusals[0] == refusals[1], load


def test_nobody_and_an_anonymous_user_get_nothing(session, public_ids):
    for load, public_id in public_ids.items():
        for user in (None, AnonymousUserMixin()):
            with pytest.raises(NotFound):
                load(session, user, public_id)


def test_lists_of_a_stranger_are_empty(session, public_ids):
    stranger, _ = accounts.add_user(session, "stranger", "Stranger", "manager", everywhere=False)

    assert inspections.list_inspections(session, stranger).rows == []
    assert len(inspections.list_inspections(session, accounts.SYSTEM).rows) == 1
    assert inspections.list_running(session, stranger) == []
    assert holes.list_holes(session, stranger).rows == [] and campaigns.list_campaigns(session, stranger) == []
