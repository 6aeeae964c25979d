"""Taking over restrooms from a file: upload, see what would happen, confirm."""

import dataclasses
import hashlib
from pathlib import Path

from flask import Blueprint, current_app, redirect, render_template, request, url_for
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
KEEP_S = 86400  # an upload that nobody confirmed
ROWS_SHOWN = 30
NEWEST = 20


@bp.url_value_preprocessor
def _larger_uploads(_endpoint, _values):
    # A country's file is larger than any other form may be; this runs before the form is read.
    if request.method == "POST" and page.may(accounts.MANAGE):
        request.max_content_length = MOST_BYTES


@bp.route("/imports", methods=["GET", "POST"])
@security.needs(accounts.MANAGE, everywhere=True)  # a file may name any municipality
def index():
    """Upload a file; the imports there were."""
    form = forms.ImportForm()
    if form.validate_on_submit():
        return redirect(url_for("imports.show", upload=_keep(form)))
    with page.sessions()() as session:
        wanted = select(RestroomImport).where(RestroomImport.applied_s.is_not(None))
        done = session.scalars(wanted.order_by(RestroomImport.id.desc()).limit(NEWEST)).all()
    return render_template("places/imports/index.html", form=form, done=done, kinds=words.KINDS)


@bp.route("/imports/<upload>", methods=["GET", "POST"])
@security.needs(accounts.MANAGE, everywhere=True)  # a file may name any municipality
def show(upload):
    """What an uploaded file would do. POST: map its columns, or (apply) take it over."""
    one, path = _upload(upload)
    options = imports.Options(**one.options)
    if request.method == "POST" and not request.form.get("apply"):
        mapping = {field: request.form.get(f"map-{field}", "") for field in imports.FIELDS}
        options = dataclasses.replace(options, mapping={field: column for field, column in mapping.items() if column})
        with page.sessions().begin() as session:
            session.merge(one).options = vars(options)
        return redirect(url_for("imports.show", upload=upload))
    try:
        with page.sessions()() as session:
            looked = imports.look(session, path, options)
        if request.method == "POST":
            return _apply(path, looked, one)
    except imports.UnknownLayout as unknown:
        asked = [field for field in imports.FIELDS if field in {*imports.ASKED, *options.mapping, *unknown.guessed}]
        return render_template(
            "places/imports/mapping.html",
            one=one,
            unknown=unknown,
            words=words,
            asked=asked,
            rare=[field for field in imports.FIELDS if field not in asked],
            samples=imports.samples(path),
        )
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
        return redirect(url_for("imports.index"))
    return render_template("places/imports/show.html", one=one, looked=looked, said=words, most=ROWS_SHOWN)


def _apply(path, looked, one):
    imports.apply(page.sessions(), path, looked, page.user(), prepared=one)
    path.unlink(missing_ok=True)
    page.flash_success(gettext("The file has been taken over."))
    return redirect(url_for("imports.index"))


def _folder() -> Path:
    folder = current_app.extensions["settings"].data / "imports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _keep(form):
    """Put an upload aside and note it; return its public id."""
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


def _upload(public_id):
    """(RestroomImport, path of its file). Raises NotFound for one that is applied, or was thrown away."""
    with page.sessions()() as session:
        one = session.scalar(select(RestroomImport).where(RestroomImport.public_id == ids.clean(public_id)))
    if one is None or one.applied_s is not None:
        raise errors.NotFound("import")
    path = _folder() / one.public_id
    if not path.is_file():
        raise errors.NotFound("import")
    return one, path
