"""A support report has no secrets, addresses or names."""

import pytest

from tools import diagnose

BEGIN = "-----BEGIN " + "PRIVATE KEY-----"  # in two parts: no file of the project holds the words of a key


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("heard c0:ff:ee:00:00:01", "heard c0:ff:ee:xx:xx:xx"),
        ("link: 192.0.2.17:8883: refused", "link: <address>:8883: refused"),
        ("key 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "key <secret or digest>"),
        ("version 1.29.0 at 0x40081234", "version 1.29.0 at 0x40081234"),
        (f"a {BEGIN}\nabc\n-----END PRIVATE KEY----- b", "a <certificate or key> b"),
        (f"a {BEGIN}\nabc", "a <certificate or key>"),
    ],
)
def test_addresses_and_secrets_are_masked(text, told):
    assert diagnose.mask(text) == told


def test_names_are_masked_longer_ones_first():
    told = diagnose.mask("hall-1 at broker.hall-1.example, hall-12", ["hall-1", "broker.hall-1.example", ""])

    assert told == "<name> at <name>, <name>2"


def test_differences_to_this_version_are_listed():
    about = {"mpy": 0x2B06, "files": {"/main.py": "0" * 64, "/lib/ansim/old.mpy": "0" * 64}}

    told = diagnose._installed(about)

    assert told["files"] == 2
    assert "differs: /main.py" in told["differences"]
    assert "missing: /lib/ansim/topics.mpy" in told["differences"]
    assert "not part of this version: /lib/ansim/old.mpy" in told["differences"]


def test_an_empty_board_has_nothing_installed():
    told = diagnose._installed({"mpy": 0x2B06, "files": {}})

    assert told == {"files": 0, "differences": ["nothing of Ansim is installed"]}


def test_texts_are_masked_at_any_depth():
    report = {"a": ["at 192.0.2.1", {"b": "hall-1"}], "c": 3, "d": None}

    assert diagnose.mask_all(report, ["hall-1"]) == {"a": ["at <address>", {"b": "<name>"}], "c": 3, "d": None}
