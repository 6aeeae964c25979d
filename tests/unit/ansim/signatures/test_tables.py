"""The compiled tables: made from their sources, refused when spoiled, replaced only by a signed newer one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim import signatures
from ansim.signatures import BLE, CAMERA, OUIS, SSIDS, BadTable, Tables, names
from tools.signatures import FOLDER, REVISION, compile_all, table_file

KEY = bytes(range(32))


@pytest.mark.parametrize("name", ["ouis.bin", "ssids.bin", "ble.bin"])
def test_a_compiled_table_is_what_its_source_compiles_to(name):
    assert (FOLDER / name).read_bytes() == compile_all()[name], "run `python -m tools.signatures`"


@pytest.mark.parametrize("table", ["ssids", "ble", "vendors"])
def test_every_row_says_where_it_comes_from_and_has_its_own_number(table):
    rows = names.rows(table)

    assert len({row["number"] for row in rows}) == len(rows)
    for row in rows:
        assert row["what"], row
        assert row.get("source") or table == "vendors", row
        assert "," not in "".join(row.values())


def test_every_address_prefix_in_the_source_is_found_with_its_maker():
    tables = Tables()
    vendors = {row["number"]: row for row in names.rows("vendors")}

    for row in names.rows("ouis"):
        sign = tables.oui(bytes.fromhex(row["value"].replace(":", "")) + b"\x01\x02\x03")
        assert sign and sign.number == int(row["vendor"])
        assert (sign.tier == CAMERA) == (vendors[row["vendor"]]["tier"] == "A")


def test_a_made_up_address_says_nothing_about_its_maker():
    assert Tables().oui(b"\x02\xbc\x99\x01\x02\x03") is None


def test_what_a_number_means_can_be_looked_up():
    assert names.what("ssids", 17)["what"] == "V380"
    assert names.what("vendors", 12)["what"] == "Hikvision"
    assert names.what("ssids", 9999) == {}


@pytest.mark.parametrize(
    "name",
    [
        "KT_GiGA_2G_Wave2_152A",
        "SK_WiFiGIGA93EE",
        "U+NetEDE8",
        "iptime5G",
        "T wifi zone",
        "ollehWiFi",
        "FREE_U+zone",
        "KT_starbucks",
        "Public WiFi Free",
        "AndroidAP_1234",
        "내 iPhone",
        "DIRECT-1a-HP Laser",
        "[LG_AirPurifier]1a81",
    ],
)
def test_common_korean_networks_are_known_to_be_harmless_and_no_camera(name):
    camera, harmless = Tables().ssid(name)

    assert camera is None
    assert harmless is not None


@given(st.text(max_size=32))
def test_no_name_breaks_the_search(name):
    for sign in Tables().ssid(name) + Tables().ble_name(name):
        assert sign is None or sign.number > 0


def test_a_table_with_one_byte_changed_is_refused(tmp_path):
    good = (FOLDER / "ble.bin").read_bytes()
    path = tmp_path / "ble.bin"

    for place in range(0, len(good), 23):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(BadTable):
            signatures.read(str(path), BLE)


def test_a_table_that_ends_early_or_is_another_one_is_refused(tmp_path):
    good = (FOLDER / "ble.bin").read_bytes()
    path = tmp_path / "ble.bin"

    for spoiled in (b"", good[:40], good[:-1], (FOLDER / "ssids.bin").read_bytes()):
        path.write_bytes(spoiled)
        with pytest.raises(BadTable):
            signatures.read(str(path), BLE)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 12), st.sampled_from([OUIS, SSIDS, BLE]))
def test_a_whole_file_with_a_body_that_was_not_made_well_is_refused_or_harmless(tmp_path_factory, body, rows, table):
    folder = tmp_path_factory.mktemp("tables")
    for other in (OUIS, SSIDS, BLE):
        (folder / f"{signatures.NAMES[other]}.bin").write_bytes(table_file(other, rows, body))

    tables = Tables(str(folder))
    try:
        if table == OUIS:
            tables.oui(b"\x00\x01\x02\x03\x04\x05")
        elif table == SSIDS:
            tables.ssid("V380 1234")
        else:
            tables.ble_service(0xFD50)
            tables.ble_name("V380 1234")
    except BadTable:
        pass


def test_an_update_is_taken_only_if_this_device_signed_it_and_it_is_newer(tmp_path):
    newer = table_file(BLE, 0, b"", REVISION + 1)
    path = tmp_path / "ble.bin"

    path.write_bytes(signatures.signed(newer, KEY))
    assert signatures.verify_update(str(path), BLE, KEY, REVISION) == REVISION + 1

    for spoiled, why in (
        (signatures.signed(newer, KEY[::-1]), "another device's"),
        (newer, "not signed"),
        (signatures.signed(newer, KEY) + b"x", "longer"),
        (signatures.signed(newer[:-1] if len(newer) > 48 else newer[:47], KEY), "cut"),
    ):
        path.write_bytes(spoiled)
        with pytest.raises(BadTable):
            signatures.verify_update(str(path), BLE, KEY, REVISION)
            pytest.fail(why)


@pytest.mark.parametrize("revision", [REVISION, REVISION - 1])
def test_an_old_update_cannot_be_replayed(tmp_path, revision):
    path = tmp_path / "ble.bin"
    path.write_bytes(signatures.signed(table_file(BLE, 0, b"", revision), KEY))

    with pytest.raises(BadTable):
        signatures.verify_update(str(path), BLE, KEY, REVISION)


def test_a_newer_table_in_the_updates_folder_is_used_and_a_spoiled_one_is_passed_over(tmp_path):
    path = tmp_path / "ble.bin"

    path.write_bytes(signatures.signed(table_file(BLE, 0, b"", REVISION + 1), KEY))
    assert Tables(updates=str(tmp_path)).ble_service(0xFD50) is None

    path.write_bytes(path.read_bytes()[:50] + b"?")
    assert Tables(updates=str(tmp_path)).ble_service(0xFD50) is None  # the body is empty, its end is not read

    path.write_bytes(b"rubbish")
    sign = Tables(updates=str(tmp_path)).ble_service(0xFD50)
    assert sign and sign.number == 21
