"""The migration that brings levels: what was an alarm by its score is one, the rest are notices."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from server import migrations
from server.config import Settings

FINDING = """
INSERT INTO finding (id, public_id, sensor_id, inspection_ref, detector, pseudonym, episode, oui, local, label,
  created_s, status, event, first_at_s, score, score_max, rssi_dbm, rssi_max_dbm, channel, events_count, changed_s)
VALUES (:id, :id, 1, '', 'camera_stream', :id, 1, '', true, '', 500, :status, 'cleared', :first, 0, :most, -50, -50, 6,
  1, 1)
"""
EVENT = """
INSERT INTO finding_event (id, finding_id, report_id, event, received_s, first_ms, last_ms, score, channel, rssi_dbm,
  evidence, considered) VALUES (:id, :id, :id, 'cleared', 1, 1, 1, 0, 6, -50, '[]', '[]')
"""


def test_old_findings_get_the_level_of_their_highest_score(tmp_path):
    settings = Settings(data=tmp_path)
    engine = create_engine(settings.url())
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
    with engine.begin() as connection:
        for number, (status, first, most) in enumerate(
            [("closed", 400, 80), ("open", None, 60), ("noted", 400, 59)], 1
        ):
            connection.execute(text(FINDING), {"id": number, "status": status, "first": first, "most": most})
            connection.execute(text(EVENT), {"id": number})

    migrations.upgrade(settings)

    query = text("SELECT f.level, f.alarmed_s, f.status, e.level FROM finding f JOIN finding_event e ON e.id = f.id")
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    engine.dispose()
    assert rows == [
        ("alarm", 400, "closed", "alarm"),
        ("alarm", 500, "open", "alarm"),
        ("notice", None, "noted", "notice"),
    ]
