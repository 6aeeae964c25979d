"""tools/flash.py: the files it copies to a board with a program in its interpreter image."""

import pytest

from tools import flash
from tools.hardware import payload
from tools.lib.errors import ToolError


class Board:
    """A board with files and a program in its image."""

    port, via = "/dev/ttyUSB0", "mpremote"

    def __init__(self, image, room_for_files=True, files=None):
        self.room_for_files = room_for_files
        self.image = image
        self.files = files or {}
        self.incoming = {}

    def call(self, name, *arguments):
        if name == "identify":
            hashes = {path: payload.file_hash(content) for path, content in self.files.items()}
            return {
                "mpy": payload.MPY_VERSION,
                "files": hashes,
                "free_bytes": 1 << 20,
                "image": self.image,
                "room_for_files": self.room_for_files,
            }
        if name == "hash_incoming":
            return {path: payload.file_hash(content) for path, content in self.incoming.items()}
        return True

    def put(self, files, advance=lambda amount: None):
        self.incoming = files


@pytest.fixture
def root(tmp_path):
    for name in ("ansim/__init__.py", "firmware/boot.py", "firmware/main.py", "firmware/app.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    return tmp_path


def test_a_program_that_the_image_has_is_not_copied_and_its_files_go(root):
    board = Board(payload.program_hash(root), files={"/lib/ansim/__init__.py": b"old"})

    changed, removed = flash.install(board, False, root)

    assert sorted(changed) == ["/boot.py", "/main.py"]
    assert removed == ["/lib/ansim/__init__.py"]


@pytest.mark.parametrize("image", ["", "0" * 64])
def test_another_program_in_the_image_does_not_count(root, image):
    changed, _removed = flash.install(Board(image), False, root)

    assert "/lib/firmware/app.mpy" in changed


@pytest.mark.parametrize("source", [False, True])
def test_a_program_in_files_is_refused_where_it_does_not_fit(root, source):
    board = Board("0" * 64, room_for_files=False)

    with pytest.raises(ToolError, match=r"has no PSRAM.*tools\.native esp32 --frozen"):
        flash.install(board, source, root)

    assert board.incoming == {}
    changed, _removed = flash.install(Board(payload.program_hash(root), room_for_files=False), False, root)
    assert sorted(changed) == ["/boot.py", "/main.py"]


def test_source_is_always_copied(root):
    changed, _removed = flash.install(Board(payload.program_hash(root)), True, root)

    assert "/lib/firmware/app.py" in changed
