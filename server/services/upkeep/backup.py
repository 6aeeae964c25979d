"""
A whole installation in one file, and back.

    backup.make(settings, path)          # while everything runs
    backup.restore(settings, path)       # while nothing runs

The file is a tar.gz of: `ansim.db` (SQLite's own online copy) or `rows.jsonl` (PostgreSQL; see exports.py), the photos,
if asked for the secret, and `manifest.json` with the SHA-256 of each. Without the secret nobody can open the sensors'
keys in it, and neither can you: keep the file `secret` elsewhere. A backup of one database can be restored to the
other.
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
from collections import namedtuple
from pathlib import Path

from sqlalchemy import create_engine, select
from sqlalchemy.engine import make_url

from server import clock, db, migrations, vault
from server.models import Sensor
from server.services.audit import verification
from server.services.inspecting import photos
from server.services.reporting import json_lines

VERSION = 1
DATABASE, ROWS, SECRET, MANIFEST, PHOTOS = "ansim.db", "rows.jsonl", "secret", "manifest.json", "photos"
_COMPRESSION = 3  # photos do not get smaller anyway
_READ_BYTES = 1 << 20

# kind    DATABASE or ROWS: how the rows are kept
# bytes   size of the file
Made = namedtuple("Made", ("kind", "photos", "secret", "bytes"))

# keys     True if this installation's secret opens the sensors' keys; None without sensors
# problem  log_check.Problem, or None if the log is whole
Restored = namedtuple("Restored", ("rows", "photos", "secret", "keys", "problem"))


class CannotBackUp(Exception):
    """In words for the person at the keyboard."""


def make(settings, path: Path, with_secret: bool = False, progress=lambda rows: None) -> Made:
    """Write a backup; only its owner may read it. Raises CannotBackUp if the file exists or cannot be written."""
    if path.exists():
        raise CannotBackUp(f"{path} exists; choose another name")
    secret = settings.data / SECRET
    if with_secret and not secret.is_file():
        raise CannotBackUp("the secret is not a file but in ANSIM_SECRET; keep that by itself")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    sums, count = {}, 0
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".ansim-backup-") as folder:
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
                told = {"ansim": "backup", "version": VERSION, "made_s": clock.now_s(), "sha256": sums}
                _add_bytes(archive, MANIFEST, json.dumps(told, indent=1).encode())
        os.link(draft, path)  # refuses if somebody else made it meanwhile
    except OSError as error:
        raise CannotBackUp(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        draft.unlink(missing_ok=True)
    return Made(rows.name, count, with_secret, path.stat().st_size)


def restore(settings, path: Path, replace: bool = False, progress=lambda rows: None) -> Restored:
    """
    Put a backup in the place of an empty installation.

    replace  SQLite only: an installation that is there is moved aside first, not deleted
    Raises CannotBackUp; then nothing has changed, but for what `replace` moved aside.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.data, prefix=".restore-") as folder:
        found = _unpack(path, Path(folder))
        _make_room(settings, replace)
        rows = _put_rows(settings, found, Path(folder), progress)
        there = Path(folder) / PHOTOS
        count = 0
        if there.is_dir():
            count = sum(1 for one in there.rglob("*") if one.is_file())
            shutil.copytree(there, photos.folder(settings), dirs_exist_ok=True)
        secret = Path(folder) / SECRET
        if secret.is_file():
            _keep_aside(settings.data / SECRET)
            os.chmod(secret, 0o600)
            secret.replace(settings.data / SECRET)
            secret = True
        else:
            secret = False
    keys, problem = _check(settings)
    return Restored(rows, count, secret, keys, problem)


def _rows(settings, folder, progress):
    """Write the rows into a folder; return the file."""
    url = make_url(settings.url())
    if url.get_backend_name() == "sqlite":
        target = folder / DATABASE
        source = sqlite3.connect(f"file:{url.database}?mode=ro", uri=True)
        copy = sqlite3.connect(target)
        try:
            source.backup(copy, pages=2000, sleep=0.01)  # in steps, so that ingest gets its turn
        except sqlite3.Error as error:
            raise CannotBackUp(f"SQLite cannot copy the database: {error}") from None
        finally:
            copy.close()
            source.close()
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
    place = photos.folder(settings)
    return sorted(one for one in place.rglob("*") if one.is_file()) if place.is_dir() else []


@contextlib.contextmanager
def _private(path):
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _add(archive, path, name):
    """Add a file; return the SHA-256 of what went in."""
    with path.open("rb") as file:
        told = archive.gettarinfo(name=str(path), arcname=name, fileobj=file)
        told.uid = told.gid = 0
        told.uname = told.gname = ""
        reader = _Summing(file)
        archive.addfile(told, reader)
    return reader.sum.hexdigest()


def _add_bytes(archive, name, data):
    told = tarfile.TarInfo(name)
    told.size, told.mtime = len(data), clock.now_s()
    archive.addfile(told, io.BytesIO(data))


class _Summing:
    """A file that sums up what is read of it."""

    def __init__(self, file):
        self._file = file
        self.sum = hashlib.sha256()

    def read(self, size=-1):
        data = self._file.read(size)
        self.sum.update(data)
        return data


def _unpack(path, folder):
    """Unpack into a folder and check every sum; return the manifest."""
    sums = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for one in archive:
                name = one.name
                if not one.isfile() or not _is_ours(name):
                    raise CannotBackUp(f"{path} holds {name!r}, which is no part of a backup")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                source, total = archive.extractfile(one), hashlib.sha256()
                with target.open("xb") as file:
                    while data := source.read(_READ_BYTES):
                        total.update(data)
                        file.write(data)
                sums[name] = total.hexdigest()
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


def _is_ours(name):
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
        database = Path(url.database)
        if database.exists() and not replace and not _is_empty(settings):
            raise CannotBackUp("there is an installation with data here; --replace moves it aside")
        for name in (database, Path(f"{database}-wal"), Path(f"{database}-shm"), photos.folder(settings)):
            _keep_aside(name)
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


def _keep_aside(path):
    if path.exists():
        path.rename(path.with_name(f"{path.name}.before-{clock.now_s()}"))


def _put_rows(settings, manifest, folder, progress):
    """Bring the rows into the database; return how many there are, or None if it is a copied file."""
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
    """Does the secret open the keys, and is the log whole?"""
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
