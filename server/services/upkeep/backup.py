"""
Back up a whole installation to one file, and restore it.

    backup.make(settings, path)          # while the processes run
    backup.restore(settings, path)       # while they do not run

The file is a tar.gz of `ansim.db` (SQLite's online copy) or `rows.jsonl` (PostgreSQL; see json_lines.py), the photos,
optionally the secret, and `manifest.json` with the SHA-256 of each. Without the secret the sensors' keys in it cannot
be decrypted: keep the file `secret` elsewhere. A backup of one kind of database can be restored to the other.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import create_engine, select
from sqlalchemy.engine import make_url

from server import clock, db, migrations, vault
from server.config import Settings
from server.models import Sensor
from server.services.audit import verification
from server.services.inspecting import photos
from server.services.reporting import json_lines

VERSION = 1
DATABASE, ROWS, SECRET, MANIFEST, PHOTOS = "ansim.db", "rows.jsonl", "secret", "manifest.json", "photos"
_COMPRESSION = 3  # photos do not get smaller anyway
_READ_BYTES = 1 << 20
_DRAFTS = ".ansim-backup-"
_DATED = "ansim-%Y%m%dT%H%M%SZ.tar.gz"  # name of a backup in a folder, UTC
_DATED_NAMES = "ansim-" + "[0-9]" * 8 + "T" + "[0-9]" * 6 + "Z.tar.gz"


class BackupResult(NamedTuple):
    """
    kind    DATABASE or ROWS: the form of the rows
    photos  number of photo files
    secret  True if the secret is included
    bytes   size of the file
    """

    kind: str
    photos: int
    secret: bool
    bytes: int


class RestoreResult(NamedTuple):
    """
    rows     number of rows; None if the database file was copied
    photos   number of photo files
    secret   True if the secret was restored
    keys     True if this installation's secret decrypts the sensors' keys; None without sensors
    problem  the first problem of the log, or None if it is whole
    """

    rows: int | None
    photos: int
    secret: bool
    keys: bool | None
    problem: verification.Problem | None


class CannotBackUp(Exception):
    """The backup or restore failed; the text tells the operator why."""


def make(
    settings: Settings, path: Path, with_secret: bool = False, progress: Callable[[int], None] = lambda rows: None
) -> BackupResult:
    """Write a backup; only its owner may read it. Raises CannotBackUp if the file exists or cannot be written."""
    if path.exists():
        raise CannotBackUp(f"{path} exists; choose another name")
    secret = settings.data / SECRET
    if with_secret and not secret.is_file():
        raise CannotBackUp("the secret is not a file but in ANSIM_SECRET; keep that by itself")
    sums, count = {}, 0
    _remove_leftovers(path.parent)
    try:
        # Named by the process, so that the next backup can tell what a killed one has left.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{_DRAFTS}{os.getpid()}-") as folder:
            draft = Path(folder) / "draft"
            rows = _rows(settings, Path(folder), progress)
            with _private(draft) as raw, tarfile.open(fileobj=raw, mode="w:gz", compresslevel=_COMPRESSION) as archive:
                sums[rows.name] = _add(archive, rows, rows.name)
                for photo in _photos(settings):
                    name = f"{PHOTOS}/{photo.relative_to(photos.folder(settings)).as_posix()}"
                    with contextlib.suppress(FileNotFoundError):  # deleted meanwhile, as retention does
                        sums[name] = _add(archive, photo, name)
                        count += 1
                if with_secret:
                    sums[SECRET] = _add(archive, secret, SECRET)
                manifest = {"ansim": "backup", "version": VERSION, "made_s": clock.now_s(), "sha256": sums}
                _add_bytes(archive, MANIFEST, json.dumps(manifest, indent=1).encode())
            os.link(draft, path)  # fails if the file was made meanwhile
    except OSError as error:
        raise CannotBackUp(f"cannot write {path}: {error.strerror or error}") from None
    return BackupResult(rows.name, count, with_secret, path.stat().st_size)


def dated(folder: Path, now_s: int) -> Path:
    """Return the path of a backup in a folder, named by its time."""
    return folder / datetime.fromtimestamp(now_s, UTC).strftime(_DATED)


def remove_old(folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest `keep` backups with a name of dated(); return what was removed."""
    removed = sorted(folder.glob(_DATED_NAMES))[:-keep]
    for path in removed:
        path.unlink()
    return removed


def _remove_leftovers(folder):
    """Remove the temporary folders of backups that were killed."""
    for left in folder.glob(f"{_DRAFTS}*"):
        process_id = left.name.removeprefix(_DRAFTS).partition("-")[0]
        if process_id.isdigit() and not _is_running(int(process_id)):
            shutil.rmtree(left, ignore_errors=True)


def _is_running(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def restore(
    settings: Settings, path: Path, replace: bool = False, progress: Callable[[int], None] = lambda rows: None
) -> RestoreResult:
    """
    Restore a backup to an empty installation.

    replace  SQLite only: move an existing installation aside first
    Raises CannotBackUp; then nothing has changed except for what `replace` moved aside.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.data, prefix=".restore-") as folder:
        manifest = _unpack(path, Path(folder))
        _make_room(settings, replace)
        rows = _restore_rows(settings, manifest, Path(folder), progress)
        restored_photos = Path(folder) / PHOTOS
        count = 0
        if restored_photos.is_dir():
            count = sum(1 for path in restored_photos.rglob("*") if path.is_file())
            shutil.copytree(restored_photos, photos.folder(settings), dirs_exist_ok=True)
        secret = Path(folder) / SECRET
        has_secret = secret.is_file()
        if has_secret:
            _move_aside(settings.data / SECRET)
            os.chmod(secret, 0o600)
            secret.replace(settings.data / SECRET)
    keys, problem = _check(settings)
    return RestoreResult(rows, count, has_secret, keys, problem)


def _rows(settings, folder, progress):
    """Write the rows into a folder; return the file."""
    url = make_url(settings.url())
    if url.get_backend_name() == "sqlite":
        target = folder / DATABASE
        source = sqlite3.connect(f"file:{url.database}?mode=ro", uri=True)
        copy = sqlite3.connect(target)
        try:
            # In one step. It reads one snapshot of the write-ahead log, so nobody waits for it; in several steps it
            # would begin again after each write of another process, and never end while sensors report.
            source.backup(copy)
            verdict = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            raise CannotBackUp(f"SQLite cannot copy the database: {error}") from None
        finally:
            copy.close()
            source.close()
        if verdict != "ok":
            raise CannotBackUp(f"the database is damaged ({verdict}); keep the last backup, and see docs/server.md")
        return target
    target = folder / ROWS
    engine = create_engine(url)
    try:
        with target.open("wb") as file:
            json_lines.write(engine, file, whole=True, progress=progress)
    finally:
        engine.dispose()
    return target


def _photos(settings):
    folder = photos.folder(settings)
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


@contextlib.contextmanager
def _private(path):
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _add(archive, path, name):
    """Add a file; return the SHA-256 of the added bytes."""
    with path.open("rb") as file:
        info = archive.gettarinfo(name=str(path), arcname=name, fileobj=file)
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        reader = _HashingReader(file)
        archive.addfile(info, reader)
    return reader.sum.hexdigest()


def _add_bytes(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(data), clock.now_s()
    archive.addfile(info, io.BytesIO(data))


class _HashingReader:
    """A file that hashes the bytes that are read from it."""

    def __init__(self, file):
        self._file = file
        self.sum = hashlib.sha256()

    def read(self, size=-1):
        data = self._file.read(size)
        self.sum.update(data)
        return data


def _unpack(path, folder):
    """Unpack into a folder and verify every digest; return the manifest."""
    sums = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = member.name
                if not member.isfile() or not _is_allowed(name):
                    raise CannotBackUp(f"{path} holds {name!r}, which is no part of a backup")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                source, digest = archive.extractfile(member), hashlib.sha256()
                assert source, "a regular file has content"
                with target.open("xb") as file:
                    while data := source.read(_READ_BYTES):
                        digest.update(data)
                        file.write(data)
                sums[name] = digest.hexdigest()
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except FileExistsError:
        raise CannotBackUp(f"{path} holds a file twice") from None
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged, or no backup"
        raise CannotBackUp(f"cannot read {path}: {reason}") from None
    sums.pop(MANIFEST, None)
    if not isinstance(manifest, dict) or manifest.get("ansim") != "backup" or manifest.get("version") != VERSION:
        raise CannotBackUp(f"{path} is no backup, or one of a newer version")
    if manifest.get("sha256") != sums or not {DATABASE, ROWS} & set(sums):
        raise CannotBackUp(f"{path} is damaged: what it holds is not what its manifest says")
    return manifest


def _is_allowed(name: str) -> bool:
    parts = name.split("/")
    if name in (DATABASE, ROWS, SECRET, MANIFEST):
        return True
    return (
        parts[0] == PHOTOS
        and len(parts) > 1
        and all(part not in ("", ".", "..") for part in parts)
        and "\\" not in name
    )


def _make_room(settings, replace):
    url = make_url(settings.url())
    if url.get_backend_name() == "sqlite":
        assert url.database, "an SQLite installation has a file"
        database = Path(url.database)
        if database.exists() and not replace and not _is_empty(settings):
            raise CannotBackUp("there is an installation with data here; --replace moves it aside")
        for name in (database, Path(f"{database}-wal"), Path(f"{database}-shm"), photos.folder(settings)):
            _move_aside(name)
    elif not _is_empty(settings):
        raise CannotBackUp("the database has data; make an empty one and set ANSIM_DATABASE_URL")


def _is_empty(settings):
    try:
        migrations.upgrade(settings)
    except migrations.WrongForm as error:
        raise CannotBackUp(str(error)) from None
    engine = create_engine(settings.url())
    try:
        return json_lines.is_empty(engine)
    finally:
        engine.dispose()


def _move_aside(path):
    if path.exists():
        path.rename(path.with_name(f"{path.name}.before-{clock.now_s()}"))


def _restore_rows(settings, manifest, folder, progress):
    """Write the rows to the database; return how many, or None if the database file was copied."""
    sqlite = make_url(settings.url()).get_backend_name() == "sqlite"
    if DATABASE in manifest["sha256"] and sqlite:
        (folder / DATABASE).replace(make_url(settings.url()).database)
        _upgrade(settings)
        return None
    lines = folder / ROWS
    if not lines.exists():
        other = settings.model_copy(
            update={"database_url": type(settings.database_url)(f"sqlite:///{folder / DATABASE}")}
        )
        _upgrade(other)
        source = create_engine(other.url())
        with lines.open("wb") as file:
            json_lines.write(source, file, whole=True)
        source.dispose()
    _upgrade(settings)
    engine = db.open_sessions(settings.url()).engine
    try:
        with lines.open("rb") as file:
            return sum(json_lines.read(engine, file, progress).values())
    except json_lines.BadExport as error:
        raise CannotBackUp(str(error)) from None
    finally:
        engine.dispose()


def _upgrade(settings):
    try:
        migrations.upgrade(settings)
    except migrations.WrongForm as error:
        raise CannotBackUp(str(error)) from None


def _check(settings):
    """Return (True if the secret decrypts the sensors' keys, the log's problem or None)."""
    keys = None
    sessions = db.open_sessions(settings.url())
    try:
        with sessions() as session:
            sealed = session.scalar(select(Sensor.key_sealed).limit(1))
            if sealed is not None:
                try:
                    keys = bool(vault.open_vault(settings).unseal(sealed))
                except vault.BadSeal:
                    keys = False
            return keys, verification.verify(session).problem
    finally:
        sessions.engine.dispose()
