"""POST /api/v1/claims: enrol a board as a sensor with a claim code; called by tools/provision.py."""

from typing import Any

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from server import problem_documents, security, throttling
from server.config import Settings
from server.services import errors
from server.services.sensors import claims
from server.web import page

bp = Blueprint("claims", __name__)

MOST_BODY_BYTES = 4096
MAX_TEXT = 200  # characters of a field
_FIELDS = ("code", "device", "label")


@bp.post("/api/v1/claims")
@security.csrf.exempt  # authenticated by the claim code alone, without a session
@security.public
@throttling.limiter.limit("10 per minute; 60 per hour")
def redeem() -> ResponseReturnValue:
    """{"code", "device", "label"} → 201 {"key", ...}; else a problem document (RFC 9457)."""
    body = request.get_json(silent=True) if (request.content_length or 0) <= MOST_BODY_BYTES else None
    values = [body.get(name, "") for name in _FIELDS] if isinstance(body, dict) else []
    texts = [value for value in values if isinstance(value, str) and len(value) <= MAX_TEXT]
    if len(texts) != len(_FIELDS):
        return problem_documents.document(400, "claim_incomplete")
    code, device, label = texts
    try:
        with page.sessions().begin() as session:
            _, key = claims.redeem(session, current_app.extensions["vault"], code, device, label)
    except errors.Refused as error:
        return problem_documents.document(403 if error.code == "claim_bad" else 409, error.code, error.values)
    response = jsonify(key=key.hex(), **_broker_address(current_app.extensions["settings"]))
    response.headers["Cache-Control"] = "no-store"
    return response, 201


def _broker_address(settings: Settings) -> dict:
    """Return the broker's address as sensors reach it, as far as the settings have it."""
    address: dict[str, Any] = {}
    if settings.sensor_broker:
        address = {"broker": settings.sensor_broker, "port": settings.sensor_port or settings.mqtt_port}
        address["tls"] = bool(settings.mqtt_ca)
        if settings.mqtt_ca:
            address["ca"] = settings.mqtt_ca.read_text()
    return address
