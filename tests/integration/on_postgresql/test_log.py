"""The log's verification, photos and imports on PostgreSQL: mostly the unit tests, run on this database."""

import pytest
from sqlalchemy import text

from server import vault
from server.services.audit import log, verification
from tests.unit.server.audit import test_tampered_rows
from tests.unit.server.conftest import hall, hashed, kim, real_hasher, table, take  # noqa: F401
from tests.unit.server.places import test_imports

pytestmark = pytest.mark.postgresql

folder, done = test_tampered_rows.folder, test_tampered_rows.done


@pytest.fixture
def vault_of(settings):
    return vault.open_vault(settings)


test_rows_agree = test_tampered_rows.test_rows_as_they_were_written_agree_with_the_log
test_changed_result = test_tampered_rows.test_a_changed_result_is_found
test_photos = test_tampered_rows.test_a_swapped_photo_and_one_that_was_removed_in_silence_are_found
test_rooms = test_tampered_rows.test_a_room_that_was_retired_or_brought_back_in_silence_is_found
test_identical_rows = test_imports.test_rows_that_look_identical_are_left_out_or_kept_as_a_person_decides
test_accessible_rooms = test_imports.test_accessible_rooms_for_women_and_for_men_are_two


@pytest.mark.parametrize(
    "change",
    [
        "DROP TRIGGER log_entry_refuses ON log_entry",
        "ALTER TABLE log_head DISABLE TRIGGER log_head_stays",
        "CREATE OR REPLACE FUNCTION log_refuses() RETURNS trigger AS $$ BEGIN RETURN NEW; END $$ LANGUAGE plpgsql",
    ],
)
def test_a_missing_trigger_is_found(session, kim, change):  # noqa: F811
    log.add(session, "inspection.started", "insp", {}, kim)
    before = verification.verify(session).problem
    session.execute(text(change))

    assert before is None
    assert verification.verify(session).problem == (1, verification.TRIGGER_GONE)
