"""
Webhooks: a signed POST to an address that somebody typed in.

    post("https://example.org/hook", body, headers)          # raises CannotSend

The address is looked up once, checked, and then connected to by number, so that a name cannot answer differently
the second time (DNS rebinding). Redirects are not followed: they would lead past the check.

    X-Ansim-Signature: t=1800000000,v1=<hex HMAC-SHA256(key, "1800000000." + body)>
"""

import hmac
import http.client
import ipaddress
import socket
import ssl
from urllib.parse import urlsplit

CONNECT_S = 10
ANSWER_S = 20
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


def is_public(address: str) -> bool:
    """True for an IP address that lies in the public internet."""
    one = ipaddress.ip_address(address.partition("%")[0])
    # An IPv4 address can hide in an IPv6 one: mapped, 6to4, NAT64.
    inner = getattr(one, "ipv4_mapped", None) or getattr(one, "sixtofour", None)
    if one.version == 6 and one in ipaddress.ip_network("64:ff9b::/96"):
        inner = ipaddress.ip_address(int(one) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(str(inner))
    return one.is_global and not one.is_multicast


def addresses(host: str, port: int, private: bool) -> list[str]:
    """The IP addresses of a host. Raises BadTarget (target_private) if one is not public, CannotSend if there is none."""
    try:
        found = [row[4][0] for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise CannotSend("the name of the host is not known") from None
    if not private and not all(is_public(address) for address in found):
        raise BadTarget("target_private")
    return found


def post(url: str, body: bytes, headers: dict, private: bool = False) -> int:
    """Send; return the status, 200..299. Raises CannotSend, BadTarget. `private`: any address will do."""
    https, host, port, path = split(url)
    connection = _Pinned(host, port, addresses(host, port, private), https)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read(1000)  # enough to be polite; what it says does not matter
    except ssl.SSLError as error:
        raise CannotSend(f"TLS: {error.reason or 'failed'}") from None
    except (OSError, http.client.HTTPException) as error:
        raise CannotSend("no answer in time" if isinstance(error, TimeoutError) else "no connection") from None
    finally:
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
        self.default_port = 443 if https else 80

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
