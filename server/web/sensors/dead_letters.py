"""Dead letters: messages of sensors that could not be stored."""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from server import security
from server.services.intake import dead_letters
from server.services.people import access_log, accounts
from server.web import page

bp = Blueprint("dead_letters", __name__)


@bp.get("/dead-letters")
@security.needs(accounts.ADMINISTER, everywhere=True)
def index() -> ResponseReturnValue:
    """The newest dead letters with their bytes, in which hardware addresses are masked; ?before= a row."""
    before = page.row_number(request.args.get("before"))
    with page.sessions()() as session:
        letters = dead_letters.newest(session, before, page.PER_PAGE)
    page.record_access(access_log.SAW_LOG, "dead-letters")
    older = url_for("dead_letters.index", before=letters[-1].id) if len(letters) == page.PER_PAGE else None
    rows = [(letter, dead_letters.as_hex(letter.body)) for letter in letters]
    return render_template("sensors/dead_letters.html", rows=rows, older=older)
