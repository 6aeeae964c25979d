"""Import of restrooms from a file: upload, preview, apply."""

import dataclasses
import hashlib
from pathlib import Path

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select

from server import clock, ids, security
from server.models.places import RestroomImport
from server.services import errors
from server.services.people import accounts
from server.services.places import imports
from server.web import page
from server.web.places import forms
from server.wording import imports as words

bp = Blueprint("imports", __name__)

MOST_BYTES = 200 << 20
KEEP_S = 86400  # lifetime of an upload that is not applied
ROWS_SHOWN = 30
NEWEST = 20


@bp.url_value_preprocessor
def _larger_uploads(_endpoint, _values):
    # A country's file exceeds the limit of other forms; this runs before the form is read.
    if request.method == "POST" and page.may(accounts.MANAGE):
        request.max_content_length = MOST_BYTES


@bp.route("/imports", methods=["GET", "POST"])
@security.needs(accounts.MANAGE, everywhere=True)  # a file may name any municipality
def index() -> ResponseReturnValue:
    """Upload a file; the list of imports."""
    form = forms.ImportForm()
    if form.validate_on_submit():
        return redirect(url_for("imports.show", upload=_store(form)))
    with page.sessions()() as session:
        query = select(RestroomImport).where(RestroomImport.applied_s.is_not(None))
        records = session.scalars(query.order_by(RestroomImport.id.desc()).limit(NEWEST)).all()
    return render_template("places/imports/index.html", form=form, records=records, kinds=words.KINDS)


@bp.route("/imports/<upload>", methods=["GET", "POST"])
@security.needs(accounts.MANAGE, everywhere=True)  # a file may name any municipality
def show(upload: str) -> ResponseReturnValue:
    """The preview of an upload. POST: map its columns, or (field `apply`) apply it."""
    record, path = _load_upload(upload)
    options = imports.Options(**record.options)
    if request.method == "POST" and not request.form.get("apply"):
        if request.form.get("doubles") in imports.DOUBLES:
            options = dataclasses.replace(options, doubles=request.form["doubles"])
        else:
            mapping = {field: request.form.get(f"map-{field}", "") for field in imports.FIELDS}
            mapping = {field: column for field, column in mapping.items() if column}
            options = dataclasses.replace(options, mapping=mapping)
        with page.sessions().begin() as session:
            session.merge(record).options = vars(options)
        return redirect(url_for("imports.show", upload=upload))
    try:
        with page.sessions()() as session:
            preview = imports.make_preview(session, path, options)
        if request.method == "POST":
            return _apply(path, preview, record)
    except imports.UnknownLayout as unknown:
        main_fields = [
            field for field in imports.FIELDS if field in {*imports.MAIN_FIELDS, *options.mapping, *unknown.guessed}
        ]
        return render_template(
            "places/imports/mapping.html",
            record=record,
            unknown=unknown,
            words=words,
            main_fields=main_fields,
            other_fields=[field for field in imports.FIELDS if field not in main_fields],
            samples=imports.sample_columns(path),
        )
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
        return redirect(url_for("imports.index"))
    return render_template("places/imports/show.html", record=record, preview=preview, words=words, most=ROWS_SHOWN)


def _apply(path, preview, record):
    imports.apply(page.sessions(), path, preview, page.user(), prepared=record)
    path.unlink(missing_ok=True)
    page.flash_success(gettext("The file has been taken over."))
    return redirect(url_for("imports.index"))


def _folder() -> Path:
    folder = current_app.extensions["settings"].data / "imports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _store(form):
    """Store an upload and its record; return its public id."""
    now_s = clock.now_s()
    for old in _folder().iterdir():
        if old.stat().st_mtime < now_s - KEEP_S:
            old.unlink(missing_ok=True)
    name = ids.new()
    path = _folder() / name
    form.file.data.save(path)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    source, organisation = (" ".join((field.data or "").split()) for field in (form.source, form.organisation))
    with page.sessions().begin() as session:
        session.add(
            RestroomImport(
                public_id=name,
                file_name=Path(form.file.data.filename or "").name[:200],
                sha256=sha256,
                options=vars(imports.Options(source=source, organisation=organisation)),
                counts={},
                made_s=now_s,
                by_id=page.user().id,
            )
        )
    return name


def _load_upload(public_id):
    """Return (RestroomImport, path of its file). Raises NotFound if it has been applied or deleted."""
    with page.sessions()() as session:
        record = session.scalar(select(RestroomImport).where(RestroomImport.public_id == ids.clean(public_id)))
    if record is None or record.applied_s is not None:
        raise errors.NotFound("import")
    path = _folder() / record.public_id
    if not path.is_file():
        raise errors.NotFound("import")
    return record, path
