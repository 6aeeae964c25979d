"""
Webhooks: a signed POST to a URL that a user entered.

    post("https://example.org/hook", body, headers)          # raises CannotSend

The name is resolved once, the addresses are checked, and the connection is made to one of them, so that the name
cannot resolve differently the second time (DNS rebinding). Redirects are not followed: they would avoid the check.

    X-Ansim-Signature: t=1800000000,v1=<hex HMAC-SHA256(key, "1800000000." + body)>
"""

import contextlib
import hmac
import http.client
import socket
import ssl
import threading
from urllib.parse import urlsplit

from server.services.outside import private_networks

CONNECT_S = 10
ANSWER_S = 20
WHOLE_S = 45  # limits an answer that comes byte by byte; less than deliveries.LEASE_S
SIGNATURE_HEADER = "X-Ansim-Signature"


class CannotSend(Exception):
    """Sending failed; the text contains neither the address nor a secret."""


class BadTarget(Exception):
    """A target that is not allowed; `code` is "target_bad" or "target_private"."""

    def __init__(self, code: str):
        super().__init__(code)
        self.code = code


def signature(secret: str, at_s: int, body: bytes) -> str:
    """Return the value of the signature header. secret: the key as shown, 64 hex digits, used as text."""
    return f"t={at_s},v1={hmac.digest(secret.encode(), b'%d.' % at_s + body, 'sha256').hex()}"


def split(url: str) -> tuple[bool, str, int, str]:
    """Return (is https, host, port, path). Raises BadTarget."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadTarget("target_bad") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.password:
        raise BadTarget("target_bad")
    if any(ord(c) <= 32 or ord(c) == 127 for c in url) or len(url) > 2000:
        raise BadTarget("target_bad")
    https = parts.scheme == "https"
    try:
        host = parts.hostname.encode("idna").decode()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        path.encode("ascii")
    except UnicodeError:
        raise BadTarget("target_bad") from None
    return https, host, port or (443 if https else 80), path


def addresses(host: str, port: int, private: bool) -> list[str]:
    """
    Return a host's IP addresses.

    Raises BadTarget (target_private) if one is not public, CannotSend if there is none.
    """
    try:
        ips = [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise CannotSend("the name of the host is not known") from None
    if not private and not all(private_networks.is_public(address) for address in ips):
        raise BadTarget("target_private")
    return ips


def post(url: str, body: bytes, headers: dict, private: bool = False) -> int:
    """Send; return the status, 200..299. Raises CannotSend, BadTarget. private: allow addresses in private networks."""
    https, host, port, path = split(url)
    connection = _Pinned(host, port, addresses(host, port, private), https)
    timeout = threading.Timer(WHOLE_S, connection.cut)
    timeout.daemon = True
    timeout.start()
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read(1000)  # the content does not matter
        if connection.was_cut:
            raise TimeoutError
    except ssl.SSLError as error:
        raise CannotSend(f"TLS: {error.reason or 'failed'}") from None
    except (OSError, http.client.HTTPException) as error:
        late = isinstance(error, TimeoutError) or connection.was_cut
        raise CannotSend("no answer in time" if late else "no connection") from None
    finally:
        timeout.cancel()
        connection.close()
    if not 200 <= answer.status < 300:
        raise CannotSend(f"answered {answer.status}")
    return answer.status


class _Pinned(http.client.HTTPConnection):
    """A connection to one of the given IP addresses, with the name in `Host` and in TLS."""

    def __init__(self, host, port, ips, https):
        super().__init__(host, port, timeout=ANSWER_S)
        self._ips = ips
        self._https = https
        self.was_cut = False
        self.default_port = 443 if https else 80

    def cut(self):
        """Shut the socket down from another thread."""
        self.was_cut = True
        with contextlib.suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def connect(self):
        failure = None
        for address in self._ips[:3]:
            try:
                self.sock = socket.create_connection((address, self.port), CONNECT_S)
                break
            except OSError as error:
                failure = error
        else:
            raise failure or OSError("no address")
        self.sock.settimeout(ANSWER_S)
        if self._https:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
