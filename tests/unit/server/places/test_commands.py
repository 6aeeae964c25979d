"""`flask import-restrooms` and `flask remind` as a person at a terminal meets them."""

import pytest
from sqlalchemy import func, select

from server import create_app
from server.cli import places
from server.models import Facility, Notification, Restroom
from server.services.places import facilities, imports, organisations, restrooms

OWN = "Ort;Strasse;Damen\nMarkt;Markt 1;3\n"


@pytest.fixture
def app(settings):
    made = create_app(settings)
    yield made
    made.extensions["sessions"].engine.dispose()


@pytest.fixture
def flask(app):
    return lambda *arguments: app.test_cli_runner().invoke(args=[str(one) for one in arguments])


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(OWN)
    return path


def rooms(app):
    with app.extensions["sessions"]() as session:
        return session.scalar(select(func.count(Restroom.id)))


def test_nothing_is_written_without_apply(app, flask, own):
    mapping = ["--map", "name=Ort", "--map", "address=Strasse", "--map", "women=Damen"]

    dry = flask("import-restrooms", own, *mapping)
    wet = flask("import-restrooms", own, *mapping, "--apply")
    again = flask("import-restrooms", own, *mapping, "--apply")

    assert "1 new" in dry.output and "nothing has been written" in dry.output and dry.exit_code == 0
    assert "imported" in wet.output and rooms(app) == 1
    assert "nothing to write" in again.output


def test_an_unknown_layout_ends_with_how_to_map_it(app, flask, own):
    told = flask("import-restrooms", own)

    assert told.exit_code == 1 and rooms(app) == 0
    assert "no layout that is known" in told.output and "--map 'address=COLUMN'" in told.output


@pytest.mark.parametrize("pairs, words", [(["name"], "field=COLUMN"), (["name=Nowhere"], "There is no column Nowhere")])
def test_a_slip_in_the_mapping_is_told(flask, own, pairs, words):
    told = flask("import-restrooms", own, *[part for pair in pairs for part in ("--map", pair)])

    assert told.exit_code == 1 and words in told.output


def test_a_person_is_asked_what_cannot_be_guessed(app, own, monkeypatch):
    answers = {"name": "Ort", "address": "Strasse", "women": "Damen"}
    monkeypatch.setattr(places.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(places.click, "prompt", lambda text, **_: answers.get(text.partition(":")[0], ""))

    assert places._mapping(own, ()) == answers


def test_what_stands_against_a_file_is_told_with_the_way_on(app, flask, tmp_path):
    path = tmp_path / "file.csv"
    lines = ["화장실명,소재지도로명주소,남성용-대변기수,여성용-대변기수"] + [
        f"{n},예시시 중구 {n},1,1" for n in range(5)
    ]
    path.write_text("\n".join(lines))
    flask("import-restrooms", path, "--apply")
    path.write_text("\n".join(lines[:3]))

    stopped = flask("import-restrooms", path, "--apply")
    went_on = flask("import-restrooms", path, "--apply", "--despite")

    assert stopped.exit_code == 1 and "3 of 5 known places would vanish, more than 10 %" in stopped.output
    assert "--despite" in stopped.output and "imported" in went_on.output


def test_every_field_has_words_for_the_page():
    from server.wording import imports as words

    assert set(words.FIELDS) == set(imports.FIELDS)
    assert set(words.KINDS) == set(imports.KINDS)


def test_remind_writes_a_notice_a_building(app, flask):
    with app.extensions["sessions"].begin() as session:
        city = organisations.add(session, "City")
        for name in ("Hall", "Park"):
            restrooms.add(session, facilities.add(session, city, name), "Women's")

    told = flask("remind")

    assert "told of 2 buildings" in told.output
    with app.extensions["sessions"]() as session:
        assert (
            session.scalar(select(func.count(Notification.id))) == session.scalar(select(func.count(Facility.id))) == 2
        )
