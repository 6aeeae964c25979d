"""
Channels of notifications: our own signed webhook, and Apprise for mail and chat services.

    shown = check(way, target, private_targets)             # when a subscription is made
    send(way, target, secret, message, private_targets)     # raises CannotSend
"""

import contextlib
import json
import logging
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from server import clock
from server.models.outside import WEBHOOK
from server.services.errors import Refused
from server.services.outside import private_networks, webhooks
from server.services.outside.webhooks import BadTarget, CannotSend


class Message(NamedTuple):
    """
    title, text  for people, in the subscription's language
    body         for programs: JSON-able, see docs/api.md
    """

    title: str
    text: str
    body: dict


# Apprise has services that write files, show texts on this machine's desktop or run commands, and generic web
# requests, for which there is our webhook. So only services known to reach people are allowed; _WITH_HOST are those
# whose address names a host that has to be checked.
_WITH_HOST = {
    *("mailto", "mailtos", "ntfy", "ntfys", "gotify", "gotifys", "matrix", "matrixs", "mmost", "mmosts"),
    *("rocket", "rockets", "ncloud", "nclouds", "nctalk", "nctalks", "signal", "signals", "xmpp", "xmpps"),
}
_SERVICES = {
    *("slack", "tgram", "discord", "workflow", "workflows", "webex", "wxteams", "pover", "pbul", "line"),
    *("gchat", "zulip", "twilio", "vonage", "sns", "ses", "sendgrid", "mailgun", "ifttt", "opsgenie", "pagerduty"),
}
SCHEMES = frozenset(_WITH_HOST | _SERVICES)
_HOST_PARAMETERS = ("smtp", "host", "server")  # query parameters that can name a host instead


def check(way: str, target: str, private: bool) -> str:
    """Return the part of a target that pages may show. Raises Refused: target_bad, target_private."""
    try:
        if way == WEBHOOK:
            https, host, port, _path = webhooks.split(target)
            if not https and not private:
                raise BadTarget("target_bad")
            _check_host(host, port, private)
            return f"{'https' if https else 'http'}://{host}"
        return _check_apprise(target, private)
    except BadTarget as error:
        raise Refused(error.code) from None


def send(way: str, target: str, secret: str, message: Message, private: bool = False) -> None:
    """
    Send one message.

    secret  a webhook's signing key; "" for other ways
    Raises CannotSend with a reason that contains neither the target nor a secret.
    """
    try:
        if way == WEBHOOK:
            body = json.dumps(message.body, ensure_ascii=False, separators=(",", ":")).encode()
            headers = {
                "Content-Type": "application/json",
                "User-Agent": "ansim-webhook/1",
                webhooks.SIGNATURE_HEADER: webhooks.signature(secret, clock.now_s(), body),
            }
            webhooks.post(target, body, headers, private)
        else:
            _check_apprise(target, private)
            with contextlib.nullcontext() if private else private_networks.public_only():
                _apprise(target, message)
    except BadTarget:
        raise CannotSend("the address may not be sent to") from None


def _apprise(target, message):
    import apprise  # takes a quarter of a second

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs addresses with their passwords
    sender = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))  # as with webhooks
    if not sender.add(target):
        raise CannotSend("Apprise does not understand the address")
    if not sender.notify(title=message.title, body=message.text, body_format=apprise.NotifyFormat.TEXT):
        raise CannotSend("the service did not take it")


def _check_apprise(target, private):
    try:
        parts = urlsplit(target)
        host = parts.hostname
        parameters = [value for name, value in parse_qsl(parts.query) if name.lower() in _HOST_PARAMETERS]
    except ValueError:
        raise BadTarget("target_bad") from None
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES or not host or len(target) > 2000 or any(ord(c) < 32 for c in target) or "," in target:
        raise BadTarget("target_bad")
    hosts = parameters + ([host] if scheme in _WITH_HOST else [])
    for name in hosts:
        _check_host(name, 0, private)
    return f"{scheme}://{host if scheme in _WITH_HOST else '…'}"


def _check_host(host, port, private):
    """Raise BadTarget for a host in a private network. A name that does not resolve now may do so later."""
    try:
        webhooks.addresses(host, port, private)
    except CannotSend:
        return
