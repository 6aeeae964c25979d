"""Record files keep what they are given, and damaged ones are refused."""

import lzma
import random
import struct

import pytest

from ansim.frame_header import RECORD_BYTES, RECORD_FORMAT
from tools.lib.errors import ToolError
from tools.traffic import record_file, streams


def random_records(count, seed=1):
    """[(time_us, record), ...] of a few stations, with every field at its limits now and then."""
    chance = random.Random(seed)
    addresses = [bytes(6), b"\xff" * 6, *(chance.randbytes(6) for _ in range(4))]
    time_us, made = 0, []
    for _ in range(count):
        time_us += chance.choice((0, 0, 32, 640, 51_200, 5_000_000))
        fields = (
            time_us % (1 << 32),
            chance.choice((14, 1500, 65535)),
            chance.choice((0x0188, 0x0988, 0x80, 0xD4)),
            chance.choice((0, 44, 65535)),
            chance.choice((-128, -60, -58, 126)),
            chance.randint(1, 13),
            chance.choice((0, 11, 128, 255)),
            chance.choice((0, 1, 2, 0x32)),
            *(chance.choice(addresses) for _ in range(3)),
            chance.choice((0, 16, 65535, chance.randrange(65536))),
            chance.choice((0, 5, 65535)),
        )
        made.append((time_us, struct.pack(RECORD_FORMAT, *fields)))
    return made


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.records.xz"


def test_what_is_written_is_read(path):
    made = random_records(3000)

    record_file.write(path, {"scenario": "x"}, made)

    assert list(record_file.records(path)) == made
    assert record_file.header(path) == {"scenario": "x"}


def test_times_and_signal_strengths_are_rounded_down(path):
    record = bytearray(random_records(1)[0][1])
    struct.pack_into("<I", record, 0, 1_000_033)
    struct.pack_into("<b", record, 10, -61)
    record_file.write(path, {}, [(1_000_033, bytes(record))])

    ((time_us, kept),) = record_file.records(path)

    assert time_us == 1_000_032
    assert struct.unpack_from("<b", kept, 10)[0] == -62


def test_an_empty_file_has_no_records(path):
    record_file.write(path, {}, [])

    assert list(record_file.records(path)) == []


def test_the_replay_takes_it_for_records(path):
    made = random_records(50)
    record_file.write(path, {"about": "x" * 1000}, made)

    assert streams.kind(path) == streams.RECORDS
    assert len(list(streams.records(path))) == 50
    assert len(made[0][1]) == RECORD_BYTES


def test_progress_is_the_size_of_the_file(path):
    record_file.write(path, {}, random_records(50))
    read = []

    list(record_file.records(path, read.append))

    assert sum(read) == path.stat().st_size


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_file_that_was_cut_off_is_refused(path, share):
    record_file.write(path, {}, random_records(500))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])

    with pytest.raises(ToolError, match="is cut off, damaged"):
        list(record_file.records(path))


def test_another_compressed_file_is_refused(path):
    path.write_bytes(lzma.compress(b"something else entirely"))

    with pytest.raises(ToolError, match="not a header stream"):
        list(streams.frames(path))
    with pytest.raises(ToolError, match="no record file"):
        record_file.header(path)


@pytest.mark.parametrize("position", range(8, 60, 7))
def test_a_damaged_column_is_refused_or_read_but_never_an_error_of_ours(path, position):
    record_file.write(path, {}, random_records(40))
    body = bytearray(lzma.decompress(path.read_bytes()))
    body[-position] ^= 0xFF
    path.write_bytes(lzma.compress(bytes(body)))

    try:
        list(record_file.records(path))
    except ToolError:
        pass
