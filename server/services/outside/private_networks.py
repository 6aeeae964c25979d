"""
Connections that somebody else's code makes, kept out of private networks.

    with outward.public_only():
        apprise.notify(...)          # its plugins look names up again, follow redirects, fetch what an address names

Checking an address beforehand says nothing of where such code connects in the end. Python tells its audit hooks of
every connection with the IP address in it (https://docs.python.org/3/library/audit_events.html), so this is asked then.
It holds for the whole process, because Apprise sends from threads of its own: the notifying process does nothing else
meanwhile.
"""

import contextlib
import ipaddress
import sys
import threading

_EVENTS = ("socket.connect", "socket.sendto")
_guarded = threading.Event()
_hooked = threading.Event()


class NotPublic(OSError):
    """A connection into a private network, or to something that is no IP address."""


@contextlib.contextmanager
def public_only():
    """Within the block this process connects to public addresses only; anything else is an OSError for who tries."""
    if not _hooked.is_set():
        _hooked.set()
        sys.addaudithook(_asked)  # it stays for the life of the process and does nothing outside of a block
    _guarded.set()
    try:
        yield
    finally:
        _guarded.clear()


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


def _asked(event, arguments):
    if event not in _EVENTS or not _guarded.is_set():
        return
    address = arguments[1]
    try:
        good = is_public(address[0])
    except (ValueError, TypeError, IndexError):  # a name, a path
        good = False
    if not good:
        raise NotPublic("not a public address")
