"""What a file of restrooms is stopped for, and what its preview says."""

import pytest

from server.services.errors import Refused
from server.services.places import imports
from server.wording import imports as words
from tests.support.restroom_files import NATIONAL, changed


def test_a_file_that_lacks_what_its_layout_has_stops(table, take):
    lacking = table(columns=[column for column in NATIONAL if column != "여성용-장애인용대변기수"])

    with pytest.raises(Refused, match="import_stopped"):
        take(lacking)

    assert take(lacking, despite=True).counts["new"] == 12


def test_a_file_that_lacks_what_the_last_one_of_its_family_had_stops(sessions, tmp_path, take):
    path = tmp_path / "own.csv"
    path.write_text("Ort;Strasse;Damen\nMarkt;Markt 1;3\n", encoding="utf-8")
    mapping = {"name": "Ort", "address": "Strasse", "women": "Damen"}
    take(path, mapping=mapping, source="own")
    path.write_text("Ort;Strasse\nMarkt;Markt 1\n", encoding="utf-8")
    del mapping["women"]

    with sessions() as session:
        preview = imports.make_preview(session, path, imports.Options(source="own", mapping=mapping))

    assert ("columns_gone", {"fields": ["women"]}) in preview.stops
    assert "Women's bowls" in words.problem_text(preview.stops[0])


def test_what_changed_and_what_vanished_is_shown_in_words(sessions, table, take):
    take(table())
    rows = changed(0, **{"여성용-대변기수": "9", "개방시간상세": "24시간"})[:-1]

    with sessions() as session:
        preview = imports.make_preview(session, table(rows), imports.Options())

    (row,) = preview.rows("changed")
    assert (
        words.problems_text(row.detail) == "opening hours: 09:00~18:00 → 24시간; "
        "rooms: Women 5, Men 2, Accessible, women's 1 → Women 10, Men 2, Accessible, women's 1"
    )
    (gone,) = preview.rows("vanished")
    assert (gone.name, gone.address) == ("화장실 12", "서울특별시 종로구 가상로 12")


def test_an_office_s_table_with_a_title_above_and_units_in_its_cells_is_taken(sessions, tmp_path, take):
    path = tmp_path / "office.csv"
    lines = [
        "2026년 공중화장실 현황,,,,",
        "기준일: 2026-11-01,,,,",
        "",
        "순번,시설,소재지,남자 변기,여자 변기",
        "1,가람시장,예시도 가람시 시장길 1,2칸,3칸",
        "2,가람역,예시도 가람시 역로 2,두 칸,4.0",
    ]
    path.write_bytes("\r\n".join(lines).encode("cp949"))
    with pytest.raises(imports.UnknownLayout) as refused:
        take(path)

    preview = take(path, mapping={"name": "시설", "men": "남자 변기", "women": "여자 변기"}, source="garam")

    assert refused.value.columns == ["순번", "시설", "소재지", "남자 변기", "여자 변기"]
    assert refused.value.guessed == {"address": "소재지"}
    assert imports.sample_columns(path)["여자 변기"] == "3칸, 4.0"
    assert (preview.counts["new"], preview.rows("bad")[0].line, preview.restrooms) == (1, 6, 2)
