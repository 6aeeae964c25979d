"""Findings, and what people make of them."""

from apiflask import APIBlueprint

from server.api import PREFIX, authentication, responses, schemas
from server.services import listings
from server.services.errors import NotFound
from server.services.findings import judging
from server.services.people import access_log, accounts

bp = APIBlueprint("findings", __name__, url_prefix=PREFIX)

_SAME = (
    *("status", "detector", "created_s", "changed_s", "first_at_s", "last_at_s", "score", "score_max"),
    *("rssi_dbm", "channel", "disposition"),
)


@bp.get("/findings")
@bp.input(schemas.FindingQuery, location="query")
@bp.output(schemas.FindingPage)
@authentication.needs(accounts.SEE)
def index(query_data):
    """Findings, oldest first. Hardware addresses do not leave by the API."""
    asked = query_data.model_dump(exclude={"cursor"})
    asked["status"] = asked["status"] or ""
    after = responses.cursor(query_data.cursor)
    with authentication.sessions()() as session:
        rows = listings.findings(session, authentication.user(), after=after, **asked)
        return responses.page(rows, query_data.limit, row_out)


@bp.get("/findings/<public_id>")
@bp.output(schemas.FindingOut)
@authentication.needs(accounts.SEE)
def show(public_id):
    """One finding with its evidence and dispositions. That it was looked at is written down."""
    with authentication.sessions()() as session:
        answer = _shown(session, _mine(session, public_id, accounts.SEE))
    access_log.record(authentication.sessions(), authentication.user(), access_log.SAW_FINDING, answer.id)
    return answer


@bp.post("/findings/<public_id>/dispositions")
@bp.input(schemas.DispositionIn)
@bp.output(schemas.FindingOut, status_code=201)
@authentication.needs(accounts.DISPOSE)
def dispose(public_id, json_data):
    """Record what a person made of a finding."""

    def work(session):
        one = _mine(session, public_id, accounts.DISPOSE)
        police = json_data.police.model_dump() if json_data.police else None
        judging.dispose(session, one, authentication.user(), json_data.kind, json_data.reason, police)
        session.expire_all()
        return _shown(session, judging.finding(session, public_id)), 201, ""

    return responses.once(authentication.user(), work)


def row_out(one) -> dict:
    """A finding in a list."""
    return {
        "id": one.public_id,
        "sensor": one.sensor.name,
        "restroom": one.restroom.public_id if one.restroom else None,
        "inspection": one.inspection.public_id if one.inspection else None,
        **{name: getattr(one, name) for name in _SAME},
    }


def _mine(session, public_id, right):
    one = judging.finding(session, public_id)
    if not judging.may(session, authentication.user(), right, one):
        raise NotFound("finding")
    return one


def _shown(session, one):
    detail = judging.detail(session, one, authentication.user())
    return schemas.FindingOut(
        **row_out(one),
        evidence=[list(row) for row in detail.evidence],
        considered=[list(row) for row in detail.considered],
        dispositions=[
            {
                "kind": row.kind,
                "reason": row.reason,
                "police": row.police,
                "at_s": row.at_s,
                "by": row.by.name if row.by else None,
            }
            for row in detail.dispositions
        ],
    )
