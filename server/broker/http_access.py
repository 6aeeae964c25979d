"""
Authentication and authorisation of MQTT clients for a broker that asks by HTTP, in EMQX's format.

    POST /broker/authenticate   {"username", "password", "clientid"}           -> {"result": "allow" or "deny"}
    POST /broker/authorize      {"username", "action", "topic"}                -> {"result": "allow" or "deny"}

action is "publish" or "subscribe". The rules are the embedded broker's (broker/topic_rules.py). The broker shows
ANSIM_BROKER_TOKEN as a bearer token; without that setting the addresses do not exist. A refused client gets status
200 as well: with another one EMQX goes on to the next source of its chain.

Source: EMQX 5, "HTTP Authentication" and "HTTP Authorization".
"""

import hmac

from flask import Flask, abort, current_app, request

from server import security
from server.broker import topic_rules
from server.broker.authentication import RIGHT, Authenticator

MAX_CHARS = 256
_RULES = {"publish": topic_rules.may_write, "subscribe": topic_rules.may_read}
_SHARED = "$share/"


def init(app: Flask) -> None:
    """Add the two addresses."""
    for name, view in (("authenticate", authenticate), ("authorize", authorize)):
        security.csrf.exempt(view)
        app.add_url_rule(f"/broker/{name}", endpoint=f"broker_{name}", view_func=view, methods=["POST"])


@security.public
def authenticate() -> dict:
    """Return whether a client may connect: its password is right, and the client id is its own."""
    user, password, client_id = _read_fields("username", "password", "clientid")
    is_right = topic_rules.client_id_fits(user, client_id) and _authenticator().check_all([(user, password)]) == [RIGHT]
    return {**_result(is_right), "is_superuser": False}


@security.public
def authorize() -> dict:
    """Return whether a client that has connected may publish on a topic, or subscribe to a filter."""
    user, action, topic = _read_fields("username", "action", "topic")
    if user == topic_rules.SERVICE and topic.startswith(_SHARED):
        topic = topic.split("/", 2)[-1]
    return _result(action in _RULES and _RULES[action](user, topic))


def _authenticator():
    extensions = current_app.extensions
    if "broker_authenticator" not in extensions:
        has_reader = extensions["settings"].mqtt_reader
        extensions["broker_authenticator"] = Authenticator(extensions["sessions"], extensions["vault"], has_reader)
    return extensions["broker_authenticator"]


def _read_fields(*names: str) -> list[str]:
    """Return fields of the body as texts, "" for those that are missing. Aborts without the token, or with no JSON."""
    token = current_app.extensions["settings"].broker_token.get_secret_value()
    if not token:
        abort(404)
    if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {token}".encode()):
        abort(403)
    fields = request.get_json()
    if not isinstance(fields, dict):
        abort(400)
    values = (fields.get(name) for name in names)
    return [value if isinstance(value, str) and len(value) <= MAX_CHARS else "" for value in values]


def _result(is_allowed: bool) -> dict:
    return {"result": "allow" if is_allowed else "deny"}
