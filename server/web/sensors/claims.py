"""POST /api/v1/claims: enrol a board as a sensor with a claim code; called by tools/provision.py."""

from flask import Blueprint, current_app, jsonify, request

from server import problem_documents, security, throttling
from server.services import errors
from server.services.sensors import claims
from server.web import page

bp = Blueprint("claims", __name__)

MOST_BODY_BYTES = 4096


@bp.post("/api/v1/claims")
@security.csrf.exempt  # there is no session: the code is all that counts
@security.public
@throttling.limiter.limit("10 per minute; 60 per hour")
def redeem():
    """{"code", "device", "label"} → 201 {"key", ...}; else a problem document (RFC 9457)."""
    given = request.get_json(silent=True) if (request.content_length or 0) <= MOST_BODY_BYTES else None
    fields = [given.get(name, "") for name in ("code", "device", "label")] if isinstance(given, dict) else [None]
    if not all(isinstance(value, str) and len(value) <= 200 for value in fields):
        return problem_documents.document(
            400, "bad_request", "The body should be JSON: code, device and label, each a text."
        )
    code, device, label = fields
    try:
        with page.sessions().begin() as session:
            _, key = claims.redeem(session, current_app.extensions["vault"], code, device, label)
    except errors.Refused as error:
        return problem_documents.document(
            403 if error.code == "claim_bad" else 409, error.code, page.refusal_text(error)
        )
    answer = jsonify(key=key.hex(), **_broker(current_app.extensions["settings"]))
    answer.headers["Cache-Control"] = "no-store"
    return answer, 201


def _broker(settings):
    """Return the broker's address as sensors reach it, as far as the settings have it."""
    known = {}
    if settings.sensor_broker:
        known = {"broker": settings.sensor_broker, "port": settings.sensor_port or settings.mqtt_port}
        known["tls"] = bool(settings.mqtt_ca)
        if settings.mqtt_ca:
            known["ca"] = settings.mqtt_ca.read_text()
    return known
