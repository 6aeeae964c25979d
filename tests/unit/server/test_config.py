import stat

import pytest
from pydantic import SecretStr

from server import envelope_signer, ids, vault
from server.config import BadSettings, Settings, from_environment


def test_without_anything_set_there_are_good_defaults():
    settings = from_environment({})

    assert settings.url().startswith("sqlite:///") and settings.url().endswith("data/ansim.db")
    assert settings.mqtt_port == 1883


def test_settings_come_from_the_environment(tmp_path):
    settings = from_environment({"ANSIM_DATA": str(tmp_path), "ANSIM_MQTT_PORT": "2883", "ANSIM_HTTPS": "true"})

    assert (settings.data, settings.mqtt_port, settings.https) == (tmp_path, 2883, True)


def test_every_problem_is_told_at_once_without_any_value(tmp_path):
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(BadSettings) as bad:
        from_environment(
            {
                "ANSIM_PORT": "99999",
                "ANSIM_MQTT_PORT": "hunter2",
                "ANSIM_MQTT_PROT": "1",
                "ANSIM_WORKER": "Not Good",
                "ANSIM_LANGUAGES": "fr-hunter2",
            }
        )

    lines = str(bad.value).splitlines()
    assert len(lines) == 5
    assert "ANSIM_MQTT_PROT is not a setting; ANSIM_MQTT_PORT is" in lines
    for name in ("ANSIM_PORT", "ANSIM_MQTT_PORT", "ANSIM_WORKER", "ANSIM_LANGUAGES"):
        assert any(line.startswith(name + ": ") for line in lines)
    assert "hunter2" not in str(bad.value) and "99999" not in str(bad.value)


def test_contradictions_are_problems_too(tmp_path):
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(BadSettings) as bad:
        from_environment(
            {
                "ANSIM_SECRET": "tooshort",
                "ANSIM_MQTT_CERT": str(tmp_path / "none.pem"),
                "ANSIM_DATABASE_URL": "mysql://user:hunter2@host/x",
                "ANSIM_DATA": str(file),
                "ANSIM_MAP_TILES": "https://tiles.example/{z}/{x}.png",
            }
        )

    assert len(str(bad.value).splitlines()) == 7
    assert "hunter2" not in str(bad.value) and "tooshort" not in str(bad.value)


@pytest.mark.parametrize(
    "variables, name",
    [
        ({"ANSIM_TIME_ZONE": "Asia/Seol"}, "ANSIM_TIME_ZONE"),
        ({"ANSIM_TIME_ZONE": "../etc/passwd"}, "ANSIM_TIME_ZONE"),
        ({"ANSIM_TIME_ZONE": "Asia"}, "ANSIM_TIME_ZONE"),
        ({"ANSIM_PUBLIC_URL": "ansim.example"}, "ANSIM_PUBLIC_URL"),
        ({"ANSIM_HTTPS": "1", "ANSIM_PROXIES": "1"}, "ANSIM_PUBLIC_URL"),
        ({"ANSIM_HTTPS": "1", "ANSIM_PUBLIC_URL": "http://ansim.example"}, "ANSIM_PUBLIC_URL"),
        ({"ANSIM_PUBLIC_URL": "https://"}, "ANSIM_PUBLIC_URL"),
        ({"ANSIM_PUBLIC_URL": "https://user:word@ansim.example"}, "ANSIM_PUBLIC_URL"),
        ({"ANSIM_PUBLIC_URL": "https://ansim.example:port"}, "ANSIM_PUBLIC_URL"),
        ({"ANSIM_PUBLIC_URL": "https://[::1"}, "ANSIM_PUBLIC_URL"),
        ({"ANSIM_HOST": "http://0.0.0.0"}, "ANSIM_HOST"),
        ({"ANSIM_MQTT_HOST": "broker example"}, "ANSIM_MQTT_HOST"),
        ({"ANSIM_SENSOR_BROKER": "mqtts://broker"}, "ANSIM_SENSOR_BROKER"),
        ({"ANSIM_DATABASE_URL": "postgresql+psycopg://u:p@h:port/x"}, "ANSIM_DATABASE_URL"),
        ({"ANSIM_DATABASE_URL": "mysql://h/x"}, "ANSIM_DATABASE_URL"),
        ({"ANSIM_KEEP_RAW_DAYS": "9" * 12}, "ANSIM_KEEP_RAW_DAYS"),
        ({"ANSIM_SILENT_AFTER_S": "9" * 12}, "ANSIM_SILENT_AFTER_S"),
        ({"ANSIM_QUOTA_BYTES_DAY": "9" * 30}, "ANSIM_QUOTA_BYTES_DAY"),
        ({"ANSIM_TIMESTAMP_URL": "tsa.example"}, "ANSIM_TIMESTAMP_URL"),
    ],
)
def test_a_setting_that_would_fail_later_is_refused_at_the_start(variables, name):
    with pytest.raises(BadSettings, match=f"^{name}:? "):
        from_environment(variables)


def test_other_programs_variables_are_none_of_our_business():
    from_environment({"ANSIM_LONG": "1", "PATH": "/bin"})


def test_secrets_do_not_show_when_settings_are_printed():
    settings = Settings(
        database_url=SecretStr("postgresql+psycopg://user:hunter2@host/x"), mqtt_password=SecretStr("hunter2")
    )

    assert "hunter2" not in repr(settings) and "hunter2" not in str(settings)


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path):
    settings = Settings(data=tmp_path / "new")

    first, second = vault.open_vault(settings), vault.open_vault(settings)

    assert first.key("x") == second.key("x") and first.key("x") != first.key("y")
    assert stat.S_IMODE((tmp_path / "new" / "secret").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret"]


def test_a_given_secret_needs_no_file(tmp_path):
    vault.open_vault(Settings(data=tmp_path, secret=SecretStr("ab" * 32)))

    assert list(tmp_path.iterdir()) == []


def test_a_broken_secret_file_is_told_and_not_replaced(tmp_path):
    (tmp_path / "secret").write_text("no hex")

    with pytest.raises(BadSettings, match="64 hex digits"):
        vault.open_vault(Settings(data=tmp_path))


def test_what_is_sealed_opens_with_the_same_secret_only():
    mine, other = vault.Vault(b"a" * 32), vault.Vault(b"b" * 32)
    sealed = mine.seal(b"key")

    assert mine.unseal(sealed) == b"key" and sealed != mine.seal(b"key")
    with pytest.raises(vault.BadSeal):
        other.unseal(sealed)
    with pytest.raises(vault.BadSeal):
        mine.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]))


def test_ids_can_be_read_out_and_typed():
    made = {ids.new() for _ in range(500)}

    assert len(made) == 500 and all(len(one) == 10 and set(one) <= set(ids.ALPHABET) for one in made)
    assert ids.clean(" OIL-a b ") == "011ab"


def test_messages_larger_than_any_are_told_apart():
    with pytest.raises(envelope_signer.TooLarge):
        envelope_signer.unseal(b"k" * 32, "t", b"x" * 20_000)
