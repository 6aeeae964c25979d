"""
Webhooks: a signed POST to an address that somebody typed in.

    post("https://example.org/hook", body, headers)          # raises CannotSend

The address is looked up once, checked, and then connected to by number, so that a name cannot answer differently
the second time (DNS rebinding). Redirects are not followed: they would lead past the check.

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
WHOLE_S = 45  # an answer that comes byte by byte would hold up all notices behind it; less than notices.LEASE_S
SIGNATURE_HEADER = "X-Ansim-Signature"


class CannotSend(Exception):
    """It could not be sent, in words that hold neither the address nor a secret."""


class BadTarget(Exception):
    """Not an address that may be sent to; `code` is "target_bad" or "target_private"."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def signature(secret: str, at_s: int, body: bytes) -> str:
    """What the signature header holds. `secret` is used as it is shown: 64 hex characters."""
    return f"t={at_s},v1={hmac.digest(secret.encode(), b'%d.' % at_s + body, 'sha256').hex()}"


def split(url: str):
    """Return (https: bool, host, port, path). Raises BadTarget."""
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
    """The IP addresses of a host. Raises BadTarget (target_private) if one is not public, CannotSend if there is none."""
    try:
        found = [row[4][0] for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise CannotSend("the name of the host is not known") from None
    if not private and not all(private_networks.is_public(address) for address in found):
        raise BadTarget("target_private")
    return found


def post(url: str, body: bytes, headers: dict, private: bool = False) -> int:
    """Send; return the status, 200..299. Raises CannotSend, BadTarget. `private`: any address will do."""
    https, host, port, path = split(url)
    connection = _Pinned(host, port, addresses(host, port, private), https)
    too_long = threading.Timer(WHOLE_S, connection.cut)
    too_long.daemon = True
    too_long.start()
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read(1000)  # enough to be polite; what it says does not matter
        if connection.was_cut:
            raise TimeoutError
    except ssl.SSLError as error:
        raise CannotSend(f"TLS: {error.reason or 'failed'}") from None
    except (OSError, http.client.HTTPException) as error:
        late = isinstance(error, TimeoutError) or connection.was_cut
        raise CannotSend("no answer in time" if late else "no connection") from None
    finally:
        too_long.cancel()
        connection.close()
    if not 200 <= answer.status < 300:
        raise CannotSend(f"answered {answer.status}")
    return answer.status


class _Pinned(http.client.HTTPConnection):
    """A connection to one of some IP addresses, with the name in `Host` and in TLS."""

    def __init__(self, host, port, found, https):
        super().__init__(host, port, timeout=ANSWER_S)
        self._found = found
        self._https = https
        self.was_cut = False
        self.default_port = 443 if https else 80

    def cut(self):
        """End it from another thread, whatever it waits for."""
        self.was_cut = True
        with contextlib.suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def connect(self):
        failed = None
        for address in self._found[:3]:
            try:
                self.sock = socket.create_connection((address, self.port), CONNECT_S)
                break
            except OSError as error:
                failed = error
        else:
            raise failed or OSError("no address")
        self.sock.settimeout(ANSWER_S)
        if self._https:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
