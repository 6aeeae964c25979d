"""Files of restrooms: which rooms they become, what a second file changes, and what is refused."""

import datetime
import json
from collections import Counter

import openpyxl
import pytest
from sqlalchemy import func, select

from server.models import Facility, FacilitySource, Organisation, Restroom
from server.services.errors import Refused
from server.services.people.accounts import SYSTEM
from server.services.places import calendar_rules, imports, restrooms
from server.services.places.imports import fixtures
from server.wording import refusal
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
        assert room.created_s <= room.due_s < calendar_rules.first_s(calendar_rules.HALF_YEARLY, room.created_s)
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
        (15, "quotation"),
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
        ("남자 : 소변기4개, 대변기2개 여자 : 대변기3개", "", (("women", 3), ("men", 2))),
        ("남자: 대변기1 소변기1 / 여자; 대변기2(재래식1 서양식1)", "", (("women", 2), ("men", 1))),
        ("남녀공용: 대변기1 소변기1", "", (("unisex", 1),)),
        ("남녀공용: 대변기2(재래식1, 서양식1), 소변기1", "", (("unisex", 2),)),
        ("1층 남자화장실: 대변기1 소변기2 / 2층 여자화장실: 대변기3", "", (("women", 3), ("men", 1))),
        ("", "없음", ()),
        ("", "", ()),
        ("남자: 대변기1", "남1,여1", (("men", 1), ("accessible_women", 1), ("accessible_men", 1))),
    ],
)
def test_rooms_from_words(words, accessible, expected):
    assert fixtures.rooms_from_text(words, accessible) == expected


MEN, WOMEN, SHARED_ROOM = "accessible_men", "accessible_women", "accessible"


@pytest.mark.parametrize(
    "words, expected",
    [
        ("남1,여1", {WOMEN: 1, MEN: 1}),
        ("남2, 여3", {WOMEN: 3, MEN: 2}),
        ("남자1(별도)", {MEN: 1}),
        ("여자2(별도)", {WOMEN: 2}),
        ("공용1", {SHARED_ROOM: 1}),
        ("공용 1", {SHARED_ROOM: 1}),
        ("공용1(별도)", {SHARED_ROOM: 1}),
        ("공용시설 2", {SHARED_ROOM: 2}),
        ("장애인공용1", {SHARED_ROOM: 1}),
        ("남녀공용", {SHARED_ROOM: 0}),
        ("남여공용", {SHARED_ROOM: 0}),
        ("공동", {SHARED_ROOM: 0}),
        ("가능", {SHARED_ROOM: 0}),
        ("있음", {SHARED_ROOM: 0}),
        ("장애인사용가능", {SHARED_ROOM: 0}),
        ("장애인 전용", {SHARED_ROOM: 0}),
        ("1", {SHARED_ROOM: 1}),
        ("장애인1", {SHARED_ROOM: 1}),
        ("장애인화장실1", {SHARED_ROOM: 1}),
        ("남", {MEN: 0}),
        ("남1, 공용1", {SHARED_ROOM: 1, MEN: 1}),
        ("남1,여1,공용1", {SHARED_ROOM: 1, WOMEN: 1, MEN: 1}),
        ("남녀구분", {WOMEN: 0, MEN: 0}),
        ("남녀 각1개", {WOMEN: 1, MEN: 1}),
        ("남녀각2개", {WOMEN: 2, MEN: 2}),
        # brackets describe what was counted before them
        ("남1, 여1,(별도장애인실 남,여)", {WOMEN: 1, MEN: 1}),
        ("남1, 여1,(별도장애인실 남,여))", {WOMEN: 1, MEN: 1}),
        ("남1,여1,공용1, 별도 장애인실(남1,여1)", {SHARED_ROOM: 1, WOMEN: 1, MEN: 1}),
        ("별도장애인실(남1,여1)", {WOMEN: 1, MEN: 1}),
        ("별도 장애인실(남,여)", {WOMEN: 0, MEN: 0}),
        ("별도장애인실 남1,여1", {WOMEN: 1, MEN: 1}),
        # children's fixtures are none of them
        ("남1,여1, 어린이(남1,여1)", {WOMEN: 1, MEN: 1}),
        ("남1, 여1(유아 대변기1)", {WOMEN: 1, MEN: 1}),
        ("사용가능(남성 1, 여1)어린이(남1, 여1)", {WOMEN: 1, MEN: 1}),
        # neither are floors
        ("남1(2층), 여1(3층)", {WOMEN: 1, MEN: 1}),
        ("1층 남1, 지하1층 여1", {WOMEN: 1, MEN: 1}),
        ("장애인화장실(1층)", {SHARED_ROOM: 0}),
        # and other things are no room at all
        ("손건조기", {}),
        ("비상벨", {}),
        ("불가", {}),
        ("0", {}),
    ],
)
def test_accessible_rooms_from_real_words(words, expected):
    rooms = dict(fixtures.rooms_from_text("", words))

    assert rooms.pop("unknown", None) == (0 if expected else None)  # who the other room is for is not told
    assert rooms == expected


def test_a_list_of_rooms_by_floor_is_a_list_of_rooms():
    rooms = fixtures.rooms_from_text("", "장애인 화장실(1층),여자화장실(1층),남자화장실(1층)")

    assert rooms == (("women", 0), ("men", 0), ("accessible", 0))


@pytest.mark.parametrize("words, understood", [("손건조기", False), ("남1", True), ("없음", True), ("", True)])
def test_words_that_are_not_understood_are_told(words, understood):
    assert fixtures.is_understood(words) is understood


OWN = {"name": "건물", "address": "주소", "women": "여", "men": "남"}


def own_file(tmp_path, change=lambda number, line: line, header="건물,주소,여,남", encoding="utf-8", end="\r\n"):
    """A table of 30 places; `change` gets each of its lines, the header not among them."""
    lines = [header] + [
        change(number, f"공원 {number} 화장실,서울특별시 종로구 종로 {number},3,2") for number in range(1, 31)
    ]
    path = tmp_path / "own.csv"
    path.write_bytes("".join(line + end for line in lines).encode(encoding))
    return path


@pytest.mark.parametrize("odd", ["\v", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\f"])
def test_only_line_ends_end_a_line(sessions, tmp_path, take, odd):
    path = own_file(tmp_path, lambda number, line: line.replace("공원 9 ", f"공원{odd}9 "))

    preview = take(path, mapping=OWN)

    assert (preview.counts["new"], preview.counts["bad"], preview.restrooms) == (30, 0, 60)
    assert rooms(sessions, name="공원 9 화장실") == {"women": 3, "men": 2}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-16-be"])
def test_line_ends_and_encodings(tmp_path, take, end, encoding):
    assert take(own_file(tmp_path, end=end, encoding=encoding), mapping=OWN).counts["new"] == 30


@pytest.mark.parametrize(
    "damage",
    [
        lambda number, line: '"' + line if number == 10 else line,
        lambda number, line: line[:-1] + '"2' if number == 10 else line,
        # a quoted cell further down must not close it
        lambda number, line: '"' + line if number == 10 else line.replace("종로 20", '"종로, 20"'),
        lambda number, line: '"' + line if number == 10 else line + ('"' if number == 20 else ""),
        lambda number, line: '"' + line if number == 10 else '"' + line.replace(",", '","') + '"',
    ],
)
def test_a_quotation_mark_that_is_never_closed_costs_its_own_row_only(tmp_path, take, damage):
    preview = take(own_file(tmp_path, damage), mapping=OWN)

    assert [(row.line, row.detail[0][0]) for row in preview.rows("bad")][:1] == [(11, "quotation")]
    assert preview.counts["new"] >= 28
    assert preview.counts["new"] + preview.counts["bad"] == 30


def test_cells_of_several_lines_and_stray_marks_are_read(sessions, tmp_path, take):
    def change(number, line):
        return {
            3: line.replace("공원 3 화장실", '"공원 3\n\n화장실"'),
            4: line.replace("공원 4", '공원 "넷"'),
            5: line.replace("공원 5 화장실", '"공원 ""다섯"" 화장실"'),
        }.get(number, line)

    preview = take(own_file(tmp_path, change), mapping=OWN)

    assert (preview.counts["new"], preview.counts["bad"]) == (30, 0)
    for name in ("공원 3 화장실", '공원 "넷" 화장실', '공원 "다섯" 화장실'):
        assert rooms(sessions, name=name)


def test_columns_without_a_name_and_commas_at_the_end_are_no_reason_to_refuse(tmp_path, take):
    ghosts = take(own_file(tmp_path, lambda _, line: line + ",,,", "건물,주소,여,남,,,"), mapping=OWN)
    trailing = take(own_file(tmp_path, lambda _, line: line + ","), mapping=OWN)

    assert (ghosts.counts["new"], ghosts.counts["bad"], ghosts.unused) == (30, 0, {})
    assert (trailing.counts["same"], trailing.counts["bad"]) == (30, 0)


def test_what_is_not_taken_over_is_listed_by_column(tmp_path, take):
    path = own_file(
        tmp_path,
        lambda number, line: line + (",02-123,9,메모" if number < 4 else ",,,"),
        "건물,주소,여,남,전화번호,여,",
    )

    preview = take(path, mapping=OWN)

    assert preview.unused == {"전화번호": 3, "여 #6": 3, "#7": 3}
    assert preview.counts["new"] == 30


def test_every_row_is_counted_under_one_kind(table, take):
    rows = [*ROWS, ROWS[0], {**ROWS[1], "관리번호": "K2b"}, {"관리번호": "K99"}, {**ROWS[2], "데이터갱신구분": "D"}]
    take(table(ROWS[:5]))

    counts = take(table(rows)).counts

    kinds = ("new", "changed", "rekeyed", "same", "withdrawn", "duplicate", "bad")
    assert sum(counts[kind] for kind in kinds) == counts["rows"] == len(rows)


def test_rows_that_look_identical_are_left_out_or_kept_as_a_person_decides(sessions, tmp_path, take):
    first = "공원 1 화장실,서울특별시 종로구 종로 1,3,2"
    path = own_file(tmp_path, lambda number, line: first if number < 4 else line)

    left_out = take(path, mapping=OWN)
    kept = take(path, mapping=OWN, doubles="keep")
    again = take(path, mapping=OWN, doubles="keep")

    assert (left_out.counts["duplicate"], left_out.counts["new"]) == (2, 28)
    assert [row.line for row in left_out.rows("duplicate")] == [3, 4]
    assert (kept.counts["duplicate"], kept.counts["new"], kept.counts["same"]) == (0, 2, 28)
    assert again.changes_nothing


def test_who_a_room_is_for_is_unknown_if_the_file_does_not_say(sessions, tmp_path, take):
    path = tmp_path / "bare.csv"
    path.write_text("건물,주소\n공원,서울특별시 종로구 1\n", encoding="utf-8")

    take(path, mapping={"name": "건물", "address": "주소"})

    assert rooms(sessions, name="공원") == {"unknown": 0}


def test_accessible_rooms_for_women_and_for_men_are_two(sessions, table, take):
    take(table(changed(0, **{"남성용-장애인용대변기수": "2"})))
    take(table(changed(0, **{"남성용-장애인용대변기수": "3"})))

    with sessions() as session:
        query = select(Restroom.name, Restroom.stalls).join(Facility).where(Facility.name == "화장실 1")
        accessible = dict(session.execute(query.where(Restroom.block == "accessible")).all())
    assert accessible == {"장애인화장실(여)": 1, "장애인화장실(남)": 3}


def test_a_text_longer_than_what_is_kept_is_told(tmp_path, take):
    preview = take(
        own_file(tmp_path, lambda n, line: line.replace("화장실", "화" * 300) if n == 2 else line), mapping=OWN
    )

    assert preview.doubts["text_cut"] == 1


def workbook(tmp_path, rows, more_sheets=()):
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "현황"
    for row in rows:
        sheet.append(row)
    for name in more_sheets:
        book.create_sheet(name)
    path = tmp_path / "own.xlsx"
    book.save(path)
    return path


def test_a_workbook_is_read_from_its_header_on(sessions, tmp_path, take):
    rows = [["2026년 화장실 현황"], [], ["건물", "주소", "여", "남", "점검일"]]
    rows += [[f"공원 {n}", f"서울특별시 종로구 종로 {n}", 3.0, "2칸", datetime.date(2026, 1, n)] for n in range(1, 11)]
    rows += [["", "서울특별시 종로구", 1, 1]]

    preview = take(workbook(tmp_path, rows, ["비고"]), mapping=OWN)

    assert (preview.counts["new"], preview.counts["bad"]) == (10, 1)
    assert preview.rows("bad")[0].line == 14
    assert preview.unused == {"점검일": 10, "비고": None}
    assert rooms(sessions, name="공원 3") == {"women": 3, "men": 2}


@pytest.mark.parametrize(
    "content", [b"\xd0\xcf\x11\xe0" + bytes(600), b"PK\x03\x04" + bytes(60), b"PK\x03\x04mimetype"]
)
def test_another_workbook_is_refused_with_the_way_to_save_it(tmp_path, take, content):
    path = tmp_path / "old.xls"
    path.write_bytes(content)

    with pytest.raises(Refused, match="import_workbook"):
        take(path)
    assert "CSV UTF-8" in refusal("import_workbook", {})


@pytest.mark.restrooms
@pytest.mark.parametrize(
    "name, layout, counts, restrooms",
    [
        ("localdata_2026_sample_utf8.csv", "national", {"rows": 3, "new": 3}, 10),
        ("standard_2024_sample_utf8.csv", "national_old", {"rows": 6, "new": 6}, 18),
        (
            "seoul_toilet_2021_cp949.csv",
            "seoul_2021",
            {"rows": 4586, "new": 4386, "withdrawn": 177, "duplicate": 23, "suspicious": 19},
            7186,
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
