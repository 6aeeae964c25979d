"""Files of restrooms: which rooms they become, what a second file changes, and what is refused."""

import json
from collections import Counter

import pytest
from sqlalchemy import func, select

from server.models import Facility, FacilitySource, Organisation, Restroom
from server.services.errors import Refused
from server.services.people.accounts import SYSTEM
from server.services.places import imports, restrooms
from server.services.places.imports import fixtures
from tests.conftest import SHARED
from tests.support.restroom_files import NATIONAL, ROWS, changed


def rooms(sessions, name):
    """{block: stalls} of a facility's rooms that are not retired."""
    with sessions() as session:
        wanted = select(Restroom.block, Restroom.stalls).join(Facility).where(Facility.name == name)
        return dict(session.execute(wanted.where(Restroom.retired_s.is_(None))).all())


def test_a_row_becomes_a_facility_with_the_rooms_its_counts_say(sessions, table, take):
    preview = take(table())

    assert (preview.layout, preview.counts["new"], preview.restrooms) == ("national", 12, 36)
    assert rooms(sessions, name="화장실 1") == {"women": 5, "men": 2, "accessible": 1}
    with sessions() as session:
        room = session.scalar(select(Restroom).where(Restroom.block == "women"))
        assert (room.opening_hours, room.owner, room.latitude) == ("09:00~18:00", "종로구청", 37.57)
        assert room.facility.organisation.name == "서울특별시 종로구"
        assert room.due_s == room.created_s
        found = restrooms.list_restrooms(session, SYSTEM, search=f"women {room.public_id}").rows
        assert [room.name for room in found] == ["여자화장실"]
        assert " k1" in room.search


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
def test_the_encoding_is_found(sessions, table, take, encoding):
    take(table(encoding=encoding))

    assert rooms(sessions, name="화장실 12")


def test_the_same_file_twice_changes_nothing(sessions, table, take):
    path = table()
    take(path)
    with sessions() as session:
        before = [tuple(row) for row in session.execute(select(Restroom.__table__).order_by(Restroom.id))]

    again = take(path)

    assert again.changes_nothing and again.counts["same"] == 12
    with sessions() as session:
        assert [tuple(row) for row in session.execute(select(Restroom.__table__).order_by(Restroom.id))] == before


def test_a_row_that_says_something_else_changes_only_that(sessions, table, take):
    take(table())
    with sessions.begin() as session:
        room = session.scalar(select(Restroom).where(Restroom.block == "women"))
        room.stalls, room.access_notes = 9, "Ask at the desk"  # corrected by hand

    preview = take(table(changed(0, 개방시간상세="24시간", 화장실명="새 이름")))

    assert preview.counts["changed"] == 1
    assert rooms(sessions, name="새 이름") == {"women": 9, "men": 2, "accessible": 1}
    with sessions() as session:
        room = session.scalar(select(Restroom).where(Restroom.block == "women"))
        assert (room.opening_hours, room.access_notes) == ("24시간", "Ask at the desk")
        assert "새 이름" in room.search and room.sort_key.startswith("새 이름 / ")


def test_rooms_come_and_go_with_the_counts_and_keep_their_ids(sessions, table, take):
    take(table())
    with sessions() as session:
        women = session.scalar(select(Restroom.public_id).where(Restroom.block == "women"))

    take(table(changed(0, **{"여성용-대변기수": "0", "여성용-어린이용대변기수": "0"})))
    without = rooms(sessions, name="화장실 1")
    take(table())

    assert without == {"men": 2, "accessible": 1}
    with sessions() as session:
        back = session.scalar(select(Restroom).where(Restroom.public_id == women))
        assert back.retired_s is None and back.due_s is not None


def test_a_place_whose_key_changed_is_the_same_place(sessions, table, take):
    take(table())

    preview = take(table(changed(3, 관리번호="OTHER")))

    assert (preview.counts["rekeyed"], preview.counts["new"], preview.counts["vanished"]) == (1, 0, 0)
    with sessions() as session:
        assert session.scalar(select(func.count(Facility.id))) == 12
        assert session.scalar(select(FacilitySource).where(FacilitySource.key == "OTHER"))


def test_what_the_file_no_longer_has_is_retired_and_its_log_stays(sessions, table, take):
    take(table())

    preview = take(table(ROWS[:11]))

    assert preview.counts["vanished"] == 1
    assert rooms(sessions, name="화장실 12") == {}
    with sessions() as session:
        assert session.scalar(select(func.count(Restroom.id))) == 36


@pytest.mark.parametrize(
    "rows, code",
    [
        (ROWS[:10], "vanished"),
        ([{**row, "관리기관명": "다른 기관"} if at < 4 else row for at, row in enumerate(ROWS)], "changed"),
    ],
)
def test_a_file_that_would_change_too_much_stops_unless_told_otherwise(sessions, table, take, rows, code):
    take(table())
    path = table(rows)

    with pytest.raises(Refused, match="import_stopped"):
        take(path)
    with sessions() as session:
        preview = imports.make_preview(session, path, imports.Options())
    despite = take(path, despite=True)

    assert preview.stops[0][0] == code
    assert despite.stops == []


def test_a_file_of_one_district_leaves_the_others_alone(sessions, table, take):
    take(table())
    other = [{**row, "관리번호": "X" + row["관리번호"], "소재지도로명주소": "부산광역시 중구 길 1"} for row in ROWS[:1]]

    preview = take(table(other))

    assert (preview.counts["new"], preview.counts["vanished"], preview.counts["elsewhere"]) == (1, 0, 12)


def test_bad_rows_are_told_with_their_line_and_stop_nothing(sessions, table, take):
    path = table([*changed(1, **{"여성용-대변기수": "many"}), {"관리번호": "K99"}])
    path.write_bytes(path.read_bytes() + b'"never closed\r\n')

    preview = take(path)

    assert [(row.line, row.detail[0][0]) for row in preview.rows("bad")] == [
        (3, "not_a_number"),
        (14, "no_name"),
        (15, "no_name"),
    ]
    assert preview.counts["new"] == 11


def test_line_numbers_hold_behind_cells_of_several_lines(table, take):
    preview = take(table([*changed(0, 관리기관명="두\n줄"), {"화장실명": ""} | {"관리번호": "Z"}]))

    assert preview.rows("bad")[0].line == 15


def test_double_and_doubtful_rows_are_shown(table, take):
    rows = [
        *ROWS,
        ROWS[0],
        {**ROWS[1], "관리번호": "K2b"},
        {**ROWS[2], "관리번호": "K3b", "여성용-대변기수": "9"},
        {**ROWS[3], "관리번호": "K50", "화장실명": "바다", "WGS84위도": "3.757"},
        {**ROWS[4], "관리번호": "K51", "화장실명": "먼 곳", "WGS84위도": "35.1", "WGS84경도": "129.0"},
        {**ROWS[5], "관리번호": "K52", "화장실명": "큰 곳", "여성용-대변기수": "400"},
    ]

    preview = take(table(rows))

    assert [row.line for row in preview.rows("duplicate")] == [14, 15]
    assert preview.doubts == Counter(
        {"same_name_and_address": 1, "outside_korea": 1, "far_from_district": 1, "many_stalls": 1}
    )


def test_what_the_file_says_is_gone_is_not_added(table, take):
    preview = take(table(changed(0, 데이터갱신구분="D")))

    assert (preview.counts["new"], preview.counts["withdrawn"]) == (11, 1)


def test_an_unknown_layout_is_refused_with_how_to_map_it_and_taken_with_the_mapping(sessions, tmp_path, take):
    path = tmp_path / "own.csv"
    path.write_text("Ort;Strasse;Damen;Herren\nMarkt;Markt 1;3;2\n;Markt 2;1;1\n", encoding="utf-8")

    with pytest.raises(imports.UnknownLayout) as refused:
        take(path)
    told = imports.explain_mapping(refused.value.columns, refused.value.guessed)
    preview = take(path, mapping={"name": "Ort", "address": "Strasse", "women": "Damen", "men": "Herren"}, source="own")

    assert "Ort, Strasse, Damen, Herren" in told and "--map 'name=COLUMN'" in told
    assert (preview.counts["new"], preview.counts["bad"]) == (1, 1)
    assert rooms(sessions, name="Markt") == {"women": 3, "men": 2}


def test_a_known_layout_without_some_of_its_columns_is_told(table, take):
    path = table(columns=[column for column in NATIONAL if column != "화장실명"])

    with pytest.raises(imports.UnknownLayout) as refused:
        take(path)

    assert refused.value.problems == [("lacking", {"layout": "national", "columns": "화장실명"})]


@pytest.mark.parametrize(
    "given, code",
    [
        ({"nome": "x"}, "no_field"),
        ({"name": "x"}, "no_column"),
        ({"name": ""}, "unmapped"),
        ({"key": "관리번호"}, None),
    ],
)
def test_a_mapping_that_cannot_be_is_told(table, take, given, code):
    try:
        take(table(), mapping=given)
        told = None
    except imports.UnknownLayout as unknown:
        told = unknown.problems[0][0]

    assert told == code


@pytest.mark.parametrize("content, code", [(b"", "import_empty"), (b'{"a": 1}', "import_no_features")])
def test_what_is_no_table_is_refused(tmp_path, take, content, code):
    path = tmp_path / "x"
    path.write_bytes(content)

    with pytest.raises(Refused, match=code):
        take(path)


@pytest.mark.parametrize("seed", range(6))
def test_rubbish_ends_in_a_refusal_or_in_bad_rows(tmp_path, take, seed):
    import random

    path = tmp_path / "x"
    path.write_bytes(random.Random(seed).randbytes(5000))

    with pytest.raises((Refused, imports.UnknownLayout)):
        take(path)


def test_openstreetmap_with_nodes_and_outlines(sessions, tmp_path, take):
    def feature(number, geometry, **tags):
        return {
            "type": "Feature",
            "id": f"node/{number}",
            "geometry": geometry,
            "properties": {"amenity": "toilets"} | tags,
        }

    point = {"type": "Point", "coordinates": [126.9, 37.5]}
    square = {"type": "Polygon", "coordinates": [[[127, 37], [127.2, 37], [127.2, 37.2], [127, 37.2], [127, 37]]]}
    features = [
        feature(1, point, name="Park", female="yes", male="yes", wheelchair="yes", opening_hours="24/7"),
        feature(2, square, unisex="yes", name="Square"),
        feature(3, point, amenity="bench"),
    ]
    path = tmp_path / "osm.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))

    preview = take(path)

    assert (preview.layout, preview.counts["new"], preview.counts["bad"]) == ("osm", 2, 1)
    assert rooms(sessions, name="Park") == {"women": 0, "men": 0, "accessible": 0}
    with sessions() as session:
        room = session.scalar(select(Restroom).where(Restroom.block == "unisex"))
        assert (room.latitude, room.longitude) == (37.1, 127.1)


def test_a_file_that_changed_since_it_was_looked_at_is_not_applied(sessions, table):
    path = table()
    with sessions() as session:
        preview = imports.make_preview(session, path, imports.Options())
    table(ROWS[:3])

    with pytest.raises(Refused, match="import_file_changed"):
        imports.apply(sessions, path, preview, None)


@pytest.mark.parametrize(
    "words, accessible, expected",
    [
        ("남자: 대변기3 소변기4 / 여자: 대변기3 ", "", (("women", 3), ("men", 3))),
        ("남자 : 소변기4개, 대변기2개\n여자 : 대변기3개", "", (("women", 3), ("men", 2))),
        ("남녀공용: 대변기1 소변기1", "", (("unisex", 1),)),
        ("", "남1, 여1", (("unisex", 0), ("accessible", 2))),
        ("", "남녀 각1개", (("unisex", 0), ("accessible", 2))),
        ("", "없음", ()),
    ],
)
def test_rooms_from_words(words, accessible, expected):
    assert fixtures.rooms_from_text(words, accessible) == expected


@pytest.mark.restrooms
@pytest.mark.parametrize(
    "name, layout, counts, restrooms",
    [
        ("localdata_2026_sample_utf8.csv", "national", {"rows": 3, "new": 3}, 8),
        ("standard_2024_sample_utf8.csv", "national_old", {"rows": 6, "new": 6}, 15),
        (
            "seoul_toilet_2021_cp949.csv",
            "seoul_2021",
            {"rows": 4586, "new": 4386, "withdrawn": 177, "duplicate": 23, "suspicious": 19},
            6191,
        ),
    ],
)
def test_the_real_files(sessions, take, name, layout, counts, restrooms):
    preview = take(SHARED / "restrooms" / name)
    again = take(SHARED / "restrooms" / name)

    assert (preview.layout, dict(preview.counts), preview.restrooms) == (layout, counts, restrooms)
    assert again.changes_nothing
    with sessions() as session:
        assert session.scalar(select(func.count(Facility.id))) == counts["new"]
        assert session.scalar(select(func.count(Restroom.id))) == restrooms
        if layout == "seoul_2021":
            assert session.scalar(select(func.count(Organisation.id))) == 25
