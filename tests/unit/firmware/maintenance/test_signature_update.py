"""A newer signature table by commands: in parts, checked, switched to by one rename."""

import pytest

from ansim import messages, refusal_codes, signatures
from ansim.decode import argument_problems
from firmware.maintenance import signature_update
from tests.support.signature_parts import KEY, NEWER, parts, table

OTHER_KEY = bytes(32)
BUILT_IN = signatures.Tables()


def take_all(folder, data, **more):
    return [signature_update.receive(args, KEY, folder) for args in parts(data, **more)]


def test_a_newer_table_is_used_from_the_next_start(tmp_path):
    folder = str(tmp_path / "signatures")

    answers = take_all(folder, table(NEWER))

    assert answers[-1] is None and set(answers[:-1]) == {""}
    assert signatures.Tables("", folder).revision(signatures.SSIDS) == NEWER


def test_every_part_fits_the_command(tmp_path):
    assert all(argument_problems(messages.SIGNATURES, args) == [] for args in parts(table(NEWER), 6000))


def test_parts_may_come_twice_and_go_on_after_a_restart(tmp_path):
    folder = str(tmp_path)
    for args in parts(table(NEWER)):
        first = signature_update.receive(args, KEY, folder)
        if args["offset"] + 1000 < args["bytes"]:
            assert first == signature_update.receive(args, KEY, folder) == ""

    assert first is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (table(NEWER, OTHER_KEY), refusal_codes.NOT_SIGNED),
        (table(NEWER - 1), refusal_codes.TABLE_NOT_NEWER),
        (table(NEWER)[:-32], refusal_codes.NOT_SIGNED),
        (b"x" * 2000, refusal_codes.TABLE_DAMAGED),
    ],
)
def test_a_table_that_is_not_good_is_refused_and_the_old_one_stays(tmp_path, data, code):
    answer = take_all(str(tmp_path), data)[-1]

    assert answer == code
    assert not list(tmp_path.iterdir())
    assert signatures.Tables("", str(tmp_path)).revision(signatures.SSIDS) == NEWER - 1


def test_rubbish_is_refused(tmp_path):
    good = next(parts(table(NEWER)))
    for change, code in (
        ({"table": "secrets"}, refusal_codes.UNKNOWN_TABLE),
        ({"table": "../settings"}, refusal_codes.UNKNOWN_TABLE),
        ({"bytes": 1 << 20}, refusal_codes.TABLE_TOO_LONG),
        ({"data": "A"}, refusal_codes.BAD_DATA),
        ({"offset": 500}, f"{refusal_codes.WRONG_OFFSET}:0"),
        ({"bytes": 10}, refusal_codes.TOO_MUCH_DATA),
    ):
        assert signature_update.receive({**good, **change}, KEY, str(tmp_path)) == code
    assert not [one for one in tmp_path.iterdir() if one.stat().st_size]


def test_a_broken_table_is_thrown_away(tmp_path):
    answers = [
        signature_update.receive({**args, "sha256": "0" * 64}, KEY, str(tmp_path)) for args in parts(table(NEWER))
    ]

    assert answers[-1] == refusal_codes.TABLE_DAMAGED
    assert not list(tmp_path.iterdir())


def test_parts_that_never_became_whole_go_when_another_table_comes(tmp_path):
    signature_update.receive(next(parts(table(NEWER))), KEY, str(tmp_path))

    take_all(str(tmp_path), table(NEWER + 1))

    assert [one.name for one in tmp_path.iterdir()] == ["ssids.bin"]
