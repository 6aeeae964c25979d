"""
A guard that keeps connections of third-party code out of private networks.

    with private_networks.public_only():
        apprise.notify(...)          # its plugins resolve names again, follow redirects, fetch URLs from an address

Checking an address beforehand is not enough, because such code may connect elsewhere. Python's audit hooks see every
connection with its IP address (https://docs.python.org/3/library/audit_events.html), so the guard is one of them.
It works for the whole process, because Apprise sends from threads of its own: the notifying process does nothing else
meanwhile.
"""

import contextlib
import ipaddress
import sys
import threading
from collections.abc import Iterator

_EVENTS = ("socket.connect", "socket.sendto")
_guarded = threading.Event()
_hooked = threading.Event()


class NotPublic(OSError):
    """A connection to a private network, or to something that is not an IP address."""


@contextlib.contextmanager
def public_only() -> Iterator[None]:
    """Within the block every connection of this process to a non-public address raises an OSError."""
    if not _hooked.is_set():
        _hooked.set()
        sys.addaudithook(_audit)  # cannot be removed; it does nothing outside of a block
    _guarded.set()
    try:
        yield
    finally:
        _guarded.clear()


def is_public(address: str) -> bool:
    """True for an IP address of the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    # An IPv6 address can contain an IPv4 one: mapped, 6to4, NAT64.
    inner = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    if ip.version == 6 and ip in ipaddress.ip_network("64:ff9b::/96"):
        inner = ipaddress.ip_address(int(ip) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def _audit(event, arguments):
    if event not in _EVENTS or not _guarded.is_set():
        return
    address = arguments[1]
    try:
        public = is_public(address[0])
    except (ValueError, TypeError, IndexError):  # a name, a path
        public = False
    if not public:
        raise NotPublic("not a public address")
