"""Settings: all problems at once, no values in them."""

import json

import pytest

from ansim import envelope, settings

CA = "-----BEGIN CERTIFICATE-----\n..."
GOOD = {
    "ca": CA,
    "device": "hall-1",
    "key": "ab" * 32,
    "broker": "192.0.2.7",
    "wifi": [{"ssid": "office", "password": "s3cret-pass"}],
}


def test_missing_settings_take_their_defaults():
    checked = settings.checked(GOOD)

    assert checked["port"] == 8883
    assert checked["tls"] is True
    assert checked["channels"] == list(range(1, 14))
    assert envelope.key_bytes(checked) == b"\xab" * 32


def test_all_problems_are_listed_at_once():
    with pytest.raises(settings.BadSettings) as error:
        settings.checked({"device": 7, "key": "s3cret", "brocker": "x", "port": 0, "wifi": [{"ssid": "a"}]})

    assert sorted(str(error.value).splitlines()) == [
        "brocker is not known here",
        "broker is missing",
        "device should be text, is int",
        "key should be 64 hex digits, lower case",
        "port should be 1..65535",
        "wifi[0].password is missing",
    ]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"device": "Hall 1"}, "device should be"),
        ({"wifi": []}, "wifi should list"),
        ({"client_cert": "-----BEGIN"}, "go together"),
        ({"country": "kr"}, "country should be two capital letters"),
        ({"ca": ""}, "ca should hold the authority"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(change, complaint):
    with pytest.raises(settings.BadSettings, match=complaint):
        settings.checked(dict(GOOD, **change))


def test_no_secret_is_in_a_complaint():
    bad = dict(GOOD, key="s3cret-key", wifi=[{"ssid": "office", "password": "s3cret" * 20}], port="s3cret")

    with pytest.raises(settings.BadSettings) as error:
        settings.checked(bad)

    assert "s3cret" not in str(error.value)


def test_a_file_that_is_missing_or_torn_says_what_to_do(tmp_path):
    torn = tmp_path / "settings.json"
    torn.write_text(json.dumps(GOOD)[:40])

    with pytest.raises(settings.BadSettings, match="is not JSON; tools/provision.py"):
        settings.load(str(torn))
    with pytest.raises(settings.BadSettings, match="is missing; tools/provision.py"):
        settings.load(str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("ssid", "password", "problem"),
    [
        ("a", "", None),
        ("a" * 32, "8 bytes!", None),
        ("가" * 10, "x" * 63, None),
        ("a", "0123456789abcdefABCDEF" + "0" * 42, None),
        ("가" * 11, "", "ssid should be 1..32 bytes"),
        ("a" * 33, "", "ssid"),
        ("", "", "ssid"),
        ("a", "7 bytes", "password should be empty"),
        ("a", "비밀", "password should be empty"),
        ("a", "가" * 22, "password should be empty"),
        ("a", "g" * 64, "password should be empty"),
        ("a", "0" * 65, "password"),
    ],
)
def test_a_network_has_what_wi_fi_allows_in_bytes(ssid, password, problem):
    given = dict(GOOD, wifi=[{"ssid": ssid, "password": password}])
    if problem is None:
        assert settings.checked(given)["wifi"][0]["password"] == password
        return
    with pytest.raises(settings.BadSettings, match=problem) as refused:
        settings.checked(given)
    assert not password or password not in str(refused.value)
