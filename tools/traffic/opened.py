"""
Open a recording: a file or a pipe, compressed by gzip, xz or bzip2, or not.

    with opened.open_recording("night.pcapng.gz") as recording:
        recording.head          # the first bytes, decompressed
        recording.read(16)      # from the start
"""

import bz2
import gzip
import io
import lzma
import os
import stat
import sys
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from tools.lib.errors import ToolError

STANDARD_INPUT = "-"
HEAD_BYTES = 64
GZIP_MAGIC, XZ_MAGIC, BZIP2_MAGIC = b"\x1f\x8b", b"\xfd7zXZ\0", b"BZh"
OTHER_COMPRESSION = {b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}


class Recording:
    """
    An open recording, which is read once.

    name           for errors
    head           its first bytes, decompressed, HEAD_BYTES at the most
    is_compressed  by gzip, xz or bzip2; a record file (record_file.py), which is xz by itself, is not
    size_bytes     of the file, None of a pipe
    """

    def __init__(self, path: Path | str):
        self.name = "standard input" if str(path) == STANDARD_INPUT else str(path)
        try:
            self._file: BinaryIO = sys.stdin.buffer if str(path) == STANDARD_INPUT else open(path, "rb")  # noqa: SIM115
            self.size_bytes = _size_bytes(self._file)
        except OSError as error:
            raise ToolError(
                f"cannot read {path}: {error.strerror}; give a capture, a header stream or a scene"
            ) from None
        self._counted = _Counted(self._file)
        self.content: Any = io.BufferedReader(self._counted)
        try:
            self.head = self._take_head()
            decompressor = _decompressor(self.head)
            self.is_compressed = decompressor is not None
            if decompressor is not None:
                self.content = decompressor(self.content)
                self.head = self._take_head()
        except ToolError:
            self.close()
            raise

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer at the end. Raises ToolError."""
        try:
            return self.content.read(size)
        except OSError as error:
            reason = error.strerror or "it is damaged"
            raise ToolError(f"cannot read {self.name}: {reason}; copy it again") from None
        except (EOFError, zlib.error, lzma.LZMAError):
            raise ToolError(f"{self.name} is cut off or damaged; copy it again") from None

    def position(self) -> int:
        """Return how many bytes of the file were read, as they are in the file."""
        return self._counted.bytes_read

    def other_compression(self) -> str | None:
        """Return the name of a compression that is not read, if the file has one."""
        return next((name for magic, name in OTHER_COMPRESSION.items() if self.head.startswith(magic)), None)

    def close(self) -> None:
        if self._file is not sys.stdin.buffer:
            self._file.close()

    def _take_head(self):
        """Read the first bytes, and put them back."""
        head = b""
        while len(head) < HEAD_BYTES and (more := self.read(HEAD_BYTES - len(head))):
            head += more
        self.content = io.BufferedReader(_Rejoined(head, self.content))
        return head


def open_recording(path: "Path | str | Recording") -> Recording:
    """Return the open recording of a path, of "-" for standard input, or the given one. Raises ToolError."""
    return path if isinstance(path, Recording) else Recording(path)


def _decompressor(head):
    """Return a function that opens a compressed stream, by its first bytes; None if it is not compressed."""
    from tools.traffic import record_file  # which opens its files by this module

    if head.startswith(GZIP_MAGIC):
        return lambda content: gzip.GzipFile(fileobj=content, mode="rb")
    if head.startswith(XZ_MAGIC) and not record_file.is_record_file(head):
        return lzma.LZMAFile
    return bz2.BZ2File if head.startswith(BZIP2_MAGIC) else None


def _size_bytes(file):
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


class _Counted(io.RawIOBase):
    """A file that counts what was read."""

    def __init__(self, file):
        self.bytes_read = 0
        self._file = file

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._file.read1(len(buffer))
        buffer[: len(data)] = data
        self.bytes_read += len(data)
        return len(data)


class _Rejoined(io.RawIOBase):
    """The bytes that were read already, followed by the rest."""

    def __init__(self, head, rest):
        self._head, self._rest = head, rest

    def readable(self):
        return True

    def readinto(self, buffer):
        if self._head:
            data, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        else:
            data = self._rest.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)
