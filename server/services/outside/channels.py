"""
The ways notices go: our own signed webhook, and Apprise for mail and chat services.

    shown = check(way, target, private_targets)             # when somebody subscribes
    send(way, target, secret, message, private_targets)     # raises CannotSend
"""

import contextlib
import json
import logging
from collections import namedtuple
from urllib.parse import parse_qsl, urlsplit

from server import clock
from server.models.outside import WEBHOOK
from server.services.errors import Refused
from server.services.outside import private_networks, webhooks
from server.services.outside.webhooks import BadTarget, CannotSend

# title, text  for people, in the subscription's language
# body         for programs: JSON-able, see docs/api.md
Message = namedtuple("Message", ("title", "text", "body"))

# Apprise has some that write files, speak on this machine's desktop or run commands, and generic web requests that
# are what our webhook is for. So: those that are known to reach people, and whether the host in them is one to check.
_WITH_HOST = {
    *("mailto", "mailtos", "ntfy", "ntfys", "gotify", "gotifys", "matrix", "matrixs", "mmost", "mmosts"),
    *("rocket", "rockets", "ncloud", "nclouds", "nctalk", "nctalks", "signal", "signals", "xmpp", "xmpps"),
}
_SERVICES = {
    *("slack", "tgram", "discord", "workflow", "workflows", "webex", "wxteams", "pover", "pbul", "line"),
    *("gchat", "zulip", "twilio", "vonage", "sns", "ses", "sendgrid", "mailgun", "ifttt", "opsgenie", "pagerduty"),
}
SCHEMES = frozenset(_WITH_HOST | _SERVICES)
_HOSTS_ASIDE = ("smtp", "host", "server")  # parameters in which a host can stand instead


def check(way: str, target: str, private: bool) -> str:
    """Return what pages may show of a target. Raises Refused: target_bad, target_private."""
    try:
        if way == WEBHOOK:
            https, host, port, _path = webhooks.split(target)
            if not https and not private:
                raise BadTarget("target_bad")
            _reachable(host, port, private)
            return f"{'https' if https else 'http'}://{host}"
        return _check_apprise(target, private)
    except BadTarget as error:
        raise Refused(error.code) from None


def send(way: str, target: str, secret: str | None, message: Message, private: bool = False) -> None:
    """Send one message. Raises CannotSend, with a reason that holds neither the target nor a secret."""
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
    import apprise  # a quarter of a second, and most installations' first minute has nothing to send

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it writes addresses with their passwords into its lines
    sender = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))  # no answer, as with webhooks
    if not sender.add(target):
        raise CannotSend("Apprise does not understand the address")
    if not sender.notify(title=message.title, body=message.text, body_format=apprise.NotifyFormat.TEXT):
        raise CannotSend("the service did not take it")


def _check_apprise(target, private):
    try:
        parts = urlsplit(target)
        host = parts.hostname
        aside = [value for name, value in parse_qsl(parts.query) if name.lower() in _HOSTS_ASIDE]
    except ValueError:
        raise BadTarget("target_bad") from None
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES or not host or len(target) > 2000 or any(ord(c) < 32 for c in target) or "," in target:
        raise BadTarget("target_bad")
    hosts = aside + ([host] if scheme in _WITH_HOST else [])
    for one in hosts:
        _reachable(one, 0, private)
    return f"{scheme}://{host if scheme in _WITH_HOST else '…'}"


def _reachable(host, port, private):
    """Raise BadTarget for a host in a private network. One that nobody knows now may be known later."""
    try:
        webhooks.addresses(host, port, private)
    except CannotSend:
        return
