"""The change feed."""

from apiflask import APIBlueprint

from server.api import PREFIX, authentication, findings, holes, inspecting, schemas
from server.services.outside import change_feed
from server.services.people import accounts

bp = APIBlueprint("changes", __name__, url_prefix=PREFIX)

_ROWS = {
    change_feed.INSPECTION: inspecting.row_out,
    change_feed.FINDING: findings.row_out,
    change_feed.HOLE: holes.hole_out,
}


@bp.get("/changes")
@bp.input(schemas.ChangesQuery, location="query")
@bp.output(schemas.ChangesOut)
@authentication.needs(accounts.SEE)
def index(query_data: schemas.ChangesQuery) -> dict:
    """What has changed in inspections, results, findings, dispositions and holes; keep `cursor` and ask again."""
    with authentication.sessions()() as session:
        page = change_feed.list_changes(
            session, authentication.user(), query_data.cursor, query_data.changed_since, query_data.limit
        )
        return {"items": [change_out(row) for row in page.rows], "cursor": page.cursor, "more": page.more}


def change_out(change: change_feed.Change) -> dict:
    """Return the JSON of a change: its facts, and the object as it is now."""
    kind = change.kind.partition(".")[0]
    objects = {name: row_out(change.object) if name == kind else None for name, row_out in _ROWS.items()}
    return {
        "at_s": change.at_s,
        "kind": change.kind,
        "type": kind,
        "id": change.object.public_id,
        "facts": change.facts,
        **objects,
    }
