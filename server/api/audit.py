"""The log."""

import json

from apiflask import APIBlueprint

from server.api import PREFIX, authentication, responses, schemas
from server.models.audit import LogEntry
from server.services.audit import log as log_service
from server.services.people import accounts

bp = APIBlueprint("log", __name__, url_prefix=PREFIX)


@bp.get("/log")
@bp.input(schemas.LogQuery, location="query")
@bp.output(schemas.LogPage)
@authentication.needs(accounts.ADMINISTER)
def log(query_data: schemas.LogQuery) -> dict:
    """The whole log, oldest first, without personal fields: for administrators whose role holds everywhere."""
    if not authentication.user().everywhere:
        raise responses.Problem(403, "not_everywhere")
    with authentication.sessions()() as session:
        entries = log_service.list_from(
            session, query_data.kind, query_data.subject, query_data.cursor, query_data.limit
        )
        return responses.page_out(entries, entry_out)


def entry_out(entry: LogEntry) -> dict:
    """Return the JSON of an entry, without its personal fields."""
    columns = {name: getattr(entry, name) for name in ("n", "at_s", "kind", "subject", "personal", "hash")}
    return {**columns, "body": json.loads(entry.body)}
